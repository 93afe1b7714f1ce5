//! Declared indexes against real ones.

use longshore::dev::mongod::{Mongod, Options};
use longshore::mongo_manager::MongoManager;
use longshore::store::Index;
use longshore::store::mongo::indexes::{Contents, Unguarded, Why};

use super::*;
use crate::support::mongod::{program, settings};

fn with_indexes() -> Collection {
    let key = Index { keys: vec![("session_id".to_owned(), 1)], unique: true, expire_after: None };
    let ttl = Index {
        keys: vec![("last_accessed".to_owned(), 1)],
        unique: false,
        expire_after: Some(Duration::from_hours(1)),
    };
    Collection { indexes: vec![key, ttl], ..sessions() }
}

#[tokio::test]
async fn missing_indexes_are_named_and_made() {
    let database = database("make_indexes").await;
    let (store, collection) = (store(&database), with_indexes());
    let report = store.indexes(&collection).await.expect("a report");
    assert_eq!((report.contents, report.missing.len()), (Contents::Missing, 2));
    assert!(
        report.refusals()[0].contains("createIndex({\"session_id\": 1}, {unique: true})"),
        "{:?}",
        report.refusals()
    );
    store.create_indexes(&report).await.expect("made");
    let report = store.indexes(&collection).await.expect("a report");
    assert_eq!(
        (report.contents, report.present.len(), report.missing.len(), report.conflicting.len()),
        (Contents::Empty, 2, 0, 0)
    );
    assert_eq!(report.refusals(), Vec::<String>::new());
}

#[tokio::test]
async fn an_index_that_does_something_else_is_a_conflict() {
    let database = database("other_indexes").await;
    let things = database.collection::<Document>("things");
    for field in ["session_id", "last_accessed"] {
        things
            .create_index(IndexModel::builder().keys(doc! { field: 1 }).build())
            .await
            .expect("an index");
    }
    things.insert_one(doc! {}).await.expect("inserted");
    let report = store(&database).indexes(&with_indexes()).await.expect("a report");
    let texts: Vec<&str> =
        report.conflicting.iter().map(|conflict| conflict.text.as_str()).collect();
    assert_eq!(report.contents, Contents::Filled);
    assert!(texts[0].contains("session_id_1 is not unique"), "{texts:?}");
    assert!(texts[1].contains("never") && texts[1].contains("3600 s"), "{texts:?}");
    assert_eq!(
        report.unguarded,
        Some(Unguarded { key: "session_id".to_owned(), why: Why::Missing })
    );
}

#[tokio::test]
async fn what_would_make_a_unique_index_fail_is_named() {
    let database = database("obstacles").await;
    let documents = [
        doc! { "_id": 1, "session_id": "twice" },
        doc! { "_id": 2, "session_id": "twice" },
        doc! {},
        doc! { "session_id": null },
    ];
    let things = database.collection::<Document>("things");
    things.insert_many(documents).await.expect("inserted");
    things.insert_one(doc! { "_id": 9, "session_id": ["once"] }).await.expect("inserted");
    let store = store(&database);
    let report = store.indexes(&with_indexes()).await.expect("a report");
    let mut obstacles = store.obstacles(&with_indexes(), &report).await.expect("read");
    let pasted = obstacles.remove(2);
    assert!(
        pasted.contains("keep the newest") && pasted.contains("paste into mongosh"),
        "{pasted}"
    );
    assert_eq!(
        obstacles,
        [
            "2 documents of things have no session_id: give them one, or delete them",
            "2 documents of things have the same session_id, \"twice\": keep one",
            "session_id of the document with _id 9 of things is an array, and perhaps of others: make it one value",
        ]
    );
    let fault = store.create_indexes(&report).await.expect_err("duplicates");
    assert!(
        fault.is_obstructed
            && fault.fault.text.starts_with("11000 (DuplicateKey): E11000 duplicate key"),
        "{fault}"
    );
}

/// Does what mongosh does with a line that is printed for pasting: it reads `aggregate` and its
/// arguments, and deletes all but the first id of each group.
async fn paste(database: &mongodb::Database, line: &str) {
    let (_, rest) = line.split_once("db.getCollection(").expect("a line for mongosh");
    let (name, rest) = rest.split_once(").aggregate(").expect("a collection");
    let name: String = serde_json::from_str(name).expect("its name");
    let (arguments, rest) = rest.split_once(").forEach(same => ").expect("what it is done with");
    assert_eq!(
        rest,
        format!("db.getCollection({name:?}).deleteMany({{_id: {{$in: same.ids.slice(1)}}}}))")
    );
    // Read as documents, which keep the order of their fields.
    let (stages, options): (Vec<Document>, Document) =
        serde_json::from_str(&format!("[{arguments}]")).expect("two arguments");
    let aggregate = doc! { "aggregate": &name, "pipeline": stages, "cursor": {}, "collation": options.get_document("collation").expect("one"), "allowDiskUse": options.get_bool("allowDiskUse").expect("one") };
    let reply = database.run_command(aggregate).await.expect("groups");
    let groups = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    for group in groups.expect("the first and only batch") {
        let ids = group.as_document().expect("a group").get_array("ids").expect("its ids");
        let others = doc! { "_id": { "$in": &ids[1..] } };
        database.collection::<Document>(&name).delete_many(others).await.expect("deleted");
    }
}

