//! One key is one document, whatever becomes of the indexes and whatever other programs do.

use mongodb::options::IndexOptions;

use mongodb::bson::Binary;
use mongodb::bson::spec::BinarySubtype;

use super::*;

/// Keys that clients race for.
const KEYS: i64 = 100;
const RACERS: i64 = 6;

async fn race(database: &Database, key: impl Fn(i64) -> i64 + Copy + Send + 'static) {
    let tasks: Vec<_> = (0..RACERS)
        .map(|racer| {
            let store = store(database);
            let writes: Vec<Write> = (0..KEYS)
                .map(|number| whole(key(number), NOON + racer, doc! { "data": racer }))
                .collect();
            tokio::spawn(async move { write(&store, &sessions(), &writes).await.0 })
        })
        .collect();
    for task in tasks {
        assert!(task.await.expect("no panic").iter().all(|item| *item == ItemOutcome::Written));
    }
}

fn is_newest(document: &Document) -> bool {
    document.get_i64("data").ok() == Some(RACERS - 1)
}

#[tokio::test]
async fn without_any_index_on_the_key_clients_that_race_make_one_document_of_each() {
    let database = database("unindexed").await;
    for round in 0..5 {
        race(&database, move |number| round * KEYS + number).await;
    }
    let documents = all(&database).await;
    assert_eq!(documents.len(), 500);
    assert!(documents.iter().all(is_newest));
}

#[tokio::test]
async fn a_collection_that_is_dropped_while_clients_write_holds_each_key_once() {
    let database = database("dropped").await;
    unique(&database, "session_id").await;
    database.collection::<Document>("things").drop().await.expect("dropped");
    for round in 0..5 {
        let dropping = database.collection::<Document>("things");
        let dropped = tokio::spawn(async move { dropping.drop().await.expect("dropped") });
        race(&database, move |number| round * KEYS + number).await;
        dropped.await.expect("no panic");
        let mut keys: Vec<_> = all(&database)
            .await
            .iter()
            .map(|document| document.get_i32("session_id").expect("a key"))
            .collect();
        keys.sort_unstable();
        assert!(keys.is_sorted_by(|a, b| a < b), "a key is there twice: {keys:?}");
    }
}

#[tokio::test]
async fn keys_that_a_folding_collation_holds_to_be_equal_are_two_documents() {
    let database = database("folding").await;
    let folding = bson::doc! { "locale": "en", "strength": 2, "numericOrdering": true };
    database.run_command(doc! { "create": "things", "collation": folding }).await.expect("created");
    for collection in [sessions(), cache(), partial_sessions()] {
        database.collection::<Document>("things").delete_many(doc! {}).await.expect("emptied");
        let update = |key: &str| match collection.kind {
            WriteKind::Keyed(Keyed { extent: Extent::Partial, .. }) => {
                order::partial(key, &version(NOON, "m"), doc! { "data": key })
            }
            _ => whole(key, NOON, doc! { "data": key }),
        };
        let keys = ["S-81", "s-81", "s-081", "é", "E\u{301}"];
        for key in keys.iter().chain(&keys) {
            let (items, _) = write(&store(&database), &collection, &[update(key)]).await;
            assert_eq!(items, [ItemOutcome::Written], "{key}");
        }
        let documents = all(&database).await;
        assert_eq!(documents.len(), keys.len(), "{documents:?}");
        assert!(
            documents.iter().all(|document| document.get("session_id") == document.get("data")),
            "{documents:?}"
        );
    }
}

#[tokio::test]
async fn a_document_has_an_id_of_its_key_and_one_that_is_there_keeps_its_own() {
    let database = database("made").await;
    let things = database.collection::<Document>("things");
    things.insert_one(doc! { "_id": "theirs", "session_id": "there" }).await.expect("inserted");
    for collection in [sessions(), cache(), partial_sessions()] {
        things.delete_many(doc! { "session_id": { "$ne": "there" } }).await.expect("emptied");
        let update = |key: &str, time| match collection.kind {
            WriteKind::Keyed(Keyed { extent: Extent::Partial, .. }) => {
                order::partial(key, &version(time, "m"), doc! { "data": 1 })
            }
            _ => whole(key, time, doc! { "data": 1 }),
        };
        let mut ids = Vec::new();
        for time in [NOON, NOON + 1] {
            write(&store(&database), &collection, &[update("there", time), update("new", time)])
                .await;
            let documents = all(&database).await;
            let id = |key: &str| {
                documents
                    .iter()
                    .find(|document| document.get_str("session_id").ok() == Some(key))
                    .expect("there")
                    .get("_id")
            };
            assert_eq!(id("there"), Some(&"theirs".into()));
            ids.push(
                id("new")
                    .expect("an id")
                    .as_object_id()
                    .expect("an ObjectId, as people and validators expect"),
            );
        }
        assert_eq!(ids[0], ids[1]);
    }
}

