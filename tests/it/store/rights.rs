//! What a user may not do, and servers that ask to be left alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use longshore::config::{DbConfig, Secret};
use longshore::dev::mongod::{Mongod, Options};
use longshore::mongo_manager::MongoManager;

use super::*;
use crate::support::mongod::{program, secured, settings};

const PASSWORD: &str = "narrow";

/// A database of the test's own, and a user who may do `actions` on the collections of these names.
async fn narrow(user: &str, actions: &[&str], collections: &[&str]) -> (Database, Database) {
    let db = settings(secured().await);
    let manager = MongoManager::connect(&db).await.expect("a server");
    let owner = manager.database().clone();
    let name = owner.name();
    let on = |collection: &&str| doc! { "resource": { "db": name, "collection": *collection }, "actions": actions };
    let privileges: Vec<_> = collections.iter().map(on).collect();
    owner
        .run_command(doc! { "createRole": user, "privileges": privileges, "roles": [] })
        .await
        .expect("a role");
    owner
        .run_command(doc! { "createUser": user, "pwd": PASSWORD, "roles": [user] })
        .await
        .expect("a user");
    let uri = db.mongo_uri.as_ref().expect("a URI").expose();
    let (_, rest) = uri.split_once('@').expect("a login");
    let rest = rest.replace("authSource=admin", &format!("authSource={name}"));
    let uri = Secret::new(format!("mongodb://{user}:{PASSWORD}@{rest}"));
    let db = DbConfig { mongo_uri: Some(uri), ..DbConfig::default() };
    let theirs = MongoManager::connect(&db).await.expect("the user logs in");
    (owner, theirs.database().clone())
}

fn named(name: &str, collection: Collection) -> Collection {
    Collection { name: name.to_owned(), ..collection }
}

