//! A queue that fails in the middle of a load, each way by itself and all ways mixed: latency,
//! resets, 5xx, throttling, entries that fail, handles that went stale, copies, receives whose
//! answer is lost.

use std::sync::Arc;
use std::time::Duration;

use longshore::queue::sqs::Operation::{self, ChangeVisibility, Delete, GetAttributes, Receive};

use tokio::time::Instant;

use crate::support::fault_proxy::{Fault, FaultProxy, Observations, SETTLING};
use crate::support::until;

use super::replica_set::{self, ReplicaSet};
use super::table::{Row, table};
use super::world::{Setting, World};

/// What a worker asks of a queue.
const ALL: [Operation; 4] = [Receive, Delete, ChangeVisibility, GetAttributes];

/// Messages of each load: enough for a fault to happen often.
const MESSAGES: usize = 500;

/// Receives in flight at most.
pub const POLLERS_MAX: u64 = 8;

/// Sends a load through the proxy, lets `strike` plan faults and wait for them, and heals the proxy
/// afterwards.
pub async fn endure(
    set: &ReplicaSet,
    fault: &str,
    seed: u64,
    strike: impl AsyncFnOnce(&FaultProxy, &mut World),
) -> (Row, Observations) {
    let setting = Setting { seed, messages: MESSAGES, workers: 1, ..Setting::default() };
    let mut world = World::new(set, setting).await;
    let proxy = Arc::clone(&world.proxies[0]);
    // Waited for where the queue never recovers.
    world.worker_settings.push(("LONGSHORE__WORKER__DRAIN_TIMEOUT", "8s".to_owned()));
    // Few, so that what is in progress when an outage begins is less than what a hot loop would ask.
    world.worker_settings.push(("LONGSHORE__QUEUE__POLLERS_MAX", POLLERS_MAX.to_string()));
    let row = world
        .endure(fault, async |world| {
            strike(&proxy, world).await;
            proxy.heal();
            Instant::now()
        })
        .await;
    let counts = proxy.observed();
    println!("{}\n{:?}", table(&[&row]), counts.all_injected());
    (row, counts)
}

/// One kind of fault, by chance, until it happened so often.
async fn under_load(
    fault: Fault,
    probability: f64,
    operations: &[Operation],
    times: u64,
) -> Observations {
    let set = replica_set::shared().await;
    let (row, observed) = endure(&set, fault.name(), 81, async |proxy, world| {
        proxy.chance(probability, operations, fault);
        until("the fault happened often enough", async || {
            world.assert_running();
            proxy.observed().injected(fault) >= times
        })
        .await;
    })
    .await;
    row.assert_promises_kept();
    observed
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_slow_queue_costs_nothing_but_time() {
    let observed = under_load(Fault::Latency(Duration::from_millis(400)), 0.5, &ALL, 10).await;
    assert_eq!(observed.extra_receives(), 0);
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn calls_that_never_reach_the_queue_cost_nothing_but_time() {
    let observed = under_load(Fault::ResetBefore, 0.3, &ALL, 10).await;
    assert_eq!(observed.extra_receives(), 0);
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn deletes_whose_answer_is_lost_are_asked_again_and_change_nothing() {
    let observed = under_load(Fault::ResetAfter, 0.5, &SETTLING, 4).await;
    assert_eq!(observed.extra_receives(), 0, "they were deleted");
}

/// What such a receive took comes back after its visibility timeout, once.
#[tokio::test]
#[ignore = "long: make test-long"]
async fn receives_whose_answer_is_lost_lose_nothing() {
    let observed = under_load(Fault::ResetAfter, 0.4, &[Receive], 3).await;
    let (received, delivered): (u64, u64) =
        (observed.received.values().sum(), observed.delivered.values().sum());
    assert!(received > delivered, "an answer with messages was lost");
    assert_eq!(
        observed.extra_receives(),
        received - delivered,
        "one receive more for each message that did not arrive"
    );
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn errors_inside_the_queue_cost_nothing_but_time() {
    let observed = under_load(Fault::Unavailable, 0.3, &ALL, 10).await;
    assert_eq!(observed.extra_receives(), 0);
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn throttling_costs_nothing_but_time() {
    let observed = under_load(Fault::Throttled, 0.3, &ALL, 10).await;
    assert_eq!(observed.extra_receives(), 0);
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn entries_that_fail_are_asked_again_without_those_that_did_not() {
    let observed = under_load(Fault::PartialFailure, 0.5, &SETTLING, 4).await;
    assert_eq!(observed.extra_receives(), 0);
}

/// The queue keeps such a message, and gives it out once more.
#[tokio::test]
#[ignore = "long: make test-long"]
async fn handles_that_went_stale_double_nothing() {
    let observed = under_load(Fault::StaleHandles, 0.5, &SETTLING, 3).await;
    assert!(observed.extra_receives() > 0, "what was not deleted came back");
}

#[tokio::test]
async fn messages_that_come_twice_are_written_once() {
    let observed = under_load(Fault::Duplicates, 0.8, &[Receive], 10).await;
    assert!(observed.delivered.values().any(|times| *times > 1));
    assert_eq!(observed.extra_receives(), 0, "a copy is no receive");
}

/// All faults at once, in a mixture and with probabilities drawn from the seed: for
/// [`super::length`] and for replaying what it found.
pub async fn mixture(set: &ReplicaSet, seed: u64) -> Row {
    let mut random = fastrand::Rng::with_seed(seed);
    let (row, counts) = endure(set, "queue faults, mixed", seed, async |proxy, world| {
        let mut kinds = vec![
            Fault::Latency(Duration::from_millis(random.u64(10..2_000))),
            Fault::ResetBefore,
            Fault::ResetAfter,
            Fault::Unavailable,
            Fault::Throttled,
            Fault::ExpiredToken,
            Fault::PartialFailure,
            Fault::StaleHandles,
            Fault::Duplicates,
        ];
        random.shuffle(&mut kinds);
        let kinds = &kinds[..random.usize(5..=kinds.len())];
        for fault in kinds {
            // Small enough that no message is received nearly as often as makes the queue give it
            // up.
            proxy.chance(0.05 + random.f64() * 0.2, &ALL, *fault);
        }
        until("many faults happened, or all that may be sent by now is unloaded", async || {
            world.assert_running();
            proxy.observed().all_injected().values().sum::<u64>() >= 20 || world.left().await == 0
        })
        .await;
    })
    .await;
    assert!(
        counts.extra_receives_max() < 9,
        "a message came near to being given up by the queue: {:?}",
        counts.all_injected()
    );
    row
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn all_faults_of_the_queue_at_once_lose_and_double_nothing() {
    let set = replica_set::shared().await;
    mixture(&set, 81).await.assert_promises_kept();
}
