//! Envelopes by example: what each yields, what only looks like one, and what is rejected.

use super::*;
use crate::message::origin::ID_BYTES_MAX;

const NOTIFICATION: &str = r#"{
  "Type" : "Notification",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Subject" : "My First Message",
  "Message" : "{\"type\":\"event\",\"n\":1}",
  "Timestamp" : "2026-11-22T10:00:05.123Z",
  "SignatureVersion" : "1",
  "UnsubscribeURL" : "https://example.com/"
}"#;

const BUS_EVENT: &str = r#"{
  "version": "0",
  "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
  "detail-type": "Cart Changed",
  "source": "shop.cart",
  "account": "111122223333",
  "time": "2026-11-22T10:00:05Z",
  "region": "us-west-1",
  "resources": [],
  "detail": {"session_id": "s-1", "n": 2}
}"#;

pub const CLOUD_EVENT: &str = r#"{"specversion":"1.0","id":"A-1","source":"/portal","type":"com.example.login",
  "time":"2026-11-22T12:00:05.5+02:00","datacontenttype":"application/json","data":{"n":3}}"#;

pub fn number(record: &Record) -> i32 {
    super::json::document(&record.fields).get_i32("n").unwrap()
}

/// A notification whose `Message` is this text.
fn notification(message: &str, attributes: &str) -> String {
    let message = serde_json::to_string(message).unwrap();
    NOTIFICATION
        .replace(r#""{\"type\":\"event\",\"n\":1}""#, &message)
        .replace(r#""SignatureVersion" : "1""#, &format!(r#""MessageAttributes" : {attributes}"#))
}

#[test]
fn an_sns_notification_is_opened() {
    let record = decoded(NOTIFICATION, &[]);
    assert_eq!((route_of(&record), number(&record), record.bytes), ("event", 1, 22));
    assert_eq!(
        origin_of(&record),
        (1_795_341_605_123, "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324".to_owned())
    );
}

#[test]
fn an_eventbridge_event_is_opened() {
    let record = decoded(BUS_EVENT, &[]);
    assert_eq!((route_of(&record), number(&record)), ("session", 2));
    assert_eq!(
        origin_of(&record),
        (1_795_341_605_000, "6a7e8feb-b491-4cf7-a9f1-bf3703467718".to_owned())
    );
}

#[test]
fn the_envelopes_origin_wins_over_the_attributes() {
    let attributes = [("longshore-id", "x"), ("longshore-time", "2020-01-01T00:00:00Z")];
    for body in [NOTIFICATION, BUS_EVENT, CLOUD_EVENT] {
        assert_eq!(decoded(body, &attributes).origin, decoded(body, &[]).origin);
    }
}

#[test]
fn envelopes_in_envelopes_are_opened_and_the_innermost_names_the_origin() {
    let record = decoded(&notification(BUS_EVENT, "{}"), &[]);
    assert_eq!((route_of(&record), number(&record)), ("session", 2));
    assert_eq!(origin_of(&record).1, "6a7e8feb-b491-4cf7-a9f1-bf3703467718");
    let two = notification(CLOUD_EVENT, "{}");
    let three = notification(&two, "{}");
    assert_eq!(origin_of(&decoded(&three, &[])).1, "/portal\nA-1");
    let (reason, text) = rejected(&notification(&three, "{}"), &[]);
    assert_eq!((reason, text.contains("more than 3 envelopes")), (Reason::BadEnvelope, true));
}

#[test]
fn sns_attributes_count_as_attributes_of_the_message_inside() {
    let text =
        |name: &str, value: &str| format!(r#""{name}":{{"Type":"String","Value":"{value}"}}"#);
    let record = decoded(
        &notification(r#"{"n":5}"#, &format!("{{{}}}", text("type", "cache"))),
        &[("type", "outer")],
    );
    assert_eq!((route_of(&record), number(&record)), ("cache", 5));

    let packed = super::encoding::gzip(br#"{"type":"event","n":6}"#);
    let body = notification(&packed, &format!("{{{}}}", text("content-encoding", "gzip")));
    assert_eq!(number(&decoded(&body, &[])), 6);
    let twice = super::encoding::gzip(body.as_bytes());
    assert_eq!(
        rejected(&twice, &[("content-encoding", "gzip")]).0,
        Reason::BadEncoding,
        "packed twice"
    );

    let binary = r#"{"type":{"Type":"Binary","Value":"AAEC"}}"#;
    assert_eq!(route_of(&decoded(&notification(r#"{"type":"event"}"#, binary), &[])), "event");
    assert_eq!(rejected(&notification("{}", r#"{"type":"event"}"#), &[]).0, Reason::BadEnvelope);
}

#[test]
fn the_encoding_of_the_outer_message_is_not_applied_again_inside() {
    let packed = super::encoding::gzip(NOTIFICATION.as_bytes());
    assert_eq!(number(&decoded(&packed, &[("content-encoding", "gzip")])), 1);
}

#[test]
fn a_plain_message_with_fields_named_as_an_envelopes_stays_plain() {
    for body in [
        r#"{"type":"event","Message":"{}","Type":"Notification","MessageId":"a"}"#,
        r#"{"type":"event","Message":"{}","TopicArn":"x","Type":"Alert","MessageId":"a"}"#,
        r#"{"type":"event","Message":{},"TopicArn":"x","Type":"Notification","MessageId":"a"}"#,
        r#"{"type":"event","detail-type":"x","source":"s","detail":{"type":"cache"}}"#,
        r#"{"type":"event","detail-type":"x","source":"s","detail":[],"id":"a","time":"0","account":"b"}"#,
        r#"{"type":"event","specversion":"1.0","id":"a"}"#,
        r#"{"type":"event","specversion":"2","id":"a","data":{"type":"cache"}}"#,
        r#"{"type":"event","specversion":7,"data":{"type":"cache"}}"#,
        r#"{"type":"event","data":{"specversion":"1.0","id":"a","source":"s","type":"cache","data":{}}}"#,
    ] {
        let record = decoded(body, &[]);
        assert_eq!((route_of(&record), record.bytes), ("event", body.len()), "{body}");
        assert_eq!(origin_of(&record).1, "m-1", "{body}");
    }
}

#[test]
fn an_envelope_that_lacks_one_thing_says_which() {
    let detail = r#"{"session_id": "s-1", "n": 2}"#;
    for (body, expected) in [
        (
            NOTIFICATION.replace("\"Message\"", "\"Text\""),
            "SNS: Message is missing, or not a string",
        ),
        (
            NOTIFICATION.replace(r#""{\"type\":\"event\",\"n\":1}""#, "{\"type\":\"event\"}"),
            "SNS: Message is missing, or not a string",
        ),
        (BUS_EVENT.replace("\"detail\":", "\"details\":"), "EventBridge: detail is missing"),
        (
            BUS_EVENT.replace(detail, "[]"),
            "EventBridge: detail is neither an object nor a text that holds one",
        ),
        (BUS_EVENT.replace(detail, "\"hello\""), "EventBridge: detail is neither an object"),
        (BUS_EVENT.replace(detail, "null"), "EventBridge: detail is missing, or null"),
        (BUS_EVENT.replace("\"time\"", "\"at\""), "EventBridge: time is missing, or not a string"),
        (
            CLOUD_EVENT.replace("\"id\":\"A-1\",", ""),
            "CloudEvents: id is missing, or not a string, beside specversion",
        ),
        (CLOUD_EVENT.replace("\"A-1\"", "1"), "CloudEvents: id is missing, or not a string"),
        (CLOUD_EVENT.replace("\"source\":\"/portal\",", ""), "CloudEvents: source is missing"),
        (
            CLOUD_EVENT.replace("com.example.login", "event").replace("\"source\"", "\"from\""),
            "CloudEvents: source is missing",
        ),
        (CLOUD_EVENT.replace("\"type\"", "\"kind\""), "CloudEvents: type is missing"),
        (CLOUD_EVENT.replace("\"1.0\"", "2.0"), "CloudEvents: specversion is not 1.0"),
    ] {
        let (reason, text) = rejected(&body, &[]);
        assert_eq!(reason, Reason::BadEnvelope, "{text}");
        assert!(text.starts_with(expected), "{text}");
    }
    let (_, text) = rejected(
        &NOTIFICATION
            .replace("Notification", "UnsubscribeConfirmation")
            .replace("\"Subject\"", "\"Token\""),
        &[],
    );
    assert!(text.contains("has ended") && text.contains("nothing is to be confirmed"), "{text}");
}

#[test]
fn a_broken_envelope_is_rejected() {
    use Reason::{BadEnvelope, BadJson, BadKey, BadTime};
    let id = "6a7e8feb-b491-4cf7-a9f1-bf3703467718";
    for (reason, body) in [
        (BadEnvelope, NOTIFICATION.replace("\"Timestamp\"", "\"When\"")),
        (
            BadEnvelope,
            NOTIFICATION
                .replace("Notification", "SubscriptionConfirmation")
                .replace("\"Subject\"", "\"Token\""),
        ),
        (BadTime, NOTIFICATION.replace("2026-11-22", "22 November")),
        (BadJson, notification("hello", "{}")),
        (BadJson, notification("[]", "{}")),
        (BadTime, BUS_EVENT.replace("2026-11-22", "0000-11-22")),
        (BadKey, BUS_EVENT.replace(id, "")),
        (BadKey, BUS_EVENT.replace(id, &"i".repeat(ID_BYTES_MAX + 1))),
        (BadEnvelope, CLOUD_EVENT.replace("\"1.0\"", "\"0.3\"")),
        (BadEnvelope, CLOUD_EVENT.replace("{\"n\":3}", "{\"n\":3},\"data_base64\":\"e30=\"")),
        (BadEnvelope, CLOUD_EVENT.replace("\"data\":{\"n\":3}", "\"data_base64\":\"?\"")),
        (BadJson, CLOUD_EVENT.replace("\"data\":{\"n\":3}", "\"data_base64\":\"/w==\"")),
        (BadJson, CLOUD_EVENT.replace("{\"n\":3}", "\"text\"")),
        (BadEnvelope, CLOUD_EVENT.replace("\"2026-11-22T12:00:05.5+02:00\"", "7")),
        (BadKey, CLOUD_EVENT.replace("A-1", "")),
        (BadKey, CLOUD_EVENT.replace("A-1", r"A\n1")),
        (Reason::BadName, CLOUD_EVENT.replace("\"source\"", "\"id\":\"B\",\"source\"")),
    ] {
        assert_eq!(rejected(&body, &[]).0, reason, "{body}");
    }
}

#[test]
fn the_detail_of_an_eventbridge_event_may_be_text_that_holds_an_object() {
    for (detail, fields) in
        [(r#""{}""#, 0), (r#""{\"session_id\":\"s-1\",\"n\":2}""#, 2), (r#"" {\n}""#, 0)]
    {
        let body = BUS_EVENT.replace(r#"{"session_id": "s-1", "n": 2}"#, detail);
        let record = decoded(&body, &[]);
        assert_eq!((route_of(&record), record.fields.len()), ("session", fields), "{detail}");
        assert_eq!(origin_of(&record).1, "6a7e8feb-b491-4cf7-a9f1-bf3703467718");
    }
    let broken = BUS_EVENT.replace(r#"{"session_id": "s-1", "n": 2}"#, r#""{'a': 1}""#);
    let (reason, text) = rejected(&broken, &[]);
    assert_eq!(reason, Reason::BadJson);
    assert!(
        text.starts_with("the detail of the EventBridge event is not JSON: a single quote"),
        "{text}"
    );
}

#[test]
fn a_body_whose_own_type_names_a_route_is_a_plain_message_whatever_else_it_holds() {
    for own in ["event", "com.example.login"] {
        for body in [
            NOTIFICATION.replacen('{', &format!(r#"{{"type":"{own}","#), 1),
            NOTIFICATION
                .replacen('{', &format!(r#"{{"type":"{own}","#), 1)
                .replace("Notification", "SubscriptionConfirmation")
                .replace("\"Subject\"", "\"Token\""),
            BUS_EVENT.replacen('{', &format!(r#"{{"type":"{own}","#), 1),
        ] {
            let record = decoded(&body, &[]);
            assert_eq!((route_of(&record), record.bytes), ("event", body.len()), "{body}");
            assert_eq!(origin_of(&record).1, "m-1", "{body}");
            let inner = notification(&body, "{}");
            assert_eq!(decoded(&inner, &[]).fields, record.fields, "in an envelope too");
        }
    }
    // Of another type it is an envelope, and of CloudEvents the type is the envelope's own.
    let other = BUS_EVENT.replacen('{', r#"{"type":"user-made","#, 1);
    assert_eq!(number(&decoded(&other, &[])), 2);
    let event = CLOUD_EVENT.replace("com.example.login", "event");
    assert_eq!(number(&decoded(&event, &[])), 3);
}

#[test]
fn only_the_envelopes_that_are_asked_for_are_opened() {
    let attributes =
        [("ce-id", "1"), ("ce-source", "s"), ("ce-specversion", "1.0"), ("ce-type", "event")];
    let opened = |envelopes: Envelopes| {
        let settings = MessageConfig { envelopes, ..settings() };
        let is_opened = |body: &str, attributes: &[(&str, &str)]| {
            decode(&message(body, attributes), &settings).unwrap().origin.id
                != b"m-1".as_slice().into()
        };
        (
            is_opened(NOTIFICATION, &[]),
            is_opened(BUS_EVENT, &[]),
            is_opened(CLOUD_EVENT, &[]),
            is_opened("{}", &attributes),
        )
    };
    let none = Envelopes { sns: false, eventbridge: false, cloudevents: false };
    assert_eq!(opened(Envelopes::ALL), (true, true, true, true));
    assert_eq!(opened(none), (false, false, false, false));
    assert_eq!(opened(Envelopes { sns: true, ..none }), (true, false, false, false));
    assert_eq!(opened(Envelopes { eventbridge: true, ..none }), (false, true, false, false));
    assert_eq!(opened(Envelopes { cloudevents: true, ..none }), (false, false, true, true));
}
