//! A queue as the home of dead letters: records are sent there, and `longshore dead-letters collect` moves them to
//! the collection.

use std::time::Duration;

use longshore::config::Config;
use longshore::dead_letter;
use longshore::message::{Attribute, QueueMessage};
use longshore::queue::sqs::{Credentials, SqsQueue};
use longshore::queue::{Outgoing, Queue};
use longshore::stop::Stop;
use longshore::worker::{Ended, Observability, Worker};
use mongodb::bson::Document;
use serde_json::{Value, json};

use super::dead_letters::lines;
use crate::support::mongod;
use crate::support::sqs::Kind;
use crate::support::surroundings::{Surroundings, plain};
use crate::support::until;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

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
        Outgoing {
            attributes: vec![("traceparent".to_owned(), Attribute::Text(TRACE.to_owned()))],
            ..plain(&json!({ "type": "event", "user_id": 7 }))
        },
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
    let server = &surroundings.server;
    let (_, url, _) = with_queue(&surroundings, &json!({})).await;
    let to = server.connect(&url).await.1.arn;
    moves(&surroundings, &surroundings.queue_url, &to).await;
    let same = surroundings.queue_url.clone();
    // The same one, told by another URL.
    let also_same = same.replace("127.0.0.1", "localhost");
    let leaky = server.create_queue(&json!({})).await;
    moves(&surroundings, &leaky, &surroundings.facts().await.arn).await;
    for (url, told) in [
        (&url, "must be a queue of its own"),
        (&same, "must be another queue than queue.url"),
        (&also_same, "must be another queue than queue.url"),
        (&leaky, "must be a queue that keeps what it has"),
    ] {
        for command in ["check", "run"] {
            let said = said(&surroundings, command, url).await;
            assert!(said.contains(told), "{command} {url}: {said}");
            assert!(said.contains("dead_letters.queue"), "{said}");
        }
    }
    let gone = said(&surroundings, "check", &format!("{same}-gone")).await;
    assert!(gone.contains("does not exist") && gone.contains("check dead_letters.queue"), "{gone}");
}

/// What a command says that fails with this queue for dead letters.
async fn said(surroundings: &Surroundings, command: &str, url: &str) -> String {
    let mut ran = surroundings.longshore(&[command]);
    let ran = ran.env("LONGSHORE__DEAD_LETTERS__QUEUE", url).output().await.expect("it runs");
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!ran.status.success(), "{command} {url}: {said}");
    said
}

async fn moves(surroundings: &Surroundings, from: &str, to: &str) {
    let policy = json!({ "deadLetterTargetArn": to, "maxReceiveCount": 10 }).to_string();
    let input = json!({ "QueueUrl": from, "Attributes": { "RedrivePolicy": policy } });
    surroundings.server.call("SetQueueAttributes", &input).await;
}

#[tokio::test]
async fn a_queue_that_is_gone_keeps_no_worker_from_starting_and_is_used_once_it_is_there() {
    let surroundings = Surroundings::new(&json!({})).await;
    let mut config = surroundings.config();
    let name = "made-later";
    let (before, _) = surroundings.queue_url.rsplit_once('/').expect("a name");
    config.dead_letters.queue = Some(format!("{before}/{name}"));
    surroundings.send(&[plain(&json!({ "type": "event", "user_id": 7 }))]).await;
    let counts = surroundings.unload(config.clone()).await;
    assert_eq!(counts.dead_letters_not_sent_total, 1, "{counts:?}");
    assert_eq!(surroundings.documents("dead_letters").await.len(), 1);

    let worker = Worker::start(config, Credentials::Local, Observability::default())
        .await
        .expect("a worker");
    let stop = Stop::default();
    let running = tokio::spawn(worker.run(stop.clone()));
    surroundings.server.call("CreateQueue", &json!({ "QueueName": name })).await;
    surroundings.send(&[plain(&json!({ "type": "event", "user_id": 8 }))]).await;
    until("the queue is empty", async || surroundings.left().await == 0).await;
    stop.drain();
    assert_eq!(running.await.expect("no panic"), Ended::Drained);
    assert_eq!(surroundings.documents("dead_letters").await.len(), 1, "the other was sent");
}

/// Of a database that takes nothing, the first letter tells.
#[tokio::test]
async fn what_the_database_does_not_take_stays_and_ends_the_command() {
    let surroundings = Surroundings::new(&json!({})).await;
    let (queue, url, config) =
        with_queue(&surroundings, &json!({ "VisibilityTimeout": "2" })).await;
    surroundings
        .send(&[
            plain(&json!({ "type": "event", "user_id": 7 })),
            plain(&json!({ "type": "event", "user_id": 8 })),
        ])
        .await;
    surroundings.unload(config).await;
    let mut command = surroundings.longshore(&[
        "dead-letters",
        "collect",
        "--yes",
        "--set",
        "retry.budget=0s",
        "--set",
        "dead_letters.collection=letters",
    ]);
    let view = mongodb::bson::doc! { "create": "letters", "viewOn": "events", "pipeline": [] };
    surroundings.manager.database().run_command(view).await.expect("a view");
    let ran = command.env("LONGSHORE__DEAD_LETTERS__QUEUE", &url).output().await.expect("it runs");
    let (told, error) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(2), "{told}{error}");
    assert!(error.contains("the database does not take dead letters"), "{error}");
    assert!(told.contains(r#""collected":0"#) && told.contains(r#""stay":0"#), "{told}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(received(&queue).await.len(), 2);
}
