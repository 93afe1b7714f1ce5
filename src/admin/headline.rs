//! What the status page says first: in one sentence, whether events flow, and if not, why and what
//! to do.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::telemetry::counters::figure;

use super::words::{duration, elapsed, number, rate, time};

/// A sentence: what it is about for the style sheet, a word in bold, the rest, and what else there
/// is to say.
struct Headline {
    kind: &'static str,
    word: String,
    text: String,
    more: String,
}

impl Headline {
    fn new(
        kind: &'static str,
        word: &str,
        text: impl Into<String>,
        more: impl Into<String>,
    ) -> Self {
        Self { kind, word: word.to_owned(), text: text.into(), more: more.into() }
    }
}

/// Of a status. The worst comes first.
pub(super) fn of(status: &Value) -> Value {
    let found = stuck(status)
        .or_else(|| draining(status))
        .or_else(|| closed(status))
        .or_else(|| receives_fail(status))
        .or_else(|| writes_fail(status))
        .or_else(|| slowed(status))
        .or_else(|| jam(status));
    let Headline { kind, word, text, more } = found.unwrap_or_else(|| flow(status));
    json!({ "kind": kind, "word": word, "text": text, "more": more })
}

fn stuck(status: &Value) -> Option<Headline> {
    let tasks: Vec<_> = status["stuck"].as_array()?.iter().filter_map(Value::as_str).collect();
    let more = "A task has not moved in time. /livez fails now, so that whatever runs this worker can restart it.";
    (!tasks.is_empty())
        .then(|| Headline::new("stuck", "Stuck", format!(": {}.", tasks.join(", ")), more))
}

fn draining(status: &Value) -> Option<Headline> {
    let held = number(float(&status["in_flight"]["messages"]));
    let text = format!(": nothing more is received; {held} in flight are being finished.");
    let more = match &status["gate"] {
        gate if gate["open"] == false => format!("The gate is closed: {}", cause(gate)),
        _ => "A receive that is open at the queue is waited for, up to queue.wait: to cancel it could hide messages.".to_owned(),
    };
    (status["state"] == "draining").then(|| Headline::new("draining", "Draining", text, more))
}

fn closed(status: &Value) -> Option<Headline> {
    let gate = &status["gate"];
    let text = format!(" for {}: {}", since(status, gate), cause(gate));
    let more =
        gate["advice"].as_str().map_or_else(String::new, |advice| format!("What to do: {advice}"));
    (gate["open"] == false).then(|| Headline::new("closed", "Gate closed", text, more))
}

fn receives_fail(status: &Value) -> Option<Headline> {
    let text = goes_on(status, trouble(status, "receives_fail")?);
    Some(Headline::new(
        "failing",
        "Receives fail",
        text,
        "They are tried again, at longer intervals. Messages wait in the queue until then.",
    ))
}

fn writes_fail(status: &Value) -> Option<Headline> {
    let text = goes_on(status, trouble(status, "writes_fail")?);
    let more = "They are tried again. When that has not helped for retry.budget, receiving pauses until the database takes them.";
    Some(Headline::new("failing", "Writes are not confirmed", text, more))
}

fn slowed(status: &Value) -> Option<Headline> {
    let trouble = trouble(status, "slowed")?;
    let text = format!(
        " for {}: over half of the last 1,000 messages were refused, for {}.",
        since(status, trouble),
        words(trouble)
    );
    let more = "What to do: look at the producer, or roll it back. A batch a second is received until then, so that the queue is not drained \
                into dead letters.";
    Some(Headline::new("failing", "Slowed", text, more))
}

fn jam(status: &Value) -> Option<Headline> {
    let held = &status["in_flight"];
    let most = held["most"].as_str().filter(|_| held["is_full"] == true)?;
    let stage = status["stages"].as_array()?.iter().find(|stage| stage["stage"] == most)?;
    let word = format!("Jam at {}", most.replace('_', " "));
    let [in_it, in_flight, durable] =
        [&stage["messages"], &held["messages"], &status["rates"]["durable_per_s"]]
            .map(|value| number(float(value)));
    let text = format!(
        ": it holds {in_it} of the {in_flight} in flight; {durable} a second become durable."
    );
    let more = status["last_errors"].get(0).map_or_else(String::new, |error| {
        format!(
            "Last error, {}: {}: {}",
            at(&error["at"]),
            error["what"].as_str().unwrap_or_default(),
            words(error)
        )
    });
    Some(Headline::new("jam", &word, text, more))
}

/// One that goes on.
fn trouble<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status.get(name).filter(|trouble| !trouble.is_null())
}

fn goes_on(status: &Value, trouble: &Value) -> String {
    format!(" for {}: {}", since(status, trouble), words(trouble))
}

