//! What stands where a write was refused as a duplicate: read at majority from the primary, so that
//! the answer cannot be rolled back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bson::spec::BinarySubtype;
use bson::{Bson, Document, doc};

use super::collation;
use super::command::Command;
use crate::bson::Doc;
use crate::message::{Insert, Key, KnownBy};

/// What is stored under an id, compared with the message that was to be written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// A document that was made from the same message.
    SameMessage,
    /// A document that was made from another message.
    OtherMessage,
    /// A document, and at most one of it and the message has a hash: what they say decides.
    OneHash,
    /// No document, at read concern majority.
    Absent,
}

/// A `find` of the documents with these ids and the hash of the message that made them. By the
/// collection's own collation: by that one, too, the index on `_id` has refused them.
pub fn find_hashes(collection: &str, ids: &[&Key]) -> Command {
    find(collection, Some("_ingest.h"), ids.len(), |command| with_ids(command, ids))
}

/// A `find` of the documents with these ids, whole.
pub fn find_documents(collection: &str, ids: &[&Key]) -> Command {
    find(collection, None, ids.len(), |command| with_ids(command, ids))
}

fn with_ids(command: &mut Doc<'_>, ids: &[&Key]) {
    command.doc("filter", |filter| {
        filter.doc("_id", |within| {
            within.list("$in", |list| ids.iter().for_each(|id| list.value(*id)));
        });
    });
}

/// A `find` of the documents with these keys, alone or inside an array.
pub fn find_keys(collection: &str, field: &str, keys: &[&Key]) -> Command {
    find(collection, Some(field), keys.len(), |command| {
        command.doc("filter", |filter| {
            filter.doc(field, |within| {
                within.list("$in", |list| keys.iter().for_each(|key| list.value(*key)));
            });
        });
        command.doc("collation", collation::simple);
    })
}

/// Who has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Document,
    /// A document that has it inside an array.
    InsideArray,
    Nobody,
}

/// Who has which key. Looked up only, never iterated.
pub struct Holders(HashMap<Key, Holder>);

impl Holders {
    /// Of the documents that [`find_keys`] found.
    pub fn of(found: &[&Document], field: &str) -> Self {
        let mut holders = HashMap::with_capacity(found.len());
        for value in found.iter().filter_map(|document| document.get(field)) {
            match value {
                Bson::Array(list) => holders.extend(
                    list.iter().filter_map(|value| Some((key(value)?, Holder::InsideArray))),
                ),
                // That of an array stays: it is what the update cannot reach.
                value => key(value)
                    .into_iter()
                    .for_each(|key| _ = holders.entry(key).or_insert(Holder::Document)),
            }
        }
        Self(holders)
    }

    pub fn holder(&self, key: &Key) -> Holder {
        self.0.get(key).copied().unwrap_or(Holder::Nobody)
    }
}

fn find(
    collection: &str,
    shown: Option<&str>,
    documents: usize,
    filter: impl FnOnce(&mut Doc<'_>),
) -> Command {
    let documents = i32::try_from(documents).unwrap_or(i32::MAX);
    Command::on("find", collection, |command| {
        filter(command);
        if let Some(shown) = shown {
            command.doc("projection", |projection| projection.int32(shown, 1));
        }
        command.int32("limit", documents);
        command.int32("batchSize", documents);
        command.boolean("singleBatch", true);
        command.doc("readConcern", |concern| concern.text("level", "majority"));
    })
}

/// The documents of a reply to one of these commands.
pub fn documents(reply: &Document) -> Option<Vec<&Document>> {
    reply
        .get_document("cursor")
        .ok()?
        .get_array("firstBatch")
        .ok()?
        .iter()
        .map(Bson::as_document)
        .collect()
}

/// The hashes that stand under ids. Looked up only, never iterated.
pub struct Hashes<'a>(HashMap<Key, Option<&'a [u8]>>);

impl<'a> Hashes<'a> {
    /// Of the documents that [`find_hashes`] found.
    pub fn of(found: &[&'a Document]) -> Self {
        Self(
            found
                .iter()
                .filter_map(|document| Some((document.get("_id").and_then(key)?, hash(document))))
                .collect(),
        )
    }

    /// What stands under `id`, for a message with this hash.
    pub fn stored(&self, insert: &Insert) -> Stored {
        self.0.get(&insert.id).map_or(Stored::Absent, |stored| compare_hashes(*stored, insert))
    }
}

/// Whether two hashes are of one message. The queue itself gives no identity twice, so what was named
/// by it on both sides is one message and has no hash. An exported document is no message.
pub fn compare_hashes(stored: Option<&[u8]>, insert: &Insert) -> Stored {
    match (stored, &insert.known_by) {
        (None, KnownBy::Id) => Stored::SameMessage,
        (Some(stored), KnownBy::Hash(hash)) if stored == hash => Stored::SameMessage,
        (Some(_), KnownBy::Hash(_)) => Stored::OtherMessage,
        (None, _) | (Some(_), KnownBy::Id | KnownBy::Fields) => Stored::OneHash,
    }
}

/// The hash of the message that a document was made from.
pub fn hash(document: &Document) -> Option<&[u8]> {
    document.get_document("_ingest").ok()?.get_binary_generic("h").ok().map(Vec::as_slice)
}

/// Documents by their id, as far as it can be one of ours. Looked up only, never iterated.
pub fn by_id<'a>(found: &[&'a Document]) -> HashMap<Key, &'a Document> {
    found
        .iter()
        .filter_map(|document| Some((document.get("_id").and_then(key)?, *document)))
        .collect()
}

