//! Dead letters that join, and what whoever puts them back does to them: what `store/mongo/letter.rs` has the
//! server do. `tests/it/store/letters/simulated.rs` holds both to the same records.

use mongodb::bson::{Bson, doc};

use super::{Document, Name, Store};
use crate::simulation::judge::DEAD_LETTERS;

type Record = mongodb::bson::Document;

/// Ids of messages, and replays, that a record keeps.
const KEPT_MAX: usize = 100;

/// What the newest refusal says.
const OF_REFUSAL: [&str; 10] = [
    "schema_version",
    "reason",
    "text",
    "place",
    "place_pattern",
    "server_code",
    "route",
    "type",
    "key",
    "dead_lettered",
];

/// The record of a refused message, after the same one was refused once more; `None` where that changes
/// nothing.
pub fn joined(stored: &[u8], again: &[u8]) -> Option<Document> {
    let (stored, again) = (read(stored), read(again));
    let joined = join(&stored, &again);
    (joined != stored).then(|| document(&joined))
}

/// The same, as records.
pub fn join(stored: &Record, again: &Record) -> Record {
    let mut joined = stored.clone();
    let at = |record: &Record, name| *record.get_datetime(name).expect("a date");
    let id = again.get("message_id").expect("an id").clone();
    let is_known = stored.get_array("message_ids").expect("a list").contains(&id);
    let replays = stored.get_array("replays").expect("a list");
    let is_replay =
        |replay: &Bson| replay.as_document().and_then(|it| it.get("message_id")) == Some(&id);
    // Only what was put back speaks for another sender's.
    let is_its_own = stored.get("sender") == again.get("sender") || replays.iter().any(is_replay);
    if at(again, "dead_lettered") > at(stored, "dead_lettered") && !is_known && is_its_own {
        for name in OF_REFUSAL {
            let value = again.get(name).expect("each record has it").clone();
            // What could not be read this time was read before, it may be.
            if value != Bson::Null || !["type", "key"].contains(&name) {
                joined.insert(name, value);
            }
        }
    }
    let first = at(again, "first_dead_lettered").min(at(stored, "first_dead_lettered"));
    joined.insert("first_dead_lettered", first);
    let users = joined.get_array_mut("users").expect("a list");
    for user in again.get_array("users").expect("a list") {
        if !users.contains(user) {
            users.push(user.clone());
        }
    }
    if !is_known {
        push(&mut joined, "message_ids", id);
        joined.insert("times", stored.get_i32("times").expect("a number") + 1);
        joined.insert("stands", true);
    }
    joined
}

/// The record after it was marked as put back. If the message that was sent was refused already, it stands.
pub fn marked(stored: &Record, replay: &Record) -> Record {
    let mut marked = stored.clone();
    let id = replay.get("message_id").unwrap_or(&Bson::Null);
    let stands = stored.get_array("message_ids").expect("a list").contains(id);
    push(&mut marked, "replays", replay.clone().into());
    marked.insert("stands", stands);
    marked
}

fn push(record: &mut Record, name: &str, value: Bson) {
    let list = record.get_array_mut(name).expect("a list");
    list.push(value);
    let outgrown = list.len().saturating_sub(KEPT_MAX);
    list.drain(..outgrown);
}

impl Store {
    /// The dead letters by their names, durable or not yet: so they are read to be put back.
    pub fn letters(&self) -> Vec<(Name, Record)> {
        let state = self.lock();
        let letter = |(name, document): (&Name, &Document)| match document {
            Document::Inserted { document, .. } if name.0 == DEAD_LETTERS => {
                Some((name.clone(), read(document)))
            }
            _ => None,
        };
        state.documents.iter().filter_map(letter).collect()
    }

    /// Marks a dead letter as put back, if it is still there. The majority takes it, and with it what was written to the
    /// letter before.
    pub fn they_mark(&self, name: &Name, message_id: &str) {
        let Some(Document::Inserted { document: stored, .. }) = self.they_take(name) else {
            return;
        };
        let marked = document(&marked(&read(&stored), &doc! { "message_id": message_id }));
        self.lock().documents.insert(name.clone(), marked);
    }
}

fn read(bytes: &[u8]) -> Record {
    Record::from_reader(bytes).expect("BSON")
}

fn document(record: &Record) -> Document {
    let document = mongodb::bson::serialize_to_vec(record).expect("BSON");
    Document::Inserted { document, hash: None }
}
