//! That a trace survives batching, and that a collector that is away or slow costs nothing but its
//! spans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use longshore::message::Attribute;
use longshore::queue::{Outgoing, SendOutcome};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::collector::{self, Collector, Span, SpanContext};
use super::web::Web;
use crate::support::child::{Child, command};
use crate::support::fault_proxy::FaultProxy;
use crate::support::mongod;
use crate::support::ports::free_port;
use crate::support::sqs::python;
use crate::support::surroundings::Surroundings;
use crate::support::until;

const MESSAGES: u64 = 1_000;

fn event(number: u64) -> String {
    json!({ "type": "event", "id": format!("e{number}"), "user_id": number, "event_type": "login" })
        .to_string()
}

/// The span of the producer of message `number`.
fn producer(number: u64) -> SpanContext {
    (format!("{:032x}", number + 1), format!("{:016x}", number + 1))
}

/// Every second producer speaks X-Ray. No emulator keeps its header in batches, so the proxy puts
/// it in.
fn trace_header(message: &Value) -> Option<String> {
    let body: Value = serde_json::from_str(message["Body"].as_str()?).ok()?;
    let number = body["user_id"].as_u64()?;
    let (trace, span) = producer(number);
    (number % 2 == 1)
        .then(|| format!("Root=1-{}-{};Parent={span};Sampled=1", &trace[..8], &trace[8..]))
}

fn with_traceparent(number: u64) -> Outgoing {
    let (trace, span) = producer(number);
    let attributes = if number.is_multiple_of(2) {
        vec![("traceparent".to_owned(), Attribute::Text(format!("00-{trace}-{span}-01")))]
    } else {
        vec![]
    };
    Outgoing { body: event(number), attributes, ..Outgoing::default() }
}

/// Runs the worker until the queue is empty and it has ended, with these variables.
async fn unload(surroundings: &Surroundings, variables: &[(&str, &str)]) -> String {
    let mut worker = surroundings.longshore(&["run"]);
    worker.envs(variables.iter().copied());
    let mut worker = Child::start(worker);
    until("the queue is empty", async || {
        worker.assert_running();
        surroundings.left().await == 0
    })
    .await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{printed}");
    printed
}

#[tokio::test]
async fn every_link_points_at_its_producer_for_a_thousand_messages_in_batches() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let proxy = FaultProxy::start(surroundings.server.endpoint(), 7).await;
    proxy.trace_headers(trace_header);
    let collector = Collector::start().await;
    let mut numbers = BTreeMap::new();
    for first in (0..MESSAGES).step_by(10) {
        let entries: Vec<_> = (first..first + 10).map(with_traceparent).collect();
        let sent = surroundings.queue.send_batch(&entries).await.expect("an answer");
        numbers.extend(sent.into_iter().zip(first..).map(|(outcome, number)| match outcome {
            SendOutcome::Sent { message_id } => (message_id, number),
            other => panic!("{other:?}"),
        }));
    }
    let printed = unload(
        &surroundings,
        &[
            ("LONGSHORE__QUEUE__ENDPOINT_URL", proxy.endpoint()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ],
    )
    .await;
    until("the last spans are printed", async || {
        let spans = collector.spans();
        let settled: u64 =
            spans.iter().filter(|span| span.name.starts_with("delete ")).map(message_count).sum();
        settled >= MESSAGES
    })
    .await;
    let spans = collector.spans();
    for name in ["receive", "process"] {
        let links: Vec<_> = spans
            .iter()
            .filter(|span| span.name.starts_with(name))
            .flat_map(|span| span.links.clone())
            .collect();
        let of_messages: BTreeSet<_> = links
            .iter()
            .map(|(_, message)| message.clone().expect("the message of a link"))
            .collect();
        assert_eq!(
            (links.len() as u64, of_messages.len() as u64),
            (MESSAGES, MESSAGES),
            "{name}: one link for each message\n{printed}"
        );
        for (context, message) in links {
            let number = numbers[&message.expect("looked at above")];
            assert_eq!(context, producer(number), "{name}: the link of message {number}");
        }
    }
    assert!(
        spans.iter().any(|span| span.name.starts_with("process") && message_count(span) > 10),
        "batches larger than a receive"
    );
    assert_tree(&spans);
}

