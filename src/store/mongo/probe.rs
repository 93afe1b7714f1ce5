//! Whether writes would be acknowledged, tried by a write that changes nothing.

use std::time::Duration;

use bson::Uuid;

use super::command::{Command, write_concern};
use super::fault::{Refusal, UNAUTHORIZED};
use super::{MongoStore, reply};
use crate::store::StoreFault;
use crate::store::{Collection, WriteConcern, WriteKind};

/// The longest wait for the write concern: what is met at all on an idle server is met sooner.
const PROBE_TIMEOUT_MAX: Duration = Duration::from_secs(5);

impl MongoStore {
    /// Asks for a write without an effect, at the collection's write concern: an update of a document
    /// that does not exist. A user who may only insert is refused that; then for an insert that no
    /// server takes, which shows less, for it reaches no storage. The server waits for the concern all the same, and makes no
    /// collection. <https://www.mongodb.com/docs/manual/reference/write-concern/>
    ///
    /// # Errors
    /// Where the write concern cannot be met within 5 s, the user may not write to the collection, or
    /// the server cannot be reached.
    pub async fn probe(&self, collection: &Collection) -> Result<(), StoreFault> {
        let concern = &collection.write_concern;
        let concern =
            WriteConcern { timeout: concern.timeout.min(PROBE_TIMEOUT_MAX), ..concern.clone() };
        let update = update_of_none(&collection.name, &concern);
        let mut reply = self.call(collection, update).await;
        let mut reads = 0;
        let is_denied = |refusal: &Refusal| refusal.code == Some(UNAUTHORIZED);
        if collection.kind == WriteKind::Insert && reply.as_ref().is_err_and(is_denied) {
            reply = self.call(collection, insert_of_none(&collection.name, &concern)).await;
            reads = 1;
        }
        // What the insert is refused for is its `_id`.
        let reply = reply.and_then(|reply| reply::read(&reply, reads));
        reply.map(|_| ()).map_err(|refusal| refusal.fault)
    }
}

/// An insert of a document whose `_id` is an array, which no server takes (53, `InvalidIdField`).
fn insert_of_none(collection: &str, concern: &WriteConcern) -> Command {
    Command::on("insert", collection, |command| {
        command.doc("writeConcern", |doc| write_concern(doc, concern));
        command.list("documents", |documents| {
            documents.doc(|document| document.list("_id", |_| {}));
        });
    })
}

fn update_of_none(collection: &str, concern: &WriteConcern) -> Command {
    Command::on("update", collection, |command| {
        command.doc("writeConcern", |doc| write_concern(doc, concern));
        command.list("updates", |updates| {
            updates.doc(|update| {
                // An id that no document has.
                update.doc("q", |filter| {
                    filter.text("_id", &format!("longshore-check-{}", Uuid::new()));
                });
                update.doc("u", |change| {
                    change.doc("$set", |fields| fields.int32("longshore_check", 1));
                });
                update.boolean("upsert", false);
            });
        });
    })
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc};

    use super::*;
    use crate::store::Acknowledgement;

    #[test]
    fn the_probe_makes_no_document() {
        let concern = WriteConcern {
            w: Acknowledgement::Members(2),
            journal: true,
            timeout: Duration::from_secs(1),
        };
        let command: Document =
            bson::deserialize_from_slice(&update_of_none("things", &concern).bytes).expect("BSON");
        assert_eq!(command.get_str("update").ok(), Some("things"));
        assert_eq!(
            command.get_document("writeConcern").ok(),
            Some(&doc! { "w": 2, "j": true, "wtimeout": 1_000_i64 })
        );
        let updates = command.get_array("updates").expect("updates");
        assert_eq!(updates.len(), 1);
        assert_eq!(
            updates[0].as_document().expect("an update").get_bool("upsert").ok(),
            Some(false)
        );
    }
}
