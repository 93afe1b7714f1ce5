//! `longshore dead-letters`, over what a worker has refused.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use bson::{Document, doc};
use longshore::dead_letter::group;
use longshore::dead_letter::search::Search;
use longshore::message::Attribute;
use longshore::queue::Outgoing;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::surroundings::{Surroundings, plain};

/// Five letters of three groups: two events with a time that is none, of one user each; an event
/// without the field that it must have; and two that are no JSON.
async fn refused() -> Surroundings {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let event = |user: Value| {
        let items = json!([{ "at": 1 }, { "at": 2 }]);
        json!({ "type": "event", "user_id": user, "event_type": "login", "items": items })
    };
    let with = |mut body: Value, name: &str, value: &str| {
        body[name] = value.into();
        plain(&body)
    };
    let typed = |body: &str| Outgoing {
        body: body.to_owned(),
        attributes: vec![("type".to_owned(), Attribute::Text("event".to_owned()))],
        ..Outgoing::default()
    };
    let nameless = json!({ "type": "event", "user_id": 7 });
    surroundings
        .send(&[
            with(event(json!(7)), "timestamp", "yesterday"),
            with(event(json!("ada")), "timestamp", "tomorrow"),
            plain(&nameless),
            typed("{\u{1b}[2J"),
            typed("{'user_id': 7}"),
            plain(&event(json!(8))),
        ])
        .await;
    let counts = surroundings.unload(surroundings.config()).await;
    assert_eq!(counts.dead_lettered.values().sum::<u64>(), 5, "{counts:?}");
    surroundings
}

/// What the command prints, where it ends well.
async fn said(surroundings: &Surroundings, arguments: &[&str]) -> String {
    let mut command = surroundings.longshore(&[&["dead-letters"], arguments].concat());
    let ran = command.output().await.expect("it runs");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{arguments:?}: {told}");
    String::from_utf8(ran.stdout).expect("UTF-8")
}

pub(super) async fn lines(surroundings: &Surroundings, arguments: &[&str]) -> Vec<Value> {
    let said = said(surroundings, arguments).await;
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

async fn left(surroundings: &Surroundings) -> usize {
    surroundings.documents("dead_letters").await.len()
}

#[tokio::test]
async fn what_failed_alike_is_one_group_and_its_id_finds_its_letters() {
    let surroundings = refused().await;
    let groups = lines(&surroundings, &["groups"]).await;
    let of = |reason: &str| {
        let of = |group: &&Value| group["reason"] == reason;
        groups.iter().filter(of).collect::<Vec<_>>()
    };
    let [time] = of("bad_time")[..] else { panic!("{groups:?}") };
    assert_eq!((&time["letters"], &time["place"]), (&json!(2), &json!("timestamp")));
    assert_eq!(time["type"], "event");
    let at = |name: &str| {
        time[name].as_str().expect("a time").parse::<jiff::Timestamp>().expect("RFC 3339")
    };
    assert!(time["sender"].is_string() && at("first") <= at("last"), "{time}");
    let [field] = of("missing_field")[..] else { panic!("{groups:?}") };
    assert_eq!((&field["letters"], &field["place"]), (&json!(1), &json!("event_type")));

    let id = time["group"].as_str().expect("an id");
    let letters = lines(&surroundings, &["list", "--group", id]).await;
    let users: Vec<_> = letters.iter().map(|letter| letter["users"].to_string()).collect();
    assert!(users.len() == 2 && users.contains(&"[7]".to_owned()), "{letters:?}");
    assert!(users.contains(&"[\"ada\"]".to_owned()), "{letters:?}");
    let sample = &time["sample"];
    assert!(letters.iter().any(|letter| letter["message_id"] == *sample), "{letters:?}");

    for (arguments, expected) in [
        (&["list"][..], 5),
        (&["list", "--limit", "2"], 2),
        (&["list", "--reason", "bad_time"], 2),
        (&["list", "--type", "event", "--since", "1h"], 5),
        (&["list", "--until", "1h"], 0),
        (&["list", "--user", "7"], 2),
        (&["list", "--user", "007"], 0),
        (&["list", "--group", id, "--user", "ada"], 1),
        (&["groups", "--user", "7"], 2),
        (&["groups", "--limit", "1"], 1),
        (&["list", "--place", "event_type", "--route", "event"], 1),
        (&["list", "--sender", "nobody"], 0),
    ] {
        assert_eq!(lines(&surroundings, arguments).await.len(), expected, "{arguments:?}");
    }
    for (arguments, expected) in [
        (["list", "--group", "0123456789"], "there is no group"),
        (["list", "--reason", "bad"], "there is no such reason"),
        (["list", "--since", "yesterday"], "give a time such as"),
        (["list", "--until", "20260901"], "give a time such as"),
    ] {
        let mut command = surroundings.longshore(&[&["dead-letters"], &arguments[..]].concat());
        let ran = command.output().await.expect("it runs");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(2) && told.contains(expected), "{arguments:?}: {told}");
    }
}

