//! The peak of a worker's memory, against its configured budget.

use std::time::Duration;

use longshore::queue::Outgoing;
use tokio::time::sleep;

use super::loads::{
    HOSTILE_KINDS, HOSTILE_REJECTED, hostile, of_size, session, session_of_size, small,
};
use super::subject::{Servers, last_words, peak_memory};
use crate::support::child::Child;
use crate::support::sqs::Kind;
use crate::support::{DEADLINE, until};

const MIB: u64 = 1024 * 1024;

/// The largest message of SQS: moto takes it.
const LARGEST: usize = 1024 * 1024;

/// The largest that the embedded server takes.
const LARGE: usize = 256 * 1024;

/// A worker takes at most this much memory and twice `in_flight.bytes_max`, beside the pages of its
/// program's file (23 MiB of what is shipped); `make bounds` prints what it took. Idle it takes 8 MiB.
/// The rest is for the batches that are being written, of 15 MiB at most: three copies of each, two of
/// them the driver's.
const BASE: u64 = 88 * MIB;
/// Where messages are of one kind, and so one lane writes.
const BASE_OF_ONE_LANE: u64 = 40 * MIB;
const PER_BUDGET: u64 = 2;

/// The default of `message.document_bytes_max`. What may unpack to more may become a document of more.
const DOCUMENT_MIB: u64 = 4;

/// What is loaded onto a worker.
struct Case {
    name: &'static str,
    kind: Kind,
    messages: usize,
    message: fn(usize) -> Outgoing,
    budget_mib: u64,
    /// What a message may unpack to. The less it is, the more of the budget is for receives.
    unpacked_mib: u64,
    /// Memory beside what the budget allows.
    base: u64,
    /// The database is frozen under the worker, for so long once the worker holds all that it may.
    /// Nothing leaves the worker then, and only its budget keeps it from holding the whole backlog.
    frozen: Option<Duration>,
    deadline: Duration,
}

impl Case {
    fn short(
        name: &'static str,
        messages: usize,
        message: fn(usize) -> Outgoing,
        budget_mib: u64,
    ) -> Self {
        Self {
            name,
            kind: Kind::Embedded,
            messages,
            message,
            budget_mib,
            unpacked_mib: 1,
            base: BASE_OF_ONE_LANE,
            frozen: None,
            deadline: Duration::from_mins(2),
        }
    }

    fn long(
        name: &'static str,
        messages: usize,
        message: fn(usize) -> Outgoing,
        budget_mib: u64,
    ) -> Self {
        Self {
            unpacked_mib: 16,
            base: BASE,
            deadline: Duration::from_hours(2),
            ..Self::short(name, messages, message, budget_mib)
        }
    }
}

/// What a worker needed and what came of it.
struct Outcome {
    peak_memory: u64,
    in_flight_peak: u64,
    events: u64,
    sessions: u64,
    dead_letters: u64,
    redelivered: u64,
}

async fn run(case: &Case) -> Outcome {
    let servers = Servers::new(case.kind, "600").await;
    let mib = |mib: u64| format!("{mib}MiB");
    let (budget, unpacked) = (mib(case.budget_mib), mib(case.unpacked_mib));
    let document = mib(case.unpacked_mib.max(DOCUMENT_MIB));
    let mut settings = vec![
        ("LONGSHORE__IN_FLIGHT__BYTES_MAX", budget.as_str()),
        ("LONGSHORE__MESSAGE__DECOMPRESSED_BYTES_MAX", unpacked.as_str()),
        ("LONGSHORE__MESSAGE__DOCUMENT_BYTES_MAX", document.as_str()),
        // What these messages unpack to is to be held, not rejected.
        ("LONGSHORE__MESSAGE__UNPACK_RATIO_MAX", "100000"),
    ];
    if case.frozen == Some(Duration::ZERO) {
        // A busy machine may send the backlog for longer than the default of 30 s. The gate must
        // not close: it gives messages back.
        settings.push(("LONGSHORE__RETRY__BUDGET", "10m"));
    }
    let mut messages = (0..case.messages).map(case.message);
    let mut worker = match case.frozen {
        None => {
            servers.send(messages).await;
            servers.worker(&settings)
        }
        Some(frozen) => {
            servers.send(messages.by_ref().take(1)).await;
            let mut worker = servers.worker(&settings);
            servers.emptied(&mut worker, DEADLINE).await;
            servers.freeze().await;
            servers.send(messages).await;
            holds_all_that_it_may(&servers, &mut worker).await;
            sleep(frozen).await;
            worker.assert_running();
            servers.thaw().await;
            worker
        }
    };
    servers.emptied(&mut worker, case.deadline).await;
    let peak_memory = peak_memory(&worker);
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
    let ended = last_words(&printed);
    let outcome = Outcome {
        peak_memory,
        in_flight_peak: ended["in_flight_bytes_peak"].as_u64().expect("a count"),
        events: servers.count("events").await,
        sessions: servers.count("sessions").await,
        dead_letters: servers.count("dead_letters").await,
        redelivered: ended["redelivered_total"].as_u64().expect("a count"),
    };
    assert_eq!(ended["overdrawn_total"], 0);
    servers.stop().await;
    print(case, &outcome);
    let limit = case.base + PER_BUDGET * case.budget_mib * MIB;
    assert!(
        outcome.peak_memory <= limit,
        "{} MiB of memory, more than {} MiB",
        outcome.peak_memory / MIB,
        limit / MIB
    );
    assert!(
        outcome.in_flight_peak <= case.budget_mib * MIB,
        "{} bytes in flight",
        outcome.in_flight_peak
    );
    outcome
}

