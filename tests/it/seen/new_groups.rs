//! What metrics tell early of what is rejected: groups that are new, and who sends it.

use std::collections::BTreeSet;
use std::time::Duration;

use longshore::gauges::NewGroup;
use longshore::telemetry::signals::Signals;
use serde_json::{Value, json};

use super::admin::{Running, view};
use super::web::Web;
use crate::support::fault_proxy::FaultProxy;
use crate::support::surroundings::{Surroundings, plain};
use crate::support::until;

const NEW: &str = "longshore_dead_letter_group_new_timestamp_seconds";
const BY_SENDER: &str = "longshore_dead_lettered_by_sender_total";
const BY_ROUTE: &str = "longshore_dead_lettered_total";

/// What would end a label, a line or a metric.
const HOSTILE: &str = "evil\"} 1\nlongshore_gate_open{x=\"\\";

/// A metric at one moment: the labels of each series as they stand there, and its value.
async fn series(web: &Web, name: &str) -> Vec<(String, i64)> {
    let text = web.get("/metrics").await.text;
    let of = |line: &str| {
        let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} ")?;
        Some((labels.to_owned(), value.parse().expect("a whole number")))
    };
    text.lines().filter_map(of).collect()
}

/// The value of a label, still escaped.
fn label<'a>(labels: &'a str, name: &str) -> &'a str {
    let begins = format!("{name}=\"");
    let value = labels.split_once(&begins).map_or("", |(_, rest)| rest);
    value.split("\",").next().unwrap_or_default().trim_end_matches('"')
}

/// The groups that are new, by reason.
async fn new_groups(web: &Web) -> BTreeSet<(String, String)> {
    let series = series(web, NEW).await;
    let of = |labels: &str| (label(labels, "reason").to_owned(), label(labels, "group").to_owned());
    series.iter().map(|(labels, _)| of(labels)).collect()
}

/// The groups that are kept, by reason, as the command says them.
async fn kept_groups(surroundings: &Surroundings) -> BTreeSet<(String, String)> {
    let mut command = surroundings.longshore(&["dead-letters", "groups"]);
    let ran = command.output().await.expect("it runs");
    let said = String::from_utf8(ran.stdout).expect("UTF-8");
    let of = |line: &str| {
        let group: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| group[name].as_str().expect("text").to_owned();
        (text("reason"), text("group"))
    };
    said.lines().map(of).collect()
}

#[tokio::test]
async fn the_first_letter_of_a_group_is_told_by_its_id_and_no_later_one_nor_a_restart() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let without_field = |user: i64| plain(&json!({ "type": "event", "user_id": user }));
    let bad_time = json!({ "type": "event", "user_id": 1, "event_type": "x", "timestamp": "now" });
    let bad_time = plain(&bad_time);

    let mut running = Running::start(&surroundings, &[]);
    assert_eq!(new_groups(&running.web).await, BTreeSet::new());
    surroundings.send(&[without_field(1)]).await;
    until("the group is told", async || {
        running.worker.assert_running();
        new_groups(&running.web).await.len() == 1
    })
    .await;
    running.until_unloaded(&surroundings).await;
    let first = new_groups(&running.web).await;
    assert_eq!(first, kept_groups(&surroundings).await);
    let told = series(&running.web, NEW).await;

    surroundings.send(&[without_field(2)]).await;
    running.until_unloaded(&surroundings).await;
    surroundings.send(&[bad_time]).await;
    until("the other group is told", async || new_groups(&running.web).await.len() == 2).await;
    running.until_unloaded(&surroundings).await;
    assert_eq!(new_groups(&running.web).await, kept_groups(&surroundings).await);
    let now = series(&running.web, NEW).await;
    assert!(now.contains(&told[0]), "the first one is as new as it was: {now:?} {told:?}");
    running.end().await;

    let mut running = Running::start(&surroundings, &[]);
    surroundings.send(&[without_field(3)]).await;
    running.until_unloaded(&surroundings).await;
    // Asked about after that one: when it is told, the other has had its answer.
    surroundings.send(&[plain(&json!({ "type": "evnet" }))]).await;
    until("another group is told", async || !new_groups(&running.web).await.is_empty()).await;
    let of_restart = new_groups(&running.web).await;
    let reasons: Vec<_> = of_restart.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(reasons, ["unknown_type"], "{of_restart:?}");
    running.worker.signal("TERM").await;
    let (status, printed) = running.worker.ended().await;
    assert!(status.success(), "{printed}");
    let (_, group) = of_restart.first().expect("one");
    let command = format!("longshore dead-letters list --group {group}");
    assert!(
        printed.contains("a new group of dead letters") && printed.contains(&command),
        "{printed}"
    );
}

