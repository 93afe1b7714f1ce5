//! Whole messages, by example, and what holds for any input. Each stage's own examples are in the
//! files below.

mod encoding;
mod envelope;
mod json;
mod properties;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::bson::DOCUMENT_BYTES_MAX;
use crate::message::origin::ID_BYTES_MAX;

pub fn settings() -> MessageConfig {
    MessageConfig {
        version_skew_max: Duration::from_hours(1),
        decompressed_bytes_max: 1024 * 1024,
        document_bytes_max: DOCUMENT_BYTES_MAX,
        types: BTreeMap::from([
            ("com.example.login".to_owned(), "event".to_owned()),
            ("Cart Changed".to_owned(), "session".to_owned()),
        ]),
    }
}

pub fn message(body: &str, attributes: &[(&str, &str)]) -> QueueMessage {
    QueueMessage {
        message_id: "m-1".to_owned(),
        body: body.to_owned(),
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Attribute::Text((*value).to_owned())))
            .collect(),
        sent_ms: 1_795_341_600_000,
        receive_count: 1,
        ..QueueMessage::default()
    }
}

pub fn decoded(body: &str, attributes: &[(&str, &str)]) -> Record {
    decode(&message(body, attributes), &settings())
        .unwrap_or_else(|rejection| panic!("{body}: {rejection:?}"))
}

/// Reason and text of the rejection.
pub fn rejected(body: &str, attributes: &[(&str, &str)]) -> (Reason, String) {
    match decode(&message(body, attributes), &settings()) {
        Ok(record) => panic!("{body}: was read as {record:?}"),
        Err(rejection) => (rejection.reason, rejection.text),
    }
}

pub fn origin_of(record: &Record) -> (i64, String) {
    (record.origin.time.millis(), String::from_utf8_lossy(&record.origin.id).into_owned())
}

#[test]
fn a_plain_message_keeps_all_its_fields_in_order() {
    let record =
        decoded(r#"{"type":"event","id":"7f0c","user_id":123,"metadata":{"ip":"10.0.0.1"}}"#, &[]);
    assert_eq!(record.kind, "event");
    assert_eq!(
        record.fields.iter().map(|field| field.name()).collect::<Vec<_>>(),
        ["type", "id", "user_id", "metadata"]
    );
    assert_eq!(record.sent_ms, 1_795_341_600_000);
    assert_eq!(record.bytes, 71);
    assert_eq!(origin_of(&record), (1_795_341_600_000, "m-1".to_owned()));
}

#[test]
fn the_bodys_type_wins_over_the_attribute_and_the_attribute_over_the_envelope() {
    let event = |data: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"/s","type":"com.example.login","data":{data}}}"#
        )
    };
    assert_eq!(decoded(&event(r#"{"type":"a"}"#), &[("type", "b")]).kind, "a");
    assert_eq!(decoded(&event("{}"), &[("type", "b")]).kind, "b");
    assert_eq!(decoded(&event("{}"), &[]).kind, "event", "mapped by the configuration");
    assert_eq!(
        decoded(&event("{}").replace("example.login", "other"), &[]).kind,
        "com.other",
        "taken as it is where nothing maps it"
    );
}

#[test]
fn a_message_without_a_type_is_rejected() {
    assert_eq!(rejected("{}", &[]).0, Reason::MissingType);
    assert_eq!(rejected(r#"{"type":""}"#, &[("type", "event")]).0, Reason::MissingType);
    for value in ["null", "3", "{}", "[\"event\"]", r#"{"$oid":"65a000000000000000000001"}"#] {
        let (reason, text) = rejected(&format!(r#"{{"type":{value}}}"#), &[("type", "event")]);
        assert_eq!((reason, text.contains("not a string")), (Reason::MissingType, true), "{value}");
    }
}

#[test]
fn the_origin_is_the_producers_where_both_attributes_are_there() {
    let body = r#"{"type":"event"}"#;
    let both = [("longshore-id", "order-7"), ("longshore-time", "2026-11-22T10:00:05.123456Z")];
    assert_eq!(origin_of(&decoded(body, &both)), (1_795_341_605_123, "order-7".to_owned()));
    for one in &both {
        assert_eq!(rejected(body, &[*one]).0, Reason::BadKey, "{one:?}");
    }
    assert_eq!(
        rejected(body, &[("longshore-id", "a"), ("longshore-time", "soon")]).0,
        Reason::BadTime
    );
    let long = "x".repeat(ID_BYTES_MAX + 1);
    assert_eq!(
        rejected(body, &[("longshore-id", &long), ("longshore-time", "0")]).0,
        Reason::BadKey
    );
}

#[test]
fn the_size_is_that_of_the_unpacked_body() {
    let packed =
        encoding::gzip(format!(r#"{{"type":"event","note":"{}"}}"#, "x".repeat(5_000)).as_bytes());
    assert_eq!(decoded(&packed, &[("content-encoding", "gzip")]).bytes, 5_026);
}

#[test]
fn a_rejection_tells_names_but_no_values() {
    for body in [
        r#"{"type":"event","password":"hunter2","password":"hunter2"}"#,
        r#"{"type":"event","card":{"$oid":"hunter2"}}"#,
        r#"{"type":"event","card":{"$date":"hunter2"}}"#,
        r#"{"type":"event","card":{"$binary":{"base64":"hunter2!","subType":"00"}}}"#,
        r#"{"type":"event","card":{"$numberDecimal":"hunter2"}}"#,
        r#"{"type":"event","card":"hunter2"#,
        r#"{"type":"event","card":"hunter2\ud800"}"#,
        r#""hunter2""#,
        r#"["hunter2"]"#,
        r#"{"specversion":"hunter2","id":"hunter2","source":"hunter2","type":"hunter2"}"#,
        r#"{"specversion":"1.0","id":"a","source":"b","type":"c","time":"hunter2","data":{}}"#,
    ] {
        let (reason, text) = rejected(body, &[]);
        assert!(!text.contains("hunter2") && !text.is_empty(), "{reason}: {text}");
    }
}

#[test]
fn what_needs_more_room_than_it_is_given_says_so_and_is_read_with_more() {
    let body = format!(r#"{{"type":"event","zeros":[0{}]}}"#, ",0".repeat(10_000));
    let needed = decoded(&body, &[]).fields.memory_bytes();
    assert!(needed > 4 * body.len(), "as BSON it is larger: {needed}");
    let within = |room| {
        decode_within(&message(&body, &[]), &settings(), room)
            .map(|record| record.fields.memory_bytes())
    };
    assert_eq!((within(needed), within(needed - 1)), (Ok(needed), Err(Undecoded::Outgrown)));
}

#[test]
fn an_unpacked_body_takes_room_beside_what_is_made_of_it() {
    use std::io::Write;

    let body = format!(r#"{{"type":"event","text":"{}"}}"#, "x".repeat(100_000));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body.as_bytes()).unwrap();
    let packed = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        encoder.finish().unwrap(),
    );
    let message = message(&packed, &[("content-encoding", "gzip")]);
    let needed = body.len() + decode(&message, &settings()).unwrap().fields.memory_bytes();
    assert!(decode_within(&message, &settings(), needed).is_ok());
    for room in [needed - 1, body.len(), body.len() - 1, 0] {
        assert_eq!(
            decode_within(&message, &settings(), room).unwrap_err(),
            Undecoded::Outgrown,
            "{room}"
        );
    }
}
