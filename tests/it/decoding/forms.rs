//! What producers and tools send, from the message to the write: what is read, and what is rejected
//! with which words.

use longshore::config::load::defaults;
use longshore::decode::decode;
use longshore::message::{Attribute, QueueMessage, Update, Write};
use longshore::route::Router;
use longshore::version::Change;

/// 2026-11-22T10:00:05Z.
const SENT_MS: i64 = 1_795_341_605_000;

/// The route, and the document of an insert as text; or the reason and the text.
fn outcome(body: &str, attributes: &[(&str, &str)]) -> Result<(String, String), (String, String)> {
    let config = defaults();
    let router = Router::new(&config.routes, config.message.version_skew_max, |_| ());
    let attributes = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Attribute::Text((*value).to_owned())))
        .collect();
    let message = QueueMessage {
        message_id: "m-1".to_owned(),
        body: body.to_owned(),
        attributes,
        sent_ms: SENT_MS,
        receive_count: 1,
        ..QueueMessage::default()
    };
    let record = decode(&message, &config.message);
    match record.and_then(|record| {
        let taken = router.route(&record)?;
        let shown = match &taken.write {
            Write::Insert(insert) | Write::Letter(insert) => {
                bson::deserialize_from_slice::<bson::Document>(&insert.document)
                    .expect("BSON")
                    .to_string()
            }
            Write::Update(update) => shown(update),
        };
        Ok((taken.route.to_string(), shown))
    }) {
        Ok(taken) => Ok(taken),
        Err(rejection) => Err((rejection.reason.to_string(), rejection.text)),
    }
}

/// The fields as a document, and the version.
fn shown(update: &Update) -> String {
    let Change::Whole { version, fields } = &update.change else { panic!("not partial") };
    let length = i32::try_from(fields.bytes() + 5).expect("short").to_le_bytes();
    let elements = fields.iter().map(|field| field.element).collect::<Vec<_>>().concat();
    let document = [&length[..], &elements, &[0]].concat();
    let document: bson::Document = bson::deserialize_from_slice(&document).expect("BSON");
    format!("{document} at {:?}", version.time)
}

/// Body, attributes, and what is to come of it: the route and a part of the document, or the reason
/// and a part of the text.
type Form<'a> = (&'a str, &'a [(&'a str, &'a str)], Result<(&'a str, &'a str), (&'a str, &'a str)>);

