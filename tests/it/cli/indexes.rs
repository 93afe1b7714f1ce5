//! Indexes as `run` and `check` judge them: what is no guard yet, what compares keys otherwise, and
//! that the two agree.

use longshore::dev::mongod::Mongod;
use mongodb::options::{Collation, CollationStrength, IndexOptions};
use mongodb::{Client, Database, IndexModel};

use crate::support::child::Child;
use crate::support::until;

use super::*;

impl Surroundings {
    async fn on(mongod: &Mongod) -> Self {
        let mut here = Self::start().await;
        here.db = mongod::settings(mongod);
        let uri = here.db.mongo_uri.clone().expect("a URI");
        here.set("MONGO_CACHE_URI", uri.expose())
    }

    /// A worker that runs until it is told to stop.
    pub(super) fn worker(&self) -> Child {
        let mut command = crate::support::child::longshore();
        command.arg("run").envs(self.variables.iter().cloned());
        command.envs([("LONGSHORE__ADMIN__LISTEN", "off"), ("LONGSHORE__QUEUE__WAIT", "1s")]);
        Child::start(command)
    }

    /// Texts of what `check` says about indexes, with the status in front.
    async fn indexes(&self, arguments: &[&str]) -> (i32, Vec<String>) {
        let ran = self.run(arguments).await;
        let text = |line: &Value| {
            format!(
                "{}: {}",
                line["status"].as_str().expect("a status"),
                line["text"].as_str().expect("text")
            )
        };
        (
            ran.status,
            ran.lines().iter().filter(|line| line["check"] == "indexes").map(text).collect(),
        )
    }
}

fn only(texts: &[String], of: &str) -> String {
    let found: Vec<_> = texts.iter().filter(|text| text.contains(of)).collect();
    assert_eq!(found.len(), 1, "{texts:?}");
    found[0].clone()
}

async fn starts_and_stops(here: &Surroundings) {
    let mut worker = here.worker();
    until("it says that it has started", async || {
        worker.assert_running();
        worker.printed().contains("\"started\"")
    })
    .await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{printed}");
}

/// Texts that differ in case only are one to it.
async fn folding(database: &Database, collection: &str) {
    let collation = Collation::builder()
        .locale("en")
        .strength(CollationStrength::Secondary)
        .numeric_ordering(true)
        .build();
    database.create_collection(collection).collation(collation).await.expect("made");
}

async fn index(database: &Database, collection: &str, field: &str, unique: bool) {
    let options = IndexOptions::builder().unique(unique).build();
    let model = IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
    database.collection::<Document>(collection).create_index(model).await.expect("an index");
}

#[tokio::test]
async fn an_index_that_is_being_built_guards_nothing_and_is_waited_for() {
    let mongod = mongod::holding_builds().await;
    let here = Surroundings::on(&mongod).await;
    here.insert("sessions", &[doc! { "session_id": "s-1", "data": {} }]).await;
    let database = here.database().await;
    let building = tokio::spawn({
        let database = database.clone();
        async move { index(&database, "sessions", "session_id", true).await }
    });
    until("the build is under way", async || {
        let stats =
            database.run_command(doc! { "collStats": "sessions" }).await.expect("statistics");
        stats.get_array("indexBuilds").is_ok_and(|builds| !builds.is_empty())
    })
    .await;

    let ran = here.run(&["run"]).await;
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the unique index on session_id of sessions is being built")
            && ran.stderr.contains("wait"),
        "{}",
        ran.stderr
    );
    for arguments in [&["check"][..], &["check", "--create-indexes"]] {
        let (status, texts) = here.indexes(arguments).await;
        let text = only(&texts, "sessions");
        assert!(
            status == 1
                && text.starts_with("fail:")
                && text.contains("is being built")
                && !text.contains("--create-indexes"),
            "{text}"
        );
    }

    mongod::let_builds_end(&mongod).await;
    building.await.expect("the index is built");
    starts_and_stops(&here).await;
}

