//! What an edit does to whole messages, by example and for any JSON.

mod layers;
mod properties;

use std::collections::BTreeMap;
use std::time::Duration;

use super::value::{DIGITS_MAX, LEVELS_MAX};
use super::*;
use crate::decode::Envelopes;
use crate::message::Attribute;

fn settings() -> MessageConfig {
    MessageConfig {
        version_skew_max: Duration::from_hours(1),
        decompressed_bytes_max: 1024 * 1024,
        unpack_ratio_max: 1_000,
        document_bytes_max: 1024 * 1024,
        types: BTreeMap::new(),
        envelopes: Envelopes::ALL,
        routes: ["cache", "event"].map(Into::into).into(),
    }
}

fn message(body: &str, attributes: &[(&str, &str)]) -> QueueMessage {
    let attribute =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Attribute::Text((*value).to_owned()));
    QueueMessage {
        body: body.to_owned(),
        attributes: attributes.iter().map(attribute).collect(),
        ..QueueMessage::default()
    }
}

/// The body as the program leaves it, or the error.
fn edited_or(program: &str, body: &str, attributes: &[(&str, &str)]) -> Result<String, String> {
    let edited = Edit::new(program).and_then(|edit| {
        let message = message(body, attributes);
        let edited = edit.of(&message, &settings())?;
        assert_eq!(edited.attributes, message.attributes);
        Ok(edited.body)
    });
    edited.map_err(|error| format!("{error:#}"))
}

fn edited(program: &str, body: &str) -> String {
    edited_or(program, body, &[]).expect("edited")
}

fn refused(program: &str, body: &str) -> String {
    edited_or(program, body, &[]).expect_err("refused")
}

#[test]
fn an_edit_can_be_handed_from_thread_to_thread() {
    fn is_sendable<T: Send + Sync>() {}
    is_sendable::<Edit>();
}

