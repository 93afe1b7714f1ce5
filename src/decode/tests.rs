//! Whole messages, by example, and what holds for any input. Each stage's own examples are in the
//! files below.

mod cloud_events;
mod encoding;
mod envelope;
mod json;
mod places;
mod properties;
mod unreadable;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::bson::DOCUMENT_BYTES_MAX;
use crate::message::Kind;
use crate::message::origin::ID_BYTES_MAX;

pub fn settings() -> MessageConfig {
    MessageConfig {
        version_skew_max: Duration::from_hours(1),
        decompressed_bytes_max: 1024 * 1024,
        unpack_ratio_max: 1_000,
        document_bytes_max: DOCUMENT_BYTES_MAX,
        types: BTreeMap::from([
            ("com.example.login".to_owned(), "event".to_owned()),
            ("Cart Changed".to_owned(), "session".to_owned()),
        ]),
        envelopes: Envelopes::ALL,
        routes: ["cache", "event", "session"].map(Into::into).into(),
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

/// The route that a record takes; empty where no name names one.
pub fn route_of(record: &Record) -> &str {
    record.kind.route().unwrap_or_default()
}

pub fn origin_of(record: &Record) -> (i64, String) {
    (record.origin.time.millis(), String::from_utf8_lossy(&record.origin.id).into_owned())
}

#[test]
fn a_plain_message_keeps_all_its_fields_in_order() {
    let record =
        decoded(r#"{"type":"event","id":"7f0c","user_id":123,"metadata":{"ip":"10.0.0.1"}}"#, &[]);
    assert_eq!(route_of(&record), "event");
    assert_eq!(
        record.fields.iter().map(|field| field.name()).collect::<Vec<_>>(),
        ["type", "id", "user_id", "metadata"]
    );
    assert_eq!(record.sent_ms, 1_795_341_600_000);
    assert_eq!(record.bytes, 71);
    assert_eq!(origin_of(&record), (1_795_341_600_000, "m-1".to_owned()));
}

/// A CloudEvents event of this type around this data.
fn cloudevent(kind: &str, data: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"{kind}","data":{data}}}"#)
}

#[test]
fn the_first_name_that_names_a_route_decides_and_those_of_envelopes_are_asked_first() {
    for (body, attribute, wanted, by_body, other) in [
        (
            cloudevent("com.example.login", r#"{"type":"cache"}"#),
            "session",
            "event",
            false,
            Some("cache"),
        ),
        (
            cloudevent("com.example.login", r#"{"type":"Recon:EC2/PortProbe"}"#),
            "x",
            "event",
            false,
            None,
        ),
        (cloudevent("com.example.login", r#"{"type":"event"}"#), "x", "event", true, None),
        (cloudevent("com.other", r#"{"type":"cache"}"#), "session", "cache", true, Some("session")),
        (cloudevent("com.other", r#"{"type":"Cart Changed"}"#), "x", "session", true, None),
        (cloudevent("com.other", r#"{"type":7}"#), "cache", "cache", false, None),
        (cloudevent("com.other", "{}"), "com.example.login", "event", false, None),
        (r#"{"type":"event"}"#.to_owned(), "cache", "event", true, Some("cache")),
        (r#"{"type":"user-made"}"#.to_owned(), "cache", "cache", false, None),
        (r#"{"type":""}"#.to_owned(), "cache", "cache", false, None),
    ] {
        let record = decoded(&body, &[("type", attribute)]);
        let named = record.kind.named().unwrap_or_else(|| panic!("{body} names no route"));
        assert_eq!(
            (&*named.route, named.by_body, named.other.as_deref()),
            (wanted, by_body, other),
            "{body} with {attribute}"
        );
        assert_eq!(record.fields.get("type").is_some(), body.contains(r#"{"type":"#), "{body}");
    }
}

#[test]
fn of_two_envelopes_the_outer_one_is_asked_first() {
    let bus = |kind: &str, detail: &str| {
        format!(
            r#"{{"id":"i","detail-type":"{kind}","source":"s","account":"a","time":"2026-11-22T10:00:05Z","detail":{detail}}}"#
        )
    };
    let both = bus("Cart Changed", &cloudevent("com.example.login", "{}"));
    let record = decoded(&both, &[]);
    assert_eq!((route_of(&record), origin_of(&record).1), ("session", "/s\n1".to_owned()));
    assert_eq!(record.kind.named().unwrap().other.as_deref(), Some("event"));
    assert_eq!(route_of(&decoded(&bus("x", &cloudevent("com.example.login", "{}")), &[])), "event");
}

#[test]
fn where_no_name_names_a_route_all_that_were_asked_are_kept() {
    let asked = |body: &str, attributes: &[(&str, &str)]| match decoded(body, attributes).kind {
        Kind::Unnamed(asked) => asked
            .into_iter()
            .map(|asked| format!("{}: {:?}", asked.place, asked.name))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::Named(named) => panic!("{body}: {named:?}"),
    };
    assert_eq!(asked("{}", &[]), "");
    assert_eq!(
        asked(&cloudevent("com.other", r#"{"type":"x"}"#), &[("type", "y")]),
        r#"the CloudEvents type: Some("com.other"), the field type: Some("x"), the attribute type: Some("y")"#
    );
    for value in ["null", "3", "{}", "[\"event\"]", r#"{"$oid":"65a000000000000000000001"}"#] {
        assert_eq!(
            asked(&format!(r#"{{"type":{value}}}"#), &[]),
            "the field type: None",
            "{value}"
        );
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
        rejected(body, &[("longshore-id", &long), ("longshore-time", "2026-11-22T10:00:05Z")]).0,
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

#[test]
fn a_byte_order_mark_before_the_text_of_a_layer_says_nothing() {
    let body = "\u{feff}{\"type\":\"event\",\"n\":1}";
    for packed in [body.to_owned(), encoding::gzip(body.as_bytes())] {
        let attributes: &[_] = if packed == body { &[] } else { &[("content-encoding", "gzip")] };
        let record = decoded(&packed, attributes);
        assert_eq!((route_of(&record), record.fields.len()), ("event", 2));
    }
    assert_eq!(rejected("\u{feff}\u{feff}{\"type\":\"event\"}", &[]).0, Reason::BadJson);
    assert_eq!(rejected("{\"type\":\"event\"}\u{feff}", &[]).0, Reason::BadJson);
}
