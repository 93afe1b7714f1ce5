//! What a worker holds while the queue answers errors: it stays hidden, it is given back or comes
//! back, and it is written once.

use std::collections::BTreeMap;

use longshore::queue::Outgoing;
use longshore::queue::sqs::Operation::{ChangeVisibility, Delete, Receive};
use serde_json::{Value, json};

use crate::support::child::Child;
use crate::support::fault_proxy::{Fault, FaultProxy, SETTLING};
use crate::support::surroundings::{Surroundings, plain};
use crate::support::until;

use super::queue::endure;
use super::replica_set;

/// The shortest that a worker takes.
const VISIBILITY_TIMEOUT: &str = "5";

#[tokio::test]
#[ignore = "long: make test-long"]
async fn what_is_held_at_a_sigterm_while_the_queue_answers_errors_is_not_lost() {
    let set = replica_set::shared().await;
    let (row, observed) =
        endure(&set, "SIGTERM while the queue answers errors", 81, async |proxy, world| {
            proxy.always(&SETTLING, Fault::Unavailable);
            until("deletes fail", async || proxy.observed().injected(Fault::Unavailable) >= 10)
                .await;
            // It gives up before its deadline, and says so in its status.
            world.let_go_worker(0).await;
            proxy.heal();
            world.start_worker(0);
        })
        .await;
    row.assert_promises_kept();
    assert!(observed.extra_receives() > 0, "something was held, and came back");
    assert_eq!(observed.extra_receives_max(), 1);
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn what_is_held_at_a_sigterm_is_deleted_when_the_queue_recovers_in_time() {
    let (surroundings, proxy) = surroundings(&json!({ "VisibilityTimeout": "600" })).await;
    let messages = visits(100, None);
    surroundings.send(&messages).await;
    proxy.next(60, Delete, Fault::Throttled);
    let mut worker = start(&surroundings, &proxy);
    // All of it, so that no receive in progress brings something that is given back.
    until("all is held and deletes fail", async || {
        worker.assert_running();
        proxy.observed().delivered.len() == messages.len()
            && proxy.observed().injected(Fault::Throttled) >= 20
    })
    .await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
    let observed = proxy.observed();
    assert_eq!(
        (surroundings.left().await, observed.extra_receives(), observed.injected(Fault::Throttled)),
        (0, 0, 60)
    );
    assert_visits(&surroundings, messages.len()).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn one_visibility_call_that_hangs_does_not_let_the_other_messages_expire() {
    let (surroundings, proxy) =
        surroundings(&json!({ "VisibilityTimeout": VISIBILITY_TIMEOUT })).await;
    let messages = visits(40, None);
    surroundings.send(&messages).await;
    // What cannot be deleted stays held.
    proxy.always(&[Delete], Fault::Unavailable);
    proxy.next(1, ChangeVisibility, Fault::Silence);
    let mut worker = start(&surroundings, &proxy);
    until(
        "all is extended three times, which takes longer than the visibility timeout",
        async || {
            worker.assert_running();
            proxy.observed().calls(ChangeVisibility) > 3 * 4
        },
    )
    .await;
    proxy.heal();
    finish(worker, &surroundings).await;
    let observed = proxy.observed();
    assert_eq!(
        (observed.injected(Fault::Silence), observed.received.len(), observed.extra_receives()),
        (1, messages.len(), 0)
    );
    assert_visits(&surroundings, messages.len()).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_fifo_receive_whose_answer_is_lost_is_asked_again_by_the_same_attempt() {
    let (surroundings, proxy) =
        surroundings(&json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "600" })).await;
    let messages = visits(60, Some(6));
    surroundings.send(&messages).await;
    proxy.next(2, Receive, Fault::ResetAfter);
    proxy.next(2, Receive, Fault::ResetBefore);
    proxy.chance(0.3, &[Receive], Fault::ResetAfter);
    let mut worker = start(&surroundings, &proxy);
    until("the answers of many receives were lost", async || {
        worker.assert_running();
        proxy.observed().injected(Fault::ResetAfter) >= 6
    })
    .await;
    proxy.heal();
    finish(worker, &surroundings).await;
    let observed = proxy.observed();
    let mut tries: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for (attempt, fault) in &observed.attempts {
        tries.entry(attempt).or_default().push(fault.is_none());
    }
    assert_eq!(
        tries.values().map(Vec::len).sum::<usize>() as u64,
        observed.calls(Receive),
        "every receive has an attempt id"
    );
    for (attempt, tries) in tries {
        let (last, before) = tries.split_last().expect("a try");
        assert!(
            *last && !before.contains(&true),
            "{attempt} is asked until it is answered, and not again: {tries:?}"
        );
    }
    // Nothing comes back by itself here: what was lost came with the second try of its attempt.
    assert_eq!(observed.extra_receives(), 0);
    assert_visits(&surroundings, messages.len()).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_queue_that_refuses_is_named_with_its_reason_and_what_to_do() {
    for (fault, words) in [
        (Fault::ExpiredToken, ["not allowed to receive from queue", "AWS credentials"]),
        (Fault::Denied, ["not allowed to receive from queue", "allow sqs:ReceiveMessage"]),
        (Fault::Missing, ["does not exist", "check queue.url"]),
        (Fault::Throttled, ["so often", "asking more slowly"]),
    ] {
        let (surroundings, proxy) =
            surroundings(&json!({ "VisibilityTimeout": VISIBILITY_TIMEOUT })).await;
        let mut worker = start(&surroundings, &proxy);
        until("it receives", async || {
            worker.assert_running();
            proxy.observed().calls(Receive) >= 1
        })
        .await;
        proxy.always(&[Receive], fault);
        until("receives are refused", async || proxy.observed().injected(fault) >= 3).await;
        proxy.heal();
        surroundings.send(&visits(10, None)).await;
        let printed = finish(worker, &surroundings).await;
        let told = printed
            .lines()
            .find(|line| line.contains("receive failed"))
            .unwrap_or_else(|| panic!("{fault:?}:\n{printed}"));
        assert!(
            told.contains("ERROR") && words.iter().all(|word| told.contains(word)),
            "{fault:?}: {told}"
        );
        assert_visits(&surroundings, 10).await;
    }
}

async fn surroundings(attributes: &Value) -> (Surroundings, FaultProxy) {
    let surroundings = Surroundings::new(attributes).await;
    let proxy = FaultProxy::start(surroundings.server.endpoint(), 81).await;
    (surroundings, proxy)
}

/// Events without an id of their own, in as many FIFO groups where it is given.
fn visits(count: usize, groups: Option<usize>) -> Vec<Outgoing> {
    let visit = |number: usize| Outgoing {
        group: groups.map(|groups| format!("g{}", number % groups)),
        ..plain(&json!({ "type": "visit", "number": number }))
    };
    (0..count).map(visit).collect()
}

fn start(surroundings: &Surroundings, proxy: &FaultProxy) -> Child {
    let mut command = surroundings.longshore(&["run"]);
    command.envs([
        ("LONGSHORE__QUEUE__ENDPOINT_URL", proxy.endpoint()),
        ("LONGSHORE__RETRY__MAX", "500ms"),
        ("LONGSHORE__ROUTES__VISIT__COLLECTION", "visits"),
        ("LONGSHORE__ROUTES__VISIT__WRITE", "insert"),
    ]);
    Child::start(command)
}

/// Waits until the queue is empty, and stops the worker. Returns what it printed.
async fn finish(mut worker: Child, surroundings: &Surroundings) -> String {
    until("the queue is empty", async || {
        worker.assert_running();
        surroundings.left().await == 0
    })
    .await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
    printed
}

async fn assert_visits(surroundings: &Surroundings, count: usize) {
    let visits = surroundings.documents("visits").await;
    let mut numbers: Vec<_> =
        visits.iter().map(|visit| visit.get_i32("number").expect("a number")).collect();
    numbers.sort_unstable();
    assert!(
        numbers.iter().copied().eq(0..i32::try_from(count).expect("a few")),
        "each is there once: {numbers:?}"
    );
    assert!(surroundings.documents("dead_letters").await.is_empty());
}
