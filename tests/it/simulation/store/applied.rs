//! What one write makes of a document.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use longshore::message::{Insert, Reason, Rejection, Update, Write};
use longshore::store::ItemOutcome;
use longshore::version::{Change, Version};

use super::Document;
use super::letters::joined;

/// The document after the write, if that changes it, and what is answered.
pub fn applied(before: Option<&Document>, write: &Write) -> (Option<Document>, ItemOutcome) {
    match (write, before) {
        (Write::Letter(letter), Some(Document::Inserted { document: stored, .. })) => {
            (joined(stored, &letter.document), ItemOutcome::Written)
        }
        (
            Write::Letter(Insert { document, known_by, .. })
            | Write::Insert(Insert { document, known_by, .. }),
            None,
        ) => (
            Some(Document::Inserted { document: document.clone(), hash: known_by.hash() }),
            ItemOutcome::Written,
        ),
        (
            Write::Insert(Insert { known_by, document, .. }),
            Some(Document::Inserted { hash: stored_hash, document: stored }),
        ) if match (known_by.hash(), stored_hash) {
            (Some(hash), Some(stored)) => hash == *stored,
            (None, None) => true,
            // The queue named one of the two: what they say decides.
            _ => says(document) == says(stored),
        } =>
        {
            (None, ItemOutcome::AlreadyThere)
        }
        (Write::Insert(_) | Write::Letter(_), Some(_)) => (
            None,
            ItemOutcome::Rejected(Rejection::new(
                Reason::IdConflict,
                "another document has this id",
            )),
        ),
        (Write::Update(Update { change: Change::Whole { version, fields }, .. }), before) => {
            let is_newer = match before {
                Some(Document::Whole { version: stored, .. }) => {
                    compare(version, stored) == Ordering::Greater
                }
                Some(Document::Foreign { theirs, over }) => {
                    theirs.counts_as_ms() <= version.time.millis()
                        && over
                            .as_ref()
                            .is_none_or(|(stored, _)| compare(version, stored) == Ordering::Greater)
                }
                _ => true,
            };
            (
                is_newer
                    .then(|| Document::Whole { version: version.clone(), fields: fields.clone() }),
                ItemOutcome::Written,
            )
        }
        (Write::Update(Update { change: Change::Partial { fields }, .. }), before) => {
            let mut stored = if let Some(Document::Partial(stored)) = before {
                stored.clone()
            } else {
                BTreeMap::new()
            };
            let mut is_newer = false;
            for (field, version, value) in fields {
                if stored
                    .get(field)
                    .is_none_or(|(stored, _)| compare(version, stored) == Ordering::Greater)
                {
                    stored.insert(field.clone(), (version.clone(), value.clone()));
                    is_newer = true;
                }
            }
            (is_newer.then_some(Document::Partial(stored)), ItemOutcome::Written)
        }
    }
}

/// A document but for what the store keeps of its own.
fn says(document: &[u8]) -> mongodb::bson::Document {
    let mut document = mongodb::bson::Document::from_reader(document).expect("BSON");
    document.remove("_ingest");
    document
}

/// As the server compares what it stores of a version: two dates, then binary values by length and
/// bytes.
fn compare(left: &Version, right: &Version) -> Ordering {
    let parts = |version: &Version| {
        let of_message =
            (version.sequence, version.place, version.origin_id.len(), version.origin_id.to_vec());
        (
            version.time.millis(),
            version.time.nanos(),
            (version.origin_time.millis(), version.origin_time.nanos()),
            of_message,
            version.content_hash,
        )
    };
    parts(left).cmp(&parts(right))
}
