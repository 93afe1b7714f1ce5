//! Dead letters that failed alike, and so have one cause.

use bson::{Bson, Document, doc};
use sha2::{Digest, Sha256};

use crate::time::Time;

/// Hex digits of a group's id. That two groups have one takes whoever wants it four billion tries, and
/// then the id is refused: it is no secret, and no proof.
const ID_DIGITS: usize = 16;

/// What letters of one group have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    pub reason: String,
    /// With `[]` for any item of an array.
    pub place: Option<String>,
    pub kind: Option<String>,
    pub sender: Option<String>,
}

impl Alike {
    /// The group's id: the same on every machine, and made of nothing that a sender could make a
    /// command of.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for text in
            [Some(&self.reason), self.place.as_ref(), self.kind.as_ref(), self.sender.as_ref()]
        {
            // What is absent is no empty text, and no text ends where the next begins.
            hash.update([u8::from(text.is_some())]);
            hash.update(text.map_or(0, String::len).to_le_bytes());
            hash.update(text.map(String::as_str).unwrap_or_default());
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        format!("{:0ID_DIGITS$x}", u64::from_be_bytes(first))
    }

    /// As a filter of the collection.
    #[must_use]
    pub fn filter(&self) -> Document {
        doc! {
            "reason": &self.reason, "place_pattern": self.place.as_deref(),
            "type": self.kind.as_deref(), "sender": self.sender.as_deref(),
        }
    }
}

/// All letters that failed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub alike: Alike,
    pub letters: u64,
    /// When the first and the last of them was dead-lettered.
    pub first: Time,
    pub last: Time,
    /// The message id of the last.
    pub sample: Option<String>,
}

/// Keys of the index that has all that groups are made of: nothing else need be read.
pub const INDEX: [&str; 6] =
    ["reason", "place_pattern", "type", "sender", "dead_lettered", "message_id"];

/// The same as the server is told of it.
#[must_use]
pub fn index() -> Document {
    INDEX.iter().map(|field| ((*field).to_owned(), Bson::Int32(1))).collect()
}

/// The stages that make the groups of those letters that `filter` finds: `most` of them at most, the one
/// that was added to last first; or all, in no order.
#[must_use]
pub fn stages(filter: Document, most: Option<u32>) -> Vec<Document> {
    // A record of an earlier schema version lacks the field: that is the same as null.
    let or_null = |field: &str| doc! { "$ifNull": [field, null] };
    let alike = doc! {
        "reason": "$reason", "place": or_null("$place_pattern"), "type": or_null("$type"),
        "sender": or_null("$sender"),
    };
    // Of two documents the one whose first field is the greater is the greater.
    let last = doc! { "$max": { "at": "$dead_lettered", "message_id": "$message_id" } };
    let group = doc! {
        "_id": alike, "letters": { "$sum": 1_i64 },
        "first": { "$min": "$dead_lettered" }, "last": last,
    };
    let mut stages = vec![doc! { "$match": filter }, doc! { "$group": group }];
    if let Some(most) = most {
        let sort = doc! { "last": -1, "_id": 1 };
        stages.extend([doc! { "$sort": sort }, doc! { "$limit": i64::from(most) }]);
    }
    stages
}

impl Group {
    /// Reads what [`stages`] make. `None` where it is of another form: a record that this version did
    /// not write.
    #[must_use]
    pub fn of(made: &Document) -> Option<Self> {
        let alike = made.get_document("_id").ok()?;
        let text = |name: &str| alike.get_str(name).ok().map(str::to_owned);
        let time = |of: &Document, name: &str| {
            Some(Time::from_millis(of.get_datetime(name).ok()?.timestamp_millis()))
        };
        let last = made.get_document("last").ok()?;
        Some(Self {
            alike: Alike {
                reason: text("reason")?,
                place: text("place"),
                kind: text("type"),
                sender: text("sender"),
            },
            letters: match made.get("letters")? {
                Bson::Int64(letters) => u64::try_from(*letters).ok()?,
                Bson::Int32(letters) => u64::try_from(*letters).ok()?,
                _ => return None,
            },
            first: time(made, "first")?,
            last: time(last, "at")?,
            sample: last.get_str("message_id").ok().map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use bson::DateTime;

    use super::*;

    fn alike(place: Option<&str>, sender: Option<&str>) -> Alike {
        Alike {
            reason: "bad_time".to_owned(),
            place: place.map(str::to_owned),
            kind: Some("event".to_owned()),
            sender: sender.map(str::to_owned),
        }
    }

    #[test]
    fn each_group_has_an_id_of_its_own_that_stays_the_same() {
        let ids = [
            alike(None, None).id(),
            alike(Some(""), None).id(),
            alike(None, Some("")).id(),
            alike(Some("a"), Some("b")).id(),
            alike(Some("ab"), Some("")).id(),
        ];
        let each: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(each.len(), ids.len());
        assert!(ids.iter().all(|id| id.len() == ID_DIGITS));
        assert_eq!(alike(Some("a"), Some("b")).id(), ids[3]);
    }

    #[test]
    fn what_the_stages_make_is_read() {
        let made = doc! {
            "_id": { "reason": "bad_time", "place": null, "type": "event", "sender": null },
            "letters": 312_i64, "first": DateTime::from_millis(5),
            "last": { "at": DateTime::from_millis(7), "message_id": "m-7" },
        };
        let expected = Group {
            alike: alike(None, None),
            letters: 312,
            first: Time::from_millis(5),
            last: Time::from_millis(7),
            sample: Some("m-7".to_owned()),
        };
        assert_eq!(Group::of(&made), Some(expected));
        assert_eq!(Group::of(&doc! { "_id": null }), None);
    }
}