#[tokio::test]
async fn what_is_told_to_paste_keeps_the_newest_of_each_and_the_index_can_be_made() {
    let database = database("pasted").await;
    let one = |id: i32, session_id: &str, at: i64| doc! { "_id": id, "session_id": session_id, "last_accessed": at };
    let documents = [
        one(1, "a", 30),
        one(2, "a", 10),
        one(3, "a", 20),
        one(4, "b", 10),
        one(5, "B", 10),
        doc! { "_id": 6, "session_id": "c" },
        doc! { "_id": 7, "session_id": "c" },
    ];
    let things = database.collection::<Document>("things");
    things.insert_many(documents).await.expect("inserted");
    let store = store(&database);
    let report = store.indexes(&with_indexes()).await.expect("a report");
    let obstacles = store.obstacles(&with_indexes(), &report).await.expect("read");
    let line = obstacles.iter().find(|text| text.contains("mongosh")).expect("a line to paste");
    paste(&database, line).await;
    let mut left = things.distinct("_id", doc! {}).await.expect("ids");
    left.sort_by_key(bson::Bson::as_i32);
    assert_eq!(left, [1, 4, 5, 7].map(bson::Bson::Int32), "the newest of each");
    store.create_indexes(&report).await.expect("nothing is in the way");
}

#[tokio::test]
async fn time_series_capped_collections_and_views_are_refused() {
    let database = database("odd_collections").await;
    database
        .run_command(doc! { "create": "series", "timeseries": { "timeField": "t" } })
        .await
        .expect("created");
    database
        .run_command(doc! { "create": "view", "viewOn": "things", "pipeline": [] })
        .await
        .expect("created");
    database
        .run_command(doc! { "create": "ring", "capped": true, "size": 65_536 })
        .await
        .expect("created");
    for (name, contents) in
        [("series", Contents::TimeSeries), ("view", Contents::View), ("ring", Contents::Capped)]
    {
        let collection = Collection { name: name.to_owned(), ..collection(WriteKind::Insert) };
        let report = store(&database).indexes(&collection).await.expect("a report");
        assert_eq!(report.contents, contents);
        assert_eq!(report.refusals().len(), 1);
    }
}

#[tokio::test]
async fn a_collection_keyed_by_id_needs_no_index_of_its_own() {
    let database = database("id_key").await;
    let kind = keyed("_id", Extent::Replace);
    let by_id = Index { keys: vec![("_id".to_owned(), 1)], unique: true, expire_after: None };
    let collection = Collection { indexes: vec![by_id], ..collection(kind) };
    let store = store(&database);
    let report = store.indexes(&collection).await.expect("a report");
    assert_eq!((report.refusals(), report.missing.len()), (Vec::new(), 0));
    for time_ms in [NOON, NOON + 1, NOON - 1] {
        let (items, _) =
            write(&store, &collection, &[whole("k", time_ms, doc! { "data": time_ms })]).await;
        assert_eq!(items, [ItemOutcome::Written]);
    }
    let document = only(&database).await;
    assert_eq!(
        (document.get_str("_id").ok(), document.get_i64("data").ok()),
        (Some("k"), Some(NOON + 1))
    );
}

#[tokio::test]
async fn keys_that_differ_in_case_are_no_obstacle_also_where_the_collection_folds_them() {
    let database = database("folded_obstacles").await;
    let collation = mongodb::options::Collation::builder()
        .locale("en")
        .strength(mongodb::options::CollationStrength::Secondary)
        .build();
    database.create_collection("things").collation(collation).await.expect("made");
    let things = database.collection::<Document>("things");
    things
        .insert_many([doc! { "session_id": "S-81" }, doc! { "session_id": "s-81" }])
        .await
        .expect("inserted");
    let store = store(&database);
    let report = store.indexes(&with_indexes()).await.expect("a report");
    assert_eq!(
        store.obstacles(&with_indexes(), &report).await.expect("read"),
        Vec::<String>::new()
    );
    store.create_indexes(&report).await.expect("made");
    let report = store.indexes(&with_indexes()).await.expect("a report");
    assert_eq!((report.present.len(), report.refusals()), (2, Vec::new()));
}

