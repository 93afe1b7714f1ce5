//! What letters that failed alike have in common, and the id that they are called by.

use bson::{Document, doc};
use sha2::{Digest, Sha256};

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

#[cfg(test)]
mod tests {
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
}
