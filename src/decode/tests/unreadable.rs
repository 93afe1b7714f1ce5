//! What is told of a body that is not one JSON object: the thing, the place, and what to send.

use super::*;

/// A body, and how the text begins that is told of it.
type Told = (&'static str, &'static str);

const FLAWS: &[Told] = &[
    (" \r\n", "the body is empty: send one JSON object"),
    (
        r#"{"type":"event","a":{"b":[1,NaN]}}"#,
        r#"the body is not JSON: field a.b[1] is NaN, which JSON does not have: send null, or {"$numberDouble": "NaN"}; a key takes neither (line 1 column 29)"#,
    ),
    (
        r#"{"a":-Infinity}"#,
        r#"the body is not JSON: field a is Infinity, which JSON does not have: send null, or {"$numberDouble": "Infinity"} (or "-Infinity"); a key takes neither"#,
    ),
    (r#"{"a":nan}"#, "the body is not JSON: field a is NaN"),
    (
        r#"{"a":undefined}"#,
        "the body is not JSON: field a is JavaScript's undefined: send null, or leave the field out; a key must be there",
    ),
    (
        r#"{"a":0x10}"#,
        "the body is not JSON: field a is a number as JSON does not write it (a leading zero, a plus, a bare point, 0x): send 0.5, or a string",
    ),
    (
        r#"{"a":"\u12"}"#,
        "the body is not JSON: field a has \\u without four hex digits behind it: write all four, as in \\u00e9",
    ),
    (
        r#"{"a":"\u12zz"}"#,
        "the body is not JSON: field a has \\u without four hex digits behind it",
    ),
    (
        r#"{"a":1,"b":None}"#,
        "the body is not JSON: field b is Python's None: encode with json.dumps, which writes null (line 1 column 12)",
    ),
    (
        r#"{"a":[True]}"#,
        "the body is not JSON: field a[0] is Python's True: encode with json.dumps",
    ),
    (
        r#"{"é😀":None}"#,
        "the body is not JSON: field é😀 is Python's None: encode with json.dumps, which writes null (line 1 column 7)",
    ),
    (r#"{"a":False}"#, "the body is not JSON: field a is Python's False"),
    (
        "{'type': 'event', 'a': None}",
        "the body is not JSON: a single quote stands where a double one must, as Python's str() prints: encode with json.dumps (line 1 column 2)",
    ),
    (
        r#"{"a": 'x'}"#,
        "the body is not JSON: a single quote stands where a double one must at field a",
    ),
    (
        r#"{"a":1,"b":"\ud83d"}"#,
        "the body is not JSON: field b has half of a character, an escape such as \\ud83d without its other half",
    ),
    (r#"{"a":["\ud83dx"]}"#, "the body is not JSON: field a[0] has half of a character"),
    (r#"{"a":"\ude00"}"#, "the body is not JSON: field a has half of a character"),
    (
        r#"{"a":1,"b\ud83d":1}"#,
        "the body is not JSON: the name behind field a has half of a character",
    ),
    (r#"{"\ud83d":1}"#, "the body is not JSON: the first name has half of a character"),
    (
        r#"{"a":1,}"#,
        "the body is not JSON: a comma stands before a closing bracket at field a: leave it out (line 1 column 7)",
    ),
    (
        r#"{"a":[1,]}"#,
        "the body is not JSON: a comma stands before a closing bracket at field a[0]",
    ),
    (
        "{\"a\":1}\n{\"b\":2}",
        "the body is not JSON: a second object stands behind the first: send each in a message of its own (line 2 column 1)",
    ),
    (r#"{"a":1}{"b":2}"#, "the body is not JSON: a second object stands behind the first"),
    (
        r#"{"a":1} x"#,
        "the body is not JSON: something stands behind the object: send the object alone",
    ),
    (r#"{"a":{"b":"#, "the body is not JSON: it ends in the middle at field a.b: it was cut off"),
    ("{", "the body is not JSON: it ends in the middle: it was cut off"),
    (
        r#"{"a":1 "b":2}"#,
        "the body is not JSON: a comma or a closing bracket is missing at field a",
    ),
    ("{a:1}", "the body is not JSON: a name stands without double quotes"),
    (
        "{\"a\":\"x\ny\"}",
        "the body is not JSON: field a has a line break or another control character",
    ),
    (r#"{"a":"C:\x"}"#, "the body is not JSON: field a has an escape that JSON does not have"),
    (r#"{"a":01}"#, "the body is not JSON: field a is a number as JSON does not write it"),
    (r#"{"a":.5}"#, "the body is not JSON: field a is a number as JSON does not write it"),
    ("{\"a\":1, // x\n\"b\":2}", "the body is not JSON: a comment stands there at field a"),
];

const OTHERS: &[Told] = &[
    (
        r#""{\"type\":\"event\"}""#,
        "the body is a JSON string that holds JSON, so it was encoded twice: send the object itself, with json.dumps once",
    ),
    (r#""[1]""#, "the body is a JSON string that holds JSON, so it was encoded twice"),
    (r#""hello""#, "the body is a JSON string: send one JSON object"),
    ("[{}]", "the body is a JSON array: send one JSON object, each item in a message of its own"),
    ("7", "the body is a single JSON value"),
    ("null", "the body is a single JSON value"),
    ("type=event&user_id=1", "the body is not JSON: it looks form-encoded"),
    ("user%5Bid%5D=1", "the body is not JSON: it looks form-encoded"),
    ("<event/>", "the body is not JSON: it begins with <, as XML and HTML do"),
    (
        "H4sIAAAAAAACA6tWKqks",
        "the body is not JSON: it looks like gzip in base64: set the message attribute content-encoding to gzip",
    ),
    ("KLUv/QBYCQEAeyJ0", "the body is not JSON: it looks like zstd in base64"),
    ("eyJ0eXBlIjoiZXZlbnQifQ==", "the body is not JSON: it looks like JSON in base64"),
    ("hello", "the body is not JSON: it does not begin with {"),
    ("None", "the body is not JSON: it does not begin with {"),
];

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_what_to_send() {
    for (body, wanted) in FLAWS.iter().chain(OTHERS) {
        let (reason, text) = rejected(body, &[("type", "event")]);
        assert_eq!(reason, Reason::BadJson, "{body}: {text}");
        assert!(text.starts_with(wanted), "{body}: {text}");
    }
}

#[test]
fn what_an_envelope_holds_is_told_by_the_envelope() {
    let notification = |message: &str| {
        let message = serde_json::to_string(message).unwrap();
        format!(
            r#"{{"Type":"Notification","MessageId":"m","TopicArn":"t","Timestamp":"2026-11-22T10:00:05Z","Message":{message}}}"#
        )
    };
    let once = notification("hello");
    for body in [once.clone(), notification(&once)] {
        let (reason, text) = rejected(&body, &[]);
        assert_eq!(reason, Reason::BadJson);
        assert_eq!(
            text,
            "the Message of the SNS notification is not JSON: it does not begin with {: send one JSON object"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_broken_text_makes_a_long_or_broken_line(
        before in "[{]?(\"[a-z\\\\ud8é]{0,9}\"?:?[ \n'1N]{0,3},?){0,4}", piece in "NaN|None|'|/|\\\\ud83d|}|é|\u{0}|\n| ", after in ".{0,9}",
    ) {
        let body = format!("{before}{piece}{after}");
        if let Err(rejection) = super::super::json::fields(&body) {
            proptest::prop_assert!(rejection.text.len() < 2_048);
            proptest::prop_assert!(!rejection.text.contains(char::is_control), "{:?}", rejection.text);
        }
    }
}
