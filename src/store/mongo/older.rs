//! Whether an older dead letter of a group is kept.

use std::sync::Arc;

use super::command::Command;
use super::fault::Refusal;
use super::{MongoStore, collation, conflict};
use crate::bson::Doc;
use crate::dead_letter::group;
use crate::dead_letter::new_groups::{Kept, Newcomer};
use crate::store::Collection;

/// What the server may take: it reads two entries of an index.
const TIME_MAX_MS: i32 = 5_000;

/// The server's code where a hint names no index.
const BAD_VALUE: i32 = 2;

/// The letters that are kept in a collection.
pub struct KeptLetters {
    pub store: Arc<MongoStore>,
    /// That of the dead letters.
    pub collection: Collection,
}

impl Kept for KeptLetters {
    async fn holds_older(&self, newcomer: &Newcomer) -> Result<bool, String> {
        let name = &self.collection.name;
        Ok(self.finds(find_joined(name, newcomer)).await?
            || self.finds(find_older(name, newcomer)).await?)
    }
}

impl KeptLetters {
    async fn finds(&self, find: Command) -> Result<bool, String> {
        let reply = self.store.call(&self.collection, find).await;
        let reply = reply.map_err(|refusal| explained(&self.collection.name, refusal))?;
        let found = conflict::documents(&reply);
        let found = found.ok_or("the reply to a find is not of the documented form")?;
        Ok(!found.is_empty())
    }
}

/// The newcomer's own record, where another message was refused as it before: it was put back, by somebody who is not
/// its first sender, and is of that one's group.
fn find_joined(collection: &str, newcomer: &Newcomer) -> Command {
    find_one(collection, |command| {
        command.doc("filter", |own| {
            own.value("_id", &newcomer.id);
            own.doc("message_ids", |ids| {
                ids.doc("$elemMatch", |id| id.text("$ne", &newcomer.message_id));
            });
        });
    })
}

fn find_one(collection: &str, filter: impl FnOnce(&mut Doc<'_>)) -> Command {
    Command::on("find", collection, |command| {
        filter(command);
        command.doc("projection", |fields| fields.int32("_id", 1));
        command.doc("collation", collation::simple);
        command.int32("limit", 1);
        command.boolean("singleBatch", true);
        command.int32("maxTimeMS", TIME_MAX_MS);
    })
}

/// The server quotes the query, and says at its end that the hint names no index.
fn explained(collection: &str, refusal: Refusal) -> String {
    if refusal.code == Some(BAD_VALUE) {
        let index = group::INDEX.join(", ");
        return format!(
            "{collection} lacks the index on {index}: run `longshore check --create-indexes`"
        );
    }
    refusal.fault.text
}

/// By the index of the groups, or not at all: without it each question would read the whole collection. A
/// server refuses a hint to an index that is not there.
fn find_older(collection: &str, newcomer: &Newcomer) -> Command {
    find_one(collection, |command| {
        command.doc("filter", |filter| {
            let alike = &newcomer.alike;
            filter.text("reason", &alike.reason);
            for (name, text) in
                [("place_pattern", &alike.place), ("type", &alike.kind), ("sender", &alike.sender)]
            {
                // A record of an earlier schema version lacks the field: null finds that too.
                match text {
                    Some(text) => filter.text(name, text),
                    None => filter.null(name),
                }
            }
            // What fails again after all of its letters were replayed is new.
            filter.doc("stands", |stands| stands.boolean("$ne", false));
            earlier(filter, newcomer);
            // The newcomer's own record may stand there from an earlier delivery.
            filter.doc("_id", |other| other.value("$ne", &newcomer.id));
        });
        command.doc("hint", |index| group::INDEX.iter().for_each(|field| index.int32(field, 1)));
    })
}

/// A letter that was refused again keeps the time of its first refusal beside that of the last.
fn earlier(condition: &mut Doc<'_>, newcomer: &Newcomer) {
    condition.list("$or", |times| {
        for name in ["dead_lettered", "first_dead_lettered"] {
            times.doc(|time| {
                time.doc(name, |than| than.date("$lt", newcomer.dead_lettered_ms));
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, Document, doc};

    use super::*;
    use crate::dead_letter::group::Alike;
    use crate::message::{Key, Reason};

    #[test]
    fn an_older_letter_of_the_group_is_asked_for_by_the_index_of_groups_alone() {
        let alike = Alike {
            reason: "bad_time".to_owned(),
            kind: Some("$event".to_owned()),
            ..Alike::default()
        };
        let newcomer = Newcomer {
            alike,
            reason: Reason::BadTime,
            id: Key::Text("queue/m-1".to_owned()),
            message_id: "m-1".to_owned(),
            dead_lettered_ms: 5,
        };
        let command: Document =
            bson::deserialize_from_slice(&find_older("letters", &newcomer).bytes).expect("BSON");
        let earlier = doc! { "$lt": DateTime::from_millis(5) };
        let expected = doc! {
            "find": "letters",
            "filter": {
                "reason": "bad_time", "place_pattern": null, "type": "$event", "sender": null,
                "stands": { "$ne": false },
                "$or": [{ "dead_lettered": &earlier }, { "first_dead_lettered": &earlier }],
                "_id": { "$ne": "queue/m-1" },
            },
            "hint": group::index(),
            "projection": { "_id": 1 },
            "collation": { "locale": "simple" },
            "limit": 1, "singleBatch": true, "maxTimeMS": 5_000,
        };
        assert_eq!(command, expected);
    }
}