#[tokio::test]
async fn one_letter_is_shown_with_what_would_become_of_it_today() {
    let surroundings = refused().await;
    let [field] = &lines(&surroundings, &["list", "--reason", "missing_field"]).await[..] else {
        panic!("one")
    };
    let id = field["message_id"].as_str().expect("an id");
    for id in [id, field["id"].as_str().expect("an id")] {
        let [shown] = &lines(&surroundings, &["show", id]).await[..] else { panic!("one") };
        assert_eq!((&shown["letter"], &shown["today"]["outcome"]), (field, &json!("dead_letter")));
        assert_eq!(shown["today"]["reason"], "missing_field");
    }
    // By a configuration that asks for less.
    let mended = "routes.event.required=[\"user_id\"]";
    let today = lines(&surroundings, &["show", id, "--set", mended]).await;
    assert_eq!(today[0]["today"]["outcome"], "write", "{today:?}");
    let ran = surroundings.longshore(&["dead-letters", "show", "nobody"]).output().await;
    let ran = ran.expect("it runs");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(2) && told.contains("there is no dead letter"), "{told}");
}

#[tokio::test]
async fn an_export_holds_whole_records_for_its_owner_alone() {
    let surroundings = refused().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("letters.ndjson");
    let path = path.to_str().expect("UTF-8");
    assert_eq!(said(&surroundings, &["export", "--reason", "bad_json", "--out", path]).await, "");
    let mode = std::fs::metadata(path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(path).expect("UTF-8");
    let records: Vec<Document> = text
        .lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            let Ok(bson::Bson::Document(record)) = bson::Bson::try_from(value) else {
                panic!("{line}")
            };
            record
        })
        .collect();
    let stored = surroundings.documents("dead_letters").await;
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| stored.contains(record)), "{records:?}");

    let mut again = surroundings.longshore(&["dead-letters", "export", "--out", path]);
    let ran = again.output().await.expect("it runs");
    assert_eq!(ran.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(path).expect("UTF-8"), text, "as it was");
    assert_eq!(lines(&surroundings, &["export"]).await.len(), 5);
    let files = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(files, 1, "nothing is left beside it");

    let exported = ["purge", "--exported", path, "--yes"];
    assert_eq!(
        lines(&surroundings, &exported).await,
        [json!({ "purged": 2, "without_user": null })]
    );
    assert_eq!(
        lines(&surroundings, &exported).await,
        [json!({ "purged": 0, "without_user": null })]
    );
    let rest = surroundings.documents("dead_letters").await;
    assert!(rest.len() == 3 && !rest.iter().any(|letter| records.contains(letter)), "{rest:?}");
}

#[tokio::test]
async fn what_is_purged_is_said_to_be_meant_and_is_what_was_asked_for() {
    let surroundings = refused().await;
    for (arguments, expected) in [
        (&["purge"][..], "say which"),
        (&["purge", "--yes"], "say which"),
        (&["purge", "--all", "--user", "7", "--yes"], "do not go together"),
        (&["purge", "--exported", "x", "--user", "7", "--yes"], "do not go together"),
        (&["purge", "--exported", "/nowhere/x", "--yes"], "cannot read /nowhere/x"),
        (&["purge", "--exported", "x", "--all", "--yes"], "cannot be used with"),
        (&["purge", "--all"], "give --yes to go on without asking"),
    ] {
        let mut command = surroundings.longshore(&[&["dead-letters"], arguments].concat());
        let ran = command.stdin(Stdio::null()).output().await.expect("it runs");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(2) && told.contains(expected), "{arguments:?}: {told}");
    }
    assert_eq!(left(&surroundings).await, 5);

    let of_user = lines(&surroundings, &["purge", "--user", "7", "--yes"]).await;
    assert_eq!(of_user, [json!({ "purged": 2, "without_user": 2 })], "two could not be read");
    let letters = surroundings.documents("dead_letters").await;
    let is_of_7 = |letter: &&Document| {
        letter.get_array("users").is_ok_and(|users| users.contains(&7_i32.into()))
    };
    assert_eq!((letters.len(), letters.iter().filter(is_of_7).count()), (3, 0), "{letters:?}");
    let rest = lines(&surroundings, &["purge", "--all", "--yes"]).await;
    assert_eq!(rest, [json!({ "purged": 3, "without_user": null })]);
    assert_eq!(left(&surroundings).await, 0);
    assert_eq!(surroundings.documents("events").await.len(), 1);
    assert_eq!(lines(&surroundings, &["groups"]).await, [] as [Value; 0]);
}

