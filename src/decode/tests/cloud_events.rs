//! Events in the two modes of CloudEvents: structured, and binary in the attributes of a message.

use super::envelope::{CLOUD_EVENT, number};
use super::*;

#[test]
fn a_structured_cloudevent_is_opened() {
    let record = decoded(CLOUD_EVENT, &[]);
    assert_eq!((route_of(&record), number(&record)), ("event", 3));
    assert_eq!(origin_of(&record), (1_795_341_605_500, "/portal\nA-1".to_owned()));
    let base64 =
        CLOUD_EVENT.replace(r#""data":{"n":3}"#, r#""data_base64":"eyJuIjo0fQ==","data":null"#);
    assert_eq!(number(&decoded(&base64, &[])), 4);
}

#[test]
fn a_binary_cloudevent_is_read_from_its_attributes() {
    let attributes = [
        ("ce-id", "A-1"),
        ("ce-source", "/portal"),
        ("ce-specversion", "1.0"),
        ("ce-time", "2026-11-22T10:00:05Z"),
        ("ce-type", "com.example.login"),
    ];
    let record = decoded(r#"{"n":3}"#, &attributes);
    assert_eq!((route_of(&record), number(&record)), ("event", 3));
    assert_eq!(origin_of(&record), (1_795_341_605_000, "/portal\nA-1".to_owned()));
    assert_eq!(route_of(&decoded(r#"{"type":"cache"}"#, &attributes)), "event");
    for missing in ["ce-id", "ce-source", "ce-type"] {
        let fewer: Vec<_> = attributes.into_iter().filter(|(name, _)| *name != missing).collect();
        let (reason, text) = rejected(r#"{"n":3}"#, &fewer);
        assert_eq!((reason, text.contains(missing)), (Reason::BadEnvelope, true), "{text}");
    }
    let in_capitals = [
        ("CE-ID", "A-1"),
        ("Ce-Source", "/portal"),
        ("CE-SpecVersion", "1.0"),
        ("CE-time", "2026-11-22T10:00:05Z"),
        ("CE-type", "com.example.login"),
    ];
    let other = decoded(r#"{"n":3}"#, &in_capitals);
    assert_eq!((route_of(&other), &other.origin), ("event", &record.origin), "as headers' names");
    // Without the version these are attributes like any other.
    assert_eq!(route_of(&decoded(r#"{"type":"cache"}"#, &attributes[..2])), "cache");
}

#[test]
fn an_attribute_of_a_binary_cloudevent_that_is_not_text_is_told_and_not_passed_over() {
    let names = ["ce-specversion", "ce-type", "ce-source", "ce-id", "ce-time"];
    for binary in names {
        let attributes = names.map(|name| match name {
            "ce-specversion" => (name, "1.0"),
            "ce-time" => (name, "2026-11-22T10:00:05Z"),
            name => (name, "event"),
        });
        let mut message = message(r#"{"n":3}"#, &attributes);
        for (name, value) in &mut message.attributes {
            if name == binary {
                *value = Attribute::Binary(b"1.0".to_vec());
            }
        }
        let Rejection { reason, text, .. } = decode(&message, &settings()).unwrap_err();
        assert_eq!(reason, Reason::BadEnvelope, "{binary}: {text}");
        assert!(text.contains(binary) && text.contains("is not text"), "{text}");
    }
}

#[test]
fn a_cloudevent_without_a_time_has_the_same_origin_at_every_redelivery_and_replay() {
    let body = CLOUD_EVENT.replace(r#""time":"2026-11-22T12:00:05.5+02:00","#, "");
    let first = decoded(&body, &[]);
    assert_eq!(origin_of(&first), (first.sent_ms, "/portal\nA-1".to_owned()));
    let mut replayed = message(
        &body,
        &[("longshore-id", "/portal\nA-1"), ("longshore-time", &first.sent_ms.to_string())],
    );
    replayed.sent_ms += 86_400_000;
    assert_eq!(decode(&replayed, &settings()).unwrap().origin, first.origin);
}

#[test]
fn the_version_of_a_cloudevent_may_be_a_number() {
    for version in ["1.0", "1"] {
        let record = decoded(&CLOUD_EVENT.replace("\"1.0\"", version), &[]);
        assert_eq!((route_of(&record), number(&record)), ("event", 3), "{version}");
        assert_eq!(origin_of(&record).1, "/portal\nA-1", "{version}");
    }
}

#[test]
fn a_cloudevent_may_have_no_data() {
    let structured = CLOUD_EVENT.replace(r#","data":{"n":3}"#, "");
    for body in [structured.as_str(), &CLOUD_EVENT.replace(r#"{"n":3}"#, "null")] {
        let record = decoded(body, &[]);
        assert_eq!((route_of(&record), record.fields.len()), ("event", 0), "{body}");
        assert_eq!(origin_of(&record).1, "/portal\nA-1");
    }
    let attributes = [
        ("ce-id", "A-1"),
        ("ce-source", "/portal"),
        ("ce-specversion", "1.0"),
        ("ce-type", "com.example.login"),
    ];
    // SQS takes no empty body.
    for body in [" ", "\u{feff}", "\r\n"] {
        let record = decoded(body, &attributes);
        assert_eq!((route_of(&record), record.fields.len()), ("event", 0), "{body:?}");
    }
    assert_eq!(rejected(" ", &[("type", "event")]).0, Reason::BadJson, "no event, no data");
}
