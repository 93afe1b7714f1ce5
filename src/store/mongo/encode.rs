//! Commands as bytes: BSON written straight into one buffer, as the BSON specification lays it out,
//! without a tree of values in between. A batch of ten thousand is one allocation that grows.
//!
//! Lengths stand before what they measure, so [`Doc`] and [`List`] leave four bytes and fill them
//! in at the end.

use bson::spec::{BinarySubtype, ElementType};

use super::guard::{Form, Target};
use crate::config::{Acknowledgement, WriteConcern};
use crate::message::{Insert, Key, Update};

/// Bytes of one command: the driver sends what `run_raw_command` is given as one BSON document.
pub const COMMAND_BYTES_MAX: usize = 15 * 1024 * 1024;

/// Bytes of a command with a single write. A server takes 16 MiB + 16 KiB
/// (`BSONObjMaxInternalSize`), so that a document of the full 16 MiB fits with its statement around
/// it; 2 KiB are left for what the driver adds (session, cluster time, database).
pub const SINGLE_BYTES_MAX: usize = 16 * 1024 * 1024 + 14 * 1024;

/// The elements of a document, in the order in which they are written.
pub struct Doc<'a>(&'a mut Vec<u8>);

/// The elements of an array. Their names are their indexes in decimal digits.
pub struct List<'a> {
    out: &'a mut Vec<u8>,
    next: usize,
}