/// Nothing is wrong.
fn flow(status: &Value) -> Headline {
    let (rates, held) = (&status["rates"], float(&status["in_flight"]["messages"]));
    let refused = float(&rates["dead_letters_per_s"]);
    let written = float(&rates["durable_per_s"]) - refused;
    let more = || {
        let dead_letters =
            (refused > 0.0).then(|| format!("Dead letters: {} a second.", rate(refused)));
        [indexes(status), Some(depth(&status["queue"])), oldest(status), dead_letters]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    };
    if float(&rates["durable_per_s"]) > 0.0 {
        let after = rates["latency_p50_s"]
            .as_f64()
            .map_or_else(String::new, |p50| format!(", durable after {}", duration(p50)));
        let p99 = rates["latency_p99_s"]
            .as_f64()
            .map_or_else(String::new, |p99| format!(" (p99 {})", duration(p99)));
        return Headline::new(
            "flowing",
            "Flowing",
            format!(": {} messages a second{after}{p99}.", rate(written.max(0.0))),
            more(),
        );
    }
    if float(&rates["received_per_s"]) > 0.0 {
        return Headline::new(
            "receiving",
            "Receiving",
            ": nothing became durable in the last ten seconds.",
            more(),
        );
    }
    if held > 0.0 {
        let text = format!(
            ": {} in flight, nothing became durable in the last ten seconds.",
            number(held)
        );
        return Headline::new("waiting", "Waiting", text, more());
    }
    Headline::new(
        "idle",
        "Idle",
        ": nothing came in the last ten seconds, nothing is in flight.",
        more(),
    )
}

/// With the time at which the queue was asked: while nothing waits that is once a minute, and a
/// minute is long.
fn depth(queue: &Value) -> String {
    let depth = &queue["depth"];
    match depth["visible"].as_u64() {
        None => "The queue does not tell its depth.".to_owned(),
        Some(0) => format!("The queue was empty at {}.", at(&depth["asked_at"])),
        Some(visible) => format!(
            "About {} waited in the queue at {}.",
            number(float(&visible.into())),
            at(&depth["asked_at"])
        ),
    }
}

/// The first declared index that is not there: writes flow all the same.
fn indexes(status: &Value) -> Option<String> {
    let missing = status["indexes"].as_array()?;
    let others = match missing.len() {
        0 => return None,
        1 => String::new(),
        len => format!(" Other indexes that are not there: {}.", len - 1),
    };
    let first = missing.iter().find(|one| one["is_on_key"] == true).unwrap_or(&missing[0]);
    Some(format!("Mind: {}.{others}", words(first)))
}

fn oldest(status: &Value) -> Option<String> {
    let age = float(&status["queue"]["oldest_age_s"]);
    (age > 0.0).then(|| format!("The oldest of the last receive was {} old.", duration(age)))
}

fn cause(gate: &Value) -> &str {
    gate["cause"].as_str().unwrap_or("no cause given")
}

fn words(trouble: &Value) -> &str {
    trouble["text"].as_str().unwrap_or_default()
}

fn at(at: &Value) -> String {
    time(at.as_str().unwrap_or_default())
}