#[tokio::test]
async fn the_index_that_run_and_check_say_to_make_in_mongosh_is_the_one_that_they_want() {
    let here = Surroundings::start().await;
    here.insert("sessions", &[doc! { "session_id": "s-1", "data": {} }]).await;
    let (_, texts) = here.indexes(&["check"]).await;
    let told = only(&texts, "sessions has no unique index");
    let refused = here.run(&["run"]).await.stderr;
    for text in [told, refused] {
        let (_, rest) =
            text.split_once("db.getCollection(\"sessions\").createIndex(").expect("a line");
        let (arguments, _) = rest.split_once(')').expect("its end");
        // Mongosh takes names without quotation marks. Read as documents, which keep the order of
        // their fields.
        let arguments = arguments.replace("unique:", "\"unique\":");
        let (key, mut index): (Document, Document) =
            serde_json::from_str(&format!("[{arguments}]"))
                .unwrap_or_else(|error| panic!("{arguments}: {error}"));
        index.extend([("key".to_owned(), key.into()), ("name".to_owned(), "pasted".into())]);
        let pasted = doc! { "createIndexes": "sessions", "indexes": [index] };
        here.database().await.run_command(pasted).await.expect("made");
        assert_eq!(here.indexes(&["check"]).await.0, 0, "it is the one");
        starts_and_stops(&here).await;
        here.database()
            .await
            .run_command(doc! { "dropIndexes": "sessions", "index": "pasted" })
            .await
            .expect("dropped");
    }
}

#[tokio::test]
async fn in_a_folding_collection_run_and_check_lead_to_an_index_that_compares_plainly() {
    let here = Surroundings::start().await;
    let database = here.database().await;
    folding(&database, "sessions").await;
    index(&database, "sessions", "session_id", true).await;
    here.insert("sessions", &[doc! { "session_id": "S-81", "data": {} }]).await;

    let ran = here.run(&["run"]).await;
    assert!(
        ran.status == 2 && ran.stderr.contains("run `longshore check --create-indexes`"),
        "{}",
        ran.stderr
    );
    let (status, texts) = here.indexes(&["check"]).await;
    assert!(
        status == 1
            && texts.iter().any(|text| text.contains("run `longshore check --create-indexes`")),
        "{texts:?}"
    );

    let (status, texts) = here.indexes(&["check", "--create-indexes"]).await;
    assert_eq!(status, 0, "{texts:?}");
    let note = texts
        .iter()
        .find(|text| text.starts_with("note:") && text.contains("session_id_1"))
        .unwrap_or_else(|| panic!("{texts:?}"));
    assert!(note.contains("strength") && note.contains("dropIndex(\"session_id_1\")"), "{note}");
    starts_and_stops(&here).await;

    let sessions = database.collection::<Document>("sessions");
    sessions.drop_index("session_id_1").await.expect("dropped, as the note says");
    here.insert("sessions", &[doc! { "session_id": "s-81", "data": {} }]).await;
    sessions
        .insert_one(doc! { "session_id": "s-81" })
        .await
        .expect_err("the index that was made compares byte by byte");
    assert_eq!(here.indexes(&["check"]).await.0, 0);
    starts_and_stops(&here).await;
}

#[tokio::test]
async fn an_empty_folding_collection_gets_its_indexes_from_run() {
    let here = Surroundings::start().await;
    let database = here.database().await;
    folding(&database, "sessions").await;
    starts_and_stops(&here).await;
    here.insert("sessions", &[doc! { "session_id": "S-81" }, doc! { "session_id": "s-81" }]).await;
    starts_and_stops(&here).await;
}

#[tokio::test]
async fn a_collection_that_folds_the_id_is_no_home_for_a_key_that_is_the_id() {
    let here = Surroundings::start().await.set("LONGSHORE__ROUTES__SESSION__KEY", "_id");
    folding(&here.database().await, "sessions").await;
    let ran = here.run(&["run"]).await;
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("sessions")
            && ran.stderr.contains("collation")
            && ran.stderr.contains("_id"),
        "{}",
        ran.stderr
    );
    let (status, texts) = here.indexes(&["check"]).await;
    assert!(status == 1 && only(&texts, "sessions").starts_with("fail:"), "{texts:?}");
}

