//! The watch of the indexes against a real server: what it finds, tells and makes while a worker
//! runs.

use std::sync::Arc;
use std::time::Duration;

use longshore::config::{DbConfig, defaults};
use longshore::gauges::IndexesMissing;
use longshore::mongo_manager::MongoManager;
use longshore::stop::Stop;
use longshore::store::mongo::MongoStore;
use longshore::store::mongo::indexes::{Contents, IndexReport};
use longshore::store::{Collection, Index};
use longshore::telemetry::signals::Signals;
use longshore::worker::index_watch::{IndexWatch, LOOK_EVERY};
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::IndexOptions;
use mongodb::{Client, IndexModel};
use tokio::task::JoinHandle;

use crate::support::{mongod, until};

/// Sessions with a TTL index.
fn sessions() -> Collection {
    let mut sessions = defaults().collections["sessions"].clone();
    sessions.indexes.push(Index {
        keys: vec![("last_accessed".to_owned(), 1)],
        unique: false,
        expire_after: Some(Duration::from_hours(24 * 365)),
    });
    sessions
}

fn store(manager: &MongoManager) -> Arc<MongoStore> {
    Arc::new(MongoStore::new(
        manager.database().clone(),
        Duration::from_secs(10),
        Box::new(|| None),
    ))
}

/// A watch of sessions that looks often, and what it is seen by.
struct Watched {
    signals: Signals,
    sessions: mongodb::Collection<Document>,
    stop: Stop,
    running: JoinHandle<()>,
}

impl Watched {
    async fn start(manager: &MongoManager, creates: bool) -> Self {
        Self::start_with(manager, creates, vec![sessions()]).await
    }

    /// Of these collections, of which sessions is one.
    async fn start_with(
        manager: &MongoManager,
        creates: bool,
        collections: Vec<Collection>,
    ) -> Self {
        Self::looking_every(Duration::from_millis(50), manager, creates, collections).await
    }

    async fn looking_every(
        every: Duration,
        manager: &MongoManager,
        creates: bool,
        collections: Vec<Collection>,
    ) -> Self {
        let (store, signals, stop) = (store(manager), Signals::default(), Stop::default());
        // As the pipeline has it while the database takes writes.
        signals.gauges().gate_open.set(1);
        let mut start = Vec::new();
        for collection in collections {
            let report = store.indexes(&collection).await.expect("a report");
            start.push((collection, report));
        }
        let db = DbConfig { create_indexes: creates, ..DbConfig::default() };
        let watch = IndexWatch::new(store, start, &db, signals.clone(), stop.clone());
        let running = tokio::spawn(watch.looking_every(every).run());
        Self { signals, sessions: manager.database().collection("sessions"), stop, running }
    }

    fn missing(&self) -> IndexesMissing {
        self.signals.gauges().indexes_missing()["sessions"]
    }

    fn told(&self) -> Vec<String> {
        let story = self.signals.recent().story();
        story.indexes_missing.into_values().map(|story| story.trouble.text).collect()
    }

    fn errors(&self, what: &str) -> usize {
        self.signals.recent().story().errors.iter().filter(|error| error.what == what).count()
    }

    async fn until_all_there(&self) {
        until("all indexes are there", async || {
            let there: Vec<_> = self.sessions.list_index_names().await.unwrap_or_default();
            there.len() == 3 && self.missing() == IndexesMissing::default()
        })
        .await;
        assert_eq!(self.told(), Vec::<String>::new());
    }

    async fn end(self) {
        self.stop.drain();
        self.running.await.expect("it ends with the drain");
    }
}

/// A collection with documents and all indexes.
async fn filled(manager: &MongoManager) -> mongodb::Collection<Document> {
    let store = store(manager);
    let report = store.indexes(&sessions()).await.expect("a report");
    store.create_indexes(&report).await.expect("made");
    let collection = manager.database().collection("sessions");
    collection
        .insert_many((0..50).map(|number| doc! { "session_id": number }))
        .await
        .expect("inserted");
    collection
}

#[tokio::test]
async fn indexes_that_are_dropped_are_made_again_also_where_there_are_documents() {
    let manager = mongod::manager().await;
    filled(&manager).await;
    let watched = Watched::start(&manager, true).await;
    assert_eq!(watched.missing(), IndexesMissing::default());
    watched.sessions.drop_indexes().await.expect("dropped");
    watched.until_all_there().await;
    watched.sessions.insert_one(doc! { "session_id": 7 }).await.expect_err("unique once more");
    watched.end().await;
}

