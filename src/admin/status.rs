//! `/status.json`: all that the status page shows.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::gauges::QueueMessages;
use crate::telemetry::counters::figure;
use crate::telemetry::labels::Label;
use crate::telemetry::recent::{GateStory, IndexStory, Story, Trouble};
use crate::telemetry::signals::WriteTrouble;

use super::View;
use super::headline;
use super::history::History;

/// How full a worker counts as full, of its in-flight messages or bytes.
const FULL: f64 = 0.9;

/// Of fewer messages in flight no stage holds most: they pass.
const FEW: usize = 10;

/// The status but for what does not change and what was.
pub(super) fn now(view: &View, history: &History, started: Timestamp, stuck: &[String]) -> Value {
    let mut status = figures(view, history, started, stuck);
    status["headline"] = headline::of(&status);
    status
}

fn figures(view: &View, history: &History, started: Timestamp, stuck: &[String]) -> Value {
    let story = view.signals.recent().story();
    let now = Timestamp::now();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": second(started),
        "now": second(now),
        "uptime_s": now.duration_since(started).as_secs(),
        "state": if view.stop.is_draining() { "draining" } else { "running" },
        "stuck": stuck,
        "queue": queue(view),
        "database": { "name": view.facts.database },
        "gate": gate(&story.gate, started),
        "rates": rates(history),
        "stages": stages(view),
        "in_flight": in_flight(view),
        "totals": totals(view, history),
        "dead_letters": dead_letters(view, &story),
        "receives_fail": story.receives_fail.as_ref().map(trouble),
        "writes_fail": longest(&story).map(trouble),
        "indexes": indexes(&story),
        "slowed": story.slowed.as_ref().map(trouble),
        "spans_dropped": (view.sources.spans_dropped)(),
        "api": api(view),
        "last_errors": story.errors.iter().map(|error| json!({ "at": second(error.at), "what": error.what, "text": error.text })).collect::<Vec<_>>(),
    })
}

/// The whole status.
pub(super) fn whole(mut now: Value, view: &View, history: &History) -> Value {
    let settings = view
        .facts
        .settings
        .iter()
        .map(|[key, value, from]| json!({ "key": key, "value": value, "from": from }));
    now["config"] = settings.collect();
    now["history"] = history.to_json();
    now
}

/// Of the collections whose writes are not confirmed, the one that has waited the longest.
fn longest(story: &Story) -> Option<&Trouble> {
    story.writes_fail.values().min_by_key(|trouble| trouble.since)
}

/// Declared indexes that are not there.
fn indexes(story: &Story) -> Value {
    let shown = story.indexes_missing.iter().map(|((collection, index), IndexStory { is_on_key, trouble })| {
        json!({ "collection": collection, "index": index, "is_on_key": is_on_key, "since": second(trouble.since), "text": trouble.text })
    });
    shown.collect()
}

fn trouble(trouble: &Trouble) -> Value {
    json!({ "since": second(trouble.since), "text": trouble.text })
}

fn queue(view: &View) -> Value {
    let depth = view.signals.gauges().queue_messages().map(|QueueMessages { visible, in_flight, delayed, asked_at }| {
        json!({ "visible": visible, "in_flight": in_flight, "delayed": delayed, "asked_at": second(asked_at) })
    });
    json!({
        "name": &*view.sources.destination,
        "arn": view.facts.queue_arn,
        "fifo": view.sources.fifo,
        "visibility_timeout_s": view.facts.visibility_timeout.as_secs(),
        "depth": depth,
        "oldest_age_s": figure(view.signals.gauges().oldest_message_age_ms.get()) / 1e3,
    })
}

fn gate(gate: &GateStory, started: Timestamp) -> Value {
    json!({
        "open": !gate.is_closed,
        "since": second(gate.since.unwrap_or(started)),
        "closed_at": gate.closed_at.map(second),
        "cause": gate.closed_for.as_ref().map(|(_, cause)| cause),
        // While there is something to do.
        "advice": gate.closed_for.as_ref().filter(|_| gate.is_closed).map(|(trouble, _)| advice(*trouble)),
    })
}

/// What to do about a closed gate.
const fn advice(trouble: WriteTrouble) -> &'static str {
    match trouble {
        WriteTrouble::ConnectionLost => {
            "Look at the database server and at what stands between: its connections break while it answers. Nothing is lost; Longshore tries again."
        }
        WriteTrouble::Unavailable => {
            "Bring the database back: a primary, enough members for the write concern, free disk. Nothing is lost; Longshore tries again by itself."
        }
        WriteTrouble::Denied => {
            "Give the database user its rights, password or certificate back: `longshore check` names what is missing. Nothing is lost."
        }
        WriteTrouble::Refused | WriteTrouble::Item => {
            "The database refuses single items without telling why: look at its log. They are set aside after ten minutes if it takes others."
        }
    }
}