fn fault(outcome: WriteOutcome) -> StoreFault {
    match outcome {
        WriteOutcome::Unconfirmed(fault) => fault,
        other @ WriteOutcome::Answered { .. } => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_role_that_may_only_insert_can_tell_whether_the_store_is_well() {
    let (owner, theirs) = narrow("inserter", &["insert"], &["events"]).await;
    let events = named("events", collection(WriteKind::Insert));
    let store = store(&theirs);
    assert!(store.is_well(&events).await, "may insert, and the concern is met");
    let made = owner.list_collection_names().await.expect("named");
    assert!(made.is_empty(), "and nothing is made by that: {made:?}");
    let write_concern =
        WriteConcern { w: Acknowledgement::Members(2), ..events.write_concern.clone() };
    let unmet = Collection { write_concern, ..events };
    assert!(!store.is_well(&unmet).await, "no second member");
    let sessions = named("sessions", sessions());
    assert!(!store.is_well(&sessions).await, "no right");
}

#[tokio::test]
async fn a_missing_right_is_the_collections_own_trouble_and_logs_in_anew_once() {
    let (owner, theirs) = narrow("half", &["insert", "find"], &["events"]).await;
    let logins = Arc::new(AtomicUsize::new(0));
    let (again, count) = (theirs.clone(), Arc::clone(&logins));
    let anew = move || {
        count.fetch_add(1, Ordering::Relaxed);
        Some(again.clone())
    };
    let store = MongoStore::new(theirs, Duration::from_secs(10), Box::new(anew));
    let sessions = named("sessions", sessions());
    let update = whole("k", NOON, doc! {});
    for round in 0..3 {
        let fault = fault(ask(&store, &sessions, [&update]).await);
        assert_eq!(fault.kind, StoreFaultKind::Collection, "{fault}");
        assert_eq!(logins.load(Ordering::Relaxed), 1, "round {round}");
    }
    let events = named("events", collection(WriteKind::Insert));
    let (items, _) = write(&store, &events, &[insert(1, &doc! {}, None)]).await;
    assert_eq!(items, [ItemOutcome::Written], "others go on");

    let right = doc! { "resource": { "db": owner.name(), "collection": "sessions" }, "actions": ["insert", "update", "find"] };
    let granting = doc! { "grantPrivilegesToRole": "half", "privileges": [right] };
    owner.run_command(granting).await.expect("granted");
    let (items, _) = write(&store, &sessions, std::slice::from_ref(&update)).await;
    assert_eq!(items, [ItemOutcome::Written]);
}

#[tokio::test]
async fn a_right_that_is_missing_to_tell_what_is_there_already_is_named() {
    let (owner, theirs) =
        narrow("blind", &["insert", "update"], &["events", "things", "sessions"]).await;
    let (owners, blind) = (store(&owner), store(&theirs));
    let events = named("events", collection(WriteKind::Insert));
    let [one, two, new] = [1, 2, 3].map(|id| insert(id, &doc! {}, None));
    write(&owners, &events, &[one.clone(), two.clone()]).await;
    let named_right = |fault: &StoreFault| {
        assert!(fault.text.contains("`find` on"), "{fault}");
        assert_eq!(fault.kind, StoreFaultKind::Collection, "{fault}");
    };
    named_right(&fault(ask(&blind, &events, [&one, &two]).await));
    let (items, _) = write(&blind, &events, &[one.clone(), new]).await;
    assert!(
        matches!(
            items.as_slice(),
            [ItemOutcome::Unconfirmed(text), ItemOutcome::Written] if text.contains("`find` on")
        ),
        "what is new is written: {items:?}"
    );

    // An update that meets a duplicate key: the key stands inside an array.
    unique(&owner, "session_id").await;
    let foreign = doc! { "_id": 1, "session_id": ["s"] };
    owner.collection::<Document>("things").insert_one(&foreign).await.expect("inserted");
    named_right(&fault(ask(&blind, &sessions(), [&whole("s", NOON, doc! {})]).await));
}

#[tokio::test]
async fn what_an_overloaded_server_labels_for_a_retry_is_not_retried_by_the_driver() {
    let options = Options { test_commands: true, ..Options::new(program().await) };
    let mongod = Mongod::start(&options).await.expect("a server");
    let manager = MongoManager::connect(&settings(&mongod)).await.expect("a server");
    let admin = manager.client().database("admin");
    let overloaded = doc! {
        "configureFailPoint": "failCommand", "mode": "alwaysOn",
        "data": {
            "failCommands": ["insert"], "errorCode": 462,
            "errorLabels": ["SystemOverloadedError", "RetryableError"],
        },
    };
    admin.run_command(overloaded).await.expect("set");
    let (store, events) = (store(manager.database()), collection(WriteKind::Insert));
    let event = insert(1, &doc! {}, None);
    let fault = fault(ask(&store, &events, [&event]).await);
    assert_eq!(fault.kind, StoreFaultKind::Unavailable, "{fault}");
    let off = doc! { "configureFailPoint": "failCommand", "mode": "off" };
    let count = admin.run_command(off).await.expect("off").get("count").cloned();
    assert!(count == Some(1_i32.into()) || count == Some(1_i64.into()), "asked {count:?} times");
}

#[tokio::test]
async fn a_password_that_was_changed_in_its_file_is_taken_when_the_login_is_refused() {
    let (owner, _) = narrow("rotated", &["insert", "update", "find"], &["events"]).await;
    let name = owner.name().to_owned();
    let secured = secured().await.uri(&name);
    let (_, rest) = secured.expose().split_once('@').expect("a login");
    let rest = rest.replace("authSource=admin", &format!("authSource={name}"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    let uri = |password: &str| format!("mongodb://rotated:{password}@{rest}");
    let write = |password: &str| std::fs::write(file.path(), uri(password)).expect("written");
    write(PASSWORD);
    let db = DbConfig {
        mongo_uri: Some(Secret::new(uri(PASSWORD))),
        mongo_uri_file: Some(file.path().to_owned()),
        ..DbConfig::default()
    };
    let manager = MongoManager::connect(&db).await.expect("the user logs in");
    let database = manager.database().clone();
    let anew = Box::new(move || manager.database_anew().ok());
    let store = MongoStore::new(database, Duration::from_secs(10), anew);
    let events = named("events", collection(WriteKind::Insert));
    assert!(store.is_well(&events).await, "the first password");

    owner.run_command(doc! { "dropUser": "rotated" }).await.expect("dropped");
    let again = doc! { "createUser": "rotated", "pwd": "second", "roles": ["rotated"] };
    owner.run_command(again).await.expect("made with another password");
    write("second");
    assert!(store.is_well(&events).await, "the login of before is gone, and the second is taken");
}