#[tokio::test]
async fn a_collection_that_is_dropped_gets_its_indexes_again_and_the_ttl_with_them() {
    let manager = mongod::manager().await;
    filled(&manager).await;
    let watched = Watched::start(&manager, true).await;
    watched.sessions.drop().await.expect("dropped");
    watched.sessions.insert_one(doc! { "session_id": 1 }).await.expect("a write makes it anew");
    watched.until_all_there().await;
    let indexes = store(&manager).indexes(&sessions()).await.expect("a report");
    assert!(indexes.present.iter().any(|index| index.expire_after.is_some()), "{indexes:?}");
    watched.end().await;
}

#[tokio::test]
async fn what_was_not_there_at_the_start_is_left_to_a_person_unless_the_collection_is_made_anew() {
    let manager = mongod::manager().await;
    let collection = filled(&manager).await;
    collection.drop_index("last_accessed_1").await.expect("dropped");
    let watched = Watched::start(&manager, true).await;
    assert_eq!(watched.missing(), IndexesMissing { key: 0, other: 1 });
    // Looks go by: one of them makes the index on the key.
    watched.sessions.drop_index("session_id_1").await.expect("dropped");
    until("the index on the key is there again", async || {
        watched
            .sessions
            .list_index_names()
            .await
            .expect("names")
            .contains(&"session_id_1".to_owned())
            && watched.missing().key == 0
    })
    .await;
    assert_eq!(watched.missing(), IndexesMissing { key: 0, other: 1 });
    let told = watched.told();
    assert!(
        told.len() == 1
            && told[0].ends_with("it was not there at the start")
            && told[0].starts_with("sessions lacks the index {last_accessed: 1} expiring after"),
        "{told:?}"
    );
    watched.sessions.drop().await.expect("dropped");
    watched.sessions.insert_one(doc! { "session_id": 1 }).await.expect("made anew");
    watched.until_all_there().await;
    watched.end().await;
}

#[tokio::test]
async fn a_build_that_fails_is_told_with_its_reason_and_keeps_no_other_from_being_made() {
    let manager = mongod::manager().await;
    filled(&manager).await;
    let watched = Watched::start(&manager, true).await;
    watched.sessions.drop().await.expect("dropped");
    watched
        .sessions
        .insert_many([doc! { "session_id": 1 }, doc! { "session_id": 1 }])
        .await
        .expect("inserted");
    until("the other one is made, and the failure told", async || {
        let told = watched.told();
        let names = watched.sessions.list_index_names().await.expect("names");
        names.contains(&"last_accessed_1".to_owned())
            && told.iter().any(|text| text.contains("could not be made (11000"))
    })
    .await;
    assert_eq!(watched.errors("index not made"), 1, "the same words stand there once");
    let told = watched
        .told()
        .into_iter()
        .find(|text| text.contains("no unique index on session_id"))
        .expect("it is shown");
    assert!(told.contains("longshore check --create-indexes"), "{told}");
    watched.sessions.delete_one(doc! { "session_id": 1 }).await.expect("deleted");
    watched.until_all_there().await;
    watched.end().await;
}

#[tokio::test]
async fn where_indexes_are_not_to_be_made_what_is_missing_is_told_and_how_to_make_it() {
    let manager = mongod::manager().await;
    filled(&manager).await;
    let watched = Watched::start(&manager, false).await;
    watched.sessions.drop_indexes().await.expect("dropped");
    until("both are missed", async || watched.missing() == IndexesMissing { key: 1, other: 1 })
        .await;
    let told = watched.told();
    assert!(
        told.iter().all(|text| text
            .ends_with("run `longshore check --create-indexes`: db.create_indexes is false")),
        "{told:?}"
    );
    let report = store(&manager).indexes(&sessions()).await.expect("a report");
    store(&manager).create_indexes(&report).await.expect("a person makes them");
    watched.until_all_there().await;
    watched.end().await;
}

#[tokio::test]
async fn an_index_is_not_there_before_its_build_has_ended() {
    let mongod = mongod::holding_builds().await;
    let manager = MongoManager::connect(&mongod::settings(&mongod)).await.expect("a database");
    // Without documents there is nothing to build, and so nothing that is held.
    let report = store(&manager).indexes(&sessions()).await.expect("a report");
    store(&manager).create_indexes(&report).await.expect("made");
    let watched = Watched::start(&manager, true).await;
    watched.sessions.insert_one(doc! { "session_id": 1 }).await.expect("inserted");
    watched.sessions.drop_index("session_id_1").await.expect("dropped");
    until("it is being built", async || {
        watched.told().iter().any(|text| text.ends_with("it is being built"))
    })
    .await;
    assert_eq!(watched.missing(), IndexesMissing { key: 1, other: 0 });
    mongod::let_builds_end(&mongod).await;
    watched.until_all_there().await;
    watched.end().await;
}

