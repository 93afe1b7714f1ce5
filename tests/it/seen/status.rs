//! `/status.json` to the byte: the page's script reads it, and so do others.

use std::sync::Arc;
use std::time::Duration;

use longshore::admin::{Facts, View};
use longshore::gauges::{FloodNow, QueueMessages};
use longshore::held::Held;
use longshore::message::{Reason, Rejection};
use longshore::store::WriteTrouble;
use longshore::telemetry::instruments::CollectionLabel;
use longshore::telemetry::otlp::Otlp;
use longshore::telemetry::signals::{
    BatchWritten, DeadLettered, Deleted, Durable, ExtendFailed, FloodBegan, GateClosed, Joined,
    MessageRejected, Outgrown, Overdrawn, ReceiveFailed, Received, Released, SettleFailed, Signals,
    StaleHandle, Then, VisibilityExtended, WriteFailed,
};
use longshore::telemetry::{metrics::Metrics, spans::Spans};
use tokio::time::Instant;

use super::admin::view;
use super::web::{Web, serve};
use crate::support::until;

/// What a worker's `/status.json` says once it has taken a look, with what differs from run to run
/// left out: times, and the points of the charts.
async fn told(view: View, durable: u64) -> String {
    let (_served, address) = serve(view);
    let web = Web::new(address.port());
    until("it has taken a look", async || web.status().await["totals"]["durable"] == durable).await;
    let mut text = web.get("/status.json").await.text;
    for (before, after) in [("\"uptime_s\":", ","), ("\"age_s\":", ","), ("\"points\":[", "]")] {
        // Where nobody has counted what waits, that has no age.
        let Some(found) = text.find(before) else { continue };
        let from = found + before.len();
        let to = from + text[from..].find(after).expect(after);
        text.replace_range(from..to, "");
    }
    let is_time = |part: &str| part.len() == 20 && part.starts_with("20") && part.ends_with('Z');
    text.split('"')
        .map(|part| if is_time(part) { "TIME" } else { part })
        .collect::<Vec<_>>()
        .join("\"")
}

/// One a line, so that a difference is seen.
fn lines(status: &str) -> String {
    status.replace(",\"", ",\n\"").replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[tokio::test]
async fn the_status_of_a_worker_that_has_done_nothing_is_as_it_always_was() {
    let told = told(view(&Signals::default(), Duration::from_secs(30)), 0).await;
    assert_eq!(lines(&told), include_str!("status/quiet.json").trim_end());
}

#[tokio::test]
async fn the_status_of_a_worker_that_has_seen_everything_is_as_it_always_was() {
    let metrics = Metrics::new(Otlp::default().resource(), None).expect("metrics");
    let signals = Signals::new(metrics.instruments("portal"), Spans::default());
    let mut view = view(&signals, Duration::from_secs(30));
    view.sources.fifo = true;
    view.sources.api_requests =
        Arc::new(|| vec![("receive", 4), ("delete", 3), ("change_visibility", 2), ("other", 1)]);
    view.sources.spans_dropped = Arc::new(|| 8);
    metrics.observe(signals.counters(), signals.gauges(), &view.sources);
    view.metrics = Arc::new(metrics);
    view.facts = Arc::new(Facts {
        queue_arn: "arn:aws:sqs:eu-central-1:1:portal".to_owned(),
        visibility_timeout: Duration::from_secs(90),
        database: "portal".to_owned(),
        dead_letters: "dead_letters".to_owned(),
        show_bodies: false,
        routes: Vec::new(),
        settings: vec![["queue.wait", "20s", "default"].map(str::to_owned)],
    });
    everything_happens(&signals, &view.held);
    view.stop.drain();
    let told = told(view, 1).await;
    assert_eq!(lines(&told), include_str!("status/everything.json").trim_end());
}

fn everything_happens(signals: &Signals, held: &Held) {
    let (collection, cause) = (CollectionLabel::new("events"), "no primary");
    signals.emit(&Received {
        messages: 40,
        redelivered: 2,
        in_flight_messages_peak: 50,
        in_flight_bytes_peak: 60,
    });
    signals.emit(&Overdrawn { messages: 1, bytes: 2, reserved: 1 });
    signals.emit(&Outgrown { in_flight_bytes_peak: 61 });
    signals.emit(&Joined);
    signals.emit(&BatchWritten {
        collection: &collection,
        written: 30,
        already_there: 3,
        stale: 4,
        is_store_well: true,
        took: Duration::from_millis(5),
    });
    signals.emit(&Durable { collection: &collection, after: Duration::from_millis(70) });
    let dead_letters = CollectionLabel::new("dead_letters");
    signals.emit(&Durable { collection: &dead_letters, after: Duration::from_millis(900) });
    signals.emit(&WriteFailed {
        collection: "events",
        documents: 1,
        trouble: WriteTrouble::Denied,
        cause,
        then: Then::Retry(Duration::ZERO),
    });
    signals.emit(&ReceiveFailed { fault: "throttled", retry_in: Duration::ZERO });
    rejections_happen(signals);
    signals.emit(&Deleted { messages: 25 });
    signals.emit(&Released { messages: 6 });
    for abandoned in [false, true] {
        signals.emit(&SettleFailed { operation: "delete", messages: 2, cause: "reset", abandoned });
    }
    signals.emit(&StaleHandle { operation: "delete", messages: 7 });
    signals.emit(&VisibilityExtended { messages: 9 });
    signals.emit(&ExtendFailed { messages: 1, cause: "gone" });
    signals.emit(&GateClosed { trouble: WriteTrouble::Denied, cause });
    signals.recent().indexes_missing("events", &[("{a: 1}".to_owned(), true, "gone".to_owned())]);
    let gauges = signals.gauges();
    gauges.pollers.set(3);
    gauges.in_flight_messages_max.set(2);
    gauges.in_flight_bytes_max.set(1_000);
    // Nearly all of it is only reserved, which fills no worker.
    gauges.in_flight_bytes.set(990);
    gauges.in_flight_bytes_reserved.set(590);
    gauges.receives.ask().answered(Duration::from_millis(1_250));
    // Another receive waits at the queue, or the age would grow.
    std::mem::forget(gauges.receives.ask());
    let asked_at = jiff::Timestamp::now();
    gauges.set_queue_messages(Some(QueueMessages {
        visible: 11,
        in_flight: 12,
        delayed: 13,
        asked_at,
    }));
    let now = Instant::now();
    let _ = held.enter("a".into(), now, now);
}

fn rejections_happen(signals: &Signals) {
    let rejection = Rejection::new(Reason::BadJson, "column \"1\"");
    for route in [None, Some("event")] {
        signals.emit(&MessageRejected {
            message_id: "m-1",
            route,
            rejection: &rejection,
            body: "{",
        });
        signals.recent().show_bodies(true);
    }
    for reason in [Reason::BadKey, Reason::BadJson, Reason::BadJson] {
        signals.emit(&DeadLettered { reason, route: Some("event"), sender: Some("AIDAPORTAL") });
    }
    let flood = FloodNow::new(Reason::BadJson.code(), Some("event".into()));
    signals.emit(&FloodBegan { reason: Reason::BadJson, flood: &flood });
    signals.gauges().set_flood(Some(flood));
}
