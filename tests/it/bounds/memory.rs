//! The peak of a worker's memory, against its configured budget.

use std::time::Duration;

use longshore::queue::sqs::Outgoing;
use tokio::time::sleep;

use super::loads::{HOSTILE_KINDS, HOSTILE_REFUSED, hostile, of_size, session, small};
use super::subject::{Place, last_words, peak_rss};
use crate::support::sqs::Kind;
use crate::support::until;

const MIB: u64 = 1024 * 1024;

/// The largest message of SQS: moto takes it.
const LARGEST: usize = 1024 * 1024;

/// The largest that the embedded server takes.
const LARGE: usize = 256 * 1024;

/// Memory of a worker is at most this and twice `in_flight.bytes_max`, as measured: `make bounds` prints it. An idle worker has
/// 35 MiB; the rest is for the copies of the batches that are being written, 15 MiB each at most.
const BASE: u64 = 112 * MIB;
const PER_BUDGET: u64 = 2;

/// What is loaded onto a worker.
struct Case {
    name: &'static str,
    kind: Kind,
    messages: usize,
    message: fn(usize) -> Outgoing,
    budget_mib: u64,
    /// How long the database is frozen once the worker holds all that it may; the worker stands still as long.
    frozen: Duration,
    deadline: Duration,
}

impl Case {
    fn short(name: &'static str, messages: usize, message: fn(usize) -> Outgoing, budget_mib: u64) -> Self {
        Self { name, kind: Kind::Embedded, messages, message, budget_mib, frozen: Duration::ZERO, deadline: Duration::from_mins(2) }
    }

    fn long(name: &'static str, messages: usize, message: fn(usize) -> Outgoing, budget_mib: u64) -> Self {
        Self { deadline: Duration::from_hours(2), ..Self::short(name, messages, message, budget_mib) }
    }
}

/// What a worker needed and what came of it.
struct Outcome {
    peak_rss: u64,
    in_flight_peak: u64,
    events: u64,
    sessions: u64,
    dead_letters: u64,
    redelivered: u64,
}

async fn run(case: &Case) -> Outcome {
    let place = Place::new(case.kind, "600").await;
    place.send((0..case.messages).map(case.message)).await;
    let budget = format!("{}MiB", case.budget_mib);
    let mut worker = if case.frozen.is_zero() {
        place.worker(&[("LONGSHORE__IN_FLIGHT__BYTES_MAX", &budget)])
    } else {
        frozen(&place, &budget, case.frozen).await
    };
    place.emptied(&mut worker, case.deadline).await;
    let peak_rss = peak_rss(&worker);
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
    let ended = last_words(&printed);
    let outcome = Outcome {
        peak_rss,
        in_flight_peak: ended["in_flight_bytes_peak"].as_u64().expect("a count"),
        events: place.count("events").await,
        sessions: place.count("sessions").await,
        dead_letters: place.count("dead_letters").await,
        redelivered: ended["redelivered_total"].as_u64().expect("a count"),
    };
    assert_eq!(ended["overdrawn_total"], 0);
    place.stop().await;
    print(case, &outcome);
    let limit = BASE + PER_BUDGET * case.budget_mib * MIB;
    assert!(outcome.in_flight_peak <= case.budget_mib * MIB, "{} bytes in flight", outcome.in_flight_peak);
    assert!(outcome.peak_rss <= limit, "{} MiB of memory, more than {} MiB", outcome.peak_rss / MIB, limit / MIB);
    outcome
}

/// A worker that has had its database frozen under it for a while, with a backlog behind.
async fn frozen(place: &Place, budget: &str, frozen: Duration) -> crate::support::child::Child {
    let mut worker = place.worker(&[("LONGSHORE__IN_FLIGHT__BYTES_MAX", budget)]);
    until("the worker writes", async || {
        worker.assert_running();
        place.count("events").await > 0
    })
    .await;
    place.freeze().await;
    sleep(frozen).await;
    worker.assert_running();
    place.thaw().await;
    worker
}

fn print(case: &Case, outcome: &Outcome) {
    println!(
        "| {} | {} | {} MiB | {} MiB | {} MiB | {} events, {} sessions | {} | {} |",
        case.name,
        case.messages,
        case.budget_mib,
        outcome.in_flight_peak / MIB,
        outcome.peak_rss / MIB,
        outcome.events,
        outcome.sessions,
        outcome.dead_letters,
        outcome.redelivered,
    );
}

