//! `longshore dead-letters replay`: what was refused goes back, once, as the message that it was.

use std::process::Stdio;
use std::time::Duration;

use bson::{Document, doc};
use longshore::config::Config;
use longshore::dev::portal;
use longshore::message::Attribute;
use longshore::queue::Outgoing;
use longshore::stop::Stop;
use longshore::telemetry::counters::Counts;
use serde_json::{Value, json};

use super::dead_letters::lines;
use crate::support::surroundings::{Surroundings, of_portal, plain};

/// A queue and a database, and what a worker whose routes take messages from nobody makes of these.
async fn refused(messages: &[Outgoing], attributes: &Value) -> Surroundings {
    let surroundings = Surroundings::new(attributes).await;
    surroundings.send(messages).await;
    unload_refusing(&surroundings).await;
    assert_eq!(surroundings.documents("dead_letters").await.len(), messages.len());
    surroundings
}

async fn unload_refusing(surroundings: &Surroundings) -> Counts {
    let mut config = surroundings.config();
    for route in config.routes.values_mut() {
        route.senders = vec!["nobody".to_owned()];
    }
    surroundings.unload(config).await
}

fn standard() -> Value {
    json!({ "VisibilityTimeout": "600" })
}

fn event(user: i64) -> Outgoing {
    plain(&json!({ "type": "event", "user_id": user, "event_type": "login" }))
}

fn session(second: i64) -> Outgoing {
    let at = format!("2026-11-22T10:00:{second:02}Z");
    plain(
        &json!({ "type": "session", "session_id": "s", "last_accessed": at, "data": { "second": second } }),
    )
}

/// The sum, which is the last line.
async fn sum(surroundings: &Surroundings, arguments: &[&str]) -> (Option<i32>, Vec<Value>, Value) {
    let mut command = surroundings.longshore(&[&["dead-letters", "replay"], arguments].concat());
    let ran = command.output().await.expect("it runs");
    let said = String::from_utf8(ran.stdout).expect("UTF-8");
    let mut lines: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    let sum = lines.pop().unwrap_or_else(|| panic!("{arguments:?}: {told}"));
    (ran.status.code(), lines, sum)
}

async fn put_back(surroundings: &Surroundings, arguments: &[&str]) -> Value {
    let (status, lines, sum) = sum(surroundings, arguments).await;
    assert_eq!(status, Some(0), "{lines:?} {sum}");
    sum["put_back"].clone()
}

async fn stands(surroundings: &Surroundings) -> usize {
    lines(surroundings, &["list", "--limit", "100000"]).await.len()
}

fn users(events: &[Document]) -> Vec<i64> {
    let mut users: Vec<i64> = events
        .iter()
        .map(|event| match event.get("user_id") {
            Some(bson::Bson::Int32(user)) => i64::from(*user),
            Some(bson::Bson::Int64(user)) => *user,
            other => panic!("{other:?}"),
        })
        .collect();
    users.sort_unstable();
    users
}

#[tokio::test]
async fn what_was_refused_is_put_back_as_the_message_that_it_was_and_sent_twice_it_is_one() {
    let messages = [event(1), event(2), session(20)];
    let surroundings = refused(&messages, &standard()).await;
    surroundings.send(&[session(30)]).await;
    surroundings.unload(surroundings.config()).await;
    let (status, ends, sum) = sum(&surroundings, &["--all", "--dry-run"]).await;
    assert_eq!((status, &sum["would_go"], &sum["would_stay"]), (Some(0), &json!(3), &json!(0)));
    let of = |name: &str| {
        let end = ends.iter().find(|end| end["collection"] == name);
        end.map(|end| end["letters"].clone())
    };
    assert_eq!((of("events"), of("sessions")), (Some(json!(2)), Some(json!(1))), "{ends:?}");
    assert_eq!(surroundings.left().await, 0, "nothing was sent");

    assert_eq!(put_back(&surroundings, &["--all", "--yes", "--by", "ada"]).await, json!(3));
    assert_eq!((stands(&surroundings).await, surroundings.left().await), (0, 3));
    assert_eq!(put_back(&surroundings, &["--all", "--yes"]).await, json!(0), "none stands");
    assert_eq!(put_back(&surroundings, &["--replayed", "--yes"]).await, json!(3));
    surroundings.unload(surroundings.config()).await;
    let events = surroundings.documents("events").await;
    assert_eq!(users(&events), [1, 2]);
    let [session] = &surroundings.documents("sessions").await[..] else { panic!("one") };
    let data = session.get_document("data").expect("data");
    assert_eq!(data, &doc! { "second": 30 }, "what was written meanwhile is newer");
    for letter in surroundings.documents("dead_letters").await {
        let replays = letter.get_array("replays").expect("a list");
        let first = replays[0].as_document().expect("a replay");
        assert!(replays.len() == 2 && first.get_str("by").ok() == Some("ada"), "{letter}");
        assert!(first.get_str("message_id").ok() != letter.get_str("message_id").ok());
        assert_eq!(letter.get_bool("stands").ok(), Some(false));
    }
    let messages = lines(&surroundings, &["list", "--replayed"]).await;
    assert_eq!(messages.len(), 3);
}