/// How long `of` has gone on at the time of the status.
fn since(status: &Value, of: &Value) -> String {
    let moment = |at: &Value| at.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let seconds = moment(&status["now"])
        .zip(moment(&of["since"]))
        .map_or(0, |(now, since)| now.as_second() - since.as_second());
    elapsed(figure(u64::try_from(seconds).unwrap_or(0)))
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that is well and has nothing to do.
    fn idle() -> Value {
        json!({
            "now": "2026-11-23T10:01:00Z", "state": "running", "stuck": [],
            "queue": { "depth": { "visible": 0, "asked_at": "2026-11-23T10:00:30Z" }, "oldest_age_s": 0.0 },
            "gate": { "open": true, "since": "2026-11-23T09:00:00Z", "cause": null, "advice": null },
            "rates": { "received_per_s": 0.0, "durable_per_s": 0.0, "dead_letters_per_s": 0.0, "latency_p50_s": null, "latency_p99_s": null },
            "stages": [{ "stage": "receive", "messages": null }, { "stage": "waiting", "messages": 0 }, { "stage": "writing", "messages": 0 }],
            "in_flight": { "messages": 0, "messages_max": 100, "bytes": 0, "bytes_max": 1000 },
            "receives_fail": null, "writes_fail": null, "indexes": [], "slowed": null, "last_errors": [],
        })
    }

    fn said(changes: &[(&str, Value)]) -> (String, String) {
        let mut status = idle();
        for (pointer, value) in changes {
            *status.pointer_mut(pointer).expect("a place") = value.clone();
        }
        let headline = of(&status);
        let text = |name: &str| headline[name].as_str().expect("text").replace('\u{a0}', " ");
        (format!("{}{}", text("word"), text("text")), text("more"))
    }

    #[test]
    fn a_worker_that_is_well_says_what_flows_and_as_of_when_the_queue_was_counted() {
        assert_eq!(
            said(&[]).0,
            "Idle: nothing came in the last ten seconds, nothing is in flight."
        );
        assert_eq!(said(&[]).1, "The queue was empty at 10:00:30 UTC.");
        assert_eq!(said(&[("/queue/depth", Value::Null)]).1, "The queue does not tell its depth.");
        let flowing = [
            ("/rates/durable_per_s", json!(20.0)),
            ("/rates/latency_p50_s", json!(0.012)),
            ("/queue/depth/visible", json!(1_500)),
        ];
        let flows = "Flowing: 20 messages a second, durable after 12 ms.".to_owned();
        assert_eq!(
            said(&flowing),
            (flows, "About 1,500 waited in the queue at 10:00:30 UTC.".to_owned())
        );
        let refused =
            [("/rates/durable_per_s", json!(20.0)), ("/rates/dead_letters_per_s", json!(15.0))];
        let (text, more) = said(&refused);
        assert!(
            text == "Flowing: 5.0 messages a second."
                && more.ends_with("Dead letters: 15 a second."),
            "{text} {more}"
        );
        assert!(
            said(&[("/rates/received_per_s", json!(1.0))])
                .0
                .starts_with("Receiving: nothing became durable")
        );
        assert!(said(&[("/in_flight/messages", json!(3))]).0.starts_with("Waiting: 3 in flight"));
    }

    #[test]
    fn an_index_that_is_not_there_is_said_beside_what_flows_and_never_hides_what_is_wrong() {
        let lacks = |text: &str, is_on_key| json!({ "collection": "sessions", "is_on_key": is_on_key, "since": "2026-11-23T10:00:00Z", "text": text });
        let both = (
            "/indexes",
            json!([
                lacks("sessions lacks the index {a: 1}", false),
                lacks("sessions has no unique index on session_id", true)
            ]),
        );
        let (text, more) = said(std::slice::from_ref(&both));
        assert!(text.starts_with("Idle"), "{text}");
        assert!(
            more.starts_with("Mind: sessions has no unique index on session_id. Other indexes that are not there: 1. The queue"),
            "{more}"
        );
        assert!(said(&[both, ("/gate/open", json!(false))]).0.starts_with("Gate closed"));
    }

    #[test]
    fn what_is_wrong_is_said_first_with_its_cause_and_for_how_long() {
        let since = |seconds: u32, text: &str| json!({ "since": format!("2026-11-23T10:00:{:02}Z", 60 - seconds), "text": text });
        let receives = ("/receives_fail", since(34, "the queue does not exist"));
        assert_eq!(
            said(std::slice::from_ref(&receives)).0,
            "Receives fail for 34 s: the queue does not exist"
        );
        let writes = ("/writes_fail", since(12, "no primary"));
        assert_eq!(
            said(std::slice::from_ref(&writes)).0,
            "Writes are not confirmed for 12 s: no primary"
        );
        let slowed = ("/slowed", since(50, "missing_field"));
        let flows = ("/rates/durable_per_s", json!(10.0));
        let (text, more) = said(&[slowed.clone(), flows]);
        assert!(text.starts_with("Slowed for 50 s: over half of the last 1,000 messages were refused, for missing_field"), "{text}");
        assert!(more.starts_with("What to do: look at the producer"), "{more}");
        let gate = json!({ "open": false, "since": "2026-11-23T09:56:00Z", "cause": "no primary", "advice": "Bring it back." });
        let all = [("/gate", gate), receives, writes, slowed];
        assert_eq!(
            said(&all),
            (
                "Gate closed for 5 min: no primary".to_owned(),
                "What to do: Bring it back.".to_owned()
            )
        );
        assert!(
            said(&[("/state", json!("draining")), ("/gate/open", json!(false))])
                .1
                .starts_with("The gate is closed: no cause given")
        );
        assert_eq!(said(&[("/stuck", json!(["lane events"]))]).0, "Stuck: lane events.");
    }

    #[test]
    fn a_jam_is_where_most_of_a_full_worker_stands() {
        let held = |is_full, most: Value| {
            ("/in_flight", json!({ "messages": 95, "is_full": is_full, "most": most }))
        };
        let writing = ("/stages/2/messages", json!(90));
        let jam = "Jam at writing: it holds 90 of the 95 in flight; 0 a second become durable.";
        assert_eq!(said(&[held(true, json!("writing")), writing.clone()]).0, jam);
        assert!(said(&[held(false, json!("writing")), writing]).0.starts_with("Waiting"));
        assert!(said(&[held(true, Value::Null)]).0.starts_with("Waiting"));
    }
}