/// How many of so many hostile messages are written, and how many are refused.
fn expected_of_hostile(messages: usize) -> (u64, u64) {
    assert_eq!(messages % HOSTILE_KINDS, 0, "each kind as often");
    let refused = messages / HOSTILE_KINDS * HOSTILE_REFUSED;
    ((messages - refused) as u64, refused as u64)
}

#[tokio::test]
async fn a_backlog_of_the_largest_messages_takes_no_more_memory_than_the_budget_allows() {
    let largest = |number| of_size(number, LARGEST);
    let outcome = run(&Case { kind: Kind::Moto, ..Case::short("1 MiB messages", 60, largest, 48) }).await;
    assert_eq!((outcome.events, outcome.dead_letters, outcome.redelivered), (60, 0, 0));
}

#[tokio::test]
async fn bombs_and_the_largest_documents_take_no_more_memory_than_the_budget_allows() {
    let messages = 3 * HOSTILE_KINDS;
    let outcome = run(&Case::short("bombs", messages, hostile, 48)).await;
    assert_eq!((outcome.events, outcome.dead_letters), expected_of_hostile(messages));
    assert_eq!(outcome.redelivered, 0);
}

#[tokio::test]
async fn a_backlog_of_many_keys_takes_no_more_memory_than_the_budget_allows() {
    let outcome = run(&Case::short("keys", 3_000, session, 48)).await;
    assert_eq!((outcome.sessions, outcome.dead_letters, outcome.redelivered), (3_000, 0, 0));
}

#[tokio::test]
async fn an_outage_of_the_database_takes_no_more_memory_than_the_budget_allows() {
    let frozen = Duration::from_secs(4);
    // Held at once, they would take four times the budget.
    let outcome = run(&Case { frozen, ..Case::short("outage", 400, |number| of_size(number, LARGE), 48) }).await;
    assert_eq!((outcome.events, outcome.dead_letters), (400, 0));
}

/// Messages of the long cases, so that a machine that is slow or in a hurry can have fewer.
fn messages(default: usize) -> usize {
    std::env::var("MESSAGES").map_or(default, |text| text.parse().expect("MESSAGES is a number"))
}

#[tokio::test]
#[ignore = "long: make bounds"]
async fn long_backlog_of_a_million() {
    let count = messages(1_000_000);
    let outcome = run(&Case::long("backlog of small events", count, small, 256)).await;
    assert_eq!((outcome.events, outcome.dead_letters), (count as u64, 0));
}

#[tokio::test]
#[ignore = "long: make bounds"]
async fn long_backlog_of_a_million_keys() {
    let count = messages(1_000_000);
    let outcome = run(&Case::long("each a key of its own", count, session, 256)).await;
    assert_eq!((outcome.sessions, outcome.dead_letters), (count as u64, 0));
}

#[tokio::test]
#[ignore = "long: make bounds"]
async fn long_backlog_of_the_largest_messages() {
    for budget_mib in [64, 256] {
        let largest = |number| of_size(number, LARGEST);
        let outcome = run(&Case { kind: Kind::Moto, ..Case::long("1 MiB messages", 500, largest, budget_mib) }).await;
        assert_eq!((outcome.events, outcome.dead_letters), (500, 0));
    }
}

#[tokio::test]
#[ignore = "long: make bounds"]
async fn long_bombs_and_the_largest_documents() {
    for budget_mib in [64, 256] {
        let messages = 40 * HOSTILE_KINDS;
        let outcome = run(&Case::long("bombs, 16 MiB, 100 levels", messages, hostile, budget_mib)).await;
        assert_eq!((outcome.events, outcome.dead_letters), expected_of_hostile(messages));
    }
}

#[tokio::test]
#[ignore = "long: make bounds"]
async fn long_outage_of_ten_minutes() {
    let message = |number| if number % 2 == 0 { of_size(number, LARGE) } else { small(number) };
    let case =
        |budget_mib| Case { frozen: Duration::from_mins(10), ..Case::long("ten minutes without the database", 1_500, message, budget_mib) };
    let (small_budget, default_budget) = (case(64), case(256));
    for outcome in <[Outcome; 2]>::from(tokio::join!(run(&small_budget), run(&default_budget))) {
        assert_eq!((outcome.events, outcome.dead_letters), (1_500, 0));
    }
}
