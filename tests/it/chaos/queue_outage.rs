//! A queue that refuses everything for a time: credentials that expired, a policy that denies, a
//! queue that is gone, throttling. The worker asks again with growing pauses, says why, and goes on
//! where it was.

use std::time::Duration;

use longshore::queue::sqs::Operation::{self, ChangeVisibility, Delete, Receive};
use tokio::time::Instant;

use crate::support::fault_proxy::{Fault, Observations};
use crate::support::until;

use super::queue::{POLLERS_MAX, endure};
use super::replica_set;

/// Of the retries of workers in these worlds: see `worker_settings` in [`super::world`].
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_millis(500);

/// Receives of a worker whose pauses have not begun: of those in progress when the outage begins,
/// `queue.pollers_max`, each may still bring messages, and then start two others.
const UNPAUSED_MAX: u64 = 2 * POLLERS_MAX;

/// Delete calls in flight, and release calls until a worker lets go: `CALLS_MAX` in
/// src/settle/lots.rs.
const SETTLING_MAX: u64 = 64;

/// Refused receives after which an outage has lasted long enough for its pauses to have grown.
const REFUSED_RECEIVES: u64 = 20;

/// Everything is refused until many receives were, and calls stay within what the pauses between
/// them allow.
async fn outage(fault: Fault) -> Observations {
    let set = replica_set::shared().await;
    let (row, observed) =
        endure(&set, &format!("{} for a time", fault.name()), 81, async |proxy, world| {
            let (before, began) = (proxy.observed(), Instant::now());
            proxy.always(&Operation::ALL, fault);
            until("many receives were refused", async || {
                world.assert_running();
                proxy.observed().calls(Receive) - before.calls(Receive) >= REFUSED_RECEIVES
            })
            .await;
            let (after, lasted) = (proxy.observed(), began.elapsed());
            let calls = |operation| after.calls(operation) - before.calls(operation);
            let tries = tries_max(lasted);
            assert!(
                calls(Receive) <= UNPAUSED_MAX + tries,
                "{} receives within {lasted:?}",
                calls(Receive)
            );
            // Each of the calls in flight has pauses of its own, which start over with the next ten
            // messages.
            let settling = calls(Delete) + calls(ChangeVisibility);
            assert!(
                settling <= SETTLING_MAX * (tries + tries_max(Duration::ZERO)),
                "{settling} deletes and releases within {lasted:?}"
            );
        })
        .await;
    row.assert_promises_kept();
    observed
}

/// The most tries that a backoff allows within a time: each pause is half of its interval at least.
fn tries_max(within: Duration) -> u64 {
    let (mut tries, mut at, mut interval) = (1, RETRY_FIRST / 2, RETRY_FIRST);
    while at <= within {
        tries += 1;
        interval = (interval * 2).min(RETRY_MAX);
        at += interval / 2;
    }
    tries
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn expired_credentials_are_waited_out_with_growing_pauses() {
    outage(Fault::ExpiredToken).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_queue_that_is_denied_for_a_time_is_asked_with_growing_pauses() {
    outage(Fault::Denied).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_queue_that_is_gone_for_a_time_is_asked_with_growing_pauses() {
    outage(Fault::Missing).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_queue_that_throttles_everything_is_asked_with_growing_pauses() {
    outage(Fault::Throttled).await;
}

/// As many that even the shortest pauses of all calls in flight take longer than the ten seconds
/// for which messages are hidden.
const DENIED_DELETES: u64 = 700;

/// The queue's own redrive policy counts receives: what is written and comes back again and again
/// would become a dead letter.
#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_queue_that_denies_deletes_burns_no_receives() {
    let set = replica_set::shared().await;
    let (row, observed) = endure(&set, "deletes denied for a time", 81, async |proxy, world| {
        proxy.always(&[Delete], Fault::Denied);
        until("deletes were denied for longer than messages are hidden", async || {
            world.assert_running();
            proxy.observed().injected(Fault::Denied) >= DENIED_DELETES
        })
        .await;
    })
    .await;
    row.assert_promises_kept();
    assert_eq!(observed.extra_receives_max(), 0);
}
