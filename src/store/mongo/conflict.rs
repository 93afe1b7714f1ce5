//! What stands where a write was refused as a duplicate: read at majority from the primary, so that
//! the answer cannot be rolled back.

use std::collections::HashMap;

use bson::spec::BinarySubtype;
use bson::{Bson, Document};

use super::collation;
use crate::bson::{Doc, document};
use crate::message::Key;

/// What is known of the document under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It was made from the same message.
    Same,
    /// It was made from another, or not by this program.
    Other,
    /// There is none at majority.
    Absent,
}

/// A `find` of the documents with these ids and the hash of the message that made them. By the
/// collection's own collation: by that one, too, the index on `_id` has refused them.
pub fn find_hashes(collection: &str, ids: &[&Key]) -> Vec<u8> {
    find(collection, "_ingest.h", ids.len(), |command| {
        command.doc("filter", |filter| {
            filter.doc("_id", |within| {
                within.list("$in", |list| ids.iter().for_each(|id| list.value(*id)));
            });
        });
    })
}

/// A `find` of the documents with these keys, alone or inside an array.
pub fn find_keys(collection: &str, field: &str, keys: &[&Key]) -> Vec<u8> {
    find(collection, field, keys.len(), |command| {
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
    shown: &str,
    documents: usize,
    filter: impl FnOnce(&mut Doc<'_>),
) -> Vec<u8> {
    let mut out = Vec::new();
    let documents = i32::try_from(documents).unwrap_or(i32::MAX);
    document(&mut out, |command| {
        command.text("find", collection);
        filter(command);
        command.doc("projection", |projection| projection.int32(shown, 1));
        command.int32("limit", documents);
        command.int32("batchSize", documents);
        command.boolean("singleBatch", true);
        command.doc("readConcern", |concern| concern.text("level", "majority"));
    });
    out
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

    /// What stands under the one id that was asked for. The server may hold more to be equal than
    /// we can read: a decimal, a large double, text under a collation that folds case.
    pub fn of_one(found: &[&Document], asked: &[u8; 16]) -> Held {
        match found {
            [] => Held::Absent,
            [document, ..] if hash(document) == Some(asked.as_slice()) => Held::Same,
            [_, ..] => Held::Other,
        }
    }

    /// What stands under `id`, for a message with this hash.
    pub fn held(&self, id: &Key, hash: &[u8; 16]) -> Held {
        match self.0.get(id) {
            None => Held::Absent,
            Some(Some(stored)) if stored == hash => Held::Same,
            Some(_) => Held::Other,
        }
    }
}

/// The hash of the message that a document was made from.
fn hash(document: &Document) -> Option<&[u8]> {
    document.get_document("_ingest").ok()?.get_binary_generic("h").ok().map(Vec::as_slice)
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
    use bson::doc;

    use super::*;

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
        assert_eq!(hashes.held(&Key::Integer(1), &[1; 16]), Held::Same);
        assert_eq!(hashes.held(&Key::Integer(1), &[2; 16]), Held::Other);
        assert_eq!(hashes.held(&Key::Text("a".into()), &[1; 16]), Held::Other);
        assert_eq!(hashes.held(&Key::Integer(2), &[1; 16]), Held::Absent);
        assert_eq!(Hashes::of_one(&[], &[1; 16]), Held::Absent);
        assert_eq!(Hashes::of_one(&[&ours], &[1; 16]), Held::Same);
        assert_eq!(Hashes::of_one(&[&foreign], &[1; 16]), Held::Other);
    }
}
