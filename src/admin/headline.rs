//! What the status page says first: in one sentence, whether events flow, and if not, why and what
//! to do.

use serde::Serialize;

use crate::gauges::Oldest;
use crate::telemetry::counters::figure;

use super::figures::Figures;
use super::status::{Depth, GoesOn, QueueNow, Second, State, Status, WritesFail};
use super::words::{duration, elapsed, number, percent, rate, time};

/// Above this part of all messages, what is rejected stands beside what flows, and not below it.
const TOLD_SHARE: f64 = 0.1;

/// A sentence: what it is about for the style sheet, a word in bold, the rest, and what else there
/// is to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Headline {
    kind: Kind,
    word: String,
    text: String,
    more: String,
}

/// The style sheet and the page's script know these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Stuck,
    Draining,
    Closed,
    Failing,
    Jam,
    Rejecting,
    Flowing,
    Receiving,
    Waiting,
    Idle,
}

impl Headline {
    fn new(kind: Kind, word: &str, text: impl Into<String>, more: impl Into<String>) -> Self {
        Self { kind, word: word.to_owned(), text: text.into(), more: more.into() }
    }
}

/// Of a status. The worst comes first.
pub(super) fn of(status: &Status) -> Headline {
    stuck(status)
        .or_else(|| draining(status))
        .or_else(|| closed(status))
        .or_else(|| receives_fail(status))
        .or_else(|| writes_fail(status))
        .or_else(|| flood(status))
        .or_else(|| jam(status))
        .unwrap_or_else(|| flow(status))
}

fn stuck(status: &Status) -> Option<Headline> {
    let more = "A task has not moved in time. /livez fails now, so that whatever runs this worker can restart it.";
    (!status.stuck.is_empty()).then(|| {
        Headline::new(Kind::Stuck, "Stuck", format!(": {}.", status.stuck.join(", ")), more)
    })
}

fn draining(status: &Status) -> Option<Headline> {
    let held = match status.in_flight.messages {
        1 => "1 message in flight is".to_owned(),
        held => format!("{} messages in flight are", messages(held)),
    };
    let text = format!(": nothing more is received; {held} being finished.");
    let more = if status.gate.open {
        "The worker waits for a receive that is still open at the queue, for queue.wait at most: cancelling it could hide messages from everyone.".to_owned()
    } else {
        format!("The gate is closed: {}", cause(status))
    };
    (status.state == State::Draining).then(|| Headline::new(Kind::Draining, "Draining", text, more))
}

