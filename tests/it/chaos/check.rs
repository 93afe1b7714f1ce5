//! Holds the documents and dead letters against what was sent. It asks nobody but the database, and
//! shares no code with the worker.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use longshore::mongo_manager::MongoManager;
use mongodb::bson::{Bson, Document, doc};

use crate::support::answered;

use super::load::{Expected, VISITS};

/// What broke which promise, one line each.
#[derive(Debug, Default)]
pub struct Broken {
    pub lost: Vec<String>,
    pub doubled: Vec<String>,
    pub stale: Vec<String>,
    /// Dead letters that should not be, or have another reason.
    pub dead_lettered_wrongly: Vec<String>,
}

impl Broken {
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let kinds = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("stale", &self.stale),
            ("dead-lettered", &self.dead_lettered_wrongly),
        ];
        kinds
            .into_iter()
            .flat_map(|(kind, lines)| lines.iter().map(move |line| format!("{kind}: {line}")))
    }
}

/// Reads all that the load can have made. The queue must be empty: what is still in it would count
/// as lost.
pub async fn broken_promises(manager: &MongoManager, expected: &Expected) -> Broken {
    let mut broken = Broken::default();
    let events = expected.portal.events.iter().map(|id| Bson::from(id.clone()));
    let found = documents(manager, "events").await;
    each_once("event", "_id", &found, events, &mut broken);
    // A double could have another id, but not another time: no two events of the load happen in one
    // millisecond.
    twice("event", "timestamp", &found, &mut broken);
    let visits =
        expected.visits.iter().map(|number| Bson::from(i32::try_from(*number).expect("a few")));
    each_once("visit", "number", &documents(manager, VISITS).await, visits, &mut broken);

    let sessions =
        expected.portal.sessions.iter().map(|(id, newest)| (Bson::from(id.clone()), *newest));
    keyed(
        &documents(manager, "sessions").await,
        ["session_id", "last_accessed", "step"],
        sessions,
        &mut broken,
    );
    let cache = expected
        .portal
        .cache
        .iter()
        .map(|(id, newest)| (Bson::from(i32::try_from(*id).expect("a few")), *newest));
    keyed(
        &documents(manager, "user_cache").await,
        ["user_id", "updated", "visits"],
        cache,
        &mut broken,
    );
    dead_letters(&documents(manager, "dead_letters").await, expected, &mut broken);
    broken
}

async fn documents(manager: &MongoManager, collection: &str) -> Vec<Document> {
    let documents = manager.database().collection::<Document>(collection);
    answered(collection, async || documents.find(doc! {}).await?.try_collect().await).await
}

fn value(document: &Document, field: &str) -> String {
    document.get(field).map(Bson::to_string).unwrap_or_default()
}

/// How often each value of `field` is there.
fn counts(documents: &[Document], field: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for document in documents {
        *counts.entry(value(document, field)).or_default() += 1;
    }
    counts
}

fn each_once(
    what: &str,
    field: &str,
    documents: &[Document],
    expected: impl Iterator<Item = Bson>,
    broken: &mut Broken,
) {
    let mut there = counts(documents, field);
    for value in expected.map(|value| value.to_string()) {
        match there.remove(&value) {
            None => broken.lost.push(format!("{what} {value}")),
            Some(1) => {}
            Some(count) => broken.doubled.push(format!("{what} {value} is there {count} times")),
        }
    }
    // What was never sent can only be a double in disguise.
    broken.doubled.extend(there.keys().map(|value| format!("{what} {value} was never sent")));
}

fn twice(what: &str, field: &str, documents: &[Document], broken: &mut Broken) {
    let doubles = counts(documents, field).into_iter().filter(|(_, count)| *count > 1);
    broken.doubled.extend(
        doubles.map(|(value, count)| format!("{what} of {field} {value} is there {count} times")),
    );
}