/// Who sent the message is the number of its user; the first is hostile.
fn sender(message: &Value) -> Option<String> {
    let body: Value = serde_json::from_str(message["Body"].as_str()?).ok()?;
    match body["user_id"].as_i64()? {
        0 => Some(HOSTILE.to_owned()),
        number => Some(format!("AROA{number}:session-of-{number}")),
    }
}

#[tokio::test]
async fn ten_senders_are_counted_by_name_and_no_text_of_theirs_breaks_the_metrics() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let proxy = FaultProxy::start(surroundings.server.endpoint(), 7).await;
    proxy.senders(sender);
    let endpoint = [("LONGSHORE__QUEUE__ENDPOINT_URL", proxy.endpoint())];
    let mut running = Running::start(&surroundings, &endpoint);
    let is_zero = |(_, count): &(String, i64)| *count == 0;
    let before = series(&running.web, BY_ROUTE).await;
    assert!(before.len() > 40 && before.iter().all(is_zero), "each reason of each route is there");

    let of_type = |user: i64, kind: &str| plain(&json!({ "type": kind, "user_id": user }));
    surroundings.send(&[of_type(0, HOSTILE)]).await;
    running.until_unloaded(&surroundings).await;
    surroundings.send(&(1..=11).map(|user| of_type(user, "event")).collect::<Vec<_>>()).await;
    running.until_unloaded(&surroundings).await;
    until("all are counted", async || running.web.metric(BY_ROUTE).await == 12).await;

    let text = running.web.get("/metrics").await.text;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert_eq!(series.contains('{'), series.ends_with('}'), "{line}");
    }
    assert_eq!(running.web.metric("longshore_gate_open").await, 1, "it is there once");

    let by_sender = series(&running.web, BY_SENDER).await;
    let count = |name: &str| {
        let found = by_sender.iter().find(|(labels, _)| label(labels, "sender") == name);
        found.map(|(_, count)| *count)
    };
    assert_eq!(by_sender.len(), 12, "ten, and two words: {by_sender:?}");
    assert_eq!((count("other"), count("unknown")), (Some(2), Some(0)));
    let escaped = HOSTILE.split(':').next().expect("text").replace('\\', "\\\\");
    let escaped = escaped.replace('\n', "\\n").replace('"', "\\\"");
    assert!(
        by_sender.iter().any(|(labels, count)| labels.contains(&escaped) && *count == 1),
        "{by_sender:?}"
    );
    let named = (1..=11).filter(|number| count(&format!("AROA{number}")) == Some(1)).count();
    assert_eq!(named, 9, "without their sessions: {by_sender:?}");

    let by_route = series(&running.web, BY_ROUTE).await;
    let of = |reason: &str, route: &str| {
        let is_it =
            |labels: &str| label(labels, "reason") == reason && label(labels, "route") == route;
        by_route.iter().find(|(labels, _)| is_it(labels)).map(|(_, count)| *count)
    };
    assert_eq!((of("missing_field", "event"), of("unknown_type", "")), (Some(11), Some(1)));

    until("each sender's group is told", async || new_groups(&running.web).await.len() == 12).await;
    for (_, group) in new_groups(&running.web).await {
        let is_hex = group.chars().all(|digit| digit.is_ascii_hexdigit());
        assert!(group.len() == 16 && is_hex, "nothing that a sender made: {group}");
    }
    running.end().await;
}

/// Far more than the SDK keeps series of one metric.
#[tokio::test]
async fn groups_that_come_and_go_leave_room_for_the_newest() {
    let signals = Signals::default();
    let view = view(&signals, Duration::from_secs(30));
    for number in 0..3_000_u64 {
        let (group, reason) = (format!("{number:016x}"), "bad_time");
        signals.gauges().add_new_group(NewGroup { group, reason, at_s: number });
        if number % 50 == 0 {
            view.metrics.text().expect("metrics");
        }
    }
    let text = view.metrics.text().expect("metrics");
    let series: Vec<_> = text.lines().filter(|line| line.starts_with(NEW)).collect();
    assert_eq!(series.len(), 100, "{series:?}");
    let newest = format!("group=\"{:016x}\"", 2_999);
    assert!(series.iter().any(|line| line.contains(&newest)), "{series:?}");
    assert!(!text.contains("overflow"), "{series:?}");
}
