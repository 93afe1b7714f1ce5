//! `longshore run --dry-run`: a look at the queue that changes nothing.

use longshore::dev::portal;
use serde_json::{Value, json};

use crate::support::surroundings::{Surroundings, of_portal, plain};

#[tokio::test]
async fn dry_run_gives_every_message_back() {
    // Longer than the test: what is not given back stays hidden.
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    surroundings.send(&of_portal(&portal::load(3, 150).messages)).await;
    let (status, lines) = dry_run(&surroundings).await;
    assert_eq!(status, 1, "seven messages are bad");
    let outcomes = |outcome: &str| lines.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!((outcomes("write"), outcomes("dead_letter"), lines.len()), (143, 7, 151));
    let bad_name = lines
        .iter()
        .find(|line| line["reason"] == "bad_name")
        .expect("the message with a bad name");
    assert!(bad_name["text"].as_str().is_some_and(|text| text.contains("$where")), "{bad_name}");
    let report = lines.last().expect("a report");
    assert_eq!(
        (&report["messages"], &report["dead_letters"], &report["not_given_back"]),
        (&json!(150), &json!(7), &json!(0))
    );
    assert_eq!(report["by_collection"], json!({ "events": 105, "sessions": 30, "user_cache": 8 }));
    assert_untouched(&surroundings, 150).await;
}

#[tokio::test]
async fn a_dry_run_of_good_messages_is_a_success() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    surroundings.send(&[plain(&json!({ "type": "cache", "user_id": 5, "data": {} }))]).await;
    let (status, lines) = dry_run(&surroundings).await;
    assert_eq!((status, lines.len()), (0, 2));
    assert_eq!((&lines[0]["collection"], &lines[0]["key"]), (&json!("user_cache"), &json!("5")));
    assert_untouched(&surroundings, 1).await;
}

#[tokio::test]
async fn a_dry_run_shows_where_two_names_of_a_type_name_two_routes() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let bus = json!({
        "version": "0", "id": "i", "detail-type": "event", "source": "portal", "account": "123456789012", "time": "2026-11-22T10:00:05Z",
        "detail": { "type": "cache", "user_id": 5, "event_type": "login" },
    });
    let own = json!({ "type": "cache", "user_id": 5, "data": {} });
    surroundings.send(&[plain(&bus), plain(&own)]).await;
    let (status, lines) = dry_run(&surroundings).await;
    assert_eq!((status, lines.len()), (0, 3));
    let mut told: Vec<_> =
        lines[..2].iter().map(|line| (&line["collection"], &line["types_disagree"])).collect();
    told.sort_by_key(|(collection, _)| collection.to_string());
    assert_eq!(told[0], (&json!("events"), &json!(["event", "cache"])));
    assert_eq!(told[1], (&json!("user_cache"), &Value::Null));
    assert_eq!(lines[2]["types_disagreed"], json!(1));
    assert_untouched(&surroundings, 2).await;
}

#[tokio::test]
async fn a_dry_run_tells_what_a_worker_passes_over_as_too_old() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let new = json!({ "type": "session", "session_id": "new", "data": {} });
    let mut old = new.clone();
    (old["session_id"], old["last_accessed"]) = ("old".into(), "2020-01-01T00:00:00Z".into());
    surroundings.send(&[plain(&old), plain(&new)]).await;
    let arguments = ["run", "--dry-run", "--set", "routes.session.ttl=1d"];
    let (_, lines) = dry_run_with(&surroundings, &arguments).await;
    let of =
        |key: &str| lines.iter().find(|line| line["key"] == key).expect(key)["outcome"].clone();
    assert_eq!((of("\"old\""), lines.len()), (json!("expired"), 3), "{lines:?}");
    assert_eq!((&lines[2]["expired"], &lines[2]["messages"]), (&json!(1), &json!(2)), "{lines:?}");
    assert_untouched(&surroundings, 2).await;
}

async fn dry_run(surroundings: &Surroundings) -> (i32, Vec<Value>) {
    dry_run_with(surroundings, &["run", "--dry-run"]).await
}

/// Its exit status and the lines on its stdout.
async fn dry_run_with(surroundings: &Surroundings, arguments: &[&str]) -> (i32, Vec<Value>) {
    let output = surroundings.longshore(arguments).output().await.expect("start longshore");
    let printed = String::from_utf8(output.stdout).expect("text");
    let lines =
        printed.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    (output.status.code().expect("no signal"), lines)
}

/// Every message can be received, and the database has nothing at all.
async fn assert_untouched(surroundings: &Surroundings, messages: u64) {
    let facts = surroundings.facts().await;
    assert_eq!((facts.messages, facts.messages_in_flight), (messages, 0));
    let collections = surroundings.manager.database().list_collection_names().await.expect("names");
    assert!(collections.is_empty(), "{collections:?}");
}