#[tokio::test]
async fn a_key_that_another_program_has_changed_is_made_anew_beside_the_changed_one() {
    let database = database("renamed").await;
    unique(&database, "session_id").await;
    let things = database.collection::<Document>("things");
    for collection in [sessions(), cache()] {
        things.delete_many(doc! {}).await.expect("emptied");
        write(&store(&database), &collection, &[whole("old", NOON, doc! { "data": 1 })]).await;
        let renamed = things
            .update_one(doc! { "session_id": "old" }, doc! { "$set": { "session_id": "new" } })
            .await
            .expect("renamed");
        assert_eq!(renamed.modified_count, 1);
        for (time, data) in [(NOON + 1, 2), (NOON + 2, 3)] {
            let (items, _) =
                write(&store(&database), &collection, &[whole("old", time, doc! { "data": data })])
                    .await;
            assert_eq!(items, [ItemOutcome::Written]);
        }
        let (items, _) =
            write(&store(&database), &collection, &[whole("new", NOON + 3, doc! { "data": 4 })])
                .await;
        assert_eq!(items, [ItemOutcome::Written]);
        let mut found: Vec<_> = all(&database)
            .await
            .iter()
            .map(|it| {
                (
                    it.get_str("session_id").expect("a key").to_owned(),
                    it.get_i32("data").expect("data"),
                )
            })
            .collect();
        found.sort_unstable();
        assert_eq!(found, [("new".to_owned(), 4), ("old".to_owned(), 3)]);
    }
}

/// Another program makes the same documents at the same time, and the server looks at their second
/// unique index first.
#[tokio::test]
async fn a_race_that_names_another_unique_index_costs_no_message() {
    let database = database("second").await;
    for field in ["dev", "session_id"] {
        let options = IndexOptions::builder().unique(true).build();
        let model = IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
        database.collection::<Document>("things").create_index(model).await.expect("an index");
    }
    for round in 0..10_i64 {
        let keys = round * KEYS..(round + 1) * KEYS;
        let things = database.collection::<Document>("things");
        let theirs: Vec<_> = keys
            .clone()
            .map(|key| doc! { "session_id": key, "dev": key, "data": -1_i64 })
            .collect();
        let others =
            tokio::spawn(async move { things.insert_many(theirs).ordered(false).await.is_ok() });
        let tasks: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (store, keys) = (store(&database), keys.clone());
                let writes: Vec<Write> = keys
                    .map(|key| whole(key, NOON + racer, doc! { "data": racer, "dev": key }))
                    .collect();
                tokio::spawn(async move { write(&store, &sessions(), &writes).await.0 })
            })
            .collect();
        for task in tasks {
            let items = task.await.expect("no panic");
            assert!(items.iter().all(|item| *item == ItemOutcome::Written), "{items:?}");
        }
        let _ = others.await.expect("no panic");
    }
    let documents = all(&database).await;
    assert_eq!(documents.len(), 1_000);
    assert!(documents.iter().all(is_newest));
}

#[tokio::test]
async fn a_key_that_a_folding_unique_index_takes_for_another_is_rejected_and_its_neighbours_are_written()
 {
    let database = database("folding_index").await;
    unique(&database, "session_id").await;
    let collation = mongodb::options::Collation::builder()
        .locale("en")
        .strength(mongodb::options::CollationStrength::Secondary)
        .build();
    let options = IndexOptions::builder()
        .unique(true)
        .name("folding".to_owned())
        .collation(collation)
        .build();
    let model = IndexModel::builder().keys(doc! { "session_id": 1 }).options(options).build();
    database.collection::<Document>("things").create_index(model).await.expect("an index");
    write(&store(&database), &sessions(), &[whole("S-81", NOON, doc! {})]).await;
    let (items, _) = write(
        &store(&database),
        &sessions(),
        &[whole("s-81", NOON, doc! {}), whole("c", NOON, doc! {})],
    )
    .await;
    assert_eq!(
        rejected(&items[0]),
        (Reason::StoreRejected, Some(11_000), "another document has the same session_id")
    );
    assert_eq!(items[1], ItemOutcome::Written);
}