fn closed(status: &Status) -> Option<Headline> {
    let gate = &status.gate;
    let text = format!(" for {}: {}", since(status, gate.since), cause(status));
    let advice = gate.advice.map(|advice| format!("What to do: {advice}"));
    let why = "The gate is closed while the database takes no writes: nothing is received, and messages wait in the queue.";
    let more = [advice, Some(why.to_owned()), oldest(&status.queue)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    (!gate.open).then(|| Headline::new(Kind::Closed, "Gate closed", text, more))
}

fn receives_fail(status: &Status) -> Option<Headline> {
    let text = goes_on(status, status.receives_fail.as_ref()?);
    Some(Headline::new(
        Kind::Failing,
        "Receives fail",
        text,
        "The worker tries again, at longer intervals. Messages wait in the queue until then.",
    ))
}

fn writes_fail(status: &Status) -> Option<Headline> {
    let WritesFail { collection, trouble } = status.writes_fail.as_ref()?;
    let word = format!("Writes to {collection} are not confirmed");
    let more = "The worker tries again. If that does not help within retry.budget, it pauses receiving until the database takes writes. If only this collection takes none, receiving goes on, and the messages for it stay in the queue.";
    Some(Headline::new(Kind::Failing, &word, goes_on(status, trouble), more))
}

fn flood(status: &Status) -> Option<Headline> {
    let share = status.rates.rejected_share.map(percent);
    let share = share.map(|share| format!("; {share} of all messages are rejected now"));
    let text = goes_on(status, status.flood.as_ref()?) + &share.unwrap_or_default();
    let more = "What to do: look at the producer, or at the last change of the route. Rejected messages are kept as dead letters, and other messages go on.";
    Some(Headline::new(Kind::Failing, "Flood of rejected messages", text, more))
}

fn jam(status: &Status) -> Option<Headline> {
    let held = &status.in_flight;
    let most = held.most.filter(|_| held.is_full)?;
    let stage = status.stages.iter().find(|stage| stage.stage == most)?;
    let word = format!("Jam at {}", most.name().replace('_', " "));
    let [in_it, in_flight] = [stage.messages.unwrap_or_default(), held.messages].map(messages);
    let durable = number(status.rates.durable_per_s);
    let text = format!(
        ": this stage holds {in_it} of the {in_flight} messages in flight; {durable} a second become durable."
    );
    let more = status.last_errors.first().map_or_else(String::new, |error| {
        format!("Last error, {}: {}: {}", at(error.at), error.what, error.text)
    });
    Some(Headline::new(Kind::Jam, &word, text, more))
}

fn goes_on(status: &Status, trouble: &GoesOn) -> String {
    format!(" for {}: {}", since(status, trouble.since), trouble.text)
}

/// Nothing is wrong with the worker.
fn flow(status: &Status) -> Headline {
    let (rates, held) = (&status.rates, status.in_flight.messages);
    let share = rates.rejected_share.unwrap_or_default();
    let more = || {
        let rejected = (share > 0.0 && share <= TOLD_SHARE)
            .then(|| format!("Rejected: {}.", rejected(rates, share)));
        [indexes(status), Some(depth(status.queue.depth.as_ref())), oldest(&status.queue), rejected]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    };
    if rates.durable_per_s > 0.0 {
        let after = rates
            .latency_p50_s
            .map_or_else(String::new, |p50| format!(", durable after {}", duration(p50)));
        let p99 =
            rates.latency_p99_s.map_or_else(String::new, |p99| format!(" (p99 {})", duration(p99)));
        let beside = if share > TOLD_SHARE {
            format!("; {} are rejected", rejected(rates, share))
        } else {
            String::new()
        };
        let written = rate(rates.durable_per_s);
        let text = format!(": {written} messages a second{after}{p99}{beside}.");
        return Headline::new(Kind::Flowing, "Flowing", text, more());
    }
    if rates.dead_letters_per_s > 0.0 {
        let text = format!(
            ": {} a second became dead letters, and nothing else was written in the last ten seconds.",
            rate(rates.dead_letters_per_s)
        );
        return Headline::new(Kind::Rejecting, "All messages are rejected", text, more());
    }
    if rates.received_per_s > 0.0 {
        return Headline::new(
            Kind::Receiving,
            "Receiving",
            ": nothing became durable in the last ten seconds.",
            more(),
        );
    }
    if held > 0 {
        let text = format!(
            ": {} in flight, nothing became durable in the last ten seconds.",
            messages(held)
        );
        return Headline::new(Kind::Waiting, "Waiting", text, more());
    }
    Headline::new(
        Kind::Idle,
        "Idle",
        ": nothing came in the last ten seconds, nothing is in flight.",
        more(),
    )
}

/// `20 a second (9 %)`
fn rejected(rates: &Figures, share: f64) -> String {
    format!("{} a second ({})", rate(rates.dead_letters_per_s), percent(share))
}

/// With how long ago the queue was asked: while nothing flows that is once a minute, and a minute
/// is long.
fn depth(depth: Option<&Depth>) -> String {
    let Some(Depth { visible, in_flight, delayed, age_s, .. }) = depth else {
        return "The depth of the queue is not known.".to_owned();
    };
    let (count, ago) = (|messages: &u64| number(figure(*messages)), elapsed(figure(*age_s)));
    let others = match (in_flight, delayed) {
        (0, 0) => None,
        (0, _) => Some(format!("{} were delayed", count(delayed))),
        (_, 0) => Some(format!("{} were in flight", count(in_flight))),
        _ => Some(format!("{} were in flight and {} delayed", count(in_flight), count(delayed))),
    };
    match (visible, others) {
        (0, None) => format!("The queue was empty {ago} ago."),
        (0, Some(others)) => format!("None waited in the queue {ago} ago; about {others}."),
        (_, None) => format!("About {} waited in the queue {ago} ago.", count(visible)),
        (_, Some(others)) => {
            format!("About {} waited in the queue {ago} ago; {others}.", count(visible))
        }
    }
}

/// The first declared index that is not there: writes flow all the same.
fn indexes(status: &Status) -> Option<String> {
    let missing = &status.indexes;
    let first = missing.iter().find(|index| index.is_on_key).or(missing.first())?;
    let others = match missing.len() {
        1 => String::new(),
        len => format!(" Other indexes that are not there: {}.", len - 1),
    };
    Some(format!("Warning: {}.{others}", first.text))
}

fn oldest(queue: &QueueNow) -> Option<String> {
    let age = (queue.oldest_age_s > 0.0).then(|| duration(queue.oldest_age_s))?;
    Some(match queue.oldest {
        Oldest::NothingReceived => {
            format!(
                "The oldest message that is known to wait is {age} old, and nothing is received."
            )
        }
        Oldest::Held => {
            format!("The oldest message that this worker holds has been here for {age}.")
        }
        Oldest::LastReceive => format!("The oldest message of the last receive was {age} old."),
    })
}

fn cause(status: &Status) -> &str {
    status.gate.cause.as_deref().unwrap_or("no cause given")
}

fn messages(held: usize) -> String {
    number(figure(held as u64))
}

fn at(at: Second) -> String {
    time(&at.to_string())
}

/// How long something has gone on at the time of the status.
fn since(status: &Status, since: Second) -> String {
    elapsed(figure(status.now.since(since)))
}

#[cfg(test)]
mod tests {
    use super::super::figures::Figures;
    use super::super::quiet::quiet;
    use super::super::status::{FlowStage, Gate, InFlight, LastError, MissingIndex, StageNow};
    use super::*;
    use crate::held::Stage;

    fn said(status: &Status) -> (String, String) {
        let Headline { word, text, more, .. } = of(status);
        let plain = |text: &str| text.replace('\u{a0}', " ");
        (format!("{}{}", plain(&word), plain(&text)), plain(&more))
    }

    /// A quiet worker but for what flows.
    fn flows(rates: Figures) -> Status {
        Status { rates, ..quiet() }
    }

    #[test]
    fn a_worker_that_is_well_says_what_flows_and_as_of_when_the_queue_was_counted() {
        assert_eq!(
            said(&quiet()).0,
            "Idle: nothing came in the last ten seconds, nothing is in flight."
        );
        assert_eq!(said(&quiet()).1, "The queue was empty 30 s ago.");
        let waits = |visible, in_flight, delayed| {
            let mut status = quiet();
            status.queue.depth =
                quiet().queue.depth.map(|depth| Depth { visible, in_flight, delayed, ..depth });
            said(&status).1
        };
        assert_eq!(
            waits(0, 1_200, 0),
            "None waited in the queue 30 s ago; about 1,200 were in flight."
        );
        assert_eq!(waits(0, 0, 7), "None waited in the queue 30 s ago; about 7 were delayed.");
        assert_eq!(
            waits(0, 3, 7),
            "None waited in the queue 30 s ago; about 3 were in flight and 7 delayed."
        );
        assert_eq!(
            waits(2, 3, 7),
            "About 2 waited in the queue 30 s ago; 3 were in flight and 7 delayed."
        );
        let mut silent = quiet();
        silent.queue.depth = None;
        assert_eq!(said(&silent).1, "The depth of the queue is not known.");
        let mut flowing = flows(Figures {
            durable_per_s: 20.0,
            latency_p50_s: Some(0.012),
            ..Figures::default()
        });
        flowing.queue.depth = quiet().queue.depth.map(|depth| Depth { visible: 1_500, ..depth });
        assert_eq!(
            said(&flowing),
            (
                "Flowing: 20 messages a second, durable after 12 ms.".to_owned(),
                "About 1,500 waited in the queue 30 s ago.".to_owned()
            )
        );
        assert!(
            said(&flows(Figures { received_per_s: 1.0, ..Figures::default() }))
                .0
                .starts_with("Receiving: nothing became durable")
        );
        let in_flight = InFlight { messages: 3, ..quiet().in_flight };
        assert!(said(&Status { in_flight, ..quiet() }).0.starts_with("Waiting: 3 in flight"));
    }

    #[test]
    fn what_is_rejected_is_never_told_as_what_flows() {
        let rejects = |durable_per_s: f64, dead_letters_per_s: f64| {
            let rejected_share = Some(dead_letters_per_s / (durable_per_s + dead_letters_per_s));
            said(&flows(Figures {
                durable_per_s,
                dead_letters_per_s,
                rejected_share,
                ..Figures::default()
            }))
        };
        let empty = "The queue was empty 30 s ago.";
        assert_eq!(
            rejects(200.0, 20.0),
            (
                "Flowing: 200 messages a second.".to_owned(),
                format!("{empty} Rejected: 20 a second (9.1 %).")
            )
        );
        assert_eq!(
            rejects(100.0, 20.0),
            (
                "Flowing: 100 messages a second; 20 a second (17 %) are rejected.".to_owned(),
                empty.to_owned()
            )
        );
        assert_eq!(
            rejects(0.0, 20.0),
            (
                "All messages are rejected: 20 a second became dead letters, and nothing else was written in the last ten seconds."
                    .to_owned(),
                empty.to_owned()
            )
        );
    }

    #[test]
    fn the_oldest_message_is_told_as_what_it_is() {
        let told = |oldest: Oldest| {
            let queue = QueueNow { oldest_age_s: 34.0, oldest, ..quiet().queue };
            let gate = Gate { open: oldest != Oldest::NothingReceived, ..quiet().gate };
            said(&Status { queue, gate, ..quiet() }).1
        };
        assert!(
            told(Oldest::LastReceive)
                .ends_with("The oldest message of the last receive was 34 s old.")
        );
        assert!(
            told(Oldest::Held)
                .ends_with("The oldest message that this worker holds has been here for 34 s.")
        );
        assert!(told(Oldest::NothingReceived).ends_with(
            "The oldest message that is known to wait is 34 s old, and nothing is received."
        ));
    }

    #[test]
    fn an_index_that_is_not_there_is_said_beside_what_flows_and_never_hides_what_is_wrong() {
        let lacks = |text: &str, is_on_key| MissingIndex {
            collection: "sessions".to_owned(),
            index: "{a: 1}".to_owned(),
            is_on_key,
            since: "2026-11-23T10:00:00Z".parse().expect("a time"),
            text: text.to_owned(),
        };
        let indexes = vec![
            lacks("sessions lacks the index {a: 1}", false),
            lacks("sessions has no unique index on session_id", true),
        ];
        let lacking = Status { indexes, ..quiet() };
        let (text, more) = said(&lacking);
        assert!(text.starts_with("Idle"), "{text}");
        assert!(
            more.starts_with("Warning: sessions has no unique index on session_id. Other indexes that are not there: 1. The queue"),
            "{more}"
        );
        let gate = Gate { open: false, ..quiet().gate };
        assert!(said(&Status { gate, ..lacking }).0.starts_with("Gate closed"));
    }

    #[test]
    fn what_is_wrong_is_said_first_with_its_cause_and_for_how_long() {
        let since = |seconds: u32, text: &str| {
            let since = format!("2026-11-23T10:00:{:02}Z", 60 - seconds);
            Some(GoesOn { since: since.parse().expect("a time"), text: text.to_owned() })
        };
        let receives_fail = since(34, "the queue does not exist");
        assert_eq!(
            said(&Status { receives_fail: receives_fail.clone(), ..quiet() }).0,
            "Receives fail for 34 s: the queue does not exist"
        );
        let writes_fail = since(12, "not authorized")
            .map(|trouble| WritesFail { collection: "dead_letters".to_owned(), trouble });
        assert_eq!(
            said(&Status { writes_fail: writes_fail.clone(), ..quiet() }).0,
            "Writes to dead_letters are not confirmed for 12 s: not authorized"
        );
        let flood = since(50, "missing_field, most of them of route event");
        let rates =
            Figures { durable_per_s: 10.0, rejected_share: Some(0.9), ..Figures::default() };
        let (text, more) = said(&Status { flood: flood.clone(), ..flows(rates) });
        assert_eq!(
            text,
            "Flood of rejected messages for 50 s: missing_field, most of them of route event; 90 % of all messages are rejected now"
        );
        assert!(more.starts_with("What to do: look at the producer"), "{more}");
        let gate = Gate {
            open: false,
            since: "2026-11-23T09:56:00Z".parse().expect("a time"),
            cause: Some("no primary".to_owned()),
            advice: Some("Bring it back."),
            ..quiet().gate
        };
        assert_eq!(
            said(&Status { gate, receives_fail, writes_fail, flood, ..quiet() }),
            (
                "Gate closed for 5 min: no primary".to_owned(),
                "What to do: Bring it back. The gate is closed while the database takes no writes: nothing is received, and messages wait in the queue.".to_owned()
            )
        );
        let gate = Gate { open: false, ..quiet().gate };
        assert!(
            said(&Status { state: State::Draining, gate, ..quiet() })
                .1
                .starts_with("The gate is closed: no cause given")
        );
        assert_eq!(
            said(&Status { stuck: vec!["lane events".to_owned()], ..quiet() }).0,
            "Stuck: lane events."
        );
    }

    #[test]
    fn a_jam_is_where_most_of_a_full_worker_stands() {
        let held = |is_full, most| {
            let mut status = quiet();
            let in_it = |stage: &&mut StageNow| stage.stage == FlowStage::Held(Stage::Writing);
            status.stages.iter_mut().find(in_it).expect("a stage").messages = Some(90);
            let in_flight = InFlight { messages: 95, is_full, most, ..status.in_flight };
            Status { in_flight, ..status }
        };
        let writing = Some(FlowStage::Held(Stage::Writing));
        let jam = "Jam at writing: this stage holds 90 of the 95 messages in flight; 0 a second become durable.";
        let jammed = held(true, writing);
        assert_eq!(said(&jammed), (jam.to_owned(), String::new()));
        let last_errors = vec![LastError {
            at: "2026-11-23T10:00:59Z".parse().expect("a time"),
            what: "write not confirmed",
            text: "no primary".to_owned(),
        }];
        assert_eq!(
            said(&Status { last_errors, ..jammed }).1,
            "Last error, 10:00:59 UTC: write not confirmed: no primary"
        );
        assert!(said(&held(false, writing)).0.starts_with("Waiting"));
        assert!(said(&held(true, None)).0.starts_with("Waiting"));
    }
}