/// Creates `things` as something that takes no writes of a route, or none that it keeps.
async fn create(database: &Database, options: Document) {
    let mut command = doc! { "create": "things" };
    command.extend(options);
    database.run_command(command).await.expect("created");
}

fn of_series(metadata: bool) -> Document {
    let mut options = doc! { "timeField": "last_accessed" };
    if metadata {
        options.insert("metaField", "session_id");
    }
    doc! { "timeseries": options }
}

#[tokio::test]
async fn what_a_collection_refuses_for_its_kind_is_no_fault_of_the_message() {
    let database = database("other_kinds").await;
    let view = doc! { "viewOn": "others", "pipeline": [] };
    for options in [view, of_series(false), of_series(true)] {
        database.collection::<Document>("things").drop().await.expect("dropped");
        create(&database, options.clone()).await;
        let events = collection(WriteKind::Insert);
        for (collection, write) in [
            (sessions(), whole("s-1", NOON, doc! { "data": 1 })),
            (cache(), whole("s-1", NOON, doc! { "data": 1 })),
            (events, insert(1, &doc! { "a": 1 }, None)),
        ] {
            let outcome = ask(&store(&database), &collection, [&write]).await;
            let is_unconfirmed = match &outcome {
                WriteOutcome::Unconfirmed(_) => true,
                WriteOutcome::Answered { items, .. } => {
                    matches!(items.as_slice(), [ItemOutcome::Unconfirmed(_)])
                }
            };
            assert!(is_unconfirmed, "{options} {:?}: {outcome:?}", collection.kind);
        }
    }
}

#[tokio::test]
async fn a_key_that_a_folding_collection_takes_for_another_is_no_fault_of_the_message() {
    let database = database("folded_ids").await;
    create(&database, doc! { "collation": { "locale": "en", "strength": 2 } }).await;
    let kind = keyed("_id", Extent::Replace);
    let (store, collection) = (store(&database), collection(kind));
    let keys = ["S-1", "s-1", "q"].map(|key| whole(key, NOON, doc! { "data": 1 }));
    let (items, _) = write(&store, &collection, &keys).await;
    assert!(
        matches!(
            items.as_slice(),
            [ItemOutcome::Written, ItemOutcome::Unconfirmed(text), ItemOutcome::Written]
                if text.contains("collation")
        ),
        "{items:?}"
    );
}

#[tokio::test]
async fn a_look_that_fails_before_a_write_says_nothing_of_the_write() {
    let options = Options { test_commands: true, ..Options::new(program().await) };
    let mongod = Mongod::start(&options).await.expect("a server");
    let manager = MongoManager::connect(&settings(&mongod)).await.expect("a server");
    let (database, admin) = (manager.database(), manager.client().database("admin"));
    create(database, doc! { "capped": true, "size": 65_536 }).await;
    let (store, events) = (store(database), collection(WriteKind::Insert));
    store.indexes(&events).await.expect("a report");
    let broken = doc! {
        "configureFailPoint": "failCommand", "mode": "alwaysOn",
        "data": { "failCommands": ["listCollections", "listIndexes"], "closeConnection": true },
    };
    admin.run_command(broken).await.expect("set");
    match ask(&store, &events, [&insert(1, &doc! {}, None)]).await {
        WriteOutcome::Unconfirmed(fault) => {
            assert_eq!(fault.kind, StoreFaultKind::Unavailable, "{fault}");
        }
        WriteOutcome::Answered { items, .. } => panic!("written: {items:?}"),
    }
}

#[tokio::test]
async fn nothing_is_written_to_a_collection_that_was_found_unfit_until_it_is_another_one() {
    let database = database("withheld").await;
    let things = database.collection::<Document>("things");
    let (store, events) = (store(&database), collection(WriteKind::Insert));
    let event = insert(1, &doc! { "last_accessed": bson::DateTime::now() }, None);
    for options in [of_series(false), doc! { "capped": true, "size": 65_536 }] {
        create(&database, options).await;
        store.indexes(&events).await.expect("a report");
        assert!(!store.is_well(&events).await);
        match ask(&store, &events, [&event]).await {
            WriteOutcome::Unconfirmed(fault) => {
                assert_eq!(fault.kind, StoreFaultKind::Collection);
                assert!(fault.text.contains("things is a"), "{fault}");
            }
            WriteOutcome::Answered { items, .. } => panic!("written: {items:?}"),
        }
        assert_eq!(things.count_documents(doc! {}).await.expect("counted"), 0);
        things.drop().await.expect("dropped");
        let (items, _) = write(&store, &events, std::slice::from_ref(&event)).await;
        assert_eq!(items, [ItemOutcome::Written]);
        assert!(store.is_well(&events).await);
        things.drop().await.expect("dropped");
    }
}