/// Writes a whole document at the end of `out`.
pub fn document(out: &mut Vec<u8>, body: impl FnOnce(&mut Doc<'_>)) {
    measured(out, |out| body(&mut Doc(out)));
}

fn write_list(out: &mut Vec<u8>, body: impl FnOnce(&mut List<'_>)) {
    measured(out, |out| body(&mut List { out, next: 0 }));
}

fn measured(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    out.push(0);
    close(out, start);
}

/// Fills in the length of the document that begins at `start` and ends here.
///
/// Saturates beyond 2 GiB, which no command reaches: [`COMMAND_BYTES_MAX`] ends it long before.
fn close(out: &mut [u8], start: usize) {
    let length = i32::try_from(out.len() - start).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

macro_rules! values {
    ($($(#[$doc:meta])* $method:ident($value:ident: $type:ty) = $element:expr, $write:expr;)*) => {
        impl Doc<'_> {
            $($(#[$doc])* pub fn $method(&mut self, name: &str, $value: $type) {
                self.head($element, name);
                $write(&mut *self.0, $value);
            })*
        }

        #[allow(dead_code, reason = "a list takes what a document takes, used or not")]
        impl List<'_> {
            $($(#[$doc])* pub fn $method(&mut self, $value: $type) {
                self.head($element);
                $write(&mut *self.out, $value);
            })*
        }
    };
}

values! {
    text(value: &str) = ElementType::String, write_text;
    boolean(value: bool) = ElementType::Boolean, |out: &mut Vec<u8>, value: bool| out.push(u8::from(value));
    int32(value: i32) = ElementType::Int32, |out: &mut Vec<u8>, value: i32| out.extend_from_slice(&value.to_le_bytes());
    int64(value: i64) = ElementType::Int64, |out: &mut Vec<u8>, value: i64| out.extend_from_slice(&value.to_le_bytes());
    /// Milliseconds since the epoch.
    date(millis: i64) = ElementType::DateTime, |out: &mut Vec<u8>, millis: i64| out.extend_from_slice(&millis.to_le_bytes());
    /// Subtype 0.
    binary(bytes: &[u8]) = ElementType::Binary, |out: &mut Vec<u8>, bytes| write_binary(out, BinarySubtype::Generic, bytes);
    doc(body: impl FnOnce(&mut Doc<'_>)) = ElementType::EmbeddedDocument, document;
    list(body: impl FnOnce(&mut List<'_>)) = ElementType::Array, write_list;
    /// A document that is encoded already.
    encoded(document: &[u8]) = ElementType::EmbeddedDocument, |out: &mut Vec<u8>, document| out.extend_from_slice(document);
    key(key: &Key) = key_type(key), write_key;
}

impl Doc<'_> {
    fn head(&mut self, element: ElementType, name: &str) {
        self.0.push(element as u8);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
    }

    /// An element that is encoded already: type, name and value.
    pub fn element(&mut self, element: &[u8]) {
        self.0.extend_from_slice(element);
    }
}

impl List<'_> {
    fn head(&mut self, element: ElementType) {
        self.out.push(element as u8);
        write_index(self.out, self.next);
        self.out.push(0);
        self.next += 1;
    }

    pub fn null(&mut self) {
        self.head(ElementType::Null);
    }
}

fn write_index(out: &mut Vec<u8>, mut index: usize) {
    let start = out.len();
    loop {
        // A remainder of ten fits any integer.
        #[expect(clippy::cast_possible_truncation, reason = "below ten")]
        out.push(b'0' + (index % 10) as u8);
        index /= 10;
        if index == 0 {
            break;
        }
    }
    out[start..].reverse();
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&i32::try_from(text.len() + 1).unwrap_or(i32::MAX).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn write_binary(out: &mut Vec<u8>, subtype: BinarySubtype, bytes: &[u8]) {
    out.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_le_bytes());
    out.push(subtype.into());
    out.extend_from_slice(bytes);
}

/// An integer is an int32 where it fits, as drivers write it: an upsert stores it as it stands in
/// the filter.
fn key_type(key: &Key) -> ElementType {
    match key {
        Key::Integer(number) if i32::try_from(*number).is_ok() => ElementType::Int32,
        Key::Integer(_) => ElementType::Int64,
        Key::Text(_) => ElementType::String,
        Key::ObjectId(_) => ElementType::ObjectId,
        Key::Uuid(_) => ElementType::Binary,
    }
}

fn write_key(out: &mut Vec<u8>, key: &Key) {
    match key {
        Key::Integer(number) => match i32::try_from(*number) {
            Ok(short) => out.extend_from_slice(&short.to_le_bytes()),
            Err(_) => out.extend_from_slice(&number.to_le_bytes()),
        },
        Key::Text(text) => write_text(out, text),
        Key::ObjectId(id) => out.extend_from_slice(&id.bytes()),
        Key::Uuid(bytes) => write_binary(out, BinarySubtype::Uuid, bytes),
    }
}

/// A command with as many writes, from the first on, as one command holds.
pub struct Batch {
    pub command: Vec<u8>,
    pub writes: usize,
}

/// An `insert` command. At least one document, whatever its size.
pub fn insert<'a>(
    collection: &str,
    concern: &WriteConcern,
    inserts: impl Iterator<Item = &'a Insert>,
) -> Batch {
    command("insert", "documents", collection, concern, inserts, |list, insert| {
        list.encoded(&insert.document);
    })
}

/// An `update` command. At least one statement, whatever its size.
pub fn update<'a>(
    collection: &str,
    concern: &WriteConcern,
    target: &Target<'_>,
    form: Form,
    updates: impl Iterator<Item = &'a Update>,
) -> Batch {
    command("update", "updates", collection, concern, updates, |list, update| {
        list.doc(|statement| target.statement(statement, update, form));
    })
}

fn command<T>(
    name: &str,
    array: &str,
    collection: &str,
    concern: &WriteConcern,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut List<'_>, T),
) -> Batch {
    let mut out = Vec::with_capacity(64 * 1024);
    let mut writes = 0;
    document(&mut out, |command| {
        command.text(name, collection);
        command.boolean("ordered", false);
        command.doc("writeConcern", |doc| write_concern(doc, concern));
        command.list(array, |list| {
            for item in items {
                let (before, next) = (list.out.len(), list.next);
                write(list, item);
                // Two bytes end the array and the command.
                if list.out.len() + 2 > COMMAND_BYTES_MAX && writes > 0 {
                    list.out.truncate(before);
                    list.next = next;
                    break;
                }
                writes += 1;
            }
        });
    });
    Batch { command: out, writes }
}

/// Plain comparison, whatever the collection's own collation is.
pub fn collation_simple(doc: &mut Doc<'_>) {
    doc.text("locale", "simple");
}

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
    use std::time::Duration;

    use bson::{Bson, Document, doc};

    use super::*;

    fn majority() -> WriteConcern {
        WriteConcern {
            w: Acknowledgement::Majority,
            journal: true,
            timeout: Duration::from_secs(10),
        }
    }

    fn insert_of(id: i64, bytes: usize) -> Insert {
        let mut document = Vec::new();
        super::document(&mut document, |doc| {
            doc.key("_id", &Key::Integer(id));
            doc.binary("data", &vec![7; bytes]);
        });
        Insert { id: Key::Integer(id), document, hash: None }
    }

    fn read(bytes: &[u8]) -> Document {
        bson::deserialize_from_slice(bytes).expect("valid BSON")
    }

    #[test]
    fn an_insert_command_is_what_the_manual_says() {
        let inserts: Vec<Insert> = (0..12).map(|id| insert_of(id, 1)).collect();
        let batch = insert("events", &majority(), inserts.iter());
        assert_eq!(batch.writes, 12);
        let command = read(&batch.command);
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
        assert!(batch.command.len() <= COMMAND_BYTES_MAX);
        assert_eq!(read(&batch.command).get_array("documents").map(Vec::len).ok(), Some(2));
    }

    #[test]
    fn a_single_write_is_never_left_out() {
        let inserts = [insert_of(1, 16 * 1024 * 1024 - 64), insert_of(2, 1)];
        let batch = insert("events", &majority(), inserts.iter());
        assert_eq!(batch.writes, 1);
        assert!(batch.command.len() <= SINGLE_BYTES_MAX);
    }

    #[test]
    fn array_names_are_their_indexes() {
        for index in [0, 9, 10, 99, 100, 9_999, 10_000] {
            let mut out = Vec::new();
            write_index(&mut out, index);
            assert_eq!(out, index.to_string().into_bytes());
        }
    }

    #[test]
    fn keys_keep_their_type_and_integers_are_as_short_as_drivers_write_them() {
        let keys =
            [Key::Integer(7), Key::Integer(1 << 40), Key::Text("s".into()), Key::Uuid([3; 16])];
        let mut out = Vec::new();
        document(&mut out, |doc| {
            doc.list("keys", |list| keys.iter().for_each(|key| list.key(key)));
        });
        let read = read(&out);
        let values = read.get_array("keys").expect("an array");
        assert_eq!(values[..3], [Bson::Int32(7), Bson::Int64(1 << 40), Bson::String("s".into())]);
        assert!(
            matches!(&values[3], Bson::Binary(binary) if binary.subtype == BinarySubtype::Uuid && binary.bytes == [3; 16])
        );
    }
}
