//! The statement of a dead letter: the record is made where there is none of the same message, and
//! joins it where there is.
//!
//! ```text
//! { q: {_id: id}, u: [{$replaceWith: {$cond: [absent, record, {$mergeObjects: ["$$ROOT", newer, joined]}]}}], upsert: true }
//! ```
//!
//! A message that was put back and is refused again has the identity and the content that it had, and
//! so the `_id` ([`Record`](crate::dead_letter::Record)). The record keeps the message as it came first, the reason
//! of the newest refusal, and the ids of the messages that were refused. A redelivery is a message
//! that is among these already, and changes nothing but whose data it is said to be; nor does the order in which they come. Values
//! are literals. Only operators of MongoDB 4.4 are used.

use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};

use crate::bson::{Doc, List};
use crate::message::Insert;

/// Ids of messages that a record keeps, the newest: a message may be put back any number of times, and a
/// record must not outgrow a document for it. `times` goes on.
const MESSAGE_IDS_MAX: i32 = 100;

/// Replays that a record keeps, the newest.
const REPLAYS_MAX: i32 = 100;

/// What the newest refusal says of a message. The rest is the message, as it came first.
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

/// Bytes of a statement, at most: all of the record but its body may stand there twice.
pub fn bytes(letter: &Insert) -> usize {
    const STATEMENT_BYTES: usize = 4_096;
    let record = &letter.document;
    let body = RawDocument::from_bytes(record).ok().and_then(|record| record.get_str("body").ok());
    STATEMENT_BYTES + 2 * record.len() - body.map_or(0, str::len)
}

/// Writes the elements of one statement.
pub fn statement(statement: &mut Doc<'_>, letter: &Insert) {
    let record = &letter.document;
    statement.doc("q", |filter| filter.value("_id", &letter.id));
    statement.list("u", |stages| {
        stages.doc(|stage| {
            stage.doc("$replaceWith", |replace| {
                replace.list("$cond", |cond| {
                    cond.encoded(&encoded(&doc! { "$ne": [{ "$type": "$message_ids" }, "array"] }));
                    cond.doc(|made| made.encoded("$literal", record));
                    cond.doc(|joined| {
                        joined.list("$mergeObjects", |merge| {
                            merge.text("$$ROOT");
                            newer(merge, record);
                            merge.encoded(&encoded(&joined_fields(record)));
                        });
                    });
                });
            });
        });
    });
    statement.boolean("upsert", true);
}

/// What the record says of its refusal, where it is a newer one, of a message that is not known yet. Another sender
/// may send the same message, and be refused for that: only what was put back speaks for the first one.
fn newer(merge: &mut List<'_>, record: &[u8]) {
    let (at, sender) = (field(record, "dead_lettered"), field(record, "sender"));
    let is_its_own = doc! { "$or": [
        { "$eq": [{ "$ifNull": ["$sender", null] }, { "$literal": sender }] },
        { "$in": [{ "$literal": field(record, "message_id") }, message_ids_of_replays()] },
    ] };
    let is_newer = doc! { "$and": [
        { "$gt": [at, "$dead_lettered"] }, { "$not": [is_known(record)] }, is_its_own,
    ] };
    merge.doc(|newer| {
        newer.list("$cond", |cond| {
            cond.encoded(&encoded(&is_newer));
            cond.doc(|literal| literal.encoded("$literal", of_refusal(record).as_bytes()));
            cond.doc(|_| {});
        });
    });
}

/// What both have a share in.
fn joined_fields(record: &[u8]) -> Document {
    let message_id = doc! { "$literal": field(record, "message_id") };
    let is_known = is_known(record);
    let with_it = doc! { "$concatArrays": ["$message_ids", [&message_id]] };
    let ids =
        doc! { "$cond": [&is_known, "$message_ids", { "$slice": [with_it, -MESSAGE_IDS_MAX] }] };
    let times = doc! { "$cond": [{ "$isNumber": "$times" }, "$times", 1] };
    let users = doc! { "$setUnion": [list("$users"), { "$literal": field(record, "users") }] };
    doc! {
        "first_dead_lettered": { "$min": ["$first_dead_lettered", field(record, "first_dead_lettered")] },
        "message_ids": ids,
        "times": { "$add": [times, { "$cond": [&is_known, 0, 1] }] },
        "users": users,
        // Whatever is refused and was not known has to be seen to.
        "stands": { "$or": [{ "$ne": ["$stands", false] }, { "$not": [is_known] }] },
    }
}

/// Whether the record has the message of this one already.
fn is_known(record: &[u8]) -> Document {
    doc! { "$in": [{ "$literal": field(record, "message_id") }, "$message_ids"] }
}

fn message_ids_of_replays() -> Document {
    doc! { "$map": { "input": list("$replays"), "in": "$$this.message_id" } }
}

/// The stages that mark a record as put back. `replay` has `at`, and `message_id` where a queue gave one: if
/// that message was refused before the mark came, the letter stands as it did.
#[must_use]
pub fn mark(replay: &Document) -> Vec<Document> {
    let message_id = replay.get("message_id").cloned().unwrap_or(Bson::Null);
    let replays = doc! { "$concatArrays": [list("$replays"), [{ "$literal": replay }]] };
    let replays = doc! { "$slice": [replays, -REPLAYS_MAX] };
    vec![
        doc! { "$set": { "replays": replays } },
        doc! { "$set": { "stands": { "$in": [{ "$literal": message_id }, list("$message_ids")] } } },
    ]
}

/// A list that another program may have made something else of.
fn list(field: &str) -> Document {
    doc! { "$cond": [{ "$isArray": field }, field, []] }
}

fn encoded(document: &Document) -> Vec<u8> {
    bson::serialize_to_vec(document).expect("it is made of a few values")
}

/// A field of a record; `null` where it has none, which none of ours does.
fn field(record: &[u8], name: &str) -> Bson {
    let value = RawDocument::from_bytes(record).ok().and_then(|record| record.get(name).ok()?);
    value.and_then(|value| Bson::try_from(value).ok()).unwrap_or(Bson::Null)
}

fn of_refusal(record: &[u8]) -> RawDocumentBuf {
    let mut fields = RawDocumentBuf::new();
    for (name, value) in RawDocument::from_bytes(record).into_iter().flatten().flatten() {
        // What could not be read this time was read before, it may be.
        let is_told = value.as_null().is_none() || !["type", "key"].contains(&name.as_str());
        if OF_REFUSAL.contains(&name.as_str()) && is_told {
            fields.append(name, value);
        }
    }
    fields
}
