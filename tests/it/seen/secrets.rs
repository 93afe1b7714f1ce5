//! That no password and no body is in anything that a worker shows, at any level.

use longshore::message::Attribute;
use longshore::queue::Outgoing;
use serde_json::json;

use super::collector::Collector;
use super::web::Web;
use crate::support::child::Child;
use crate::support::mongod;
use crate::support::ports::free_port;
use crate::support::sqs::Kind;
use crate::support::surroundings::Surroundings;
use crate::support::until;

const IN_THE_BODY: &str = "planted-body-7f3a";
const IN_THE_KEY: &str = "planted-key-91cc";
const OF_AWS: &str = "planted-aws-secret-5be0";

/// The widest filters that there are: everything, and everything of those that hold bodies and
/// credentials in their hands.
const FILTERS: [&str; 2] = [
    "trace",
    "longshore=trace,aws_smithy_runtime=trace,aws_smithy_http_client=trace,aws_runtime=trace,aws_sdk_sqs=trace,aws_sigv4=trace,aws_config=trace,\
     hyper=trace,hyper_util=trace,h2=trace,mongodb=trace,rustls=trace",
];

/// Good ones, and ones that are rejected for each of several reasons, all with words that must not
/// be seen.
fn messages() -> Vec<Outgoing> {
    let bodies = [
        json!({ "type": "event", "user_id": 1, "event_type": IN_THE_BODY, "metadata": { "note": IN_THE_BODY } }).to_string(),
        json!({ "type": "session", "session_id": IN_THE_KEY, "data": { "note": IN_THE_BODY } }).to_string(),
        json!({ "type": "cache", "user_id": IN_THE_KEY, "data": IN_THE_BODY }).to_string(),
        json!({ "type": "cache", "user_id": [IN_THE_KEY], "data": IN_THE_BODY }).to_string(),
        json!({ "type": "session", "session_id": "s", "data": IN_THE_BODY, "last_accessed": IN_THE_BODY }).to_string(),
        format!("{{\"type\":\"event\",\"user_id\":1,\"event_type\":\"{IN_THE_BODY}"),
        format!("{IN_THE_BODY} is not JSON"),
    ];
    let attribute = ("note".to_owned(), Attribute::Text(IN_THE_BODY.to_owned()));
    bodies
        .map(|body| Outgoing { body, attributes: vec![attribute.clone()], ..Outgoing::default() })
        .into()
}

#[tokio::test]
async fn no_password_and_no_body_is_seen_at_any_level() {
    for (filter, format) in FILTERS.into_iter().zip(["json", "text"]) {
        nothing_planted_is_seen(filter, format).await;
    }
}

async fn nothing_planted_is_seen(filter: &str, format: &str) {
    let surroundings = Surroundings::on(
        Kind::Embedded,
        &json!({ "VisibilityTimeout": "600" }),
        mongod::secured().await,
    )
    .await;
    // As it is, and as the connection string has it.
    let escaped = surroundings
        .uri()
        .split_once("://portal:")
        .and_then(|(_, rest)| rest.split_once('@'))
        .expect("a password")
        .0
        .to_owned();
    let (collector, port) = (Collector::start().await, free_port());
    surroundings.send(&messages()).await;
    let mut worker = surroundings.longshore(&["run"]);
    worker.envs([
        ("LONGSHORE__LOG__LEVEL", filter),
        ("LONGSHORE__LOG__FORMAT", format),
        ("AWS_SECRET_ACCESS_KEY", OF_AWS),
        ("AWS_SESSION_TOKEN", OF_AWS),
        ("LONGSHORE__ADMIN__LISTEN", &format!("127.0.0.1:{port}")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ]);
    let mut worker = Child::start(worker);
    until("the queue is empty", async || {
        worker.assert_running();
        surroundings.left().await == 0
    })
    .await;
    let web = Web::new(port);
    let mut seen = vec![];
    for path in ["/", "/status.json", "/metrics", "/livez", "/readyz"] {
        seen.push((path, web.get(path).await.text));
    }
    assert!(seen[1].1.contains("bad_json"), "the dead letters are shown: {}", seen[1].1);
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{printed}");
    assert!(printed.contains("batch written"), "this crate's own lines are there: {printed}");
    until("the last span is printed", async || {
        collector.spans().iter().any(|span| span.name.starts_with("delete"))
    })
    .await;
    seen.extend([("the log", printed), ("the collector", collector.printed())]);
    for (place, text) in &seen {
        for planted in [IN_THE_BODY, mongod::PASSWORD, &escaped, OF_AWS] {
            let around =
                text.find(planted).map(|at| text[..at].chars().rev().take(300).collect::<String>());
            assert!(
                around.is_none(),
                "{planted} is in {place}, after {:?}",
                around.map(|text| text.chars().rev().collect::<String>())
            );
        }
    }
}
