//! A database that hangs: what is held stays hidden, and at the end it goes back.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use longshore::queue::sqs::SqsQueue;
use longshore::queue::{BATCH_MAX, Queue};
use mongodb::bson::DateTime;
use serde_json::Value;

use super::loads::small;
use super::subject::{Servers, last_words};
use crate::support::child::Child;
use crate::support::sqs::Kind;
use crate::support::{DEADLINE, until};

const MESSAGES: usize = 95;

/// Two of the shortest visibility timeouts, and more.
const VISIBILITY_TIMEOUT: &str = "5";
const LONGER: Duration = Duration::from_secs(13);

/// Sends the messages to a worker that has no answer from its database, and waits until it holds
/// them all.
async fn hold(servers: &Servers, worker: &mut Child) {
    servers.send((0..1).map(small)).await;
    servers.emptied(worker, DEADLINE).await;
    servers.freeze().await;
    servers.send((1..=MESSAGES).map(small)).await;
    until("the worker holds all", async || servers.in_flight().await == MESSAGES as u64).await;
}

/// All that can be received now, by bodies; ends at the first receive that brings nothing.
async fn receive_all(queue: &SqsQueue) -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    loop {
        let messages = queue.receive(BATCH_MAX, Duration::ZERO, None).await.expect("an answer");
        if messages.is_empty() {
            return bodies;
        }
        bodies.extend(messages.into_iter().map(|message| message.body));
    }
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_batch_longer_than_the_visibility_timeout_is_kept_hidden_and_written_once() {
    let servers = Servers::new(Kind::Embedded, VISIBILITY_TIMEOUT).await;
    let mut worker = servers.worker(&[]);
    hold(&servers, &mut worker).await;
    let other =
        servers.surroundings.queue.receive(BATCH_MAX, LONGER, None).await.expect("an answer");
    assert_eq!(other.len(), 0, "another receiver gets nothing of it");
    servers.thaw().await;
    servers.emptied(&mut worker, Duration::from_mins(1)).await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
    let ended = last_words(&printed);
    assert_eq!(
        (&ended["redelivered_total"], &ended["stale_handles_total"]),
        (&0.into(), &0.into())
    );
    assert!(
        ended["extended_total"].as_u64().is_some_and(|extended| extended >= MESSAGES as u64),
        "{}",
        ended["extended_total"]
    );
    assert_eq!(
        (servers.count("events").await, servers.count("dead_letters").await),
        (MESSAGES as u64 + 1, 0)
    );
    servers.stop().await;
}

/// Of the drain.
const DRAIN_TIMEOUT: &str = "8s";

/// A write that hangs is given up later than any test waits, and so is no way to be in time.
const WRITE_TIMEOUT: &str = "5m";

/// By the worker's own log it begins to give back 6 s after it was asked to stop, and is done 2 s
/// later. A busy machine may make it late by as much again; a worker that waits for something else
/// than its deadline is later.
const LET_GO_AFTER: RangeInclusive<i64> = 5_900..=12_000;
const GIVEN_BACK_WITHIN: RangeInclusive<i64> = 0..=4_000;

#[tokio::test]
async fn a_drain_keeps_its_deadline_though_the_database_hangs_and_gives_everything_back() {
    // Longer than the test: nothing comes back but what is given back.
    let servers = Servers::new(Kind::Embedded, "600").await;
    let mut worker = servers.worker(&[
        ("LONGSHORE__WORKER__DRAIN_TIMEOUT", DRAIN_TIMEOUT),
        ("LONGSHORE__DB__WRITE_CONCERN__TIMEOUT", WRITE_TIMEOUT),
    ]);
    hold(&servers, &mut worker).await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    // Looked at first, and at once: what can be received now was given back before the worker's
    // end.
    let found = receive_all(&servers.surroundings.queue).await;
    let expected: BTreeSet<_> = (1..=MESSAGES).map(|number| small(number).body).collect();
    assert_eq!(found, expected, "it arrives elsewhere at once");
    assert_eq!(status.code(), Some(1), "{printed}");
    assert_eq!(
        (&last_words(&printed)["drained"], &last_words(&printed)["released_total"]),
        (&false.into(), &MESSAGES.into())
    );
    let [asked, let_go, ended] =
        ["draining: nothing more is received", "giving back what is not settled", "ended"]
            .map(|message| said_ms(&printed, message));
    assert!(
        LET_GO_AFTER.contains(&(let_go - asked)),
        "it let go {} ms after it was asked to stop",
        let_go - asked
    );
    assert!(
        GIVEN_BACK_WITHIN.contains(&(ended - let_go)),
        "it took {} ms to give everything back",
        ended - let_go
    );
    servers.stop().await;
}

/// When a worker said this, by its own clock, in milliseconds.
fn said_ms(printed: &str, message: &str) -> i64 {
    let mut lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines
        .find(|line| line["message"] == message)
        .unwrap_or_else(|| panic!("it never said {message:?}:\n{printed}"));
    let said = line["timestamp"].as_str().expect("a timestamp");
    DateTime::parse_rfc3339_str(said).expect("RFC 3339").timestamp_millis()
}
