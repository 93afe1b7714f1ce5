//! Holds a database against what a load must have made of it, looking at the documents only.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;

use crate::message::Reason;
use crate::mongo_manager::MongoManager;

use super::portal::Expected;

/// What was looked at, and what was wrong.
#[derive(Debug, Default)]
pub struct Verification {
    pub events: usize,
    pub sessions: usize,
    pub cache: usize,
    pub dead_letters: BTreeMap<String, u64>,
    /// One line each; empty where everything holds. Capped, with a last line that says how many
    /// more there are.
    pub problems: Vec<String>,
}

/// Problems that are named one by one.
const NAMED_MAX: usize = 10;

/// # Errors
/// Where the database cannot be read.
pub async fn verify(manager: &MongoManager, expected: &Expected) -> anyhow::Result<Verification> {
    let mut verification = Verification::default();
    events(manager, expected, &mut verification).await?;
    let sessions =
        versions(expected.sessions.iter().map(|(id, newest)| (Bson::from(id.clone()), *newest)));
    verification.sessions = keyed(
        manager,
        "sessions",
        "session_id",
        "last_accessed",
        "step",
        sessions,
        &mut verification.problems,
    )
    .await?;
    let cache = versions(expected.cache.iter().map(|(user_id, newest)| {
        (Bson::from(i32::try_from(*user_id).unwrap_or_default()), *newest)
    }));
    verification.cache = keyed(
        manager,
        "user_cache",
        "user_id",
        "updated",
        "visits",
        cache,
        &mut verification.problems,
    )
    .await?;
    dead_letters(manager, expected, &mut verification).await?;
    if verification.problems.len() > NAMED_MAX {
        let more = verification.problems.len() - NAMED_MAX;
        verification.problems.truncate(NAMED_MAX);
        verification.problems.push(format!("and {more} more"));
    }
    Ok(verification)
}

async fn events(
    manager: &MongoManager,
    expected: &Expected,
    verification: &mut Verification,
) -> anyhow::Result<()> {
    let mut missing = expected.events.clone();
    for document in all(manager, "events").await? {
        verification.events += 1;
        // An id holds one document at most; one that was not expected is a double under another id.
        match document.get_str("_id") {
            Ok(id) if missing.remove(id) => {}
            _ => verification.problems.push(format!(
                "events holds {:?}, which was not sent or is there twice",
                document.get("_id")
            )),
        }
    }
    verification.problems.extend(missing.iter().map(|id| format!("event {id:?} is lost")));
    Ok(())
}

type Newest = BTreeMap<String, (i64, i64)>;

fn versions(newest: impl Iterator<Item = (Bson, (i64, i64))>) -> Newest {
    newest.map(|(key, newest)| (key.to_string(), newest)).collect()
}

/// Every key once, at its newest version and with that version's data.
async fn keyed(
    manager: &MongoManager,
    collection: &str,
    key: &str,
    version_field: &str,
    counter: &str,
    mut newest: Newest,
    problems: &mut Vec<String>,
) -> anyhow::Result<usize> {
    let documents = all(manager, collection).await?;
    for document in &documents {
        let name = document.get(key).map(Bson::to_string).unwrap_or_default();
        let Some((time_ms, count)) = newest.remove(&name) else {
            problems.push(format!(
                "{collection} holds {key} {name}, which was not sent or is there twice"
            ));
            continue;
        };
        let is_newest = document
            .get_datetime(version_field)
            .is_ok_and(|date| date.timestamp_millis() == time_ms);
        let has_its_data = document
            .get_document("data")
            .is_ok_and(|data| data.get_i32(counter).is_ok_and(|value| i64::from(value) == count));
        if !is_newest || !has_its_data {
            problems.push(format!("{collection} {key} {name} is stale: it is not at {version_field} {time_ms} with {counter} {count}"));
        }
    }
    problems.extend(newest.keys().map(|name| format!("{collection} {key} {name} is lost")));
    Ok(documents.len())
}

async fn dead_letters(
    manager: &MongoManager,
    expected: &Expected,
    verification: &mut Verification,
) -> anyhow::Result<()> {
    for document in all(manager, "dead_letters").await? {
        *verification
            .dead_letters
            .entry(document.get_str("reason").unwrap_or("none").to_owned())
            .or_default() += 1;
    }
    let wanted: BTreeMap<_, _> = expected
        .dead_letters
        .iter()
        .map(|(reason, count)| (Reason::code(*reason).to_owned(), *count))
        .collect();
    if verification.dead_letters != wanted {
        verification.problems.push(format!(
            "dead letters by reason are {:?}, not {wanted:?}",
            verification.dead_letters
        ));
    }
    Ok(())
}

async fn all(manager: &MongoManager, collection: &str) -> anyhow::Result<Vec<Document>> {
    Ok(manager
        .database()
        .collection::<Document>(collection)
        .find(doc! {})
        .await?
        .try_collect()
        .await?)
}
