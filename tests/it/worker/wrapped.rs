//! Messages that come packed or in envelopes, each of them twice, as topics and buses deliver: one
//! event each.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use longshore::message::Attribute;
use longshore::queue::Outgoing;
use mongodb::bson::{Bson, DateTime};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};

use crate::support::surroundings::{Surroundings, plain};

/// What the producers call their events; a configuration maps it to a route.
const KIND: &str = "com.example.portal.event";

#[tokio::test]
async fn packed_and_enveloped_messages_land_as_one_event_each() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let mut config = surroundings.config();
    config.message.types.insert(KIND.to_owned(), "event".to_owned());
    let messages = [
        packed("gzip", &gzip(&event("gzip"))),
        packed(
            "zstd",
            &compress_to_vec(event("zstd").to_string().as_bytes(), CompressionLevel::Fastest),
        ),
        plain(&sns("sns", &event("sns"))),
        plain(&eventbridge("eventbridge", &untyped("eventbridge"))),
        plain(&structured_cloudevent("structured", &untyped("structured"))),
        binary_cloudevent("binary", &untyped("binary")),
        plain(&sns(
            "sns around eventbridge",
            &eventbridge("inside", &untyped("sns around eventbridge")),
        )),
    ];
    let names =
        ["binary", "eventbridge", "gzip", "sns", "sns around eventbridge", "structured", "zstd"];
    surroundings.send(&messages).await;
    surroundings.send(&messages).await;
    let counts = surroundings.unload(config).await;
    assert_eq!(
        (counts.deleted_total, counts.dead_lettered),
        (2 * messages.len() as u64, [].into())
    );

    let events = surroundings.documents("events").await;
    let mut found: Vec<_> =
        events.iter().map(|event| event.get_str("event_type").expect("text")).collect();
    found.sort_unstable();
    assert_eq!(found, names);
    for event in &events {
        let name = event.get_str("event_type").expect("text");
        assert_eq!(event.get("user_id"), Some(&123.into()), "{name}");
        // The packed ones name a time themselves, the others have that of their envelope.
        assert_eq!(
            event.get("timestamp"),
            Some(&DateTime::from_millis(1_795_341_605_000).into()),
            "{name}"
        );
        let has_own_id = ["gzip", "zstd"].contains(&name);
        assert_eq!(
            matches!(event.get("_id"), Some(Bson::String(_))),
            has_own_id,
            "{name}: {:?}",
            event.get("_id")
        );
    }
}

/// The time of every envelope here.
const TIME: &str = "2026-11-22T10:00:05Z";

/// A body with a type. The packed ones have no envelope to name them and their time.
fn event(name: &str) -> Value {
    let mut event = untyped(name);
    event["type"] = "event".into();
    if ["gzip", "zstd"].contains(&name) {
        event["id"] = name.into();
        event["timestamp"] = TIME.into();
    }
    event
}

fn untyped(name: &str) -> Value {
    json!({ "user_id": 123, "event_type": name, "metadata": { "text": "x".repeat(1_000) } })
}

fn gzip(body: &Value) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.to_string().as_bytes()).expect("packed");
    encoder.finish().expect("packed")
}

fn packed(encoding: &str, bytes: &[u8]) -> Outgoing {
    let attributes = vec![("content-encoding".to_owned(), Attribute::Text(encoding.to_owned()))];
    Outgoing { body: STANDARD.encode(bytes), attributes, ..Outgoing::default() }
}

/// "Amazon SNS message formats", HTTP/HTTPS notification JSON.
fn sns(id: &str, message: &Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": id, "TopicArn": "arn:aws:sns:eu-west-1:123456789012:portal", "Message": message.to_string(),
        "Timestamp": TIME, "SignatureVersion": "1", "Signature": "EXAMPLE", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    })
}

/// "AWS service event metadata" of Amazon EventBridge.
fn eventbridge(id: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": id, "detail-type": KIND, "source": "portal", "account": "123456789012", "time": TIME,
        "region": "eu-west-1", "resources": [], "detail": detail,
    })
}

/// CloudEvents 1.0, JSON event format.
fn structured_cloudevent(id: &str, data: &Value) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/portal", "type": KIND, "time": TIME, "datacontenttype": "application/json", "data": data })
}

/// CloudEvents 1.0 with its attributes beside the body.
fn binary_cloudevent(id: &str, data: &Value) -> Outgoing {
    let attributes = [
        ("ce-id", id),
        ("ce-source", "/portal"),
        ("ce-specversion", "1.0"),
        ("ce-time", TIME),
        ("ce-type", KIND),
    ];
    let attributes =
        attributes.map(|(name, value)| (name.to_owned(), Attribute::Text(value.to_owned()))).into();
    Outgoing { attributes, ..plain(data) }
}