#[test]
fn numbers_that_are_not_touched_stay_as_they_are_written() {
    let numbers = [
        "9223372036854775807",
        "-9223372036854775808",
        "-9007199254740993",
        "123456789012345678901234567890",
        "1.10",
        "1e3",
        "1E+2",
        "-0.0",
        "0.1000000000000000055511151231257827",
    ];
    let body = format!(r#"{{"type":"event","n":[{}],"x":1}}"#, numbers.join(","));
    assert_eq!(edited(".", &body), body);
    assert_eq!(edited(".x = 2", &body), body.replace(r#""x":1"#, r#""x":2"#));
    assert_eq!(edited(".", r#"{"a":[-0,"-0",-0e1]}"#), r#"{"a":[0,"-0",-0e1]}"#);
    assert_eq!(edited(".n += 1", r#"{"n":9007199254740993}"#), r#"{"n":9007199254740994}"#);
}

#[test]
fn values_inside_of_arrays_are_changed_where_they_stand() {
    assert_eq!(
        edited(
            r#".items[].at |= sub(" "; "T")"#,
            r#"{"type":"event","items":[{"at":"2026-01-02 03:04:05","n":1},{"at":"2026-01-02T03:04:06"}]}"#
        ),
        r#"{"type":"event","items":[{"at":"2026-01-02T03:04:05","n":1},{"at":"2026-01-02T03:04:06"}]}"#
    );
    assert_eq!(edited(".at |= todate", r#"{"at":1425599621}"#), r#"{"at":"2015-03-05T23:53:41Z"}"#);
    assert_eq!(edited(".n |= tonumber", r#"{"n":"007"}"#), r#"{"n":7}"#);
}

#[test]
fn names_keep_their_order_where_one_is_deleted() {
    let body = r#"{"a":1,"b":{"x":1,"y":2,"z":3},"c":[{"k":1,"l":2,"m":3}],"d":4,"e":5}"#;
    assert_eq!(
        edited("del(.a, .b.x, .c[0].k) | .f = 6", body),
        r#"{"b":{"y":2,"z":3},"c":[{"l":2,"m":3}],"d":4,"e":5,"f":6}"#
    );
    assert_eq!(
        edited("{e, d, c, b, a}", r#"{"a":1,"b":2,"c":3,"d":4,"e":5}"#),
        r#"{"e":5,"d":4,"c":3,"b":2,"a":1}"#
    );
}

#[test]
fn of_a_name_that_stands_twice_the_last_value_stays() {
    assert_eq!(edited(".", r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#);
}

#[test]
fn what_is_no_json_is_edited_as_text() {
    let python = "{'type': 'event', 'ok': True}";
    let repair = r#"gsub("'"; "\"") | gsub("True"; "true")"#;
    assert_eq!(edited(repair, python), r#"{"type": "event", "ok": true}"#);
    assert_eq!(
        edited(&format!("{repair} | fromjson | .n = 1"), python),
        r#"{"type":"event","ok":true,"n":1}"#
    );
    assert_eq!(edited(r#". + "}""#, r#"{"a":{"b":1}"#), r#"{"a":{"b":1}}"#);
    assert_eq!(edited(r#". + "x""#, ""), "x");
    assert_eq!(edited(r#"gsub("\\\\ud800"; "") | fromjson"#, r#"{"a":"b\ud800"}"#), r#"{"a":"b"}"#);
    // More than JSON for jaq, and no JSON for the decoder.
    for nearly in ["NaN", "[1] # so", "+1", "01", "{1:2}", r#"b"a""#] {
        assert_eq!(edited(r#""\(type) \(.)""#, nearly), format!("string {nearly}"));
    }
}

#[test]
fn a_program_gives_one_object_or_text() {
    let ends = |program: &str, end: &str| {
        let error = refused(program, "{}");
        assert!(error.contains(end), "{error}");
    };
    ends("., .", "more than one value");
    ends("empty", "no value");
    ends("1", "the program gives a number: it has to give an object, or a string");
    ends("[.]", "gives an array");
    ends("null", "gives null");
    ends("true", "gives a boolean");
    ends(".a = nan", "no JSON");
    ends("{(1|tostring): infinite}", "no JSON");
    ends("{a: (\"x\"|tobytes)}", "no JSON");
    ends("[-255]|implode", "not UTF-8");
    ends("{a: ([-255]|implode)}", "no JSON");
    ends("halt", "halts");
    ends(".a[", "cannot be used: expected closing bracket, found its end");
}

#[test]
fn what_jq_says_of_a_message_is_one_harmless_line() {
    assert_eq!(
        refused(".a + 1", r#"{"a":"\u001b[31m\n\u202e"}"#),
        r#"the program fails: cannot calculate "\u001b[31m\n\u{202e}" + 1"#
    );
    assert_eq!(
        refused("error(.a)", r#"{"a":"\u001b[31m\n\"x\""}"#),
        r#"the program fails: \u{1b}[31m\n"x""#
    );
    assert_eq!(refused("error({a: 1})", "{}"), r#"the program fails: {"a":1}"#);
    assert_eq!(refused("., error(\"late\")", "{}"), "the program fails: late");
    let long = refused(".a.b", &format!(r#"{{"a":"{}"}}"#, "x".repeat(10_000)));
    assert!(long.len() < 400 && long.ends_with("..."), "{long}");
}

#[test]
fn what_is_wrong_with_a_program_is_said_with_its_place() {
    let wrong = |program: &str| {
        let error = refused(program, "{}");
        error.strip_prefix("the jq program cannot be used: ").expect("says so").to_owned()
    };
    assert_eq!(wrong(""), "expected term, found its end");
    assert_eq!(wrong(".a |"), "expected term, found its end");
    assert_eq!(wrong(".a\n| .b )"), "it says nothing in jq: `)` at line 2, column 6");
    assert_eq!(
        wrong("[1, \u{1b}"),
        "expected closing bracket, found `\\u{1b}` at line 1, column 5"
    );
    assert_eq!(
        wrong("if . then 1 els 2 end"),
        "expected else or end, found `els` at line 1, column 13"
    );
    assert_eq!(wrong(".a; .b"), "expected nothing, found `;` at line 1, column 3");
    assert_eq!(
        wrong(". | nosuch(1; 2)"),
        "there is no filter with 2 arguments named `nosuch` at line 1, column 5"
    );
    assert_eq!(wrong("$x"), "there is no variable named `$x` at line 1, column 1");
    for other in ["input", "inputs", "$ENV", "$__loc__"] {
        assert!(wrong(other).starts_with("there is no "), "{other}");
    }
    for file in [r#"include "a"; ."#, r#"import "a" as a; ."#, r#"import "a" as $a; $a"#] {
        assert!(
            wrong(file).starts_with("it may not read other files, such as `a`"),
            "{}",
            wrong(file)
        );
    }
}

#[test]
fn a_text_that_is_nested_too_deep_is_refused_and_nothing_overflows() {
    let nested =
        |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let most = nested(LEVELS_MAX - 1);
    for program in
        [".", "walk(.)", ".b = ([..] | length) | del(.b)", "tojson | fromjson", "del(.a[0].b?)"]
    {
        assert_eq!(edited(program, &most), most, "{program}");
    }
    for levels in [LEVELS_MAX, 300_000] {
        assert!(refused(".", &nested(levels)).contains("levels deep"));
        let text = serde_json::to_string(&nested(levels)).expect("a text");
        assert!(refused("fromjson", &text).contains("levels deep"));
    }
    let texts = format!(r#"{{"a":"{}"}}"#, r#"\"[{\\"#.repeat(1_000));
    assert_eq!(edited("tojson | fromjson", &texts), texts, "no levels inside of a text");
    let open = "[".repeat(300_000);
    assert!(refused("fromjson", &open).contains("cannot parse"));
    let hidden = format!("[{}", "#]\n[".repeat(300_000));
    assert!(refused("fromjson", &hidden).contains("cannot parse"));
}
#[test]
fn a_number_without_end_is_refused_before_it_takes_time() {
    let with = |digits: usize| format!(r#"{{"a":{}}}"#, "7".repeat(digits));
    assert_eq!(edited(".", &with(DIGITS_MAX)), with(DIGITS_MAX));
    for body in [with(DIGITS_MAX + 1), with(1_000_000)] {
        assert!(refused(".", &body).contains("digits"));
        let text = serde_json::to_string(&body).expect("a text");
        assert!(refused("fromjson", &text).contains("cannot parse as JSON, it holds a number"));
    }
    let text = format!(r#"{{"a":"{}"}}"#, "7".repeat(DIGITS_MAX + 1));
    assert_eq!(edited("tojson | fromjson", &text), text, "no number");
    assert!(refused(".a | tonumber", &text).contains("digits"));
}
