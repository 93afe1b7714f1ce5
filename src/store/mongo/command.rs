//! The commands that write: as many inserts or updates as one command holds.
//!
//! What a statement says is in [`guard`](super::guard), and how it becomes bytes in [`crate::bson`].
//! A command of ten thousand writes is one buffer, with room from the start for all that is given or
//! for a full command: one that doubles is copied each time, and lies in memory twice meanwhile. Where
//! more is given than one command holds, the write that is one too many may make it grow once.

use std::time::Duration;

use super::guard::{Form, Target};
use super::letter;
use crate::bson::{DOCUMENT_BYTES_MAX, Doc, Fields, List, document};
use crate::message::{Insert, Update, Write};
use crate::store::{Acknowledgement, WriteConcern};
use crate::version::{Change, Version};

/// Bytes of one command with several writes: the driver sends what `run_raw_command` is given as one
/// BSON document.
pub const COMMAND_BYTES_MAX: usize = 15 * 1024 * 1024;

/// Bytes of a command with a single write. A server takes 16 MiB + 16 KiB
/// (`BSONObjMaxInternalSize`), so that a document of the full 16 MiB fits with its statement around
/// it; 2 KiB are left for what the driver adds (session, cluster time, database).
pub const SINGLE_BYTES_MAX: usize = DOCUMENT_BYTES_MAX + 14 * 1024;

/// What a command may take beside the wait for its write concern, before the server gives it up. A
/// call is given up later: what the server has ended need not be waited for.
pub const TIME_BESIDE_CONCERN: Duration = Duration::from_secs(8);

/// What stands before the writes: names, and a write concern.
const HEAD_BYTES: usize = 1_024;

/// Bytes that end the array of writes and the command.
const END_BYTES: usize = 2;

/// Type byte, decimal index and NUL of an array element.
const ELEMENT_BYTES: usize = 16;

/// The statement of an update around its literals, and what it takes for each field beside that: the
/// longest are measured in the tests of [`guard`](super::guard).
const STATEMENT_BYTES: usize = 1_024;
const FIELD_BYTES: usize = 768;

/// A command as the server takes it.
pub struct Command {
    /// The first name in it.
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

impl Command {
    /// One that acts on a collection; `body` writes what follows that.
    pub fn on(name: &'static str, collection: &str, body: impl FnOnce(&mut Doc<'_>)) -> Self {
        Self::in_buffer(Vec::new(), name, collection, body)
    }

    fn in_buffer(
        mut bytes: Vec<u8>,
        name: &'static str,
        collection: &str,
        body: impl FnOnce(&mut Doc<'_>),
    ) -> Self {
        document(&mut bytes, |command| {
            command.text(name, collection);
            body(command);
        });
        Self { name, bytes }
    }
}

/// A command with as many writes, from the first on, as one command holds.
pub struct Batch {
    pub command: Command,
    pub writes: usize,
}

/// An `insert` command. At least one document, whatever its size.
pub fn insert<'a>(
    collection: &str,
    concern: &WriteConcern,
    inserts: impl Iterator<Item = &'a Insert> + Clone,
) -> Batch {
    let room = room(inserts.clone().map(insert_bytes));
    command("insert", "documents", collection, concern, room, inserts, |list, insert| {
        list.encoded(&insert.document);
    })
}

/// An `update` command. At least one statement, whatever its size.
pub fn update<'a>(
    collection: &str,
    concern: &WriteConcern,
    target: &Target<'_>,
    form: Form,
    updates: impl Iterator<Item = &'a Update> + Clone,
) -> Batch {
    let room = room(updates.clone().map(update_bytes));
    command("update", "updates", collection, concern, room, updates, |list, update| {
        list.doc(|statement| target.statement(statement, update, form));
    })
}

/// An `update` command of dead letters. At least one statement, whatever its size.
pub fn letters<'a>(
    collection: &str,
    concern: &WriteConcern,
    letters: impl Iterator<Item = &'a Insert> + Clone,
) -> Batch {
    let room = room(letters.clone().map(letter::bytes));
    command("update", "updates", collection, concern, room, letters, |list, one| {
        list.doc(|statement| letter::statement(statement, one));
    })
}

/// Bytes that a write takes in a command, at most.
pub fn bytes(write: &Write) -> usize {
    match write {
        Write::Insert(insert) => insert_bytes(insert),
        Write::Update(update) => update_bytes(update),
        Write::Letter(one) => letter::bytes(one),
    }
}

fn insert_bytes(insert: &Insert) -> usize {
    insert.document.len() + ELEMENT_BYTES
}

fn update_bytes(update: &Update) -> usize {
    match &update.change {
        Change::Whole { version, fields } => {
            STATEMENT_BYTES + fields.bytes() + 3 * version.origin_id.len() + FIELD_BYTES * 2
        }
        Change::Partial { fields } => {
            let of = |(name, version, value): &(String, Version, Fields)| {
                FIELD_BYTES + 8 * name.len() + value.bytes() + 3 * version.origin_id.len()
            };
            STATEMENT_BYTES + fields.iter().map(of).sum::<usize>()
        }
    }
}