/// Records of schema version 1 have fewer fields, and no index is made where they are.
#[tokio::test]
async fn records_of_an_earlier_version_are_grouped_listed_shown_and_purged() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let now = bson::DateTime::now;
    let old = |name: &str| {
        doc! {
            "_id": format!("queue/{name}"), "schema_version": 1, "reason": "missing_field",
            "text": "`event_type` is missing: send it", "server_code": null, "route": "event",
            "queue": "queue", "message_id": name, "origin_time": now(), "origin_sequence": "0",
            "origin_id": name, "sent": now(), "dead_lettered": now(), "receive_count": 1_i64,
            "group": null, "trace": null, "attributes": [],
            "body": r#"{"type": "event", "user_id": 7}"#,
        }
    };
    let letters = surroundings.manager.database().collection::<Document>("dead_letters");
    letters.insert_many([old("m-1"), old("m-2")]).await.expect("inserted");
    let counts =
        |groups: &[Value]| groups.iter().map(|group| group["letters"].clone()).collect::<Vec<_>>();
    let groups = lines(&surroundings, &["groups"]).await;
    assert_eq!(counts(&groups), [json!(2)], "{groups:?}");
    // With the same of this version, whose fields are null.
    let mut new = old("m-3");
    new.extend(doc! { "schema_version": 2, "place_pattern": null, "type": null, "sender": null });
    letters.insert_one(new).await.expect("inserted");
    let groups = lines(&surroundings, &["groups"]).await;
    assert_eq!(counts(&groups), [json!(3)], "{groups:?}");
    let [shown] = &lines(&surroundings, &["show", "m-1"]).await[..] else { panic!("one") };
    assert_eq!(shown["today"]["reason"], "missing_field", "{shown}");
    let id = groups[0]["group"].as_str().expect("an id");
    assert_eq!(lines(&surroundings, &["list", "--group", id]).await.len(), 3);
    let purged = lines(&surroundings, &["purge", "--group", id, "--yes"]).await;
    assert_eq!(purged, [json!({ "purged": 3, "without_user": null })]);
}

/// Runs the command at a terminal of its own, at which somebody types. Gives its exit status and what
/// stands there then.
pub(super) async fn at_a_terminal(
    surroundings: &Surroundings,
    arguments: &[&str],
    typed: &str,
) -> (Option<i32>, String) {
    const SPAWN: &str =
        "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let program = surroundings.longshore(&[&["dead-letters"], arguments].concat());
    let program = program.as_std();
    let mut command = crate::support::child::command("python3");
    command.args(["-c", SPAWN]).arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python3");
    let mut stdin = child.stdin.take().expect("its standard input");
    stdin.write_all(typed.as_bytes()).await.expect("typed");
    let ran = child.wait_with_output().await.expect("it ends");
    drop(stdin);
    (ran.status.code(), String::from_utf8(ran.stdout).expect("UTF-8"))
}

#[tokio::test]
async fn at_a_terminal_people_are_asked_and_nothing_that_a_producer_wrote_is_obeyed() {
    let surroundings = refused().await;
    let (status, shown) = at_a_terminal(&surroundings, &["groups"], "").await;
    assert!(
        status == Some(0) && shown.contains("bad_time") && shown.contains("timestamp"),
        "{shown}"
    );
    let letters = lines(&surroundings, &["list", "--reason", "bad_json"]).await;
    for letter in &letters {
        let id = letter["message_id"].as_str().expect("an id");
        let (status, shown) = at_a_terminal(&surroundings, &["show", id], "").await;
        assert!(status == Some(0) && shown.contains("\nfix  "), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
    let (status, shown) = at_a_terminal(&surroundings, &["purge", "--all"], "n\n").await;
    assert!(
        status == Some(1) && shown.contains("Delete 5 dead letters for good? [y/N]"),
        "{shown}"
    );
    assert_eq!(left(&surroundings).await, 5);
    let (status, shown) =
        at_a_terminal(&surroundings, &["purge", "--reason", "bad_json"], "y\n").await;
    assert!(status == Some(0) && shown.contains("2 dead letters deleted"), "{shown}");
    assert_eq!(left(&surroundings).await, 3);
}

#[tokio::test]
async fn groups_are_made_of_an_index_alone() {
    let surroundings = refused().await;
    let database = surroundings.manager.database();
    let search = Search::default();
    // For the command, and for the status page.
    for stages in [group::stages(&search, Some(50)), group::stages_with_total(&search, 101)] {
        let keys = group::index();
        let aggregate =
            doc! { "aggregate": "dead_letters", "cursor": {}, "hint": keys, "pipeline": stages };
        let explain = doc! { "explain": aggregate, "verbosity": "executionStats" };
        let explained = database.run_command(explain).await.expect("explained").to_string();
        let docs = explained.split("\"totalDocsExamined\": ").nth(1).expect("a count");
        assert!(docs.starts_with('0'), "{explained}");
    }
    // And they are the same where somebody has dropped it.
    let before = lines(&surroundings, &["groups"]).await;
    let dropped = doc! { "dropIndexes": "dead_letters", "index": "*" };
    database.run_command(dropped).await.expect("dropped");
    assert_eq!(lines(&surroundings, &["groups"]).await, before);
}

#[tokio::test]
async fn a_reader_that_has_gone_ends_an_export_quietly() {
    let surroundings = refused().await;
    let mut command = surroundings.longshore(&["dead-letters", "export"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    let ran = child.wait_with_output().await.expect("it ends");
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "");
    assert_eq!(ran.status.code(), Some(0));
}