#[tokio::test]
async fn many_keys_that_another_program_has_changed_are_made_anew_in_one_batch() {
    let database = database("renamed_many").await;
    unique(&database, "session_id").await;
    let writes = |time: i64| {
        (0..KEYS).map(|key| whole(key, time, doc! { "data": time })).collect::<Vec<_>>()
    };
    write(&store(&database), &sessions(), &writes(NOON)).await;
    let rename = vec![doc! { "$set": { "session_id": { "$add": ["$session_id", 10_000] } } }];
    database.collection::<Document>("things").update_many(doc! {}, rename).await.expect("renamed");
    let (items, _) = write(&store(&database), &sessions(), &writes(NOON + 1)).await;
    assert!(items.iter().all(|item| *item == ItemOutcome::Written), "{items:?}");
    assert_eq!(all(&database).await.len(), 200);
}

#[tokio::test]
async fn what_a_second_unique_index_refuses_for_good_is_rejected() {
    let database = database("second_taken").await;
    unique(&database, "dev").await;
    write(&store(&database), &sessions(), &[whole("a", NOON, doc! { "dev": "x" })]).await;
    let (items, _) = write(
        &store(&database),
        &sessions(),
        &[whole("b", NOON, doc! { "dev": "x" }), whole("c", NOON, doc! { "dev": "y" })],
    )
    .await;
    assert_eq!(
        rejected(&items[0]),
        (Reason::StoreRejected, Some(11_000), "another document has the same dev")
    );
    assert_eq!(items[1], ItemOutcome::Written);
}

/// What can stand where a version is kept and is none. In the server's order of types, arrays, bytes,
/// dates and more stand above the object that a version is.
fn no_versions() -> Vec<mongodb::bson::Bson> {
    use mongodb::bson::{Bson, DateTime, Timestamp, oid::ObjectId};
    let far = DateTime::from_millis(20_000_000_000_000);
    let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![255; 90] };
    vec![
        Bson::Null,
        7.into(),
        "x".into(),
        bson::bson!({}),
        bson::bson!({ "z": 1 }),
        bson::bson!({ "t": true }),
        bson::bson!({ "t": Bson::MaxKey }),
        bson::bson!({ "t": far, "n": 0 }),
        bson::bson!({ "z": Bson::MaxKey }),
        bson::bson!([]),
        bson::bson!([{ "v": 1 }]),
        bson::bson!([{ "t": far, "f": {} }]),
        binary.into(),
        ObjectId::new().into(),
        true.into(),
        DateTime::from_millis(NOON).into(),
        Timestamp { time: u32::MAX, increment: 1 }.into(),
        Bson::MinKey,
        Bson::MaxKey,
    ]
}

#[tokio::test]
async fn what_stands_in_the_place_of_a_version_and_is_none_freezes_no_key() {
    let database = database("no_versions").await;
    let things = database.collection::<Document>("things");
    unique(&database, "session_id").await;
    for collection in [sessions(), cache(), partial_sessions()] {
        things.delete_many(doc! {}).await.expect("emptied");
        let (mut updates, mut number) = (Vec::new(), 0);
        for wrong in no_versions() {
            for ingest in [
                wrong.clone(),
                bson::bson!({ "v": wrong.clone() }),
                bson::bson!({ "f": wrong.clone() }),
                bson::bson!({ "f": { "data": wrong.clone(), "last_accessed": wrong } }),
            ] {
                let key = format!("k{number}");
                things
                    .insert_one(
                        doc! { "session_id": key.clone(), "data": "theirs", "_ingest": ingest },
                    )
                    .await
                    .expect("inserted");
                let fields = doc! { "data": "ours" };
                updates.push(match collection.kind {
                    WriteKind::Keyed(Keyed { extent: Extent::Partial, .. }) => {
                        order::partial(&key, &version(NOON, "m"), fields)
                    }
                    _ => whole(key.as_str(), NOON, fields),
                });
                number += 1;
            }
        }
        let (items, stale) = write(&store(&database), &collection, &updates).await;
        assert_eq!((items, stale), (vec![ItemOutcome::Written; updates.len()], 0));
        for document in all(&database).await {
            assert_eq!(document.get_str("data").ok(), Some("ours"), "{document:?}");
        }
    }
}
