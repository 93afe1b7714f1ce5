//! JSON to BSON at every edge, each text judged by the reference too.

use bson::{Bson, Document};
use longshore::decode::json::fields;
use longshore::message::Reason;
use proptest::prelude::*;
use serde_json::Value;

use super::{checks, generator, reader, reference};

fn is_read(body: &str) -> bool {
    checks::body(body.as_bytes());
    fields(body).is_ok()
}

/// Reads a value where values stand: by itself, deep down, after and before others.
fn is_read_anywhere(value: &str) -> bool {
    let read = is_read(&format!(r#"{{"v":{value}}}"#));
    for around in [
        r#"{"a":[V],"b":1}"#,
        r#"{"a":"5,-0","b":{"c":[1e30,-0.0,{"d":V},-0,7]}}"#,
        "{ \"v\" :\n[ V , V ] }",
    ] {
        assert_eq!(is_read(&around.replace('V', value)), read, "{value} in {around}");
    }
    read
}

#[test]
fn numbers_at_every_edge_keep_their_value_or_are_rejected() {
    let long: Vec<String> = [20, 300, 800, 5_000]
        .into_iter()
        .flat_map(|digits| {
            [
                format!("0.{}", "7".repeat(digits)),
                format!("{}e-{digits}", "3".repeat(digits)),
                format!("0.{}1", "0".repeat(digits)),
            ]
        })
        .collect();
    for number in generator::NUMBERS.iter().copied().chain(long.iter().map(String::as_str)) {
        assert!(is_read_anywhere(number), "{number}");
    }
    for number in generator::NUMBERS_REFUSED
        .iter()
        .copied()
        .chain(["7".repeat(400).as_str(), &format!("-{}", "9".repeat(5_000))])
    {
        assert!(!is_read_anywhere(number), "{number}");
    }
}

#[test]
fn extended_json_is_read_or_rejected_wherever_it_stands() {
    for value in generator::EXTENDED {
        assert!(is_read_anywhere(value), "{value}");
    }
    for value in generator::EXTENDED_REFUSED {
        assert!(!is_read_anywhere(value), "{value}");
        assert!(!is_read(value), "{value} as a body");
    }
}

#[test]
fn nesting_ends_at_a_hundred_levels_of_any_kind() {
    for (open, close) in
        [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":[1,"#, "]}]"), (r#"{"a":[0,"#, "]}")]
    {
        let levels_each = open.matches(['[', '{']).count();
        for levels in (1..=6).chain(90..=130).chain([199, 200, 201, 1_000]) {
            let nested = |inner: &str| {
                let times = (levels - 1) / levels_each;
                let rest = (levels - 1) % levels_each;
                format!(
                    "{{\"v\":{}{}{inner}{}{}}}",
                    "[".repeat(rest),
                    open.repeat(times),
                    close.repeat(times),
                    "]".repeat(rest)
                )
            };
            assert_eq!(is_read(&nested("1")), levels <= 100, "{levels} levels of {open}");
            assert_eq!(
                is_read(&nested(r#"{"$date":{"$numberLong":"1"}}"#)),
                levels <= 100,
                "a value is no level, in {levels} of {open}"
            );
            assert_eq!(
                is_read(&nested("{}")),
                levels < 100,
                "{levels} levels of {open} and one more"
            );
        }
    }
}

#[test]
fn every_utf16_unit_is_read_by_its_escape_but_for_lone_surrogates() {
    let is_surrogate = |unit: &u16| (0xd800..=0xdfff).contains(unit);
    let escapes: Vec<_> = (0..=u16::MAX)
        .filter(|unit| !is_surrogate(unit))
        .map(|unit| format!("\"\\u{unit:04x}\""))
        .collect();
    assert!(is_read(&format!(r#"{{"v":[{}]}}"#, escapes.join(","))));
    for unit in (0..=u16::MAX).filter(is_surrogate) {
        assert!(!is_read(&format!(r#"{{"v":"\u{unit:04x}"}}"#)), "{unit:x}");
    }
    let pairs: Vec<_> = (0xd800..=0xdbff_u16)
        .map(|high| format!("\"\\u{high:04x}\\u{:04X}\"", 0xdc00 + high % 0x400))
        .collect();
    assert!(is_read(&format!(r#"{{"v":[{}]}}"#, pairs.join(","))));
    for broken in [r"\ud83d\ud83d", r"\ud83dx", r"\ude00\ud83d", r"\ud83d\u", r"\ud83d\n"] {
        assert!(!is_read(&format!(r#"{{"v":"{broken}"}}"#)), "{broken}");
        assert!(!is_read(&format!(r#"{{"{broken}":1}}"#)), "{broken} in a name");
    }
    assert!(!is_read("\u{feff}{}"), "a byte order mark before the text");
    assert!(is_read("{\"\u{feff}\":\"\u{feff}\u{fffe}\u{ffff}\u{10ffff}\"}"));
}

#[test]
fn a_name_twice_is_rejected_at_every_depth_however_it_is_written() {
    let pairs = [
        ("a", "a"),
        ("a", r"\u0061"),
        ("", ""),
        ("é", r"\u00e9"),
        (r"\ud83d\ude00", "😀"),
        (r#"\""#, r"\u0022"),
        (r"\/", "/"),
    ];
    for depth in [0, 1, 2, 15, 50, 97] {
        for many in [0, 12, 13, 14, 15, 16, 40] {
            let others = (0..many)
                .map(|number| format!(r#","n{number}":{{"a":{number}}}"#))
                .collect::<Vec<_>>()
                .concat();
            let at = |object: &str| {
                is_read(&format!(r#"{{"o":{}{object}{}}}"#, "[".repeat(depth), "]".repeat(depth)))
            };
            for (one, other) in pairs {
                let once = format!(r#"{{"{one}":1{others}"#);
                assert!(
                    !at(&format!(r#"{once},"{other}":2}}"#)),
                    "{one} and {other} with {many} others at {depth}"
                );
                assert!(
                    at(&format!(r#"{once},"{other} ":2}}"#)),
                    "another name than {one} with {many} others at {depth}"
                );
            }
        }
    }
}

#[test]
fn names_that_act_or_end_early_are_rejected_at_every_depth_and_a_nul_in_a_value_is_not() {
    for depth in [0, 1, 50, 98] {
        let at = |object: &str| {
            is_read(&format!(r#"{{"o":{}{object}{}}}"#, "[".repeat(depth), "]".repeat(depth)))
        };
        for name in ["$a", "$", r"\u0024", "$oid ", r"a\u0000", r"\u0000", r"\u0000$"] {
            assert!(
                !at(&format!(r#"{{"{name}":1}}"#)) && !at(&format!(r#"{{"a":1,"{name}":1}}"#)),
                "{name}"
            );
        }
        assert!(at(r#"{"a$":1,"x.y":"\u0000","_id":"$where"}"#));
    }
}

/// One of everything, without spaces at its ends.
fn everything() -> String {
    let numbers = generator::NUMBERS.join(",");
    let values = generator::EXTENDED.join(" , ");
    format!(
        "{{\"n\":[{numbers}],\"e\":[{values}],\"t\":\"é\\u00e9\\ud83d\\ude00😀\",\"o\":{{\"\":{{}},\"x\":[true,false,null]}}}}"
    )
}

#[test]
fn a_text_that_ends_at_any_byte_or_goes_on_after_its_end_is_rejected() {
    let whole = everything();
    assert!(is_read(&whole) && is_read(&format!(" \t\r\n{whole} \t\r\n")));
    for end in 0..whole.len() {
        let cut = String::from_utf8_lossy(&whole.as_bytes()[..end]);
        assert!(!is_read(&cut), "the first {end} bytes");
    }
    for more in (0..=u8::MAX)
        .map(char::from)
        .chain(['\u{2028}', '\u{feff}'])
        .filter(|more| !" \t\r\n".contains(*more))
    {
        assert!(
            !is_read(&format!("{whole}{more}")) && !is_read(&format!("{whole} {more}")),
            "{more:?} after it"
        );
        assert!(!is_read(&format!("{more}{whole}")), "{more:?} before it");
    }
}

#[test]
fn a_document_grows_to_16_mib_and_no_further_whatever_it_is_made_of() {
    // What one item takes in BSON beside its index: 1 + digits + 1 + value.
    for (item, value_bytes) in [("0", 4), ("[]", 5), (r#"{"$date":0}"#, 8)] {
        // 100,000 items have indexes of 488,890 digits; each of the next 900,000 has one of six.
        let (rest, each) = (
            16 * 1024 * 1024 - 5 - 3 - 5 - (488_890 + (2 + value_bytes) * 100_000),
            8 + value_bytes,
        );
        let most = 100_000 + (rest / each).min(900_000);
        let body = |items: usize| format!(r#"{{"v":[{}]}}"#, vec![item; items].join(","));
        assert!(fields(&body(most)).is_ok(), "{most} times {item}");
        if most < 1_000_000 {
            assert_eq!(
                fields(&body(most + 1)).map_err(|rejection| rejection.reason),
                Err(Reason::TooLarge),
                "{} times {item}",
                most + 1
            );
        }
    }
}

/// The document of a value, read by `serde_json` and converted in the plainest way. It differs from
/// ours where it is said:
/// - of a name that is there twice it keeps the last; a `$` name is a name, a NUL is a character;
///   127 levels are taken;
/// - an integer beyond int64 becomes a double, and -0 a double too;
/// - a number beyond what a double holds is no JSON to it.
fn plainly(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32),
            None => double(number.as_f64().expect("a double")),
        },
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(items) => items.iter().map(plainly).collect::<Vec<_>>().into(),
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| (name.clone(), plainly(value)))
            .collect::<Document>()
            .into(),
    }
}

/// -0 and -0.0 in one form, which only `serde_json` has for both.
fn double(number: f64) -> Bson {
    if number == 0.0 { Bson::Double(0.0) } else { Bson::Double(number) }
}

/// Without the differences that `plainly` cannot help: the order of names, and the zeros.
fn leveled(value: Bson) -> Bson {
    match value {
        Bson::Document(document) => {
            let mut entries: Vec<_> =
                document.into_iter().map(|(name, value)| (name, leveled(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Bson::Document(entries.into_iter().collect())
        }
        Bson::Array(items) => Bson::Array(items.into_iter().map(leveled).collect()),
        Bson::Int32(0) => Bson::Double(0.0),
        Bson::Double(number) => double(number),
        other => other,
    }
}

proptest! {
    #[test]
    fn any_json_becomes_the_document_of_the_reference_or_is_rejected_by_both(body in generator::body()) {
        checks::body(body.as_bytes());
    }

    #[test]
    fn json_with_a_flaw_becomes_the_document_of_the_reference_or_is_rejected_by_both(
        body in generator::body(), at in any::<prop::sample::Index>(), flaw in ".?|[\\]}\\[{\",:0-9eE.\\\\$-]", cut in 0_usize..3,
    ) {
        let at = body.char_indices().map(|(at, _)| at).nth(at.index(body.chars().count())).unwrap_or(0);
        let after = body[at..].char_indices().map(|(at, _)| at).nth(cut).unwrap_or(body.len() - at);
        checks::body(format!("{}{flaw}{}", &body[..at], &body[at + after..]).as_bytes());
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads(body in generator::body()) {
        let parsed = serde_json::from_str::<Value>(&body);
        if reader::read(&body).is_none() {
            prop_assert!(parsed.is_err(), "the reader of the reference rejects JSON: {}", body);
        }
        let Some(bytes) = reference::document(&body) else { return Ok(()) };
        let parsed = parsed.map_err(|error| TestCaseError::fail(format!("{error}: {body}")))?;
        if !body.contains('$') && !body.contains(r"\u0024") {
            let found: Document = bson::deserialize_from_slice(&bytes).expect("BSON");
            prop_assert_eq!(leveled(found.into()), leveled(plainly(&parsed)), "{}", body);
        }
    }
}