#[tokio::test]
async fn a_build_that_does_not_end_keeps_no_other_collection_from_its_index() {
    let mongod = mongod::holding_builds().await;
    let manager = MongoManager::connect(&mongod::settings(&mongod)).await.expect("a database");
    let cache = defaults().collections["user_cache"].clone();
    let store = store(&manager);
    for collection in [&sessions(), &cache] {
        let report = store.indexes(collection).await.expect("a report");
        store.create_indexes(&report).await.expect("made");
    }
    let watched = Watched::start_with(&manager, true, vec![sessions(), cache]).await;
    watched.sessions.insert_one(doc! { "session_id": 1 }).await.expect("inserted");
    watched.sessions.drop_index("session_id_1").await.expect("dropped");
    until("it is being built", async || {
        watched.told().iter().any(|text| text.ends_with("it is being built"))
    })
    .await;
    // Without documents there is nothing to build.
    let cache = manager.database().collection::<Document>("user_cache");
    cache.drop_index("user_id_1").await.expect("dropped");
    until("that one is made", async || {
        cache.list_index_names().await.expect("names").contains(&"user_id_1".to_owned())
    })
    .await;
    assert_eq!(watched.missing(), IndexesMissing { key: 1, other: 0 });
    mongod::let_builds_end(&mongod).await;
    watched.until_all_there().await;
    watched.end().await;
}

#[tokio::test]
async fn an_index_with_other_rules_in_the_place_of_a_declared_one_is_told_with_what_to_do() {
    let manager = mongod::manager().await;
    filled(&manager).await;
    let watched = Watched::start(&manager, false).await;
    watched.sessions.drop_index("session_id_1").await.expect("dropped");
    let sparse = IndexOptions::builder().unique(true).sparse(true).build();
    let index = IndexModel::builder().keys(doc! { "session_id": 1 }).options(sparse).build();
    watched.sessions.create_index(index).await.expect("made");
    until("it is told", async || {
        watched.told().iter().any(|text| text.contains("index session_id_1 is sparse"))
    })
    .await;
    watched.end().await;
}

#[tokio::test]
async fn when_many_collections_lose_their_indexes_the_next_is_made_as_soon_as_one_is() {
    /// At two a look, the last would have its index long after the test's patience is over.
    const LOOK: Duration = Duration::from_secs(5);
    const MANY: usize = 40;
    let manager = mongod::manager().await;
    let cache = defaults().collections["user_cache"].clone();
    let numbered = |number| Collection { name: format!("cache_{number}"), ..cache.clone() };
    let mut collections: Vec<_> = (0..MANY).map(numbered).collect();
    collections.push(sessions());
    let watched = Watched::looking_every(LOOK, &manager, true, collections).await;
    until("all are made", async || {
        let missing = watched.signals.gauges().indexes_missing();
        missing.len() == MANY + 1
            && missing.values().all(|missing| *missing == IndexesMissing::default())
    })
    .await;
    assert_eq!(watched.told(), Vec::<String>::new());
    watched.end().await;
}

