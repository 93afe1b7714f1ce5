//! A duplicate `_id`: the same message once more, or another one under its id.

use std::collections::{BTreeSet, HashMap};

use bson::Document;

use super::MongoStore;
use super::conflict::{self, Hashes, Stored};
use super::fault;
use crate::message::{Insert, Key, Name, Reason, Rejection};
use crate::store::{Collection, ItemOutcome, StoreFault};

impl MongoStore {
    /// Tells a redelivery from another message under the same id, for the `duplicates` among the
    /// inserts. Where what is there cannot be read, nothing is known of those; returns why, where a
    /// right is missing.
    pub(super) async fn explain_duplicates(
        &self,
        collection: &Collection,
        inserts: &[&Insert],
        duplicates: &[usize],
        items: &mut [ItemOutcome],
    ) -> Option<StoreFault> {
        if duplicates.is_empty() {
            return None;
        }
        let ids: Vec<_> = duplicates.iter().map(|index| &inserts[*index].id).collect();
        let reply = self.call(collection, conflict::find_hashes(&collection.name, &ids)).await;
        let hashes = match &reply {
            Ok(reply) => {
                conflict::documents(reply).map(|found| Hashes::of(&found)).ok_or(UNREADABLE)
            }
            Err(refusal) => Err(refusal.fault.text.as_str()),
        };
        let (mut contested, mut absent) = (Vec::new(), Vec::new());
        for index in duplicates {
            let insert = inserts[*index];
            match hashes.as_ref().map(|hashes| hashes.stored(insert)) {
                Ok(Stored::SameMessage) => items[*index] = ItemOutcome::AlreadyThere,
                Ok(Stored::OtherMessage | Stored::OneHash) => contested.push(*index),
                Ok(Stored::Absent) => absent.push(*index),
                Err(text) => items[*index] = unread(text),
            }
        }
        self.compare_documents(collection, inserts, &contested, items).await;
        for index in absent {
            // The server may hold another value to be equal to the id: only it can find that.
            items[index] = self.compare_one(collection, inserts[index]).await;
        }
        reply.err().and_then(fault::unread)
    }

    /// Reads the documents that stand there, all in one reply where that has room.
    async fn compare_documents(
        &self,
        collection: &Collection,
        inserts: &[&Insert],
        contested: &[usize],
        items: &mut [ItemOutcome],
    ) {
        if contested.is_empty() {
            return;
        }
        let ids: Vec<_> = contested.iter().map(|index| &inserts[*index].id).collect();
        let reply = self.call(collection, conflict::find_documents(&collection.name, &ids)).await;
        let found = reply.as_ref().ok().and_then(conflict::documents).unwrap_or_default();
        let found: HashMap<Key, &Document> = conflict::by_id(&found);
        for index in contested {
            let insert = inserts[*index];
            items[*index] = match found.get(&insert.id) {
                Some(stored) => compare(insert, stored, collection),
                // The one reply had no room for it, or it has gone since.
                None => self.compare_one(collection, insert).await,
            };
        }
    }

    /// Asks for this id alone: whatever comes back is what the server holds to be equal to it.
    async fn compare_one(&self, collection: &Collection, insert: &Insert) -> ItemOutcome {
        let find = conflict::find_documents(&collection.name, &[&insert.id]);
        match self.call(collection, find).await {
            Ok(reply) => match conflict::documents(&reply).as_deref() {
                Some([]) => ItemOutcome::Unconfirmed(
                    "refused as a duplicate, but not found at majority".to_owned(),
                ),
                Some([stored, ..]) => compare(insert, stored, collection),
                None => unread(UNREADABLE),
            },
            Err(refusal) => unread(&refusal.fault.text),
        }
    }
}

const UNREADABLE: &str = "the reply to a find is not of the documented form";

/// Names that a text shows of those that differ.
const NAMES_SHOWN: usize = 3;

fn compare(insert: &Insert, stored: &Document, collection: &Collection) -> ItemOutcome {
    let by_hash = conflict::compare_hashes(conflict::hash(stored), insert);
    let differing = conflict::differing(&insert.document, stored);
    // Where one of them was named by the queue, no hash is kept: what they say decides.
    if by_hash == Stored::SameMessage || by_hash == Stored::OneHash && differing.is_empty() {
        return ItemOutcome::AlreadyThere;
    }
    let text = format!(
        "a document with this id is in {} already, {}: give each event its own id, or name in the route's `volatile` what only a retry changes",
        collection.name,
        how_it_differs(differing, &collection.default_times)
    );
    ItemOutcome::Rejected(Rejection::new(Reason::IdConflict, text))
}

/// A time that the time of sending may have filled in is no difference that the producer made, unless
/// nothing else is one.
fn how_it_differs(mut names: BTreeSet<String>, default_times: &[String]) -> String {
    let times: Vec<String> = default_times
        .iter()
        .filter(|name| names.remove(*name))
        .map(|name| Name(name).to_string())
        .collect();
    if names.is_empty() {
        let time = match times.as_slice() {
            [] => String::new(),
            times => format!(
                ", or at another time ({}, where it has none the time of its sending)",
                times.join(", ")
            ),
        };
        return format!("made from a message that was not the same{time}");
    }
    let shown = names.iter().take(NAMES_SHOWN).map(|name| Name(name).to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => format!("with other values in {shown}"),
        more => format!("with other values in {shown} and {more} more"),
    }
}

fn unread(text: &str) -> ItemOutcome {
    ItemOutcome::Unconfirmed(format!(
        "refused as a duplicate, but what is there could not be read: {text}"
    ))
}
