//! A database that hangs: what is held stays hidden, and at the end it goes back.

use std::collections::BTreeSet;
use std::time::Duration;

use longshore::queue::sqs::SqsQueue;
use longshore::queue::{BATCH_MAX, Queue};

use super::loads::small;
use super::subject::{Place, last_words};
use crate::support::sqs::Kind;
use crate::support::until;

const MESSAGES: usize = 95;

/// Two of the shortest visibility timeouts, and more.
const VISIBILITY_TIMEOUT: &str = "5";
const LONGER: Duration = Duration::from_secs(13);

/// Sends the messages to a worker that has no answer from its database, and waits until it holds them all.
async fn hold(place: &Place) {
    place.send((0..1).map(small)).await;
    until("the worker writes", async || place.surroundings.left().await == 0).await;
    place.freeze().await;
    place.send((1..=MESSAGES).map(small)).await;
    until("the worker holds all", async || place.in_flight().await == MESSAGES as u64).await;
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
async fn a_batch_longer_than_the_visibility_timeout_is_kept_hidden_and_written_once() {
    let place = Place::new(Kind::Embedded, VISIBILITY_TIMEOUT).await;
    let mut worker = place.worker(&[]);
    hold(&place).await;
    let other = place.surroundings.queue.receive(BATCH_MAX, LONGER, None).await.expect("an answer");
    assert_eq!(other.len(), 0, "another receiver gets nothing of it");
    place.thaw().await;
    place.emptied(&mut worker, Duration::from_mins(1)).await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
    let ended = last_words(&printed);
    assert_eq!((&ended["redelivered_total"], &ended["stale_handles_total"]), (&0.into(), &0.into()));
    assert!(ended["extended_total"].as_u64().is_some_and(|extended| extended >= MESSAGES as u64), "{}", ended["extended_total"]);
    assert_eq!((place.count("events").await, place.count("dead_letters").await), (MESSAGES as u64 + 1, 0));
    place.stop().await;
}

#[tokio::test]
async fn a_drain_keeps_its_deadline_though_the_database_hangs_and_gives_everything_back() {
    // Longer than the test: nothing comes back but what is given back.
    let place = Place::new(Kind::Embedded, "600").await;
    let worker = place.worker(&[("LONGSHORE__WORKER__DRAIN_TIMEOUT", "8s")]);
    hold(&place).await;
    worker.signal("TERM").await;
    // Twice the deadline and more, for a busy machine. A write that hangs is given up after 25 s only.
    let ended = tokio::time::timeout(Duration::from_secs(20), worker.ended()).await;
    let (status, printed) = ended.expect("the worker ends, whatever hangs");
    assert_eq!(status.code(), Some(1), "{printed}");
    assert_eq!((&last_words(&printed)["drained"], &last_words(&printed)["released_total"]), (&false.into(), &MESSAGES.into()));
    let expected: BTreeSet<_> = (1..=MESSAGES).map(|number| small(number).body).collect();
    assert_eq!(receive_all(&place.surroundings.queue).await, expected, "it arrives elsewhere at once");
    place.stop().await;
}
