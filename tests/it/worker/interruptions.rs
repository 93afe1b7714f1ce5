//! Workers that are stopped, or die, in the middle of a load.

use std::collections::{BTreeSet, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use longshore::dev::portal;
use longshore::queue::Outgoing;
use serde_json::json;

use crate::support::child::Child;
use crate::support::surroundings::{Surroundings, of_portal, plain};
use crate::support::until;

/// Messages of the portal's load.
const LOAD: usize = 3_000;

/// Events without an id of their own, which nothing but their origin keeps from being stored twice.
const VISITS: usize = 200;

/// Far less than the load, so that the end of a worker finds messages that it never received.
const HELD_MAX: &str = "500";

const SIGKILL: i32 = 9;

#[tokio::test]
async fn a_sigterm_in_the_middle_of_the_load_loses_and_doubles_nothing() {
    // Longer than the test: what the first worker holds comes back only if it gives it back.
    let (surroundings, expected) = loaded("600").await;
    let mut first = start(&surroundings);
    until("a quarter is unloaded", async || {
        first.assert_running();
        surroundings.left().await <= (LOAD + VISITS) * 3 / 4
    })
    .await;
    first.signal("TERM").await;
    let (status, printed) = first.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
    let facts = surroundings.facts().await;
    assert_eq!(facts.messages_in_flight, 0, "nothing stays hidden");
    assert!(facts.messages > 0, "something was left to do");
    finish(&surroundings).await;
    assert_unloaded(&surroundings, &expected).await;
}

#[tokio::test]
async fn sudden_deaths_in_the_middle_of_the_load_lose_and_double_nothing() {
    let (surroundings, expected) = loaded("5").await;
    for quarters_left in [3, 2, 1] {
        let mut worker = start(&surroundings);
        until("a further quarter is unloaded", async || {
            worker.assert_running();
            surroundings.left().await <= (LOAD + VISITS) * quarters_left / 4
        })
        .await;
        worker.signal("KILL").await;
        assert_eq!(worker.ended().await.0.signal(), Some(SIGKILL));
        assert!(
            surroundings.facts().await.messages_in_flight > 0,
            "it died with messages in its hands"
        );
    }
    finish(&surroundings).await;
    assert_unloaded(&surroundings, &expected).await;
}

/// Workers that share a queue while messages come in, one of them dying and being replaced again
/// and again.
#[tokio::test]
#[ignore = "long: make test-long"]
async fn three_workers_of_which_one_dies_every_few_seconds_lose_and_double_nothing() {
    const ROUNDS: usize = 6;
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "5" })).await;
    let (messages, expected) = load();
    let mut workers: VecDeque<Child> = (0..3).map(|_| start(&surroundings)).collect();
    let mut died_with_messages = 0;
    for round in messages.chunks(messages.len().div_ceil(ROUNDS)) {
        let before = surroundings.left().await;
        surroundings.send(round).await;
        until("some of it is unloaded", async || {
            workers.iter_mut().for_each(Child::assert_running);
            surroundings.left().await < before + round.len()
        })
        .await;
        let oldest = workers.pop_front().expect("three");
        oldest.signal("KILL").await;
        assert_eq!(oldest.ended().await.0.signal(), Some(SIGKILL));
        died_with_messages += usize::from(surroundings.facts().await.messages_in_flight > 0);
        workers.push_back(start(&surroundings));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert!(died_with_messages > 0, "none died with messages in its hands");
    until("the queue is empty", async || surroundings.left().await == 0).await;
    for worker in workers {
        worker.signal("TERM").await;
        let (status, printed) = worker.ended().await;
        assert!(status.success(), "{status}:\n{printed}");
    }
    assert_unloaded(&surroundings, &expected).await;
}

/// A queue with this visibility timeout in seconds that holds a portal's load and visits.
async fn loaded(visibility_timeout: &str) -> (Surroundings, portal::Expected) {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": visibility_timeout })).await;
    let (messages, expected) = load();
    surroundings.send(&messages).await;
    (surroundings, expected)
}

fn load() -> (Vec<Outgoing>, portal::Expected) {
    let load = portal::load(81, LOAD);
    let visits: Vec<Outgoing> =
        (0..VISITS).map(|number| plain(&json!({ "type": "visit", "number": number }))).collect();
    let mut messages = of_portal(&load.messages);
    // Spread over the load, whose length is a multiple of theirs.
    for (number, visit) in visits.into_iter().enumerate().rev() {
        messages.insert(number * (LOAD / VISITS), visit);
    }
    (messages, load.expected)
}

fn start(surroundings: &Surroundings) -> Child {
    let mut command = surroundings.longshore(&["run"]);
    command.envs([
        ("LONGSHORE__IN_FLIGHT__MESSAGES_MAX", HELD_MAX),
        ("LONGSHORE__ROUTES__VISIT__COLLECTION", "visits"),
        ("LONGSHORE__ROUTES__VISIT__WRITE", "insert"),
    ]);
    Child::start(command)
}

/// Lets another worker do the rest.
async fn finish(surroundings: &Surroundings) {
    let mut worker = start(surroundings);
    until("the queue is empty", async || {
        worker.assert_running();
        surroundings.left().await == 0
    })
    .await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
}

async fn assert_unloaded(surroundings: &Surroundings, expected: &portal::Expected) {
    surroundings.assert_holds(expected).await;
    let visits = surroundings.documents("visits").await;
    let numbers: BTreeSet<_> =
        visits.iter().map(|visit| visit.get_i32("number").expect("a number")).collect();
    assert_eq!((visits.len(), numbers.len()), (VISITS, VISITS), "each visit is there once");
}
