//! The roles that `longshore check --print-role` prints: with them every command does its work, and
//! `check` names each right that is missing.

use bson::{Bson, Document, doc};
use longshore::config::{DbConfig, Secret};
use longshore::dev::portal;
use mongodb::Database;
use serde_json::{Value, json};

use crate::support::child::{Ended, fed};
use crate::support::mongod;
use crate::support::sqs::Kind;
use crate::support::surroundings::{Surroundings, of_portal, plain};

const PASSWORD: &str = "narrow";

async fn surroundings() -> Surroundings {
    let attributes = json!({ "VisibilityTimeout": "600" });
    Surroundings::on(Kind::Embedded, &attributes, mongod::secured().await).await
}

/// What `check --print-role` prints for one who needs `duty`.
async fn printed(surroundings: &Surroundings, duty: &str, more: &[&str]) -> String {
    let arguments = [&["check", "--print-role", duty], more].concat();
    let ran = surroundings.longshore(&arguments).output().await.expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("UTF-8")
}

fn document(json: &str) -> Document {
    let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    match Bson::try_from(value).expect("BSON") {
        Bson::Document(document) => document,
        other => panic!("{other}"),
    }
}

async fn role(surroundings: &Surroundings, duty: &str) -> Document {
    document(&printed(surroundings, duty, &["--json"]).await)
}

/// A user of the database admin, with this role of the test's database and no other right. Returns
/// its connection string.
async fn user(surroundings: &Surroundings, name: &str, role: &Document) -> String {
    let database = surroundings.manager.database();
    database.run_command(role.clone()).await.expect("a role");
    let user = format!("{name}_{}", database.name());
    let granted =
        doc! { "role": role.get_str("createRole").expect("a name"), "db": database.name() };
    let admin: Database = surroundings.manager.client().database("admin");
    admin
        .run_command(doc! { "createUser": &user, "pwd": PASSWORD, "roles": [granted] })
        .await
        .expect("a user");
    let (_, rest) = surroundings.uri().split_once('@').expect("a login");
    format!("mongodb://{user}:{PASSWORD}@{rest}")
}

async fn ran(surroundings: &Surroundings, uri: &str, arguments: &[&str], input: &str) -> Ended {
    let mut command = surroundings.longshore(arguments);
    command.env("MONGO_CACHE_URI", uri);
    fed(command, input).await
}

/// Of a command that must do its work.
async fn does(
    surroundings: &Surroundings,
    uri: &str,
    arguments: &[&str],
    input: &str,
) -> Vec<Value> {
    let ran = ran(surroundings, uri, arguments, input).await;
    assert_eq!(ran.status, Some(0), "{arguments:?}: {} {:?}", ran.told, ran.lines);
    ran.lines
}

/// Status and text of what `check` says of the rights.
async fn said_of_rights(surroundings: &Surroundings, uri: &str) -> Vec<(String, String)> {
    let ran = ran(surroundings, uri, &["check"], "").await;
    let text = |line: &Value, name: &str| line[name].as_str().expect("a text").to_owned();
    let of_rights = ran.lines.iter().filter(|line| line["check"] == "privileges");
    of_rights.map(|line| (text(line, "status"), text(line, "text"))).collect()
}

#[tokio::test]
async fn the_role_of_the_worker_is_enough_for_all_that_a_worker_does() {
    let surroundings = surroundings().await;
    let uri = user(&surroundings, "worker", &role(&surroundings, "worker").await).await;
    let all_there = [("ok".to_owned(), "the user may do all that a worker does".to_owned())];
    // Before there is any collection, and once they are there.
    does(&surroundings, &uri, &["check"], "").await;
    assert_eq!(said_of_rights(&surroundings, &uri).await, all_there);

    let mut config = surroundings.config();
    config.db = DbConfig { mongo_uri: Some(Secret::new(uri.clone())), ..DbConfig::default() };
    let load = portal::load(11, 300);
    surroundings.send(&of_portal(&load.messages)).await;
    surroundings.unload(config.clone()).await;
    surroundings.assert_holds(&load.expected).await;
    // An event that is there, and one of its id that is another one: both are read.
    let event = |kind: &str| {
        plain(&json!({ "type": "event", "id": "e-1", "user_id": 7, "event_type": kind }))
    };
    for (kind, rejected) in [("login", 0), ("login", 0), ("logout", 1)] {
        surroundings.send(&[event(kind)]).await;
        let counts = surroundings.unload(config.clone()).await;
        assert_eq!(counts.dead_lettered.values().sum::<u64>(), rejected, "{kind}: {counts:?}");
    }

    let checked = does(&surroundings, &uri, &["check"], "").await;
    assert!(checked.iter().all(|line| line["status"] != "fail"), "{checked:?}");
    assert_eq!(said_of_rights(&surroundings, &uri).await, all_there);
    let sizes = does(&surroundings, &uri, &["stats"], "").await;
    assert!(sizes.len() == 4 && sizes.iter().all(|line| line["size_bytes"].is_u64()), "{sizes:?}");
    let line = json!({ "type": "event", "id": "e-2", "user_id": 7, "event_type": "loaded", "timestamp": "2026-11-22T10:00:00Z" });
    does(&surroundings, &uri, &["load", "-"], &line.to_string()).await;
    assert!(!does(&surroundings, &uri, &["dead-letters", "groups"], "").await.is_empty());

    // It deletes nothing, and what would is told which role does.
    let purge = ["dead-letters", "purge", "--all", "--yes"];
    let refused = ran(&surroundings, &uri, &purge, "").await;
    assert_eq!(refused.status, Some(2), "{}", refused.told);
    assert!(refused.told.contains("`longshore check --print-role`"), "{}", refused.told);
}