fn message_count(span: &Span) -> u64 {
    span.attributes
        .get("messaging.batch.message_count")
        .map_or(1, |count| count.parse().expect("a count"))
}

/// Writes and settles stand under the batch that they are of.
fn assert_tree(spans: &[Span]) {
    let processed: BTreeMap<_, _> = spans
        .iter()
        .filter(|span| span.kind == 5)
        .map(|span| (span.context.clone(), span))
        .collect();
    let (mut writes, mut settles) = (0, 0);
    for span in spans
        .iter()
        .filter(|span| !processed.contains_key(&span.context) && !span.name.starts_with("receive"))
    {
        let parent = (span.context.0.clone(), span.parent.clone());
        assert!(processed.contains_key(&parent), "{} is under no batch: {span:?}", span.name);
        assert_eq!((span.kind, span.status), (3, 0), "{span:?}");
        if span
            .attributes
            .get("messaging.operation.type")
            .is_some_and(|operation| operation == "settle")
        {
            settles += 1;
        } else {
            assert_eq!(span.attributes["db.system.name"], "mongodb");
            assert_eq!(
                span.attributes["db.collection.name"],
                processed[&parent].attributes["db.collection.name"]
            );
            writes += 1;
        }
        for (context, _) in &span.links {
            assert!(processed.contains_key(context), "{} is linked to no batch", span.name);
        }
    }
    assert!(
        writes >= processed.len() && settles > 0,
        "{writes} writes and {settles} settles of {} batches",
        processed.len()
    );
}

#[tokio::test]
async fn one_message_is_one_trace_from_its_python_producer_to_the_durable_write() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let collector = Collector::start().await;
    let python = tokio::task::spawn_blocking(python).await.expect("a Python");
    let mut producer = command(&python);
    producer
        .arg("-B")
        .arg(format!("{}/tests/python/traced_producer.py", env!("CARGO_MANIFEST_DIR")));
    producer.args([surroundings.server.endpoint(), &surroundings.queue_url]);
    let output = producer.output().await.expect("start Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sent = String::from_utf8(output.stdout).expect("ids");
    let (trace, span) = sent.trim().split_once(' ').expect("a trace and a span");
    unload(
        &surroundings,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "100")],
    )
    .await;
    until("the last span is printed", async || {
        collector.spans().iter().any(|span| span.name.starts_with("delete"))
    })
    .await;
    let spans = collector.spans();
    let named = |name: &str| {
        spans
            .iter()
            .find(|span| span.name.starts_with(name))
            .unwrap_or_else(|| panic!("no {name}: {spans:#?}"))
    };
    let (process, write, settle) = (named("process"), named("insert events"), named("delete"));
    assert_eq!(
        (process.context.0.as_str(), process.parent.as_str()),
        (trace, span),
        "its producer is its parent"
    );
    for below in [write, settle] {
        assert_eq!(
            (&below.context.0, &below.parent),
            (&process.context.0, &process.context.1),
            "{below:?}"
        );
    }
}

#[tokio::test]
async fn a_batch_is_recorded_where_any_of_its_producers_is() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let collector = Collector::start().await;
    let unsampled = |number: u64| {
        let (trace, span) = producer(number);
        let traceparent =
            ("traceparent".to_owned(), Attribute::Text(format!("00-{trace}-{span}-00")));
        Outgoing { body: event(number), attributes: vec![traceparent], ..Outgoing::default() }
    };
    surroundings.send(&(0..30).map(unsampled).collect::<Vec<_>>()).await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    unload(&surroundings, &variables).await;
    let mixed: Vec<_> = (30..59).map(unsampled).chain([with_traceparent(100)]).collect();
    surroundings.send(&mixed).await;
    unload(&surroundings, &variables).await;
    until("a batch is printed", async || collector.spans().iter().any(|span| span.kind == 5)).await;
    let (spans, sampled) = (collector.spans(), producer(100));
    let processed: Vec<_> = spans.iter().filter(|span| span.kind == 5).collect();
    assert!(
        processed.iter().all(|span| span.links.iter().any(|(context, _)| *context == sampled)),
        "{processed:#?}"
    );
    assert!(!spans.iter().any(|span| {
        span.attributes.get("messaging.batch.message_count").is_some_and(|count| count == "0")
    }));
}