fn rates(history: &History) -> Value {
    let now = history.now();
    json!({
        "received_per_s": now.received_per_s,
        "durable_per_s": now.durable_per_s,
        "dead_letters_per_s": now.dead_letters_per_s,
        "latency_p50_s": now.latency_p50_s,
        "latency_p99_s": now.latency_p99_s,
        "batch_documents": now.batch_documents,
    })
}

fn stages(view: &View) -> Value {
    let counters = view.signals.counters();
    let dead_lettered = counters.dead_lettered_total.get();
    let receive = json!({
        "stage": "receive",
        "messages": null,
        "calls": view.signals.gauges().pollers.get(),
        "total": counters.received_total.get(),
    });
    let held = view.held.by_stage().map(|(stage, messages)| {
        let total = match stage.name() {
            "dead_letter" => Some(dead_lettered),
            "settling" => Some(counters.deleted_total.get() + counters.released_total.get()),
            _ => None,
        };
        json!({ "stage": stage.name(), "messages": messages, "total": total })
    });
    std::iter::once(receive).chain(held).collect()
}

fn in_flight(view: &View) -> Value {
    let gauges = view.signals.gauges();
    // What receives reserve is not there yet.
    let (messages, bytes) = (view.held.len(), gauges.in_flight_bytes.get());
    let (messages_max, bytes_max) =
        (gauges.in_flight_messages_max.get(), gauges.in_flight_bytes_max.get());
    let fill = fill([(messages as u64, messages_max), (bytes, bytes_max)]);
    json!({
        "messages": messages,
        "messages_max": messages_max,
        "bytes": bytes,
        "bytes_max": bytes_max,
        "fill": fill,
        "is_full": fill >= FULL,
        "most": most(view.held.by_stage().map(|(stage, messages)| (stage.name(), messages)), messages),
    })
}

/// How full the fuller of some limits is, up to 1.
fn fill<const N: usize>(of_limits: [(u64, u64); N]) -> f64 {
    of_limits
        .map(|(held, max)| figure(held) / figure(max.max(1)))
        .into_iter()
        .fold(0.0, f64::max)
        .min(1.0)
}

/// The stage that holds more than half of what is in flight, where that is more than a few.
fn most(
    stages: impl Iterator<Item = (&'static str, usize)>,
    in_flight: usize,
) -> Option<&'static str> {
    stages
        .filter(|(_, messages)| in_flight >= FEW && 2 * messages > in_flight)
        .map(|(name, _)| name)
        .next()
}

fn totals(view: &View, history: &History) -> Value {
    let counted = view.signals.counters().totals();
    counted.chain([("durable", history.durable())]).collect()
}

fn dead_letters(view: &View, story: &Story) -> Value {
    let by_reason: serde_json::Map<_, _> = view
        .signals
        .counters()
        .dead_lettered_total
        .all()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| (reason.name().to_owned(), count.into()))
        .collect();
    let last = story.dead_letters.iter().map(|letter| {
        json!({
            "at": second(letter.at),
            "message_id": letter.message_id,
            "route": letter.route,
            "reason": letter.reason,
            "text": letter.text,
            "body": letter.body,
            "times": letter.times,
        })
    });
    json!({ "by_reason": by_reason, "last": last.collect::<Vec<_>>() })
}

fn api(view: &View) -> Value {
    let mut api: serde_json::Map<_, _> = (view.sources.api_requests)()
        .into_iter()
        .map(|(operation, count)| (operation.to_owned(), count.into()))
        .collect();
    api.insert("cost_dollars".to_owned(), view.sources.api_cost_dollars().into());
    api.into()
}

/// To the second: nobody reads more of it, and what does not change need not be drawn again.
fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_as_full_as_the_fuller_of_its_limits() {
        assert_eq!(
            [fill([(95, 100), (0, 1_000)]), fill([(12, 100), (950, 1_000)])]
                .map(|fill| fill >= FULL),
            [true, true]
        );
        assert!(fill([(89, 100), (899, 1_000)]) < FULL);
        assert_eq!(
            (fill([(3, 1), (0, 0)]).to_string(), fill([(0, 0)]).to_string()),
            ("1".to_owned(), "0".to_owned())
        );
    }

    #[test]
    fn most_is_more_than_half_of_more_than_a_few() {
        assert_eq!(most([("waiting", 5), ("writing", 90)].into_iter(), 95), Some("writing"));
        assert_eq!(most([("waiting", 10), ("writing", 2)].into_iter(), 12), Some("waiting"));
        assert_eq!(most([("waiting", 6), ("writing", 6)].into_iter(), 12), None);
        assert_eq!(most([("writing", 9)].into_iter(), 9), None);
    }
}