/// The fields in which a stored document says something else than the one that was to be written, but
/// for its id and what the store keeps of its own.
pub fn differing(ours: &[u8], stored: &Document) -> BTreeSet<String> {
    // By bytes: a NaN is itself here.
    let fields = |document: &Document| -> BTreeMap<String, Vec<u8>> {
        let told = document.iter().filter(|(name, _)| !["_id", "_ingest"].contains(&name.as_str()));
        told.map(|(name, value)| {
            let bytes = bson::serialize_to_vec(&doc! { "": value.clone() }).unwrap_or_default();
            (name.clone(), bytes)
        })
        .collect()
    };
    let ours = Document::from_reader(ours).as_ref().map(fields).unwrap_or_default();
    let stored = fields(stored);
    let names = ours.keys().chain(stored.keys());
    names.filter(|name| ours.get(*name) != stored.get(*name)).cloned().collect()
}

/// A value that can be a key. Numbers of any width are one, as they are to the server.
fn key(value: &Bson) -> Option<Key> {
    match value {
        Bson::Int32(number) => Some(Key::Integer(i64::from(*number))),
        Bson::Int64(number) => Some(Key::Integer(*number)),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number within the range of exact doubles"
        )]
        Bson::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Some(Key::Integer(*number as i64))
        }
        Bson::String(text) => Some(Key::Text(text.clone())),
        Bson::ObjectId(id) => Some(Key::ObjectId(*id)),
        Bson::Binary(binary) if binary.subtype == BinarySubtype::Uuid => {
            Some(Key::Uuid(binary.bytes.as_slice().try_into().ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_differ_in_the_fields_that_say_something_else() {
        let ours = doc! { "_id": 1, "a": 1, "b": f64::NAN, "c": 1, "_ingest": { "h": 1 } };
        let ours = bson::serialize_to_vec(&ours).expect("BSON");
        let same = doc! { "_id": 1.0, "b": f64::NAN, "a": 1, "c": 1 };
        assert!(differing(&ours, &same).is_empty());
        let other = doc! { "_id": 1, "a": 1_i64, "b": f64::NAN, "d": 1 };
        assert_eq!(differing(&ours, &other).into_iter().collect::<Vec<_>>(), ["a", "c", "d"]);
    }

    #[test]
    fn the_holder_of_a_key_is_a_document_one_with_an_array_or_nobody() {
        let (one, array) = (doc! { "k": 1.0 }, doc! { "k": ["a", 2] });
        let both = doc! { "k": 2 };
        for found in [[&one, &array, &both], [&both, &array, &one]] {
            let holders = Holders::of(&found, "k");
            assert_eq!(holders.holder(&Key::Integer(1)), Holder::Document);
            assert_eq!(holders.holder(&Key::Integer(2)), Holder::InsideArray);
            assert_eq!(holders.holder(&Key::Text("b".into())), Holder::Nobody);
        }
    }

    #[test]
    fn the_same_message_is_told_from_another_by_its_hash() {
        let hash = bson::Binary { subtype: BinarySubtype::Generic, bytes: vec![1; 16] };
        let ours = doc! { "_id": 1.0, "_ingest": { "h": hash } };
        let foreign = doc! { "_id": "a" };
        let hashes = Hashes::of(&[&ours, &foreign]);
        let insert = |id, hash: Option<u8>| {
            let known_by = hash.map_or(KnownBy::Id, |byte| KnownBy::Hash([byte; 16]));
            Insert { id, document: Vec::new(), known_by }
        };
        let stored = |id: Key, hash: Option<u8>| hashes.stored(&insert(id, hash));
        assert_eq!(stored(Key::Integer(1), Some(1)), Stored::SameMessage);
        assert_eq!(stored(Key::Integer(1), Some(2)), Stored::OtherMessage);
        assert_eq!(stored(Key::Integer(1), None), Stored::OneHash);
        assert_eq!(stored(Key::Text("a".into()), Some(1)), Stored::OneHash);
        assert_eq!(stored(Key::Text("a".into()), None), Stored::SameMessage);
        let exported = Insert { known_by: KnownBy::Fields, ..insert(Key::Text("a".into()), None) };
        assert_eq!(hashes.stored(&exported), Stored::OneHash);
        assert_eq!(stored(Key::Integer(2), Some(1)), Stored::Absent);
    }
}
