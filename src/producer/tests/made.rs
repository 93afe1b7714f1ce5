//! What a message is made of: types, times, packing, and the trace.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;

use super::super::message::Making;
use super::super::{Cache, Checks, Compression, Event, Key, Message, Session};
use super::fake::{FakeQueue, event, id};
use crate::config::defaults;
use crate::decode::decode;
use crate::message::origin::{ID_ATTRIBUTE, TIME_ATTRIBUTE};
use crate::message::{Attribute, QueueMessage, attribute_text};
use crate::queue::{Outgoing, SEND_BYTES_MAX};

const NOW_MS: i64 = 1_795_341_605_123;

fn made(message: impl Into<Message>, compression: Compression) -> Outgoing {
    let mut message = message.into();
    message
        .make_ready(Making { compression, fifo: false, checks: Checks::Defaults }, NOW_MS)
        .expect("a good message");
    message.into_outgoing()
}

/// The fields as a worker reads them.
fn read(outgoing: &Outgoing) -> Document {
    let message = QueueMessage {
        body: outgoing.body.clone(),
        attributes: outgoing.attributes.clone(),
        ..QueueMessage::default()
    };
    let record = decode(&message, &defaults().message).expect("it is read");
    let mut bytes = vec![0; 4];
    for field in record.fields.iter() {
        bytes.push(field.element_type());
        bytes.extend_from_slice(field.name_bytes());
        bytes.push(0);
        bytes.extend_from_slice(field.value());
    }
    bytes.push(0);
    let length = i32::try_from(bytes.len()).expect("a short one");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bson::deserialize_from_slice(&bytes).expect("BSON")
}

#[test]
fn types_of_bson_arrive_as_they_are() {
    let oid = ObjectId::from_bytes([7; 12]);
    let decimal: bson::Decimal128 = "12.50".parse().expect("a decimal");
    let values = doc! {
        "oid": oid,
        "date": bson::DateTime::from_millis(NOW_MS),
        "decimal": decimal,
        "generic": Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 255] },
        "uuid": Binary { subtype: BinarySubtype::Uuid, bytes: vec![3; 16] },
        "int": 5, "long": 1_i64 << 40, "double": 2.0, "text": "é\u{ffff}", "null": Bson::Null,
        "list": [1, { "a": true }],
    };
    let body = made(Cache::new(1, &values), Compression::Off);
    assert!(!body.body.contains('\u{ffff}'), "SQS refuses it");
    assert_eq!(read(&body).get_document("data").expect("an object"), &values);
}

#[test]
fn keys_and_times_are_written_as_they_were_meant() {
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_795_341_605, 123_456_789);
    let uuid = bson::Uuid::from_bytes([3; 16]);
    let session = Session::new(uuid, &1).last_accessed(time);
    assert_eq!(
        made(session, Compression::Off).body,
        r#"{"type":"session","session_id":{"$uuid":"03030303-0303-0303-0303-030303030303"},"last_accessed":"2026-11-22T10:00:05.123456789Z","data":1}"#
    );
    let event =
        Event::new(ObjectId::from_bytes([1; 12]), "a\"b").id("e-1").at(time).metadata(&json!({}));
    assert_eq!(
        made(event, Compression::Off).body,
        r#"{"type":"event","id":"e-1","user_id":{"$oid":"010101010101010101010101"},"event_type":"a\"b","timestamp":"2026-11-22T10:00:05.123456789Z","metadata":{}}"#
    );
    assert_eq!(Key::from(7_u32), Key::Integer(7));
    assert_eq!(
        made(Message::new("order", &json!({ "n": 1 })), Compression::Off).body,
        r#"{"type":"order","n":1}"#
    );
}