fn check(forms: &[Form<'_>]) {
    let mut wrong = Vec::new();
    for (body, attributes, wanted) in forms {
        let found = outcome(body, attributes);
        let is_right = match (&found, wanted) {
            (Ok((route, document)), Ok((wanted, part))) => {
                route == wanted && document.contains(part)
            }
            (Err((reason, text)), Err((wanted, part))) => reason == wanted && text.contains(part),
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{body} {attributes:?}\n  is   {found:?}\n  not  {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} forms:\n{}", wrong.len(), forms.len(), wrong.join("\n"));
}

fn event(more: &str) -> String {
    format!(r#"{{"type":"event","user_id":1,"event_type":"login"{more}}}"#)
}

fn cache(more: &str) -> String {
    format!(r#"{{"type":"cache","user_id":1,"data":1{more}}}"#)
}

#[test]
fn a_time_that_may_mean_two_things_is_rejected_and_none_is_guessed() {
    let version = |value: &str| cache(&format!(r#","updated":{value}"#));
    let stamp = |value: &str| event(&format!(r#","timestamp":{value}"#));
    check(&[
        (&version(r#""20261122""#), &[], Err(("bad_time", "8 or 14 digits"))),
        (&version(r#""20261122100005""#), &[], Err(("bad_time", "8 or 14 digits"))),
        (&version("20261122"), &[], Err(("bad_time", "2000 to 2100"))),
        (&version("20261122100005"), &[], Err(("bad_time", "2000 to 2100"))),
        (
            &version("1795341605123456"),
            &[],
            Err(("bad_time", "looks like microseconds: send milliseconds")),
        ),
        (
            &version("1795341605123456789"),
            &[],
            Err(("bad_time", "looks like nanoseconds: send milliseconds")),
        ),
        (&version(r#""1795341605123456""#), &[], Err(("bad_time", "looks like microseconds"))),
        (&version("1.795341605123456e15"), &[], Err(("bad_time", "looks like microseconds"))),
        (
            &version(r#"{"$numberLong":"1795341605123456"}"#),
            &[],
            Err(("bad_time", "looks like microseconds")),
        ),
        (&version("1795341605.5"), &[], Ok(("cache", "millis: 1795341605500"))),
        (&version(r#""2026-11-22T10:00:05.1234567899Z""#), &[], Ok(("cache", "nanos: 456789"))),
        (
            &version(r#"{"$numberDouble":"1795341605.123456789"}"#),
            &[],
            Ok(("cache", "nanos: 456789")),
        ),
        (
            &version(r#"{"$date":"2026-11-22T10:00:05.1234567899+00:00"}"#),
            &[],
            Ok(("cache", "nanos: 456789")),
        ),
        (&stamp(r#""20261122""#), &[], Err(("bad_time", "8 or 14 digits"))),
        (&stamp("20261122"), &[], Err(("bad_time", "2000 to 2100"))),
        (&stamp(r#"{"$date":"20261122100005"}"#), &[], Err(("bad_time", "8 or 14 digits"))),
        (&stamp("0"), &[], Err(("bad_time", "declare its unit in `times`"))),
        (&stamp(r#"{"$date":0}"#), &[], Err(("bad_time", "declare its unit in `times`"))),
        (&stamp(r#"{"$date":1795341605}"#), &[], Err(("bad_time", "counts milliseconds there"))),
        (
            &stamp(r#"{"$date":{"$numberLong":"1795341605"}}"#),
            &[],
            Err(("bad_time", "outside the years 2000 to 2100")),
        ),
        (&version(r#"{"$date":4102444800001}"#), &[], Err(("bad_time", "2000 to 2100"))),
        (&stamp(r#"{"$date":1795341605123}"#), &[], Ok(("event", "2026-11-22"))),
        (&stamp(r#"{"$date":"1970-01-01T00:00:00Z"}"#), &[], Ok(("event", "1970-01-01"))),
        (&event(r#","v":{"$date":0}"#), &[], Ok(("event", "1970-01-01"))),
        (&stamp(r#"{"$date":"1795341605"}"#), &[], Err(("bad_time", "digits as a text"))),
        (&stamp(r#"{"$date":" 1795341605.5 "}"#), &[], Err(("bad_time", "digits as a text"))),
        (&event(r#","v":{"$date":"1795341605123"}"#), &[], Err(("bad_time", "digits as a text"))),
        (&event(r#","v":{"$date":"179534"}"#), &[], Err(("bad_time", "digits as a text"))),
        (&stamp(r#""1900-01-01T00:00:00Z""#), &[], Ok(("event", "1900-01-01"))),
        (
            &event(""),
            &[("longshore-id", "a"), ("longshore-time", "20261122")],
            Err(("bad_time", "8 or 14")),
        ),
    ]);
}

#[test]
fn what_tools_and_drivers_print_is_read() {
    let gzip = "H4sIAAAAAAACA6tWKqksSFWyUkotS80rUdJRKi1OLYrPTFGyMtSBiMVDFeTkp2fmARXkppYkpiSW\nJCpZVSsBCaWk5JTUtPSMzKzsnNy8/AKl2loA6TV2MlQAAAA=\n";
    let gzip_line = gzip.replace('\n', "");
    let is_gzip = |name: &'static str, value: &'static str| [(name, value)];
    let bus = |detail: &str| {
        format!(
            r#"{{"version":"0","id":"i","detail-type":"event","source":"aws.scheduler","account":"1","time":"2026-11-22T10:00:05Z","detail":{detail}}}"#
        )
    };
    let field = |value: &str| event(&format!(r#","v":{value}"#));
    check(&[
        (&field(r#"{"$numberInt":"7"}"#), &[], Ok(("event", r#""v": 7"#))),
        (&field(r#"{"$numberDouble":"NaN"}"#), &[], Ok(("event", r#""v": NaN"#))),
        (&field(r#"{"$numberDouble":"-Infinity"}"#), &[], Ok(("event", r#""v": -inf"#))),
        (&field(r#"{"$binary":"AQI=","$type":"00"}"#), &[], Ok(("event", "AQI="))),
        (&field(r#"{"$type":"00","$binary":"AQI="}"#), &[], Ok(("event", "AQI="))),
        (&field(r#"{"$binary":{"base64":"AQ\nI=\n","subType":"00"}}"#), &[], Ok(("event", "AQI="))),
        (&field(r#"{"$date":"2026-11-22T10:00:05.000+0000"}"#), &[], Ok(("event", "2026-11-22"))),
        (&field(r#"{"$regex":"^a","$options":"i"}"#), &[], Ok(("event", "^a"))),
        (
            &field(r#"{"$regularExpression":{"pattern":"^a","options":"i"}}"#),
            &[],
            Ok(("event", "^a")),
        ),
        (
            &field(
                r#"[{"$timestamp":{"t":1,"i":2}},{"$symbol":"s"},{"$code":"f()"},{"$minKey":1},{"$maxKey":1},{"$undefined":true}]"#,
            ),
            &[],
            Ok(("event", "MinKey")),
        ),
        (
            &field(r#"{"$dbPointer":{"$ref":"a.b","$id":{"$oid":"65a0000000000000000000ff"}}}"#),
            &[],
            Ok(("event", "65a0")),
        ),
        (&field(r#"{"$timestamp":{"t":0,"i":0}}"#), &[], Err(("bad_value", "puts its own time"))),
        (&format!("\u{feff}{}", event("")), &[], Ok(("event", "login"))),
        (gzip, &is_gzip("content-encoding", "gzip"), Ok(("event", "login"))),
        (&gzip_line, &is_gzip("Content-Encoding", "gzip"), Ok(("event", "login"))),
        (&gzip_line, &is_gzip("CONTENT-ENCODING", "x-gzip"), Ok(("event", "login"))),
        (&gzip_line, &is_gzip("content-encoding", "X-GZIP"), Ok(("event", "login"))),
        (&bus(r#""{\"user_id\":1,\"event_type\":\"login\"}""#), &[], Ok(("event", "login"))),
        (&bus(r#""{}""#), &[], Err(("missing_field", "`user_id` is missing"))),
        (
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"event"}"#,
            &[],
            Err(("missing_field", "`user_id` is missing")),
        ),
        (
            " ",
            &[("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "event")],
            Err(("missing_field", "`user_id` is missing")),
        ),
    ]);
}

#[test]
fn what_rules_control_names_the_route_before_the_message_does() {
    let bus = |kind: &str, detail: &str| {
        format!(
            r#"{{"version":"0","id":"i","detail-type":"{kind}","source":"s","account":"1","time":"2026-11-22T10:00:05Z","detail":{{{detail}"user_id":1,"event_type":"x","data":1}}}}"#
        )
    };
    let sns = r#""Type":"Notification","MessageId":"m","TopicArn":"t","Timestamp":"2026-11-22T10:00:05Z","Message":"hello""#;
    check(&[
        (
            &bus("event", r#""type":"Recon:EC2/PortProbe","#),
            &[],
            Ok(("event", "Recon:EC2/PortProbe")),
        ),
        (&bus("event", r#""type":"cache","#), &[], Ok(("event", r#""type": "cache""#))),
        (&bus("other", r#""type":"cache","#), &[("type", "event")], Ok(("cache", "data"))),
        (&event(&format!(",{sns}")), &[], Ok(("event", "TopicArn"))),
        (
            r#"{"type":"mine","user_id":1,"event_type":"x"}"#,
            &[("type", "event")],
            Ok(("event", r#""type": "mine""#)),
        ),
        (
            r#"{"type":7,"user_id":1,"event_type":"x"}"#,
            &[("type", "event")],
            Ok(("event", r#""type": 7"#)),
        ),
        (&cache(r#","id":"x-9""#), &[], Ok(("cache", r#""id": "x-9""#))),
        (
            r#"{"type":"session","session_id":"s","id":"x","data":1}"#,
            &[],
            Err(("unknown_field", "`id` is not declared")),
        ),
        (r#"{"type":"evnet"}"#, &[], Err(("unknown_type", "did you mean `event`?"))),
        (r#"{"type":"evnet"}"#, &[], Err(("unknown_type", "`cache`, `event`, `session`"))),
        (
            &bus("GuardDuty Finding", r#""type":"Recon","#),
            &[("type", "b")],
            Err((
                "unknown_type",
                "`GuardDuty Finding` (detail-type) or `Recon` (the field type) or `b` (the attribute type)",
            )),
        ),
        (&event(r#","a.b":1"#), &[], Ok(("event", "a.b"))),
        (&event(r#","_ingest.h":1"#), &[], Err(("bad_name", "`_ingest.h`"))),
        (&event(r#","_ingest":1"#), &[], Err(("bad_name", "`_ingest`"))),
    ]);
}

#[test]
fn what_cannot_be_read_is_told_with_what_to_send() {
    let s3 = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#;
    let in_sns = |message: &str| {
        let message = serde_json::to_string(message).expect("text");
        format!(
            r#"{{"Type":"Notification","MessageId":"m","TopicArn":"t","Timestamp":"2026-11-22T10:00:05Z","Message":{message}}}"#
        )
    };
    check(&[
        (
            r#"{"type":"cache","user_id":123.0,"data":1}"#,
            &[],
            Err(("bad_key", r#"give 123 or "123""#)),
        ),
        (&event(r#","n":NaN"#), &[], Err(("bad_json", "field n is NaN, which JSON does not have"))),
        (&event(r#","n":"\ud83d""#), &[], Err(("bad_json", "field n has half of a character"))),
        ("{'type': 'event', 'user_id': None}", &[], Err(("bad_json", "json.dumps"))),
        (&event(r#","n":None"#), &[], Err(("bad_json", "field n is Python's None"))),
        (r#""{\"type\":\"event\"}""#, &[], Err(("bad_json", "encoded twice"))),
        (&event(","), &[], Err(("bad_json", "a comma stands before a closing bracket"))),
        (
            &format!("{}\n{}", event(""), event("")),
            &[],
            Err(("bad_json", "a second object stands behind")),
        ),
        (" ", &[], Err(("bad_json", "the body is empty"))),
        ("type=event&user_id=1", &[], Err(("bad_json", "form-encoded"))),
        (s3, &[], Err(("missing_type", "S3's test notification"))),
        (&in_sns(s3), &[], Err(("missing_type", "S3's test notification"))),
        (
            &in_sns("This is a test"),
            &[],
            Err(("bad_json", "the Message of the SNS notification is not JSON")),
        ),
        ("{}", &[], Err(("missing_type", "(routes: `cache`, `event`, `session`)"))),
    ]);
}