#[tokio::test]
async fn a_collector_that_is_away_or_silent_costs_nothing_but_its_spans() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    // Takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent_at = format!("http://{}", silent.local_addr().expect("an address"));
    let away = format!("http://127.0.0.1:{}", free_port());
    for (endpoint, protocol) in [
        (&silent_at, "http/protobuf"),
        (&away, "http/protobuf"),
        (&silent_at, "grpc"),
        (&away, "grpc"),
    ] {
        let port = free_port();
        let mut worker = surroundings.longshore(&["run"]);
        worker.envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
            ("LONGSHORE__ADMIN__LISTEN", &format!("127.0.0.1:{port}")),
        ]);
        let mut worker = Child::start(worker);
        let web = Web::new(port);
        for round in 0..20 {
            surroundings
                .send(
                    &(0..10)
                        .map(|number| with_traceparent(round * 10 + number))
                        .collect::<Vec<_>>(),
                )
                .await;
            until("the queue is empty", async || {
                worker.assert_running();
                surroundings.left().await == 0
            })
            .await;
        }
        until("spans are counted as dropped", async || {
            web.metric("longshore_spans_dropped_total").await > 0
        })
        .await;
        worker.signal("TERM").await;
        let (status, printed) =
            tokio::time::timeout(Duration::from_secs(30), worker.ended()).await.expect("it ends");
        assert!(status.success(), "{protocol}: {printed}");
    }
}

#[tokio::test]
async fn a_rejected_message_has_its_reason_in_the_trace_and_a_failed_write_its_cause() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let collector = Collector::start().await;
    let poison = Outgoing { body: "{".to_owned(), ..with_traceparent(0) };
    surroundings.send(&[poison]).await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    unload(&surroundings, &variables).await;
    // A write concern that cannot be met: one member is no three.
    surroundings.send(&[with_traceparent(2)]).await;
    let mut worker = surroundings.longshore(&["run"]);
    worker.envs(variables).envs([
        ("LONGSHORE__DB__WRITE_CONCERN__W", "3"),
        ("LONGSHORE__WORKER__DRAIN_TIMEOUT", "6s"),
    ]);
    let worker = Child::start(worker);
    let failed = async || {
        let lines = worker.printed();
        lines.lines().find(|line| line.contains("write not confirmed")).map(str::to_owned)
    };
    until("a write fails", async || failed().await.is_some()).await;
    let line: Value = serde_json::from_str(&failed().await.expect("seen above")).expect("JSON");
    worker.signal("TERM").await;
    worker.ended().await;
    until("the failed write is printed", async || {
        collector.spans().iter().any(|span| span.status == 2)
    })
    .await;
    let spans = collector.spans();
    let rejected = spans.iter().find(|span| {
        span.attributes.get("longshore.reason").is_some_and(|reason| reason == "bad_json")
    });
    let rejected = rejected.unwrap_or_else(|| panic!("no reason: {spans:#?}"));
    assert_eq!((rejected.context.0.clone(), rejected.parent.clone()), producer(0));
    let failed = spans.iter().find(|span| span.status == 2).expect("seen above");
    assert_eq!(
        (failed.name.as_str(), failed.attributes["error.type"].as_str()),
        ("insert events", "unavailable")
    );
    assert_eq!(
        line["trace_id"],
        failed.context.0.as_str(),
        "the line in the log names the trace that it is of"
    );
    assert_eq!(line["span_id"], failed.parent.as_str(), "and the batch");
}

