//! Dead letters that failed alike, and so have one cause.

use bson::{Bson, Document, doc};

pub use super::alike::Alike;
use super::search::{Search, Standing};
use crate::time::Time;

/// All letters that failed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub alike: Alike,
    pub letters: u64,
    /// When one of them was first dead-lettered, and when one was last.
    pub first: Time,
    pub last: Time,
    /// The message id of the last.
    pub sample: Option<String>,
}

/// Keys of the index that has all that groups are made of: nothing else need be read.
pub const INDEX: [&str; 8] = [
    "reason",
    "place_pattern",
    "type",
    "sender",
    "dead_lettered",
    "first_dead_lettered",
    "stands",
    "message_id",
];

/// The same as the server is told of it.
#[must_use]
pub fn index() -> Document {
    INDEX.iter().map(|field| ((*field).to_owned(), Bson::Int32(1))).collect()
}

/// The stages that make the groups of those letters that `search` finds: `most` of them at most, the one
/// that was added to last first; or all, in no order.
#[must_use]
pub fn stages(search: &Search, most: Option<u32>) -> Vec<Document> {
    // A record of an earlier schema version lacks the field: that is the same as null.
    let or_null = |field: &str| doc! { "$ifNull": [field, null] };
    let mut alike = doc! {
        "reason": "$reason", "place": or_null("$place_pattern"), "type": or_null("$type"),
        "sender": or_null("$sender"),
    };
    // Of two documents the one whose first field is the greater is the greater.
    let last = doc! { "$max": { "at": "$dead_lettered", "message_id": "$message_id" } };
    // Which of them are meant is said after this: for a field that may be missing the server would read every
    // letter.
    let stands = match search.standing {
        Standing::Stands => Some(true),
        Standing::Replayed => Some(false),
        Standing::Either => None,
    };
    if stands.is_some() {
        alike.insert("stands", doc! { "$ne": ["$stands", false] });
    }
    let group = doc! {
        "_id": alike, "letters": { "$sum": 1_i64 },
        "first": { "$min": { "$ifNull": ["$first_dead_lettered", "$dead_lettered"] } }, "last": last,
    };
    let found = search.clone().either().filter();
    let mut stages = vec![doc! { "$match": found }, doc! { "$group": group }];
    stages.extend(stands.map(|stands| doc! { "$match": { "_id.stands": stands } }));
    stages.extend(most.into_iter().flat_map(newest));
    stages
}

/// The stages that make one document of them: its `groups` are the same, `most` at most, and its `total` has the
/// letters of all groups, also of those that are left out.
#[must_use]
pub fn stages_with_total(search: &Search, most: u32) -> Vec<Document> {
    let total = doc! { "$group": { "_id": null, "letters": { "$sum": "$letters" } } };
    let mut stages = stages(search, None);
    stages.push(doc! { "$facet": { "groups": newest(most).to_vec(), "total": [total] } });
    stages
}

fn newest(most: u32) -> [Document; 2] {
    [doc! { "$sort": { "last": -1, "_id": 1 } }, doc! { "$limit": i64::from(most) }]
}

/// Reads what [`stages_with_total`] make: the groups, and the letters of all.
#[must_use]
pub fn with_total(made: &Document) -> (Vec<Group>, u64) {
    let list = |name: &str| {
        let items = made.get_array(name).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Bson::as_document)
    };
    let groups = list("groups").filter_map(Group::of).collect();
    (groups, list("total").find_map(letters).unwrap_or_default())
}

fn letters(made: &Document) -> Option<u64> {
    match made.get("letters")? {
        Bson::Int64(letters) => u64::try_from(*letters).ok(),
        Bson::Int32(letters) => u64::try_from(*letters).ok(),
        _ => None,
    }
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
            letters: letters(made)?,
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
        assert_eq!(Group::of(&made), Some(expected.clone()));
        assert_eq!(Group::of(&doc! { "_id": null }), None);
        let all = doc! { "groups": [made, 7], "total": [{ "_id": null, "letters": 400_i64 }] };
        assert_eq!(with_total(&all), (vec![expected], 400));
        assert_eq!(with_total(&doc! { "groups": [], "total": [] }), (Vec::new(), 0));
    }
}
