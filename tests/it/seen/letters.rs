//! The dead letters of the database on the status page: whoever wrote them, and what they may not do there.

use std::time::Duration;

use longshore::config::{DbConfig, Secret};
use longshore::dev::mongod::{Login, Mongod, Options};
use longshore::harmless::is_obeyed;
use longshore::mongo_manager::MongoManager;
use mongodb::bson::{DateTime, Document, doc};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::admin::Running;
use super::web::Web;
use crate::support::child;
use crate::support::mongod::{self, PASSWORD};
use crate::support::sqs::Kind;
use crate::support::surroundings::{Surroundings, plain};
use crate::support::until;

const HOSTILE: &str =
    "\"'</script><script>alert(1)</script>\u{1b}[2J\u{202e}\u{200b}; rm -rf $(HOME)";

const SHOW_BODIES: (&str, &str) = ("LONGSHORE__ADMIN__SHOW_BODIES", "true");

async fn letters(web: &Web, query: &str) -> Value {
    let answer = web.get(&format!("/dead-letters.json?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    serde_json::from_str(&answer.text).expect("JSON")
}

/// Waits for so many letters in all.
async fn until_total(web: &Web, total: u64) -> Value {
    until("all letters are told", async || letters(web, "").await["total"] == total).await;
    letters(web, "").await
}

fn group<'a>(told: &'a Value, reason: &str) -> &'a Value {
    let groups = told["groups"].as_array().expect("groups");
    groups.iter().find(|group| group["reason"] == reason).unwrap_or_else(|| panic!("{told}"))
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("{name}: {of}"))
}

fn event(user: u32) -> Value {
    json!({ "type": "event", "user_id": user, "event_type": "login" })
}

/// Three letters that a worker wrote which has ended.
async fn refused_before() -> Surroundings {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let late = |user| {
        let mut body = event(user);
        body["timestamp"] = "yesterday".into();
        plain(&body)
    };
    let nameless = plain(&json!({ "type": "event", "user_id": 3 }));
    surroundings.send(&[late(1), late(2), nameless]).await;
    surroundings.unload(surroundings.config()).await;
    surroundings
}

