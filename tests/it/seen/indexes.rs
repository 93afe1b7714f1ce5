//! An index that goes missing while a worker runs: told in the log, on the status page and in the
//! metrics, and made again.

use longshore::dev::mongod::Mongod;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};
use serde_json::json;

use super::admin::Running;
use crate::support::mongod;
use crate::support::sqs::Kind;
use crate::support::surroundings::{Surroundings, plain};
use crate::support::until;

const MISSING: &str = "longshore_indexes_missing";

async fn session(surroundings: &Surroundings, id: &str, data: &str) {
    surroundings
        .send(&[plain(&json!({ "type": "session", "session_id": id, "data": data }))])
        .await;
}

/// A second unique index, so that an upsert can be refused for a duplicate whatever became of the
/// one on the key.
async fn sessions_with_a_second_unique_index(surroundings: &Surroundings) -> Collection<Document> {
    let sessions = surroundings.manager.database().collection::<Document>("sessions");
    let unique = IndexOptions::builder().unique(true).build();
    sessions
        .create_index(IndexModel::builder().keys(doc! { "data": 1 }).options(unique).build())
        .await
        .expect("an index");
    sessions
}

async fn surroundings(mongod: &Mongod) -> Surroundings {
    Surroundings::on(Kind::Embedded, &json!({ "VisibilityTimeout": "600" }), mongod).await
}

#[tokio::test]
async fn a_duplicate_sets_off_a_look_that_finds_dropped_indexes_and_makes_them_again() {
    let surroundings = surroundings(mongod::plain().await).await;
    let sessions = sessions_with_a_second_unique_index(&surroundings).await;
    let mut running = Running::start(&surroundings, &[("LONGSHORE__ROUTES__SESSION__TTL", "1h")]);
    session(&surroundings, "s-1", "one").await;
    running.until_unloaded(&surroundings).await;
    assert_eq!(running.web.metric(MISSING).await, 0);

    sessions.drop_index("session_id_1").await.expect("dropped");
    sessions.drop_index("last_accessed_1").await.expect("dropped");
    session(&surroundings, "s-2", "one").await;
    until("both are there again", async || {
        running.worker.assert_running();
        let names = sessions.list_index_names().await.expect("names");
        names.contains(&"session_id_1".to_owned()) && names.contains(&"last_accessed_1".to_owned())
    })
    .await;
    until("the metric says so", async || running.web.metric(MISSING).await == 0).await;
    let printed = running.worker.printed();
    for said in ["no unique index on session_id", "index made", "index is there now"] {
        assert!(printed.contains(said), "{said}: {printed}");
    }
    running.end().await;
}

#[tokio::test]
async fn where_indexes_are_not_to_be_made_a_dropped_one_is_told_and_shown_and_the_worker_goes_on() {
    let surroundings = surroundings(mongod::plain().await).await;
    let sessions = sessions_with_a_second_unique_index(&surroundings).await;
    let unique = IndexOptions::builder().unique(true).build();
    for (collection, key) in [("sessions", "session_id"), ("user_cache", "user_id")] {
        let collection = surroundings.manager.database().collection::<Document>(collection);
        collection
            .create_index(
                IndexModel::builder().keys(doc! { key: 1 }).options(unique.clone()).build(),
            )
            .await
            .expect("an index");
    }
    let mut running = Running::start(&surroundings, &[("LONGSHORE__DB__CREATE_INDEXES", "false")]);
    session(&surroundings, "s-1", "one").await;
    running.until_unloaded(&surroundings).await;
    // The built-in route of events declares one, and dead letters have four: none was made.
    assert_eq!(running.web.metric(MISSING).await, 5);
    sessions.drop_index("session_id_1").await.expect("dropped");
    session(&surroundings, "s-2", "one").await;
    until("it is counted", async || {
        running.worker.assert_running();
        running.web.metric(MISSING).await == 6
    })
    .await;
    let status = running.web.status().await;
    let said = status["indexes"].as_array().expect("a list");
    let of_sessions = said.iter().find(|one| one["collection"] == "sessions").expect("sessions");
    assert!(
        of_sessions["text"]
            .as_str()
            .is_some_and(|text| text.contains("no unique index on session_id")),
        "{of_sessions}"
    );
    let more = status["headline"]["more"].as_str().expect("text");
    assert!(more.contains("sessions has no unique index on session_id"), "{more}");
    assert!(running.web.get("/").await.text.contains("sessions has no unique index on session_id"));
    assert_eq!(running.web.get("/readyz").await.status, 200);
    // It goes on.
    session(&surroundings, "s-3", "three").await;
    running.until_unloaded(&surroundings).await;
    assert!(
        !sessions.list_index_names().await.expect("names").contains(&"session_id_1".to_owned())
    );
    running.end().await;
}

/// The view has the name of the collection, and reads what the collection holds under another name.
#[tokio::test]
async fn a_collection_that_becomes_a_view_costs_time_and_no_message() {
    let surroundings = surroundings(mongod::plain().await).await;
    let database = surroundings.manager.database().clone();
    let mut running = Running::start(&surroundings, &[("LONGSHORE__RETRY__BUDGET", "6s")]);
    session(&surroundings, "s-1", "one").await;
    running.until_unloaded(&surroundings).await;
    let admin = surroundings.manager.client().database("admin");
    let name = |collection: &str| format!("{}.{collection}", database.name());
    let rename = |from: &str, to: &str| doc! { "renameCollection": name(from), "to": name(to) };
    admin.run_command(rename("sessions", "moved")).await.expect("renamed");
    let view = doc! { "create": "sessions", "viewOn": "moved", "pipeline": [] };
    database.run_command(view).await.expect("a view");
    session(&surroundings, "s-2", "two").await;
    until("the page and the log say what it is", async || {
        running.worker.assert_running();
        let status = running.web.status().await;
        let text = status["headline"]["text"].as_str().unwrap_or_default().to_owned();
        let said = status["indexes"].as_array().is_some_and(|said| {
            said.iter()
                .any(|one| one["text"].as_str().is_some_and(|text| text.contains("is a view")))
        });
        said && text.contains("is a view")
            && running.worker.printed().contains("sessions is a view")
    })
    .await;
    for number in 0..5 {
        let event = json!({ "type": "event", "user_id": number, "event_type": "login" });
        surroundings.send(&[plain(&event)]).await;
    }
    until("others go on", async || surroundings.documents("events").await.len() == 5).await;
    until("the page says which do not", async || {
        let status = running.web.status().await;
        let text = status["headline"]["text"].as_str().unwrap_or_default().to_owned();
        text.contains("sessions") && status["gate"]["open"] == true
    })
    .await;
    assert!(!running.worker.printed().contains("no unique index on"), "no index is to blame");

    database.collection::<Document>("sessions").drop().await.expect("the view is dropped");
    running.until_unloaded(&surroundings).await;
    assert_eq!(surroundings.documents("dead_letters").await.len(), 0);
    // What came before stands where it was moved to, what waited where it was meant to go.
    for (collection, id) in [("moved", "s-1"), ("sessions", "s-2")] {
        let documents = surroundings.documents(collection).await;
        let ids: Vec<_> =
            documents.iter().filter_map(|document| document.get_str("session_id").ok()).collect();
        assert_eq!(ids, [id], "{collection}");
    }
    assert_eq!(surroundings.documents("events").await.len(), 5);
    running.end().await;
}