#[tokio::test]
async fn a_sampled_producer_is_recorded_only_where_the_sampler_is_based_on_the_parent() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let collector = Collector::start().await;
    for (sampler, number) in [("always_off", 2), ("parentbased_always_off", 4)] {
        surroundings.send(&[with_traceparent(number)]).await;
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_TRACES_SAMPLER", sampler),
        ];
        // A worker sends its last spans before it ends.
        unload(&surroundings, &variables).await;
    }
    until("the spans of the second are printed", async || !collector.spans().is_empty()).await;
    let (trace, _) = producer(4);
    let spans = collector.spans();
    let is_of_second = |span: &Span| {
        span.context.0 == trace || span.links.iter().any(|((linked, _), _)| *linked == trace)
    };
    assert!(spans.iter().all(is_of_second), "always_off records nothing: {spans:#?}");
}

#[tokio::test]
async fn spans_arrive_by_grpc_as_well() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let (agent, endpoint) = collector::by_grpc().await;
    surroundings.send(&[with_traceparent(4)]).await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    unload(&surroundings, &variables).await;
    let (trace, _) = producer(4);
    until("the agent prints the spans", async || {
        let printed = agent.printed();
        ["process ", "insert events", "delete ", trace.as_str()]
            .iter()
            .all(|words| printed.contains(words))
    })
    .await;
}

#[tokio::test]
async fn spans_arrive_by_tls_over_both_protocols() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let (agent, grpc) = collector::by_grpc().await;
    let tap = Collector::start().await;
    let tls = mongod::certificates();
    let authority = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(authority.path(), &tls.ca).expect("written");
    let by_grpc = collector::by_tls(&tls, &grpc, b"h2").await;
    let by_http = collector::by_tls(&tls, &tap.endpoint, b"http/1.1").await;
    for (number, protocol, endpoint) in [(4, "grpc", by_grpc), (6, "http/protobuf", by_http)] {
        surroundings.send(&[with_traceparent(number)]).await;
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("SSL_CERT_FILE", authority.path().to_str().expect("UTF-8")),
        ];
        unload(&surroundings, &variables).await;
        let (trace, _) = producer(number);
        until(&format!("the spans arrive by {protocol}"), async || {
            agent.printed().contains(&trace) || tap.printed().contains(&trace)
        })
        .await;
    }
}

#[tokio::test]
async fn metrics_are_sent_from_the_registry_that_is_scraped() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let collector = Collector::start().await;
    surroundings.send(&(0..10).map(with_traceparent).collect::<Vec<_>>()).await;
    unload(&surroundings, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)]).await;
    until("metrics are printed", async || !collector.names().is_empty()).await;
    let names = collector.names();
    for name in [
        "messaging.client.consumed.messages",
        "messaging.client.operation.duration",
        "messaging.process.duration",
        "db.client.operation.duration",
        "db.client.connection.count",
        "longshore.enqueue_to_durable.duration",
        "longshore.received",
        "longshore.dead_lettered",
        "longshore.dead_lettered_by_sender",
    ] {
        assert!(names.iter().any(|other| other == name), "{name} is not in {names:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_in_the_variables_is_named() {
    let surroundings = Surroundings::new(&json!({})).await;
    for (variable, value, said) in [
        ("OTEL_TRACES_EXPORTER", "jaeger", "OTEL_TRACES_EXPORTER=\"jaeger\": give otlp or none"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "OTEL_TRACES_SAMPLER=\"sometimes\""),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "give grpc or http/protobuf"),
    ] {
        let mut worker = surroundings.longshore(&["run"]);
        worker.envs([("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), (variable, value)]);
        let (status, printed) = Child::start(worker).ended().await;
        assert_eq!(status.code(), Some(2), "{printed}");
        assert!(printed.contains(said), "{printed}");
    }
}