#[tokio::test]
async fn each_worker_shows_the_letters_of_all_also_those_from_before_it_began() {
    let surroundings = refused_before().await;
    let (one, other) = (Running::start(&surroundings, &[]), Running::start(&surroundings, &[]));
    until_total(&one.web, 3).await;
    surroundings.send(&[plain(&json!({ "type": "nothing" }))]).await;
    let told = until_total(&one.web, 4).await;
    assert_eq!(told["groups"], until_total(&other.web, 4).await["groups"]);
    assert_eq!(told["is_all"], true);
    assert_eq!(told["groups"][0]["reason"], "unknown_type", "the newest first");

    let late = group(&told, "bad_time");
    assert_eq!((&late["letters"], &late["place"]), (&json!(2), &json!("timestamp")));
    assert!(text(late, "fix").contains("RFC 3339"), "{late}");
    let id = text(late, "group");
    let replay = format!("longshore dead-letters replay --group {id} --dry-run");
    assert_eq!(text(late, "replay"), replay);
    assert_eq!(text(late, "show"), format!("longshore dead-letters show {}", text(late, "sample")));
    let newest = letters(&other.web, &format!("group={id}")).await;
    assert_eq!(
        (newest["letters"].as_array().map(Vec::len), &newest["is_all"]),
        (Some(2), &json!(true))
    );
    // Of two that were refused in one millisecond either is the newest.
    let ids: Vec<_> =
        newest["letters"].as_array().into_iter().flatten().map(|one| &one["message_id"]).collect();
    assert!(ids.contains(&&late["sample"]), "{newest}");

    for (query, expected) in [
        ("reason=bad_time", 2),
        ("reason=bad_time&type=event&route=event&since=1h", 2),
        ("type=nothing", 1),
        ("sender=nobody", 0),
        ("since=2100-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(letters(&one.web, query).await["total"], expected, "{query}");
    }
    one.end().await;
    other.end().await;
}

#[tokio::test]
async fn a_letter_is_shown_without_its_body_and_whose_it_is_unless_these_may_be_shown() {
    let surroundings = refused_before().await;
    let (closed, open) =
        (Running::start(&surroundings, &[]), Running::start(&surroundings, &[SHOW_BODIES]));
    let told = until_total(&closed.web, 3).await;
    let sample = format!("id={}", text(group(&told, "missing_field"), "sample"));
    let letter = letters(&closed.web, &sample).await["letter"].take();
    assert_eq!((&letter["reason"], &letter["route"]), (&json!("missing_field"), &json!("event")));
    assert!(text(&letter, "meaning").contains("requires"), "{letter}");
    assert!(letter["sent"].is_string() && letter["receive_count"] == 1, "{letter}");
    let by_record = format!("id={}", text(&letter, "id").replace('/', "%2F"));
    assert_eq!(letters(&closed.web, &by_record).await["letter"], letter);
    for hidden in ["body", "attributes", "key", "users", "origin_id"] {
        assert_eq!(letter.get(hidden), None, "{hidden}");
    }
    let letter = letters(&open.web, &sample).await["letter"].take();
    assert_eq!((&letter["users"], &letter["attributes"]), (&json!([3]), &json!([])));
    assert!(text(&letter, "body").contains("\"user_id\":3"), "{letter}");
    assert_eq!(letters(&open.web, "id=nobody").await["letter"], Value::Null);
    closed.end().await;
    open.end().await;
}

#[tokio::test]
async fn a_group_is_told_by_its_id_also_when_none_of_it_stands_and_commands_are_narrowed() {
    let surroundings = refused_before().await;
    let running = Running::start(&surroundings, &[SHOW_BODIES]);
    let told = until_total(&running.web, 3).await;
    let late = group(&told, "bad_time");
    let id = text(late, "group");
    let said = letters(&running.web, &format!("group={id}")).await;
    assert_eq!((&said["of"], &said["replayed"]), (late, &Value::Null));
    let narrowed = letters(&running.web, "since=2026-01-01T00:00:00Z&route=event").await;
    let replay = format!(
        "longshore dead-letters replay --group {id} --since 2026-01-01T00:00:00.000Z --route event --dry-run"
    );
    assert_eq!(text(group(&narrowed, "bad_time"), "replay"), replay);
    let said = letters(&running.web, "group=0123456789abcdef").await;
    assert_eq!((&said["of"], &said["replayed"]), (&Value::Null, &Value::Null));

    // A record of an earlier version, and a group that was replayed.
    let records = surroundings.manager.database().collection::<Document>("dead_letters");
    let earlier = doc! { "_id": "arn/m-old", "schema_version": 1, "reason": "bad_json", "message_id": "m-old" };
    records.insert_one(earlier).await.expect("kept");
    let said = letters(&running.web, "id=m-old").await;
    assert_eq!(
        (text(&said["letter"], "reason"), &said["letter"]["stands"]),
        ("bad_json", &json!(true))
    );
    let replay = doc! { "at": DateTime::now(), "by": HOSTILE, "message_id": null, "edit": HOSTILE };
    let mark = doc! { "$set": { "stands": false, "replays": [replay] } };
    records.update_many(doc! { "reason": "bad_time" }, mark).await.expect("marked");
    let gone = async || letters(&running.web, &format!("group={id}")).await["replayed"] == 2;
    until("all are told as replayed", gone).await;
    let said = letters(&running.web, &format!("group={id}")).await;
    assert_eq!((&said["letters"], &said["of"]["letters"]), (&json!([]), &json!(0)));
    let one = letters(&running.web, &format!("id={}", text(late, "sample"))).await;
    assert_eq!((&one["letter"]["stands"], &one["letter"]["times"]), (&json!(false), &json!(1)));
    assert!(text(&one["letter"]["replays"][0], "edit").contains("\\u{1b}[2J"), "{one}");
    assert_harmless(&one);
    running.end().await;
    let closed = Running::start(&surroundings, &[]);
    let one = letters(&closed.web, &format!("id={}", text(late, "sample"))).await;
    assert!(one["letter"]["replays"][0].get("edit").is_none(), "{one}");
    assert!(text(&one["letter"]["replays"][0], "by").contains("<script>"), "{one}");
    // The same without what withholds whose it is.
    assert_eq!(letters(&closed.web, "id=m-old").await["letter"]["reason"], "bad_json");
    closed.end().await;
}

/// Asserts it of every text.
fn assert_harmless(told: &Value) {
    match told {
        Value::String(text) => assert!(!text.chars().any(is_obeyed), "{text:?}"),
        Value::Array(items) => items.iter().for_each(assert_harmless),
        Value::Object(fields) => fields.values().for_each(assert_harmless),
        _ => {}
    }
}

#[tokio::test]
async fn words_of_a_sender_are_only_words_and_stand_in_no_command() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let mut of_hostile_place = event(1);
    of_hostile_place[format!("${HOSTILE}")] = 1.into();
    surroundings.send(&[plain(&json!({ "type": HOSTILE })), plain(&of_hostile_place)]).await;
    let running = Running::start(&surroundings, &[SHOW_BODIES]);
    let told = until_total(&running.web, 2).await;
    assert_harmless(&told);
    let of_type = group(&told, "unknown_type");
    assert!(text(of_type, "type").contains("</script>\\u{1b}[2J\\u{202e}\\u{200b};"), "{of_type}");
    for group in told["groups"].as_array().expect("groups") {
        for command in [text(group, "show"), text(group, "replay")] {
            let is_plain = |char: char| char.is_ascii_alphanumeric() || " -".contains(char);
            assert!(command.chars().all(is_plain), "{command}");
        }
        assert_harmless(&letters(&running.web, &format!("group={}", text(group, "group"))).await);
        assert_harmless(&letters(&running.web, &format!("id={}", text(group, "sample"))).await);
    }

    for (query, expected) in [
        ("reason=bad", "reason: there is no such reason: one of bad_json, "),
        ("since=yesterday", "since: give a time such as"),
        ("group=0", "group: must be 16 hex digits"),
        ("type=%ff", "type: must be UTF-8"),
        ("id=a&type=b", "id: must be the only parameter"),
        ("%24where=1", "%24where: there is no such parameter"),
    ] {
        let answer = running.web.get(&format!("/dead-letters.json?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text.starts_with(expected), "{query}: {}", answer.text);
    }
    running.end().await;
}

/// Drops the user of the connection string, and makes one of the same name: connections of before keep none of
/// its rights.
async fn forget_the_login(surroundings: &Surroundings) {
    let admin = |manager: &MongoManager| manager.client().database("admin");
    let user = |name: &str| doc! { "createUser": name, "pwd": PASSWORD, "roles": ["root"] };
    admin(&surroundings.manager).run_command(user("owner")).await.expect("made");
    let uri = surroundings.uri().replace("//portal:", "//owner:");
    let db = DbConfig { mongo_uri: Some(Secret::new(uri)), ..DbConfig::default() };
    let owner = MongoManager::connect(&db).await.expect("the owner logs in");
    admin(&owner).run_command(doc! { "dropUser": "portal" }).await.expect("dropped");
    admin(&owner).run_command(user("portal")).await.expect("made again");
}

#[tokio::test]
async fn a_database_that_hangs_or_is_gone_is_said_in_time_and_without_its_password() {
    let login = Login { user: "portal".into(), password: Secret::new(PASSWORD) };
    let options = Options { login: Some(login), ..Options::new(mongod::program().await) };
    let mut database = Mongod::start(&options).await.expect("a database");
    let surroundings = Surroundings::on(Kind::Embedded, &json!({}), &database).await;
    let selection = ("LONGSHORE__DB__SERVER_SELECTION_TIMEOUT", "1s");
    let running = Running::start(&surroundings, &[selection]);
    until_total(&running.web, 0).await;

    let is_said = async || {
        let asked = Instant::now();
        let answer = letters(&running.web, "").await;
        assert!(asked.elapsed() < Duration::from_secs(9), "{:?}: {answer}", asked.elapsed());
        let trouble = answer["trouble"].as_str().unwrap_or_default();
        assert!(!answer.to_string().contains("corr"), "{answer}");
        trouble.starts_with("the database cannot be asked: ")
    };
    let back = async || {
        until("it is back", async || letters(&running.web, "").await["trouble"].is_null()).await;
    };
    let signal = async |name: &str| {
        let process_id = database.process_ids().next().expect("a member").to_string();
        let mut kill = child::command("kill");
        assert!(kill.args(["-s", name, &process_id]).status().await.expect("kill").success());
    };
    signal("STOP").await;
    until("that it hangs is said", is_said).await;
    assert_eq!(running.web.get("/livez").await.status, 200);
    signal("CONT").await;
    back().await;
    signal("KILL").await;
    until("that it is gone is said", is_said).await;
    database.restart(0).await.expect("it starts again");
    back().await;
    forget_the_login(&surroundings).await;
    until("that it does not know the login is said", is_said).await;
    back().await;
    running.end().await;
}
