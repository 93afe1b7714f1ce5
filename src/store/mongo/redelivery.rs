//! A duplicate `_id`: the same message once more, or another one under its id.

use super::MongoStore;
use super::conflict::{self, Hashes, Held};
use crate::config::Collection;
use crate::message::{Insert, Key, Reason, Rejection};
use crate::store::ItemOutcome;

impl MongoStore {
    /// Tells a redelivery from another message under the same id. Where that cannot be read,
    /// nothing is known of those.
    pub(super) async fn compare_hashes(
        &self,
        collection: &Collection,
        inserts: &[&Insert],
        contested: &[(usize, [u8; 16])],
        items: &mut [ItemOutcome],
    ) {
        if contested.is_empty() {
            return;
        }
        let ids: Vec<_> = contested.iter().map(|(index, _)| &inserts[*index].id).collect();
        let reply = self.call(collection, conflict::find_hashes(&collection.name, &ids)).await;
        let hashes = match &reply {
            Ok(reply) => {
                conflict::documents(reply).map(|found| Hashes::of(&found)).ok_or(UNREADABLE)
            }
            Err(refusal) => Err(refusal.fault.text.as_str()),
        };
        for (index, hash) in contested {
            let id = &inserts[*index].id;
            items[*index] = match hashes.as_ref().map(|hashes| hashes.held(id, hash)) {
                // Found under this id, perhaps, but not by a value that reads as it.
                Ok(Held::Absent) => self.compare_one(collection, id, hash).await,
                Ok(held) => outcome(held, collection),
                Err(text) => unread(text),
            };
        }
    }

    /// Asks for this id alone: whatever comes back is what the server holds to be equal to it.
    async fn compare_one(&self, collection: &Collection, id: &Key, hash: &[u8; 16]) -> ItemOutcome {
        match self.call(collection, conflict::find_hashes(&collection.name, &[id])).await {
            Ok(reply) => match conflict::documents(&reply) {
                Some(found) => outcome(Hashes::of_one(&found, hash), collection),
                None => unread(UNREADABLE),
            },
            Err(refusal) => unread(&refusal.fault.text),
        }
    }
}

const UNREADABLE: &str = "the reply to a find is not of the documented form";

fn outcome(held: Held, collection: &Collection) -> ItemOutcome {
    match held {
        Held::Same => ItemOutcome::AlreadyThere,
        Held::Other => {
            let text = format!(
                "a document with this id is in {} already and was made from another message: give each its own id",
                collection.name
            );
            ItemOutcome::Rejected(Rejection::new(Reason::IdConflict, text))
        }
        Held::Absent => {
            ItemOutcome::Unconfirmed("refused as a duplicate, but not found at majority".to_owned())
        }
    }
}

fn unread(text: &str) -> ItemOutcome {
    ItemOutcome::Unconfirmed(format!(
        "refused as a duplicate, but what is there could not be read: {text}"
    ))
}