/// Waits until a worker whose database is frozen receives no more.
async fn holds_all_that_it_may(servers: &Servers, worker: &mut Child) {
    /// Many times as long as a worker with room needs for the next receive.
    const LOOKS: usize = 100;
    let (mut held, mut looks) = (0, 0);
    until("the worker receives no more", async || {
        worker.assert_running();
        let in_flight = servers.in_flight().await;
        looks = if in_flight > held { 0 } else { looks + 1 };
        held = held.max(in_flight);
        held > 0 && looks >= LOOKS
    })
    .await;
}

fn print(case: &Case, outcome: &Outcome) {
    println!(
        "| {} | {} | {} MiB | {} MiB | {} MiB | {} events, {} sessions | {} | {} |",
        case.name,
        case.messages,
        case.budget_mib,
        outcome.in_flight_peak / MIB,
        outcome.peak_memory / MIB,
        outcome.events,
        outcome.sessions,
        outcome.dead_letters,
        outcome.redelivered,
    );
}

/// How many of so many hostile messages are written, and how many are rejected.
fn expected_of_hostile(messages: usize) -> (u64, u64) {
    assert_eq!(messages % HOSTILE_KINDS, 0, "each kind as often");
    let rejected = messages / HOSTILE_KINDS * HOSTILE_REJECTED;
    ((messages - rejected) as u64, rejected as u64)
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_backlog_of_the_largest_messages_takes_no_more_memory_than_the_budget_allows() {
    // Held at once with what is made of them, they would take 320 MiB beside what a worker takes
    // anyway.
    let (messages, largest) = (160, |number| of_size(number, LARGEST));
    let case = Case {
        kind: Kind::Moto,
        frozen: Some(Duration::ZERO),
        ..Case::short("1 MiB messages", messages, largest, 48)
    };
    let outcome = run(&case).await;
    assert_eq!(
        (outcome.events, outcome.dead_letters, outcome.redelivered),
        (messages as u64, 0, 0)
    );
}

#[tokio::test]
async fn bombs_and_the_largest_documents_take_no_more_memory_than_the_budget_allows() {
    let messages = 3 * HOSTILE_KINDS;
    let outcome =
        run(&Case { unpacked_mib: 16, base: BASE, ..Case::short("bombs", messages, hostile, 48) })
            .await;
    assert_eq!((outcome.events, outcome.dead_letters), expected_of_hostile(messages));
    assert_eq!(outcome.redelivered, 0);
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_backlog_of_many_keys_takes_no_more_memory_than_the_budget_allows() {
    // Held at once, as above, 400 MiB.
    let (messages, large) = (3_200, |number| session_of_size(number, LARGE / 4));
    let outcome =
        run(&Case { frozen: Some(Duration::ZERO), ..Case::short("keys", messages, large, 48) })
            .await;
    assert_eq!(
        (outcome.sessions, outcome.dead_letters, outcome.redelivered),
        (messages as u64, 0, 0)
    );
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn an_outage_of_the_database_takes_no_more_memory_than_the_budget_allows() {
    // Held at once, as above, 200 MiB.
    let (messages, large) = (400, |number| of_size(number, LARGE));
    let outcome = run(&Case {
        frozen: Some(Duration::from_secs(4)),
        ..Case::short("outage", messages, large, 48)
    })
    .await;
    assert_eq!((outcome.events, outcome.dead_letters), (messages as u64, 0));
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
        let case = Case::long("1 MiB messages", 500, largest, budget_mib);
        let outcome = run(&Case { kind: Kind::Moto, frozen: Some(Duration::ZERO), ..case }).await;
        assert_eq!((outcome.events, outcome.dead_letters), (500, 0));
    }
}

#[tokio::test]
#[ignore = "long: make bounds"]
async fn long_bombs_and_the_largest_documents() {
    for budget_mib in [64, 256] {
        let messages = 40 * HOSTILE_KINDS;
        let outcome =
            run(&Case::long("bombs, 16 MiB, 100 levels", messages, hostile, budget_mib)).await;
        assert_eq!((outcome.events, outcome.dead_letters), expected_of_hostile(messages));
    }
}

#[tokio::test]
#[ignore = "long: make bounds"]
async fn long_outage_of_ten_minutes() {
    let message = |number| if number % 2 == 0 { of_size(number, LARGE) } else { small(number) };
    // Held at once, they would take 1,000 MiB.
    let (messages, frozen) = (4_000, Some(Duration::from_mins(10)));
    let case = |budget_mib| Case {
        frozen,
        ..Case::long("ten minutes without the database", messages, message, budget_mib)
    };
    let (small_budget, default_budget) = (case(64), case(256));
    for outcome in <[Outcome; 2]>::from(tokio::join!(run(&small_budget), run(&default_budget))) {
        assert_eq!((outcome.events, outcome.dead_letters), (messages as u64, 0));
    }
}