#[test]
fn a_large_body_is_packed_where_that_pays_and_a_worker_reads_it() {
    let data =
        |number: usize| (0..number).map(|n| format!("item {}", n * 7_919)).collect::<Vec<_>>();
    let above = 64 * 1024;
    for (compression, name) in
        [(Compression::Gzip { above }, "gzip"), (Compression::Zstd { above }, "zstd")]
    {
        let plain = made(Cache::new(1, &data(10_000)), Compression::Off);
        let packed = made(Cache::new(1, &data(10_000)), compression);
        assert_eq!(
            packed.attributes,
            [("content-encoding".to_owned(), Attribute::Text(name.to_owned()))]
        );
        assert!(packed.body.len() * 2 < plain.body.len(), "{name}: {}", packed.body.len());
        assert_eq!(read(&packed), read(&plain));
        let small = made(Cache::new(1, &data(100)), compression);
        assert_eq!(small.attributes, []);
        // Packed it would be more than a worker unpacks of so few bytes.
        let even = made(Cache::new(1, &"x".repeat(1_000_000)), compression);
        assert_eq!((even.attributes.len(), even.body.len() > 1_000_000), (0, true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_may_be_as_large_as_sqs_takes_with_its_identity() {
    let queue = FakeQueue::well();
    let producer = queue.producer(|config| config.compression = Compression::Off);
    let frame = made(Message::body("{\"a\":\"\"}"), Compression::Off).body.len();
    let identity = [(ID_ATTRIBUTE, 36), (TIME_ATTRIBUTE, 13)]
        .map(|(name, value)| name.len() + "String".len() + value)
        .iter()
        .sum::<usize>();
    let most = SEND_BYTES_MAX - frame - identity;
    let of = |bytes: usize| Message::body(format!("{{\"a\":\"{}\"}}", "x".repeat(bytes)));
    producer.send(of(most)).await.expect("room").await.expect("sent");
    assert_eq!(queue.taken()[0].bytes(), SEND_BYTES_MAX);
    assert!(producer.send(of(most + 1)).await.is_err());
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn remote(state: &str) -> opentelemetry::Context {
    let state =
        TraceState::from_key_value(if state.is_empty() { vec![] } else { vec![("vendor", state)] })
            .expect("a state");
    let span = SpanContext::new(
        TraceId::from_hex(TRACE).expect("an id"),
        SpanId::from_hex("00f067aa0ba902b7").expect("an id"),
        TraceFlags::SAMPLED,
        true,
        state,
    );
    opentelemetry::Context::new().with_remote_span_context(span)
}

#[test]
fn the_span_of_opentelemetry_goes_along_and_no_span_adds_nothing() {
    assert_eq!(made(event(1), Compression::Off).attributes, []);
    for (state, attributes) in [("1", 2), ("", 1)] {
        let _entered = remote(state).attach();
        let message = made(event(1), Compression::Off);
        let parent = attribute_text(&message.attributes, "traceparent");
        assert_eq!(parent, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert_eq!(message.attributes.len(), attributes);
    }
    // There is room for one, and for none.
    let _entered = remote("1").attach();
    for (own, parents) in [(7, 1), (8, 0)] {
        let mut message = Message::from(event(1));
        for number in 0..own {
            message = message.attribute(format!("a{number}"), "1");
        }
        let message = made(message, Compression::Off);
        assert_eq!(message.attributes.len(), own + parents);
        assert_eq!(attribute_text(&message.attributes, "traceparent").is_some(), parents == 1);
    }
    let own = made(Message::from(event(1)).attribute("traceparent", "mine"), Compression::Off);
    assert_eq!(attribute_text(&own.attributes, "traceparent"), Some("mine"));
}

#[test]
fn the_span_of_tracing_goes_along() {
    let provider = SdkTracerProvider::builder().build();
    // Where spans are OpenTelemetry's current ones too, that would be found as well.
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("test"))
        .with_context_activation(false);
    let subscriber = tracing_subscriber::registry().with(layer);
    let _listening = tracing::subscriber::set_default(subscriber);
    let span = tracing::info_span!("request");
    let _ = tracing_opentelemetry::OpenTelemetrySpanExt::set_parent(&span, remote(""));
    let message = span.in_scope(|| made(event(1), Compression::Off));
    let parent = attribute_text(&message.attributes, "traceparent").expect("a parent");
    assert!(
        parent.starts_with(&format!("00-{TRACE}-")) && !parent.contains("00f067aa0ba902b7"),
        "{parent}"
    );
}

#[tokio::test(start_paused = true)]
async fn identities_rise_when_the_clock_is_set_back() {
    use super::super::{Producer, ProducerConfig};
    struct Back(std::sync::atomic::AtomicI64);
    impl crate::clock::Clock for Back {
        fn now_ms(&self) -> i64 {
            self.0.fetch_sub(1_000, std::sync::atomic::Ordering::Relaxed)
        }

        fn random(&self) -> f64 {
            0.5
        }
    }
    let queue = FakeQueue::well();
    let config = ProducerConfig::new(super::fake::URL);
    let clock = Arc::new(Back(NOW_MS.into()));
    let producer = Producer::start_by(clock, Arc::clone(&queue) as _, &config, config.delivery());
    for number in 0..100 {
        producer.send(event(number)).await.expect("room").await.expect("sent");
    }
    let taken = queue.taken();
    assert!(taken.is_sorted_by(|a, b| id(a) < id(b)));
    assert!(taken.is_sorted_by(|a, b| attribute_text(&a.attributes, TIME_ATTRIBUTE)
        <= attribute_text(&b.attributes, TIME_ATTRIBUTE)));
}
