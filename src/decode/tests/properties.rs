//! What holds for any input: the conversion agrees with one written another way, and nothing
//! panics.

use std::fmt::Write;

use ::bson::{Bson, Document};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::super::json::fields;
use super::json::bytes;
use super::*;

/// A JSON value, with numbers as they are written, and the writing's free choices.
#[derive(Debug, Clone)]
enum Json {
    Null,
    Bool(bool),
    /// Within int64.
    Integer(i64),
    Float(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn json() -> impl Strategy<Value = Json> {
    let integers = prop_oneof![
        any::<i64>(),
        any::<i32>().prop_map(i64::from),
        prop_oneof![
            Just(i64::from(i32::MIN)),
            Just(i64::from(i32::MAX)),
            Just(i64::MIN),
            Just(i64::MAX),
            Just(0)
        ]
        .prop_flat_map(|edge| (-2_i64..=2).prop_map(move |step| edge.saturating_add(step))),
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        integers.prop_map(Json::Integer),
        any::<f64>()
            .prop_filter("JSON has no others", |float| float.is_finite())
            .prop_map(Json::Float),
        prop_oneof![Just(1e19), Just(-9.3e18), Just(-0.0), Just(0.0)].prop_map(Json::Float),
        any::<String>().prop_map(Json::Text),
    ];
    leaf.prop_recursive(6, 60, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Json::Array),
            object(inner).prop_map(Json::Object)
        ]
    })
}

fn object(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Vec<(String, Json)>> {
    btree_map("[^$\0][^\0]{0,8}|[a-c]?", value, 0..20)
        .prop_map(|map| map.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

/// Writes text; `escapes` says for which characters as `\u`.
fn write_text(text: &str, escapes: u32, out: &mut String) {
    out.push('"');
    for (index, character) in text.chars().enumerate() {
        if character < ' ' || matches!(character, '"' | '\\') || (escapes >> (index % 32)) & 1 == 1
        {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        } else {
            out.push(character);
        }
    }
    out.push('"');
}

fn write_json(value: &Json, escapes: u32, out: &mut String) {
    let space = if escapes & 1 == 1 { " \n" } else { "" };
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => write!(out, "{value}").unwrap(),
        Json::Integer(0) if escapes & 1 == 1 => out.push_str("-0"),
        Json::Integer(number) => write!(out, "{number}").unwrap(),
        // In digits or with an exponent; both have a dot or an e.
        Json::Float(number) if escapes & 2 == 2 => write!(out, "{number:e}").unwrap(),
        Json::Float(number) => write!(out, "{number:?}").unwrap(),
        Json::Text(text) => write_text(text, escapes, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { space } else { "," });
                write_json(item, escapes, out);
                out.push_str(space);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (index, (name, value)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { space } else { "," });
                write_text(name, escapes.rotate_left(7), out);
                out.push_str(space);
                out.push(':');
                write_json(value, escapes, out);
            }
            out.push_str(space);
            out.push('}');
        }
    }
}

fn reference(value: &Json) -> Bson {
    match value {
        Json::Null => Bson::Null,
        Json::Bool(value) => Bson::Boolean(*value),
        Json::Integer(number) => i32::try_from(*number).map_or(Bson::Int64(*number), Bson::Int32),
        Json::Float(number) => Bson::Double(*number),
        Json::Text(text) => Bson::String(text.clone()),
        Json::Array(items) => Bson::Array(items.iter().map(reference).collect()),
        Json::Object(entries) => Bson::Document(reference_document(entries)),
    }
}

fn reference_document(entries: &[(String, Json)]) -> Document {
    entries.iter().map(|(name, value)| (name.clone(), reference(value))).collect()
}

/// Text that is nearly JSON: pieces of it in any order.
fn nearly_json() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(","),
            Just(":"),
            Just("\""),
            Just("\\"),
            Just("\\u00")
        ],
        prop_oneof![
            Just("-0"),
            Just("1e400"),
            Just("18446744073709551616"),
            Just("-"),
            Just("1.5"),
            Just("null"),
            Just("\0")
        ],
        prop_oneof![
            Just("\"a\":"),
            Just("\"$oid\":"),
            Just("\"$date\":"),
            Just("\"$binary\":{"),
            Just("\"$numberDecimal\":")
        ],
        prop_oneof![
            Just("\"specversion\":\"1.0\","),
            Just("\"detail-type\":"),
            Just("\"TopicArn\":"),
            Just("\"type\":\"event\"")
        ],
        prop_oneof![
            Just("\"1e5\""),
            Just("\"base64\":\"\","),
            Just("\"subType\":\"2\""),
            Just("é"),
            Just(" ")
        ],
    ];
    vec(pieces, 0..40).prop_map(|pieces| format!("{{{}", pieces.concat()))
}

proptest! {
    #[test]
    fn any_json_object_becomes_the_document_that_it_says(entries in object(json()), escapes in any::<u32>()) {
        let mut text = String::new();
        write_json(&Json::Object(entries.clone()), escapes, &mut text);
        let converted = fields(&text).map_err(|rejection| TestCaseError::fail(format!("{rejection:?}: {text}")))?;
        prop_assert_eq!(bytes(&converted), reference_document(&entries).to_vec().unwrap(), "{}", text);
    }

    #[test]
    fn an_integer_beyond_int64_is_rejected_wherever_it_stands(
        entries in object(json()), escapes in any::<u32>(), digits in "[1-9][0-9]{19,40}", sign in "-?",
    ) {
        let mut text = String::new();
        write_json(&Json::Object(entries), escapes, &mut text);
        let text = format!(r#"{{"before":{text},"n":{sign}{digits},"after":{text}}}"#);
        let rejection = fields(&text).unwrap_err();
        prop_assert_eq!(rejection.reason, Reason::BadValue);
        prop_assert!(rejection.text.starts_with("field n is an integer"), "{}", rejection.text);
    }

    #[test]
    fn no_text_panics(body in any::<String>(), value in any::<String>(), name in "type|content-encoding|ce-specversion|longshore-time|[a-z]{1,9}") {
        let _ = decode(&message(&body, &[(&name, &value)]), &settings());
    }

    #[test]
    fn nothing_that_is_nearly_json_panics_and_what_is_read_is_bson(body in nearly_json()) {
        if let Ok(record) = decode(&message(&body, &[("type", "event")]), &settings()) {
            prop_assert!(Document::from_reader(&bytes(&record.fields)[..]).is_ok(), "{}", body);
        }
    }

    #[test]
    fn a_decimal_is_read_or_rejected_but_never_panics(text in "[-+.eE0-9nNaAiIfF]{0,50}") {
        let _ = fields(&format!(r#"{{"v":{{"$numberDecimal":"{text}"}}}}"#));
    }
}