#[tokio::test]
async fn an_index_that_stands_in_the_way_is_told_alike_by_run_and_check_with_what_to_do() {
    let here = Surroundings::start().await;
    let database = here.database().await;
    index(&database, "sessions", "session_id", false).await;
    here.insert("sessions", &[doc! { "session_id": "s-1" }]).await;
    let dropping = "db.getCollection(\"sessions\").dropIndex(\"session_id_1\")";
    let ran = here.run(&["run"]).await;
    assert!(
        ran.status == 2
            && ran.stderr.contains(dropping)
            && ran.stderr.contains("longshore check --create-indexes"),
        "{}",
        ran.stderr
    );
    let (status, texts) = here.indexes(&["check", "--create-indexes"]).await;
    assert!(status == 1 && only(&texts, "sessions").contains(dropping), "{texts:?}");
    database.collection::<Document>("sessions").drop_index("session_id_1").await.expect("dropped");
    assert_eq!(here.indexes(&["check", "--create-indexes"]).await.0, 0);
    starts_and_stops(&here).await;
}

#[tokio::test]
async fn what_makes_the_order_of_arrival_matter_is_noted() {
    let here = Surroundings::start().await;
    let database = here.database().await;
    let rule = doc! { "$jsonSchema": { "required": ["session_id", "data"], "properties": { "owner": { "bsonType": "string" } } } };
    database.create_collection("sessions").validator(rule).await.expect("made");
    index(&database, "user_cache", "email", true).await;
    index(&database, "events", "event_type", true).await;
    folding(&database, "dead_letters").await;
    let (status, texts) = here.indexes(&["check"]).await;
    assert_eq!(status, 0, "{texts:?}");
    let notes: Vec<_> = texts.iter().filter(|text| text.starts_with("note:")).collect();
    assert_eq!(notes.len(), 4, "{notes:?}");
    let note = |of: &str| {
        notes.iter().find(|note| note.contains(of)).unwrap_or_else(|| panic!("{notes:?}"))
    };
    assert!(
        note("email_1").contains("user_cache") && note("email_1").contains("order of arrival"),
        "{notes:?}"
    );
    assert!(
        note("validator").contains("data, owner, session_id")
            && note("validator").contains("order of arrival"),
        "{notes:?}"
    );
    assert!(note("dead_letters").contains("collation"), "{notes:?}");
    assert!(
        note("event_type_1").contains("events")
            && note("event_type_1").contains("order of arrival"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn a_capped_collection_is_refused_by_run_and_check_with_what_to_do() {
    for name in ["sessions", "events", "dead_letters"] {
        let here = Surroundings::start().await;
        let database = here.database().await;
        database.create_collection(name).capped(true).size(65_536).await.expect("made");
        let said = format!("{name} is a capped collection");
        let ran = here.run(&["run"]).await;
        assert!(
            ran.status == 2
                && ran.stderr.contains(&said)
                && ran.stderr.contains("renameCollection"),
            "{}",
            ran.stderr
        );
        let (status, texts) = here.indexes(&["check"]).await;
        let text = only(&texts, name);
        assert!(status == 1 && text.starts_with("fail:") && text.contains(&said), "{texts:?}");
    }
}

#[tokio::test]
async fn what_is_said_to_do_about_a_capped_collection_helps() {
    let here = Surroundings::start().await;
    let database = here.database().await;
    database.create_collection("sessions").capped(true).size(65_536).await.expect("made");
    here.insert("sessions", &[doc! { "session_id": "s-1" }]).await;
    let sessions = database.collection::<Document>("sessions");
    let copied = sessions.aggregate([doc! { "$out": "sessions_whole" }]).await.expect("copied");
    drop(copied);
    let [from, to] =
        ["sessions_whole", "sessions"].map(|name| format!("{}.{name}", database.name()));
    let rename = doc! { "renameCollection": from, "to": to, "dropTarget": true };
    Client::with_uri_str(here.db.mongo_uri.as_ref().expect("a URI").expose())
        .await
        .expect("a client")
        .database("admin")
        .run_command(rename)
        .await
        .expect("renamed");
    assert_eq!(here.indexes(&["check", "--create-indexes"]).await.0, 0);
    starts_and_stops(&here).await;
    assert_eq!(sessions.count_documents(doc! {}).await.expect("counted"), 1);
}

/// Another unique index on the key than the declared one.
async fn guarded_otherwise(here: &Surroundings, direction: i32, expire_after: Option<Duration>) {
    here.insert("sessions", &[doc! { "session_id": "s-1", "data": {} }]).await;
    let options = IndexOptions::builder().unique(true).expire_after(expire_after).build();
    let model =
        IndexModel::builder().keys(doc! { "session_id": direction }).options(options).build();
    let sessions = here.database().await.collection::<Document>("sessions");
    sessions.create_index(model).await.expect("an index");
}

#[tokio::test]
async fn a_key_that_another_unique_index_guards_is_not_said_to_have_none() {
    for (direction, expire_after, guard, status) in [
        (-1, None, "index session_id_-1 guards the key", "note:"),
        (1, Some(Duration::from_hours(9_999)), "index session_id_1 guards the key", "warn:"),
    ] {
        let here = Surroundings::start().await;
        guarded_otherwise(&here, direction, expire_after).await;
        let mut worker = here.worker();
        until("it says what the declared one lacks", async || {
            worker.assert_running();
            worker.printed().contains(guard)
        })
        .await;
        worker.signal("TERM").await;
        let (ended, printed) = worker.ended().await;
        assert!(ended.success() && !printed.contains("ERROR"), "{printed}");
        assert!(!printed.contains("no unique index on session_id"), "{printed}");
        let (exit, texts) = here.indexes(&["check"]).await;
        let text = only(&texts, "sessions");
        assert!(exit == 0 && text.starts_with(status) && text.contains(guard), "{text}");
    }
}

#[tokio::test]
async fn a_hidden_index_on_the_key_is_told_with_what_to_do() {
    let here = Surroundings::start().await;
    here.insert("sessions", &[doc! { "session_id": "s-1", "data": {} }]).await;
    let database = here.database().await;
    index(&database, "sessions", "session_id", true).await;
    let hide = |is_hidden: bool| doc! { "collMod": "sessions", "index": { "name": "session_id_1", "hidden": is_hidden } };
    database.run_command(hide(true)).await.expect("hidden");
    let (exit, texts) = here.indexes(&["check"]).await;
    let text = only(&texts, "sessions");
    assert!(
        exit == 0
            && text.starts_with("warn:")
            && text.contains("index session_id_1 is hidden")
            && text.contains("db.runCommand({collMod: \"sessions\"")
            && text.contains("hidden: false"),
        "{text}"
    );
    let mut worker = here.worker();
    until("the worker says so", async || {
        worker.assert_running();
        worker.printed().contains("only a hidden unique index on session_id")
    })
    .await;
    worker.signal("TERM").await;
    assert!(worker.ended().await.0.success());
    database.run_command(hide(false)).await.expect("shown");
    assert!(only(&here.indexes(&["check"]).await.1, "sessions").starts_with("ok:"));
}

#[tokio::test]
async fn of_a_view_check_says_what_it_is_and_nothing_of_the_members_of_the_set() {
    let here = Surroundings::start().await;
    let database = here.database().await;
    // All of them: there is no collection to try the write concern on.
    for name in ["sessions", "user_cache", "events", "dead_letters"] {
        let view = doc! { "create": name, "viewOn": "others", "pipeline": [] };
        database.run_command(view).await.expect("a view");
    }
    let ran = here.run(&["check"]).await;
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    assert!(!ran.stdout.contains("members are up"), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("is a view").count(), 4, "{}", ran.stdout);
    database.collection::<Document>("events").drop().await.expect("dropped");
    let ran = here.run(&["check"]).await;
    assert!(ran.stdout.contains("acknowledged by a write to events"), "{}", ran.stdout);
}