#[tokio::test]
async fn what_is_refused_again_joins_its_record_and_stands_again() {
    let surroundings = refused(&[event(1)], &standard()).await;
    for times in [2, 3] {
        assert_eq!(put_back(&surroundings, &["--all", "--yes"]).await, json!(1));
        assert_eq!(stands(&surroundings).await, 0);
        unload_refusing(&surroundings).await;
        let [letter] = &lines(&surroundings, &["list"]).await[..] else { panic!("one") };
        assert_eq!((&letter["times"], &letter["stands"]), (&json!(times), &json!(true)));
    }
    let [letter] = &surroundings.documents("dead_letters").await[..] else { panic!("one") };
    assert_eq!(letter.get_array("message_ids").map(Vec::len).ok(), Some(3));
    assert!(surroundings.documents("events").await.is_empty());
    // What would be refused again is not sent at all.
    let (status, told, sum) =
        sum(&surroundings, &["--all", "--yes", "--set", "routes.event.senders=[\"nobody\"]"]).await;
    assert_eq!((status, &sum["stay_by"]), (Some(1), &json!({ "refused_again": 1 })), "{told:?}");
    assert_eq!((surroundings.left().await, stands(&surroundings).await), (0, 1));
}

#[tokio::test]
async fn a_route_with_senders_is_written_directly_as_the_sender_that_is_recorded() {
    let surroundings = refused(&[event(1), session(20)], &standard()).await;
    let letter = &surroundings.documents("dead_letters").await[0];
    let sender = letter.get_str("sender").expect("a sender");
    let own = ["event", "session", "cache"]
        .map(|route| format!("routes.{route}.senders=[{sender:?}, \"another\"]"));
    let with = |arguments: &[&str]| {
        let settings = own.iter().flat_map(|own| ["--set".to_owned(), own.clone()]);
        arguments.iter().map(|argument| (*argument).to_owned()).chain(settings).collect::<Vec<_>>()
    };
    let arguments = with(&["--all", "--yes"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (status, _, sum) = sum(&surroundings, &arguments).await;
    assert_eq!((status, &sum["stay_by"]), (Some(1), &json!({ "direct": 2 })));
    let direct = with(&["--all", "--yes", "--direct"]);
    let direct: Vec<&str> = direct.iter().map(String::as_str).collect();
    assert_eq!(put_back(&surroundings, &direct).await, json!(2));
    assert_eq!((surroundings.left().await, stands(&surroundings).await), (0, 0));
    assert_eq!(users(&surroundings.documents("events").await), [1]);
    assert_eq!(surroundings.documents("sessions").await.len(), 1);
    // By the queue too, it is the same event.
    assert_eq!(put_back(&surroundings, &["--replayed", "--yes"]).await, json!(2));
    surroundings.unload(surroundings.config()).await;
    assert_eq!(users(&surroundings.documents("events").await), [1]);
}

#[tokio::test]
async fn an_id_that_is_taken_is_given_up_for_another_one() {
    let surroundings = Surroundings::new(&standard()).await;
    let named = |user: i64| {
        plain(&json!({ "type": "event", "id": "e-1", "user_id": user, "event_type": "login" }))
    };
    let given = |user: i64| {
        let text = |name: &str, value: &str| (name.to_owned(), Attribute::Text(value.to_owned()));
        let identity =
            vec![text("longshore-id", "g-1"), text("longshore-time", "2026-11-22T10:00:00Z")];
        Outgoing { attributes: identity, ..event(user) }
    };
    for message in [named(1), named(2), given(3), given(4)] {
        surroundings.send(&[message]).await;
        surroundings.unload(surroundings.config()).await;
    }
    assert_eq!(stands(&surroundings).await, 2);
    let (status, _, sum) = sum(&surroundings, &["--all", "--yes"]).await;
    assert_eq!((status, &sum["stay_by"]), (Some(1), &json!({ "new_id": 2 })));
    for again in ["--reason=id_conflict", "--replayed"] {
        assert_eq!(put_back(&surroundings, &[again, "--new-id", "--yes"]).await, json!(2));
    }
    surroundings.unload(surroundings.config()).await;
    assert_eq!(users(&surroundings.documents("events").await), [1, 2, 3, 4]);
    assert_eq!(stands(&surroundings).await, 0);
}

#[tokio::test]
async fn what_is_edited_goes_back_as_it_is_edited_and_inside_of_its_envelope() {
    let surroundings = Surroundings::new(&standard()).await;
    let own = r#"{"type":"event","user_id":"17","event_type":"login","big":9223372036854775807}"#;
    let wrong = own.replace("\"event_type\"", "\"eventType\"");
    let sns = json!({
        "Type": "Notification", "MessageId": "883ac385-1b21-4acb-8761-2b7f54c75a77",
        "TopicArn": "arn:aws:sns:eu-west-1:1:events", "Timestamp": "2026-11-22T10:00:00.000Z",
        "Message": &wrong,
    });
    let wrong = Outgoing { body: wrong.clone(), ..Outgoing::default() };
    surroundings.send(&[wrong, plain(&sns)]).await;
    surroundings.unload(surroundings.config()).await;
    assert_eq!(stands(&surroundings).await, 2);
    let edit = ".event_type = .eventType | del(.eventType) | .user_id |= tonumber";
    for (edit, why) in [(".", "refused_again"), (".x.y", "not_edited"), ("empty", "not_edited")] {
        let (status, _, sum) = sum(&surroundings, &["--all", "--yes", "--edit", edit]).await;
        assert_eq!((status, &sum["stay_by"]), (Some(1), &json!({ why: 2 })), "{edit}");
    }
    for _ in 0..2 {
        let which = if stands(&surroundings).await > 0 { "--all" } else { "--replayed" };
        assert_eq!(put_back(&surroundings, &[which, "--yes", "--edit", edit]).await, json!(2));
    }
    surroundings.unload(surroundings.config()).await;
    let events = surroundings.documents("events").await;
    assert_eq!(users(&events), [17, 17]);
    for event in events {
        assert_eq!(event.get_i64("big").ok(), Some(i64::MAX), "{event}");
        assert!(!event.contains_key("eventType"), "{event}");
    }
    let letter = &surroundings.documents("dead_letters").await[0];
    let replay = letter.get_array("replays").expect("a list")[0].as_document().expect("a replay");
    assert_eq!(replay.get_str("edit").ok(), Some(edit));
}

#[tokio::test]
async fn a_fifo_queue_gets_them_in_their_groups() {
    let messages: Vec<_> = (0..20)
        .map(|number| Outgoing {
            group: Some(format!("g-{}", number % 3)),
            deduplication: Some(number.to_string()),
            ..event(number)
        })
        .collect();
    let attributes = json!({ "FifoQueue": "true", "VisibilityTimeout": "600" });
    let surroundings = refused(&messages, &attributes).await;
    for _ in 0..2 {
        assert_eq!(put_back(&surroundings, &["--all", "--yes"]).await, json!(20));
        unload_refusing(&surroundings).await;
    }
    assert_eq!(put_back(&surroundings, &["--all", "--yes"]).await, json!(20));
    surroundings.unload(surroundings.config()).await;
    assert_eq!(users(&surroundings.documents("events").await), (0..20).collect::<Vec<_>>());
    assert_eq!(stands(&surroundings).await, 0);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_nothing_is_lost() {
    let surroundings = refused(&[event(1)], &standard()).await;
    for (arguments, expected) in [
        (&["--yes"][..], "say which dead letters"),
        (&["--all"], "standard input is not a terminal"),
        (&["m-1", "--yes"], "there is no dead letter"),
        (&["m-1", "--all", "--yes"], "do not go together"),
        (&["--all", "--yes", "--edit", ".a |"], "jq program cannot be used"),
        (&["--all", "--yes", "--set", "queue.url=http://127.0.0.1:9/0/none"], "queue"),
    ] {
        let arguments = [&["dead-letters", "replay"], arguments].concat();
        let ran = surroundings.longshore(&arguments).output().await.expect("it runs");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(2) && told.contains(expected), "{arguments:?}: {told}");
    }
    let letters = surroundings.manager.database().collection::<Document>("dead_letters");
    letters.update_many(doc! {}, doc! { "$set": { "queue": "arn:other" } }).await.expect("changed");
    let (status, _, told) = sum(&surroundings, &["--all", "--yes"]).await;
    assert_eq!((status, &told["stay_by"]), (Some(1), &json!({ "other_queue": 1 })));
    letters.update_many(doc! {}, doc! { "$unset": { "body": 1 } }).await.expect("changed");
    let (status, _, told) = sum(&surroundings, &["--all", "--yes"]).await;
    assert_eq!((status, &told["stay_by"]), (Some(1), &json!({ "no_message": 1 })));
    assert_eq!((surroundings.left().await, stands(&surroundings).await), (0, 1));
}

/// How often the command is killed; `KILLS` says otherwise.
const KILLS: u64 = 60;

/// A replay is killed again and again, at any moment, while a worker runs: the database ends as if nothing had
/// ever been refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_may_be_killed_at_any_moment() {
    let kills = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut load = portal::load(11, 1_500);
    let surroundings = refused(&of_portal(&load.messages), &standard()).await;
    let stop = Stop::default();
    let worker = tokio::spawn(run(surroundings.config(), stop.clone()));
    let arguments = ["dead-letters", "replay", "--all", "--yes", "--rate", "1000"];
    let mut killed = 0;
    for _ in 0..kills {
        let mut command = surroundings.longshore(&arguments);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        let alive = Duration::from_millis(fastrand::u64(0..600));
        if tokio::time::timeout(alive, child.wait()).await.is_err() {
            child.kill().await.expect("killed");
            killed += 1;
        }
        // All of them again, so that there is something to do each time.
        if stands(&surroundings).await < 500 {
            let letters = surroundings.manager.database().collection::<Document>("dead_letters");
            let again = doc! { "$set": { "stands": true } };
            letters.update_many(doc! {}, again).await.expect("changed");
        }
    }
    // What is bad by any configuration stays.
    let bad: u64 = load.expected.dead_letters.values().sum();
    let (_, _, sum) = sum(&surroundings, &["--all", "--yes"]).await;
    assert_eq!(
        (&sum["stay_by"], &sum["not_looked_at"]),
        (&json!({ "refused_again": bad }), &json!(0))
    );
    crate::support::until("the queue is empty", async || surroundings.left().await == 0).await;
    stop.drain();
    worker.await.expect("no panic");
    assert_eq!(stands(&surroundings).await as u64, bad);
    let purged = lines(&surroundings, &["purge", "--all", "--yes"]).await;
    assert_eq!(purged[0]["purged"], json!(load.messages.len()));
    load.expected.dead_letters.clear();
    surroundings.assert_holds(&load.expected).await;
    eprintln!("killed {killed} of {kills} times");
}

async fn run(config: Config, stop: Stop) {
    use longshore::queue::sqs::Credentials;
    use longshore::worker::{Ended, Observability, Worker};

    let worker = Worker::start(config, Credentials::Local, Observability::default())
        .await
        .expect("a worker");
    assert_eq!(worker.run(stop).await, Ended::Drained);
}
