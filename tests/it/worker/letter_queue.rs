//! A queue as the home of dead letters: records are sent there, and `longshore dead-letters collect` moves them to
//! the collection.

use std::time::Duration;

use longshore::config::Config;
use longshore::dead_letter;
use longshore::message::QueueMessage;
use longshore::queue::sqs::SqsQueue;
use longshore::queue::{Outgoing, Queue};
use mongodb::bson::Document;
use serde_json::{Value, json};

use super::dead_letters::lines;
use crate::support::mongod;
use crate::support::sqs::Kind;
use crate::support::surroundings::{Surroundings, plain};

/// A queue of these attributes for dead letters, and the worker's configuration with it.
async fn with_queue(surroundings: &Surroundings, attributes: &Value) -> (SqsQueue, String, Config) {
    let url = surroundings.server.create_queue(attributes).await;
    let (queue, _) = surroundings.server.connect(&url).await;
    let mut config = surroundings.config();
    config.dead_letters.queue = Some(url.clone());
    (queue, url, config)
}

/// What is refused: for its body, for a field, for a type with a character that SQS does not take, and with quotes that
/// make its record larger than any message.
fn bad(message_bytes_max: usize) -> Vec<Outgoing> {
    let large = format!(r#"{{"type":"event","text":"{}""#, r#"\""#.repeat(message_bytes_max / 3));
    let mut bad = vec![
        plain(&json!({ "type": "event", "user_id": 7 })),
        plain(&json!({ "type": "a\u{ffff}b" })),
        Outgoing { body: "{not json \u{1f600}".to_owned(), ..Outgoing::default() },
        Outgoing { body: large, ..Outgoing::default() },
    ];
    bad.extend((0..30).map(|user| plain(&json!({ "type": "login", "user_id": user }))));
    bad
}

async fn received(queue: &SqsQueue) -> Vec<QueueMessage> {
    let mut all = Vec::new();
    loop {
        let some = queue.receive(10, Duration::from_secs(1), None).await.expect("an answer");
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

async fn collect(
    surroundings: &Surroundings,
    url: &str,
    more: &[&str],
) -> (Option<i32>, Vec<Value>) {
    let arguments = [&["dead-letters", "collect", "--yes"], more].concat();
    let mut command = surroundings.longshore(&arguments);
    let ran = command.env("LONGSHORE__DEAD_LETTERS__QUEUE", url).output().await.expect("it runs");
    let told = String::from_utf8(ran.stdout).expect("UTF-8");
    let told = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (ran.status.code(), told)
}

fn texts<'a>(records: &'a [Document], field: &str) -> Vec<&'a str> {
    let mut texts: Vec<_> =
        records.iter().map(|record| record.get_str(field).expect("a text")).collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn records_go_to_the_queue_and_are_collected_from_there_as_they_were() {
    for (kind, fifo) in [(Kind::Embedded, false), (Kind::Moto, false), (Kind::Moto, true)] {
        let surroundings = Surroundings::on(kind, &json!({}), mongod::plain().await).await;
        let attributes = if fifo {
            json!({ "FifoQueue": "true", "VisibilityTimeout": "2" })
        } else {
            json!({ "VisibilityTimeout": "2" })
        };
        let (queue, url, config) = with_queue(&surroundings, &attributes).await;
        let message_bytes_max = surroundings.facts().await.message_bytes_max;
        surroundings.send(&bad(message_bytes_max)).await;
        surroundings
            .send(&[plain(&json!({ "type": "event", "user_id": 1, "event_type": "login" }))])
            .await;
        let counts = surroundings.unload(config).await;
        assert_eq!(counts.dead_lettered.values().sum::<u64>(), 34, "{kind:?}: {counts:?}");
        assert_eq!(surroundings.documents("events").await.len(), 1);
        let large = surroundings.documents("dead_letters").await;
        assert_eq!(texts(&large, "reason"), ["bad_json"], "{kind:?}: the large one");
        let sent: Vec<Document> = received(&queue)
            .await
            .iter()
            .map(|message| dead_letter::read(&message.body).expect("a record"))
            .collect();
        assert_eq!(sent.len(), 33, "{kind:?}");
        tokio::time::sleep(Duration::from_secs(2)).await;

        let sum = |moved: u32| json!({ "collected": moved, "stay": 0, "not_deleted": 0, "stopped": false });
        assert_eq!(collect(&surroundings, &url, &["--limit", "3"]).await, (Some(0), vec![sum(3)]));
        assert_eq!(collect(&surroundings, &url, &[]).await, (Some(0), vec![sum(30)]), "{kind:?}");
        assert_eq!(collect(&surroundings, &url, &[]).await, (Some(0), vec![sum(0)]));
        let mut stand = surroundings.documents("dead_letters").await;
        stand.retain(|record| !large.contains(record));
        let by_id = |record: &Document| record.get_str("_id").expect("a text").to_owned();
        let mut sent = sent;
        sent.sort_by_key(by_id);
        stand.sort_by_key(by_id);
        assert_eq!(stand, sent, "{kind:?}");
        let groups = lines(&surroundings, &["groups"]).await;
        let mut reasons: Vec<_> =
            groups.iter().filter_map(|group| group["reason"].as_str()).collect();
        reasons.sort_unstable();
        let expected = ["bad_json", "bad_json", "missing_field", "unknown_type", "unknown_type"];
        assert_eq!(reasons, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn what_comes_twice_joins_and_what_is_no_record_stays() {
    let surroundings = Surroundings::new(&json!({})).await;
    let (queue, url, config) =
        with_queue(&surroundings, &json!({ "VisibilityTimeout": "2" })).await;
    surroundings.send(&[plain(&json!({ "type": "event", "user_id": 7 }))]).await;
    surroundings.unload(config).await;
    let [message] = &received(&queue).await[..] else { panic!("one") };
    let record = dead_letter::read(&message.body).expect("a record");
    let of = |body: String| Outgoing { body, ..Outgoing::default() };
    let forged = message.body.replace("user_id", "user_ix");
    queue
        .send_batch(&[of(message.body.clone()), of(forged), plain(&json!({ "type": "event" }))])
        .await
        .expect("an answer");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (status, told) = collect(&surroundings, &url, &[]).await;
    let (sum, stay) = told.split_last().expect("a sum");
    assert_eq!(status, Some(1));
    assert_eq!(sum, &json!({ "collected": 2, "stay": 2, "not_deleted": 0, "stopped": false }));
    let mut stay: Vec<_> = stay.iter().map(|line| line["text"].as_str().expect("a text")).collect();
    stay.sort_unstable();
    assert!(stay[0].starts_with("it is no dead letter"), "{stay:?}");
    assert!(stay[1].contains("changed on its way"), "{stay:?}");
    assert_eq!(surroundings.documents("dead_letters").await, [record]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(received(&queue).await.len(), 2);
}

#[tokio::test]
async fn a_worker_does_not_mix_records_with_messages() {
    let surroundings = Surroundings::new(&json!({})).await;
    let (_, url, _) = with_queue(&surroundings, &json!({})).await;
    let to = surroundings.server.connect(&url).await.1.arn;
    let policy = json!({ "deadLetterTargetArn": to, "maxReceiveCount": 10 }).to_string();
    let input =
        json!({ "QueueUrl": surroundings.queue_url, "Attributes": { "RedrivePolicy": policy } });
    surroundings.server.call("SetQueueAttributes", &input).await;
    let same = surroundings.queue_url.clone();
    // The same one, told by another URL.
    let also_same = same.replace("127.0.0.1", "localhost");
    let gone = format!("{same}-gone");
    for (url, told) in [
        (&url, "must be a queue of its own"),
        (&same, "must be another queue than queue.url"),
        (&also_same, "must be another queue than queue.url"),
        (&gone, "does not exist"),
    ] {
        for command in [&["check"][..], &["run"]] {
            let mut ran = surroundings.longshore(command);
            let ran =
                ran.env("LONGSHORE__DEAD_LETTERS__QUEUE", url).output().await.expect("it runs");
            let said = [ran.stdout, ran.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!ran.status.success() && said.contains(told), "{command:?} {url}: {said}");
            assert!(said.contains("dead_letters.queue"), "{said}");
        }
    }
}
