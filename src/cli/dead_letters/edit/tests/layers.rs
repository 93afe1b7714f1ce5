//! Each layer and what they are in one another: what is around the edited text stays as it came.

use serde_json::{Value, json};

use super::*;
use crate::decode::encoding::Encoding;

const SNS: &str = r#"{ "Type" : "Notification", "MessageId" : "m-1", "Message" : @, "Timestamp" : "2026-11-28T10:00:00.000Z",
 "TopicArn" : "arn:aws:sns:eu-west-1:1:t", "x": 1.50, "MessageAttributes" : {ATTRIBUTES} }
"#;
const EVENT: &str = r#"{"version":"0", "id":"e-1","detail-type":"event" , "source":"s","account":"1","time":"2026-11-28T10:00:00Z","detail": @ , "n":1e2}"#;
const CLOUD: &str =
    r#"{"specversion":"1.0","id":"c-1","source":"/s","type":"event"@ , "z" : [ ] }"#;

/// The body of `{"type":"event","n":…}` before and after the edit of the tests here.
const OLD: &str = r#"{"type":"event", "n":9223372036854775806, "bad":"ä\n"}"#;
const NEW: &str = r#"{"type":"event","n":9223372036854775807}"#;
const PROGRAM: &str = "del(.bad) | .n += 1";

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn sns(message: &str) -> String {
    SNS.replace('@', &quoted(message)).replace("{ATTRIBUTES}", "{}")
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}

/// The body with the old text inside becomes the same one with the new text inside.
fn stays_around(wrap: impl Fn(&str) -> String) {
    assert_eq!(edited(PROGRAM, &wrap(OLD)), wrap(NEW));
}

#[test]
fn envelopes_stay_byte_for_byte() {
    stays_around(str::to_owned);
    stays_around(sns);
    stays_around(|text| format!("\u{feff}{}", sns(text)));
    stays_around(|text| EVENT.replace('@', text));
    stays_around(|text| EVENT.replace("\"detail\"", r#""d\u0065tail""#).replace('@', text));
    stays_around(|text| EVENT.replace('@', &quoted(text)));
    stays_around(|text| CLOUD.replace('@', &format!(r#", "data" :{text}"#)));
    stays_around(|text| CLOUD.replace('@', &format!(r#","data_base64" : "{}""#, base64(text))));
}

#[test]
fn envelopes_in_envelopes_stay_byte_for_byte() {
    stays_around(|text| sns(&EVENT.replace('@', text)));
    stays_around(|text| sns(&sns(&EVENT.replace('@', &quoted(text)))));
    stays_around(|text| EVENT.replace('@', &sns(text)));
    stays_around(|text| sns(&CLOUD.replace('@', &format!(r#","data_base64":"{}""#, base64(text)))));
}

#[test]
fn a_byte_order_mark_before_the_innermost_text_goes() {
    assert_eq!(edited(PROGRAM, &format!("\u{feff}{OLD}")), NEW);
    assert_eq!(edited(PROGRAM, &sns(&format!("\u{feff}{OLD}"))), sns(NEW));
}

#[test]
fn what_came_packed_is_packed_again() {
    let inside = EVENT.replace('@', OLD);
    for (name, encoding) in
        [("gzip", Encoding::Gzip), ("X-Gzip", Encoding::Gzip), ("zstd", Encoding::Zstd)]
    {
        let packed = encoding.pack(&inside).expect("packed");
        let body = edited_or(PROGRAM, &packed, &[("Content-Encoding", name)]).expect("edited");
        let unpacked = encoding.unpack(&body, settings().unpacked()).expect("unpacked");
        assert_eq!(unpacked, EVENT.replace('@', NEW), "{name}");
    }
    assert_eq!(edited_or(PROGRAM, OLD, &[("content-encoding", "identity")]).as_deref(), Ok(NEW));
}

#[test]
fn what_is_packed_in_an_sns_notification_is_packed_again() {
    let with = |text: &str| {
        let attributes = json!({"content-encoding": {"Type": "String", "Value": "gzip"}});
        SNS.replace("{ATTRIBUTES}", &attributes.to_string()).replace('@', &quoted(text))
    };
    let body = edited(PROGRAM, &with(&Encoding::Gzip.pack(OLD).expect("packed")));
    assert_eq!(body, with(&Encoding::Gzip.pack(NEW).expect("packed")));
    // What does not unpack is the text that is edited.
    assert_eq!(edited(r#". + "!""#, &with("no base64")), with("no base64!"));
    let mended = edited("@base64d", &with(&base64(&Encoding::Gzip.pack(OLD).expect("packed"))));
    assert_eq!(mended, with(&Encoding::Gzip.pack(OLD).expect("packed")));
}

#[test]
fn an_envelope_that_does_not_open_is_edited_itself() {
    let broken = sns(OLD).replace(r#" "Timestamp" : "2026-11-28T10:00:00.000Z","#, "");
    let mended = edited(r#".Timestamp = "2026-11-28T10:00:00Z" | .x |= . + 0"#, &sns(&broken));
    assert!(mended.contains(r#"\"Timestamp\":\"2026-11-28T10:00:00Z\""#), "{mended}");
    assert!(decode(&message(&mended, &[]), &settings()).is_ok(), "{mended}");
    let four = sns(&sns(&sns(&sns(OLD))));
    assert_eq!(edited(".Message", &four), sns(&sns(&sns(OLD))), "one envelope is too many");
}

#[test]
fn an_event_without_data_gets_some() {
    let with = |data: &str| CLOUD.replace('@', data);
    assert_eq!(
        edited(".n = 1", &with("")),
        CLOUD.replace(" }", r#" ,"data":{"n":1}}"#).replace('@', "")
    );
    assert_eq!(edited(".n = 1", &with(r#","data":null"#)), with(r#","data":{"n":1}"#));
    let binary =
        [("ce-id", "1"), ("ce-source", "s"), ("ce-specversion", "1.0"), ("ce-type", "event")];
    assert_eq!(edited_or(".n = 1", " ", &binary).as_deref(), Ok(r#"{"n":1}"#));
    assert_eq!(edited_or(PROGRAM, OLD, &binary).as_deref(), Ok(NEW));
}

#[test]
fn data_that_is_a_text_can_become_an_object() {
    let with = |data: &str| CLOUD.replace('@', &format!(r#","data":{data}"#));
    let program = r#"gsub("'"; "\"")"#;
    assert_eq!(edited(program, &with(r#""{'n': 1}""#)), with(r#"{"n": 1}"#));
}

#[test]
fn a_text_that_cannot_stand_in_its_envelope_is_refused() {
    let event = EVENT.replace('@', OLD);
    let error = refused(r#""{}, \"id\": 1""#, &event);
    assert!(error.contains("a text that is no JSON"), "{error}");
    let error = refused(r#""[1]""#, &event);
    assert!(error.contains("cannot stand in its envelope: EventBridge: detail"), "{error}");
    let packed = Encoding::Gzip.pack(OLD).expect("packed");
    let error = edited_or(".a = \"x\" * 2000000", &packed, &[("content-encoding", "gzip")]);
    assert!(error.as_ref().is_err_and(|error| error.contains("unpack")), "{error:?}");
}