#[tokio::test]
async fn the_role_of_an_operator_is_enough_to_put_back_to_purge_and_to_make_indexes() {
    let surroundings = surroundings().await;
    let uri = user(&surroundings, "operator", &role(&surroundings, "operator").await).await;
    let mut config = surroundings.config();
    for route in config.routes.values_mut() {
        route.senders = vec!["nobody".to_owned()];
    }
    let event = plain(&json!({ "type": "event", "user_id": 7, "event_type": "login" }));
    surroundings.send(&[event.clone(), event]).await;
    surroundings.unload(config).await;

    let letters = surroundings.documents("dead_letters").await;
    let id = letters[0].get_str("message_id").expect("an id");
    does(&surroundings, &uri, &["dead-letters", "replay", id, "--direct", "--yes"], "").await;
    assert_eq!(surroundings.documents("events").await.len(), 1);
    let id = letters[1].get_str("message_id").expect("an id");
    does(&surroundings, &uri, &["dead-letters", "replay", id, "--yes"], "").await;
    assert_eq!(surroundings.left().await, 1);
    does(&surroundings, &uri, &["dead-letters", "purge", "--replayed", "--yes"], "").await;

    let database = surroundings.manager.database();
    database.collection::<Document>("events").drop_indexes().await.expect("dropped");
    does(&surroundings, &uri, &["check", "--create-indexes"], "").await;
    let names = database.collection::<Document>("events").list_index_names().await.expect("names");
    assert!(names.len() > 1, "{names:?}");
}

/// The privileges without one action, and that one with its place.
fn without_one(role: &Document) -> Vec<(Document, String, String)> {
    let privileges: Vec<Document> = role
        .get_array("privileges")
        .expect("privileges")
        .iter()
        .filter_map(|privilege| privilege.as_document().cloned())
        .collect();
    let mut cases = Vec::new();
    for (at, privilege) in privileges.iter().enumerate() {
        let resource = privilege.get_document("resource").expect("a resource");
        let collection = resource.get_str("collection").expect("a name").to_owned();
        let actions = privilege.get_array("actions").expect("actions");
        for action in actions {
            let others: Vec<Bson> =
                actions.iter().filter(|other| *other != action).cloned().collect();
            let mut rest = privileges.clone();
            rest[at].insert("actions", others);
            // The server takes no privilege without an action.
            rest.retain(|privilege| !privilege.get_array("actions").expect("actions").is_empty());
            let action = action.as_str().expect("an action").to_owned();
            let name = format!("without_{at}_{action}");
            let role = doc! { "createRole": name, "privileges": rest, "roles": [] };
            cases.push((role, collection.clone(), action));
        }
    }
    cases
}

#[tokio::test]
async fn each_right_of_the_role_that_is_missing_is_named_with_its_collection() {
    let surroundings = surroundings().await;
    let cases = without_one(&role(&surroundings, "worker").await);
    assert_eq!(cases.len(), 24, "the database's, five of events and six of each other collection");
    for (role, collection, action) in cases {
        let name = role.get_str("createRole").expect("a name");
        let uri = user(&surroundings, name, &role).await;
        let of_what = match collection.as_str() {
            "" => format!("the database {}", surroundings.manager.database().name()),
            name => name.to_owned(),
        };
        let expected = match action.as_str() {
            "createIndex" => "warn",
            "collStats" => "note",
            _ => "fail",
        };
        let said = said_of_rights(&surroundings, &uri).await;
        let told: Vec<_> = said.iter().filter(|(status, _)| status != "ok").collect();
        let [(status, text)] = told[..] else { panic!("{name}: {said:?}") };
        assert_eq!(status, expected, "{text}");
        assert!(text.starts_with(&format!("{of_what}: the user may not {action}")), "{text}");
    }
}

#[tokio::test]
async fn the_script_makes_the_role_that_the_json_is() {
    let surroundings = surroundings().await;
    for duty in ["worker", "operator"] {
        let script = printed(&surroundings, duty, &[]).await;
        let (_, call) = script.split_once(".createRole(").expect("a call");
        let (argument, _) = call.split_once("\n})").expect("its end");
        let argument = document(&format!("{argument}\n}}"));
        let role = role(&surroundings, duty).await;
        assert_eq!(argument.get("role"), role.get("createRole"));
        for name in ["privileges", "roles"] {
            assert_eq!(argument.get(name), role.get(name), "{script}");
        }
    }
    // Nobody is asked: there need be no server.
    let absent = "mongodb://u:p@127.0.0.1:1/portal";
    let mut command = surroundings.longshore(&["check", "--print-role"]);
    let ran = command.env("MONGO_CACHE_URI", absent).output().await.expect("it runs");
    let script = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success() && script.contains(r#"db.getSiblingDB("portal").createRole("#));
    let mut command = surroundings.longshore(&["check", "--print-role"]);
    let ran = command.env("MONGO_CACHE_URI", "mongodb://host").output().await.expect("it runs");
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success() && told.contains("names no database"), "{told}");
}