/// Bytes that a command of writes of these sizes takes, at most. A single one may take more.
fn room(writes: impl Iterator<Item = usize>) -> usize {
    (HEAD_BYTES + writes.sum::<usize>()).min(COMMAND_BYTES_MAX)
}

fn command<T>(
    name: &'static str,
    array: &str,
    collection: &str,
    concern: &WriteConcern,
    room: usize,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut List<'_>, T),
) -> Batch {
    let mut writes = 0;
    let command = Command::in_buffer(Vec::with_capacity(room), name, collection, |command| {
        command.boolean("ordered", false);
        command.doc("writeConcern", |doc| write_concern(doc, concern));
        command.int64("maxTimeMS", crate::time::millis(concern.timeout + TIME_BESIDE_CONCERN));
        command.list(array, |list| {
            for item in items {
                let bytes_max =
                    if writes == 0 { usize::MAX } else { COMMAND_BYTES_MAX - END_BYTES };
                if !list.within(bytes_max, |list| write(list, item)) {
                    break;
                }
                writes += 1;
            }
        });
    });
    Batch { command, writes }
}

/// The elements of `writeConcern`.
pub fn write_concern(doc: &mut Doc<'_>, concern: &WriteConcern) {
    match &concern.w {
        Acknowledgement::Majority => doc.text("w", "majority"),
        Acknowledgement::Members(members) => doc.int32("w", i32::from(*members)),
        Acknowledgement::Tag(tag) => doc.text("w", tag),
    }
    doc.boolean("j", concern.journal);
    doc.int64("wtimeout", crate::time::millis(concern.timeout));
}

#[cfg(test)]
mod tests {
    use bson::{Bson, Document, doc};

    use super::*;
    use crate::message::{Key, KnownBy};

    fn majority() -> WriteConcern {
        WriteConcern {
            w: Acknowledgement::Majority,
            journal: true,
            timeout: Duration::from_secs(10),
        }
    }

    fn insert_of(id: i64, bytes: usize) -> Insert {
        let mut document = Vec::new();
        crate::bson::document(&mut document, |doc| {
            doc.value("_id", &Key::Integer(id));
            doc.binary("data", &vec![7; bytes]);
        });
        Insert { id: Key::Integer(id), document, known_by: KnownBy::Id }
    }

    fn read(bytes: &[u8]) -> Document {
        bson::deserialize_from_slice(bytes).expect("valid BSON")
    }

    #[test]
    fn an_insert_command_is_what_the_manual_says() {
        let inserts: Vec<Insert> = (0..12).map(|id| insert_of(id, 1)).collect();
        let batch = insert("events", &majority(), inserts.iter());
        assert_eq!(batch.writes, 12);
        let command = read(&batch.command.bytes);
        assert_eq!(
            command.keys().next().map(String::as_str),
            Some("insert"),
            "the server reads the first name as the command"
        );
        assert_eq!(command.get_bool("ordered").ok(), Some(false));
        assert_eq!(
            command.get_document("writeConcern").ok(),
            Some(&doc! { "w": "majority", "j": true, "wtimeout": 10_000_i64 })
        );
        assert_eq!(command.get_i64("maxTimeMS").ok(), Some(18_000));
        let documents = command.get_array("documents").expect("an array");
        assert_eq!(documents.len(), 12);
        assert_eq!(
            documents[11].as_document().and_then(|doc| doc.get("_id")),
            Some(&Bson::Int32(11))
        );
    }

    #[test]
    fn what_does_not_fit_waits_for_the_next_command() {
        let inserts: Vec<Insert> = (0..4).map(|id| insert_of(id, 5 * 1024 * 1024)).collect();
        let batch = insert("events", &majority(), inserts.iter());
        assert_eq!(batch.writes, 2);
        assert!(batch.command.bytes.len() <= COMMAND_BYTES_MAX);
        assert_eq!(read(&batch.command.bytes).get_array("documents").map(Vec::len).ok(), Some(2));
    }

    #[test]
    fn a_command_has_room_for_its_writes_from_the_start() {
        let inserts: Vec<Insert> = (0..1_000).map(|id| insert_of(id, 4_000)).collect();
        let room = room(inserts.iter().map(insert_bytes));
        let batch = insert("events", &majority(), inserts.iter());
        assert_eq!((batch.writes, batch.command.bytes.capacity()), (1_000, room));
    }

    #[test]
    fn a_single_write_is_never_left_out() {
        let inserts = [insert_of(1, 16 * 1024 * 1024 - 64), insert_of(2, 1)];
        let batch = insert("events", &majority(), inserts.iter());
        assert_eq!(batch.writes, 1);
        assert!(batch.command.bytes.len() <= SINGLE_BYTES_MAX);
    }
}