/// What a collection can become, and what is said of it then.
fn kinds() -> [(Document, &'static str); 3] {
    [
        (doc! { "create": "sessions", "viewOn": "others", "pipeline": [] }, "sessions is a view"),
        (
            doc! { "create": "sessions", "timeseries": { "timeField": "last_accessed" } },
            "sessions is a time-series collection",
        ),
        (
            doc! { "create": "sessions", "capped": true, "size": 65_536 },
            "sessions is a capped collection",
        ),
    ]
}

/// Creates the collection as another kind, and whether it was not there: between the drop and
/// this the worker may have looked, and made it anew with its indexes.
async fn becomes_another_kind(manager: &MongoManager, create: Document) -> bool {
    /// MongoDB's code for `NamespaceExists`.
    const EXISTS: i32 = 48;
    let Err(error) = manager.database().run_command(create).await else { return true };
    match *error.kind {
        ErrorKind::Command(ref failure) if failure.code == EXISTS => false,
        _ => panic!("another kind cannot be made: {error}"),
    }
}

#[tokio::test]
async fn a_collection_that_becomes_another_kind_is_told_until_it_is_an_ordinary_one_again() {
    for (create, said) in kinds() {
        let manager = mongod::manager().await;
        filled(&manager).await;
        let watched = Watched::start(&manager, true).await;
        until("it is another kind", async || {
            watched.sessions.drop().await.expect("dropped");
            becomes_another_kind(&manager, create.clone()).await
        })
        .await;
        until(said, async || {
            let told = watched.told();
            told.len() == 1 && told[0].starts_with(said)
        })
        .await;
        assert_eq!(watched.missing(), IndexesMissing::default(), "no index is to blame");
        watched.sessions.drop().await.expect("dropped");
        watched.sessions.insert_one(doc! { "session_id": 1 }).await.expect("made anew");
        watched.until_all_there().await;
        watched.end().await;
    }
}

#[tokio::test]
async fn a_build_that_was_interrupted_is_not_said_to_have_something_in_its_way() {
    let mongod = mongod::holding_builds().await;
    let manager = MongoManager::connect(&mongod::settings(&mongod)).await.expect("a database");
    let admin = manager.client().database("admin");
    let interrupting = |mode: &str| {
        doc! {
            "configureFailPoint": "failCommand",
            "mode": mode,
            "data": { "failCommands": ["createIndexes"], "errorCode": 11_601 },
        }
    };
    admin.run_command(interrupting("alwaysOn")).await.expect("set");
    let watched = Watched::start(&manager, true).await;
    until("the failure is told", async || {
        watched.told().iter().any(|text| text.contains("could not be made (11601"))
    })
    .await;
    assert!(!watched.told().iter().any(|text| text.contains("in the way")), "{:?}", watched.told());
    admin.run_command(interrupting("off")).await.expect("set");
    until("all are made", async || watched.missing() == IndexesMissing::default()).await;
    watched.end().await;
}

#[tokio::test]
async fn a_guard_that_goes_is_told_although_the_declared_index_was_missing_before() {
    let manager = mongod::manager().await;
    let sessions = filled(&manager).await;
    sessions.drop_index("session_id_1").await.expect("dropped");
    let unique = IndexOptions::builder().unique(true).build();
    let other = IndexModel::builder().keys(doc! { "session_id": -1 }).options(unique).build();
    sessions.create_index(other).await.expect("made");
    let watched = Watched::start(&manager, false).await;
    assert_eq!(watched.missing(), IndexesMissing { key: 0, other: 1 });
    let told = watched.told();
    assert!(told[0].contains("though index session_id_-1 guards the key"), "{told:?}");
    sessions.drop_index("session_id_-1").await.expect("dropped");
    until("it is the one on the key that is missing", async || {
        watched.missing() == IndexesMissing { key: 1, other: 0 }
    })
    .await;
    assert!(watched.told()[0].contains("no unique index on session_id"), "{:?}", watched.told());
    watched.end().await;
}

/// Time jumps wherever all wait, so minutes pass at once; nobody listens at the address.
#[tokio::test(start_paused = true)]
async fn a_database_behind_a_closed_gate_is_not_asked() {
    let client = Client::with_uri_str("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1000")
        .await
        .expect("a client");
    let store = Arc::new(MongoStore::new(
        client.database("none"),
        Duration::from_secs(1),
        Box::new(|| None),
    ));
    let (signals, stop) = (Signals::default(), Stop::default());
    let start = IndexReport {
        collection: "sessions".to_owned(),
        contents: Contents::Filled,
        uuid: None,
        present: sessions().indexes,
        missing: Vec::new(),
        building: Vec::new(),
        conflicting: Vec::new(),
        unguarded: None,
        forbids_ingest: None,
        notes: Vec::new(),
        guard: None,
        collation: None,
        names: Vec::new(),
    };
    let watch = IndexWatch::new(
        store,
        vec![(sessions(), start)],
        &DbConfig::default(),
        signals.clone(),
        stop.clone(),
    );
    let running = tokio::spawn(watch.run());
    let failed = || signals.recent().story().errors.len();
    tokio::time::sleep(10 * LOOK_EVERY).await;
    assert_eq!(failed(), 0, "the gate is closed");
    signals.gauges().gate_open.set(1);
    tokio::time::sleep(2 * LOOK_EVERY).await;
    assert_eq!(failed(), 1, "it is open");
    stop.drain();
    running.await.expect("it ends");
}