/// Every key once, at its newest version and with the data of that version.
fn keyed(
    documents: &[Document],
    fields: [&str; 3],
    newest: impl Iterator<Item = (Bson, (i64, i64))>,
    broken: &mut Broken,
) {
    let [key, version_field, counter] = fields;
    let newest: Vec<_> = newest.collect();
    each_once(key, key, documents, newest.iter().map(|(key, _)| key.clone()), broken);
    let newest: BTreeMap<String, (i64, i64)> =
        newest.into_iter().map(|(key, newest)| (key.to_string(), newest)).collect();
    for document in documents {
        let name = value(document, key);
        let Some((time_ms, count)) = newest.get(&name) else { continue };
        let is_newest = document
            .get_datetime(version_field)
            .is_ok_and(|date| date.timestamp_millis() == *time_ms);
        let data = document.get_document("data").ok();
        let has_its_data = data
            .and_then(|data| data.get_i32(counter).ok())
            .is_some_and(|value| i64::from(value) == *count);
        if !is_newest || !has_its_data {
            broken.stale.push(format!("{key} {name} is not at {version_field} {time_ms} with {counter} {count}: {document}"));
        }
    }
}

fn dead_letters(documents: &[Document], expected: &Expected, broken: &mut Broken) {
    let mut missing = expected.dead_letters.clone();
    for document in documents {
        let (body, reason) = (
            document.get_str("body").unwrap_or_default(),
            document.get_str("reason").unwrap_or_default(),
        );
        match missing.remove(body) {
            Some(expected) if expected.code() == reason => {}
            _ => {
                let text = document.get_str("text").unwrap_or_default();
                broken.dead_lettered_wrongly.push(format!("{body} for {reason}: {text}"));
            }
        }
    }
    broken.lost.extend(
        missing
            .into_iter()
            .map(|(body, reason)| format!("the dead letter of {body}, which is {reason}")),
    );
}

#[cfg(test)]
mod tests {
    use super::super::load::Load;
    use super::*;
    use crate::support::mongod::manager;

    #[tokio::test]
    async fn whatever_is_lost_doubled_stale_or_wrongly_dead_lettered_is_found() {
        let manager = manager().await;
        let expected = Load::new(7, 100).expected;
        let nothing = broken_promises(&manager, &expected).await;
        let portal = &expected.portal;
        let all = portal.events.len()
            + expected.visits.len()
            + portal.sessions.len()
            + portal.cache.len()
            + expected.dead_letters.len();
        assert_eq!((nothing.lost.len(), nothing.lines().count()), (all, all));

        let insert = async |collection: &str, documents: Vec<Document>| {
            manager
                .database()
                .collection(collection)
                .insert_many(documents)
                .await
                .expect("inserted");
        };
        insert(VISITS, vec![doc! { "number": 0 }, doc! { "number": 0 }, doc! { "number": -5 }])
            .await;
        let time = mongodb::bson::DateTime::from_millis(1_795_334_400_000);
        let event = portal.events.first().expect("an event");
        insert(
            "events",
            vec![
                doc! { "_id": event, "timestamp": time },
                doc! { "_id": "another", "timestamp": time },
            ],
        )
        .await;
        let session = portal.sessions.keys().next().expect("a session");
        insert(
            "sessions",
            vec![doc! { "session_id": session, "last_accessed": time, "data": { "step": -1 } }],
        )
        .await;
        let (rejected, _) = expected.dead_letters.first_key_value().expect("a dead letter");
        let reason = "store_rejected";
        insert(
            "dead_letters",
            vec![
                doc! { "body": "{}", "reason": reason },
                doc! { "body": rejected, "reason": reason },
            ],
        )
        .await;

        let found = broken_promises(&manager, &expected).await;
        // A dead letter with another reason is not lost, but wrong.
        assert_eq!(found.lost.len(), all - 4, "{:?}", found.lost);
        assert_eq!(found.doubled.len(), 4, "{:?}", found.doubled);
        assert_eq!((found.stale.len(), found.dead_lettered_wrongly.len()), (1, 2), "{found:?}");
    }
}
