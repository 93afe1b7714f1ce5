//! One load through each kind of server that a worker meets.

use longshore::dev::mongod::Mongod;
use longshore::dev::portal;
use longshore::telemetry::counters::Counts;
use serde_json::json;

use crate::support::mongod;
use crate::support::sqs::Kind;
use crate::support::surroundings::{Surroundings, of_portal};

const LOAD: usize = 300;

/// Messages and groups of a FIFO queue. Moto takes a second for each message of a group: a long
/// poll of it does not see that a group has become free.
const FIFO_LOAD: usize = 100;
const GROUPS: usize = 20;

/// A moto that does two things at once sometimes gives one message to two receives, and loses one
/// of two deletes: that message comes back after this time. The database shows nothing of it. From
/// the embedded server each comes once.
const fn visibility_timeout(kind: Kind) -> &'static str {
    match kind {
        Kind::Embedded => "600",
        Kind::Moto => "5",
    }
}

#[tokio::test]
async fn the_worker_drains_a_load_from_the_embedded_queue() {
    drains(Kind::Embedded, mongod::plain().await).await;
}

#[tokio::test]
async fn the_worker_drains_the_same_load_from_moto() {
    drains(Kind::Moto, mongod::plain().await).await;
}

#[tokio::test]
async fn the_worker_writes_with_login_and_tls() {
    drains(Kind::Embedded, mongod::secured().await).await;
}

async fn drains(kind: Kind, mongod: &Mongod) {
    let surroundings =
        Surroundings::on(kind, &json!({ "VisibilityTimeout": visibility_timeout(kind) }), mongod)
            .await;
    let load = portal::load(7, LOAD);
    surroundings.send(&of_portal(&load.messages)).await;
    let counts = surroundings.unload(surroundings.config()).await;
    assert_counts(kind, &counts, LOAD);
    surroundings.assert_holds(&load.expected).await;
}

#[tokio::test]
async fn a_fifo_queue_is_drained_group_by_group() {
    drains_groups(Kind::Embedded).await;
}

#[tokio::test]
async fn a_fifo_queue_of_moto_is_drained_group_by_group() {
    drains_groups(Kind::Moto).await;
}

async fn drains_groups(kind: Kind) {
    let attributes = json!({ "FifoQueue": "true", "VisibilityTimeout": visibility_timeout(kind) });
    let surroundings = Surroundings::on(kind, &attributes, mongod::plain().await).await;
    let load = portal::load(7, FIFO_LOAD);
    let mut messages = of_portal(&load.messages);
    for (number, message) in messages.iter_mut().enumerate() {
        message.group = Some(format!("group-{}", number % GROUPS));
        message.deduplication = Some(number.to_string());
    }
    surroundings.send(&messages).await;
    assert_eq!(surroundings.left().await, FIFO_LOAD);
    let counts = surroundings.unload(surroundings.config()).await;
    assert_counts(kind, &counts, FIFO_LOAD);
    surroundings.assert_holds(&load.expected).await;
}

fn assert_counts(kind: Kind, counts: &Counts, sent: usize) {
    let (seen, sent) =
        ((counts.received_total, counts.redelivered_total, counts.deleted_total), sent as u64);
    match kind {
        Kind::Embedded => assert_eq!(seen, (sent, 0, sent)),
        Kind::Moto => assert!(seen.0 >= sent, "{seen:?}"),
    }
}
