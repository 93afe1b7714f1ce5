//! `longshore dead-letters redrive`: what SQS itself moved aside goes back as the message that it was.

use std::time::Duration;

use longshore::message::origin::{ID_ATTRIBUTE, TIME_ATTRIBUTE};
use longshore::queue::Queue;
use serde_json::{Value, json};

use super::dead_letters::lines;
use crate::support::mongod;
use crate::support::sqs::Kind;
use crate::support::surroundings::{Surroundings, plain};
use crate::support::until;

/// A queue whose messages go to another one after the first receive, and these messages moved there. Gives
/// that one's ARN and URL, and the messages' ids.
async fn moved(bodies: &[Value]) -> (Surroundings, (String, String), Vec<String>) {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "0" })).await;
    // What was looked at comes back at once.
    let url = surroundings.server.create_queue(&json!({ "VisibilityTimeout": "0" })).await;
    let to = surroundings.server.connect(&url).await.1.arn;
    moves(&surroundings, &to, 1, "0").await;
    let messages: Vec<_> = bodies.iter().map(plain).collect();
    surroundings.send(&messages).await;
    let mut ids = Vec::new();
    // Received, given back, and moved at the next receive.
    until("all were received", async || {
        let received =
            surroundings.queue.receive(10, Duration::ZERO, None).await.expect("an answer");
        ids.extend(received.into_iter().map(|message| message.message_id));
        ids.len() == bodies.len()
    })
    .await;
    until("all were moved", async || {
        let received = surroundings.queue.receive(10, Duration::from_secs(1), None).await;
        assert!(received.expect("an answer").is_empty());
        surroundings.left().await == 0
    })
    .await;
    (surroundings, (to, url), ids)
}

/// The queue moves what was received so often to that one.
async fn moves(surroundings: &Surroundings, to: &str, receives: u32, visibility_timeout: &str) {
    let url = &surroundings.queue_url;
    let policy = json!({ "deadLetterTargetArn": to, "maxReceiveCount": receives });
    let attributes = json!({
        "RedrivePolicy": policy.to_string(), "VisibilityTimeout": visibility_timeout,
    });
    let input = json!({ "QueueUrl": url, "Attributes": attributes });
    surroundings.server.call("SetQueueAttributes", &input).await;
}

fn event(user: i64) -> Value {
    json!({ "type": "event", "user_id": user, "event_type": "login" })
}

#[tokio::test]
async fn what_sqs_moved_aside_is_explained_and_goes_back_with_the_identity_that_it_had() {
    let (surroundings, (to, _), mut ids) = moved(&[event(1), json!({ "type": "event" })]).await;
    let run = async |arguments: &[&str]| {
        let arguments = [&["dead-letters", "redrive"], arguments].concat();
        let ran = surroundings.longshore(&arguments).output().await.expect("it runs");
        let lines = String::from_utf8(ran.stdout).expect("UTF-8");
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (ran.status.code(), lines, String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (status, told, _) = run(&["--dry-run"]).await;
    let outcomes: Vec<_> = told.iter().filter_map(|line| line["outcome"].as_str()).collect();
    assert!(outcomes.contains(&"write") && outcomes.contains(&"dead_letter"), "{told:?}");
    assert_eq!((status, surroundings.left().await), (Some(1), 0));
    let itself = ["--yes", "--from", surroundings.queue_url.as_str()];
    for (arguments, expected) in
        [(&[][..], "standard input is not a terminal"), (&itself, "--from names the queue itself")]
    {
        let (status, _, told) = run(arguments).await;
        assert!(status == Some(2) && told.contains(expected), "{told}");
    }
    // The queue would name whoever redrives it.
    let (status, sum, _) = run(&["--yes", "--set", "routes.event.senders=[\"nobody\"]"]).await;
    let sum = sum.last().expect("a sum");
    assert_eq!((status, &sum["put_back"], &sum["stay"]), (Some(1), &json!(0), &json!(2)), "{sum}");

    let (status, sum, _) = run(&["--yes"]).await;
    let all = json!({ "put_back": 2, "stay": 0, "not_deleted": 0, "stopped": false });
    assert_eq!((status, sum), (Some(0), vec![all]));
    let none = json!({ "put_back": 0, "stay": 0, "not_deleted": 0, "stopped": false });
    assert_eq!(run(&["--yes"]).await.1, [none]);
    moves(&surroundings, &to, 1_000, "600").await;
    let counts = surroundings.unload(surroundings.config()).await;
    assert_eq!(counts.dead_lettered.values().sum::<u64>(), 1, "{counts:?}");
    assert_eq!(surroundings.documents("events").await.len(), 1);
    let [letter] = &surroundings.documents("dead_letters").await[..] else { panic!("one") };
    let attributes = letter.get_array("attributes").expect("a list");
    let of = |name: &str| {
        let attributes = attributes.iter().filter_map(|attribute| attribute.as_document());
        let mut named = attributes.filter(|attribute| attribute.get_str("name").ok() == Some(name));
        named.next().and_then(|attribute| attribute.get_str("value").ok()).map(str::to_owned)
    };
    ids.retain(|id| Some(id) == of(ID_ATTRIBUTE).as_ref());
    assert!(ids.len() == 1 && of(TIME_ATTRIBUTE).is_some(), "{letter}");
    assert_eq!(letter.get_str("reason").ok(), Some("missing_field"));
    assert_eq!(lines(&surroundings, &["groups"]).await.len(), 1, "with what Longshore refused");
}

/// By moto: the embedded server answers this call under names that no SDK reads.
#[tokio::test]
async fn a_dead_letter_queue_that_others_use_too_is_left_alone_unless_that_is_meant() {
    let attributes = json!({ "VisibilityTimeout": "600" });
    let surroundings = Surroundings::on(Kind::Moto, &attributes, mongod::plain().await).await;
    let server = &surroundings.server;
    let url = server.create_queue(&json!({})).await;
    let (dead_letters, facts) = server.connect(&url).await;
    dead_letters.send_batch(&[plain(&event(1))]).await.expect("sent");
    let policy = json!({ "deadLetterTargetArn": facts.arn, "maxReceiveCount": 1 }).to_string();
    let other = server.create_queue(&json!({})).await;
    for queue in [&surroundings.queue_url, &other] {
        let input = json!({ "QueueUrl": queue, "Attributes": { "RedrivePolicy": policy } });
        server.call("SetQueueAttributes", &input).await;
    }
    let run = async |more: &[&str]| {
        let arguments = [&["dead-letters", "redrive", "--yes"], more].concat();
        surroundings.longshore(&arguments).output().await.expect("it runs")
    };
    let ran = run(&[]).await;
    let told = String::from_utf8_lossy(&ran.stderr);
    let name = other.rsplit('/').next().expect("a name");
    assert!(ran.status.code() == Some(2) && told.contains(name), "{told}");
    assert_eq!(surroundings.left().await, 0);
    assert!(run(&["--any-queue"]).await.status.success());
    assert_eq!(surroundings.left().await, 1);
}

#[tokio::test]
async fn without_a_redrive_policy_nothing_is_moved_and_it_is_said() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let arguments = ["dead-letters", "redrive", "--yes"];
    let ran = surroundings.longshore(&arguments).output().await.expect("it runs");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(2) && told.contains("no redrive policy"), "{told}");
}
