//! JSON texts for property tests: mostly right, each piece now and then at an edge or beyond it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Numbers that are read, then those that are rejected.
pub const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "7",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "0.0",
    "-0.0",
    "0e0",
    "-0e-5",
    "1e2",
    "1E+2",
    "12.5e-1",
    "9007199254740993.0",
    "9223372036854775808.0",
    "-9223372036854775809e0",
    "18446744073709551616.0",
    "1e308",
    "1.7976931348623157e308",
    "1.7976931348623158e308",
    "5e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "2.2250738585072011e-308",
    "1e-400",
    "0e999999999999",
    "1e-999999999999",
    "0.1",
    "123456.78901234567",
    "1.00000000000000011102230246251565404236316680908203125",
    "1.00000000000000011102230246251565404236316680908203124",
    "1.00000000000000011102230246251565404236316680908203126",
];
pub const NUMBERS_REFUSED: &[&str] = &[
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "100000000000000000000000000000",
    "1e309",
    "-1e309",
    "1.7976931348623159e308",
    "1e999999999999",
    "01",
    "-",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "--1",
    "0x10",
    "NaN",
    "Infinity",
    "1_000",
];

/// Extended JSON values that are read, then those that are rejected.
pub const EXTENDED: &[&str] = &[
    r#"{"$oid":"65a0000000000000000000Ff"}"#,
    r#"{ "\u0024oid" : "65a0000000000000000000ff" }"#,
    r#"{"$date":"2026-11-22T10:00:05.123999Z"}"#,
    r#"{"$date":{"$numberLong":"-62135596800000"}}"#,
    r#"{"$date":253402300799999}"#,
    r#"{"$date":-0}"#,
    r#"{"$numberLong":"-9223372036854775808"}"#,
    r#"{"$numberLong":"+7"}"#,
    r#"{"$numberDecimal":"0.10"}"#,
    r#"{"$numberDecimal":"-NaN"}"#,
    r#"{"$numberDecimal":"9999999999999999999999999999999999E6111"}"#,
    r#"{"$binary":{"base64":"AQI=","subType":"00"}}"#,
    r#"{"$binary":{"subType":"2","base64":"AQI"}}"#,
    r#"{"$binary":{"base64":"","subType":"fF"}}"#,
    r#"{"$binary":{"base64":"AAAAAAAAAAAAAAAAAAAAAA","subType":"4"}}"#,
    r#"{"$uuid":"73ffd264-44b3-4c69-90e8-e7d1dfc035d4"}"#,
    r#"{"$uuid":"73FFD26444b34c6990e8e7d1dfc035d4"}"#,
    r#"{"$binary":{"base64":"AQ\nI=\r\n ","subType":"00"}}"#,
    r#"{"$binary":"AQI=","$type":"00"}"#,
    r#"{"$type":"0","$binary":"AQI"}"#,
    r#"{"$binary":"AQI=","$type":"FFFFFF80"}"#,
    r#"{"$binary":"AQI=","$type":5}"#,
    r#"{"$numberInt":"-2147483648"}"#,
    r#"{"$numberInt":"+7"}"#,
    r#"{"$numberDouble":"NaN"}"#,
    r#"{"$numberDouble":"-Infinity"}"#,
    r#"{"$numberDouble":"-0.0"}"#,
    r#"{"$numberDouble":"1e-400"}"#,
    r#"{"$numberDouble":"7"}"#,
    r#"{"$timestamp":{"i":4294967295,"t":1}}"#,
    r#"{"$regularExpression":{"pattern":"^a\/","options":"xim"}}"#,
    r#"{"$regex":"^a","$options":"i"}"#,
    r#"{"$options":"","$regex":""}"#,
    r#"{"$regex":"é"}"#,
    r#"{"$code":"f()\u0000"}"#,
    r#"{"$symbol":""}"#,
    r#"{"$dbPointer":{"$ref":"a.b","$id":{"$oid":"65a0000000000000000000ff"}}}"#,
    r#"{"$undefined":true}"#,
    r#"{"$minKey":1}"#,
    r#"{"$maxKey":1}"#,
];
pub const EXTENDED_REFUSED: &[&str] = &[
    r#"{"$oid":"65a0"}"#,
    r#"{"$oid":7}"#,
    r#"{"$oid":"65a0000000000000000000ff","a":1}"#,
    r#"{"a":1,"$oid":"65a0000000000000000000ff"}"#,
    r#"{"$oid":"65a0000000000000000000ff","$oid":"65a0000000000000000000ff"}"#,
    r#"{"$date":{"$oid":"65a0000000000000000000ff"}}"#,
    r#"{"$date":253402300800000}"#,
    r#"{"$date":1.0}"#,
    r#"{"$date":{"$numberLong":"1","$numberLong":"1"}}"#,
    r#"{"$date":{"$date":"2026-11-22T10:00:05Z"}}"#,
    r#"{"$numberLong":7}"#,
    r#"{"$numberLong":"9223372036854775808"}"#,
    r#"{"$numberLong":" 7"}"#,
    r#"{"$numberDecimal":1}"#,
    r#"{"$numberDecimal":"."}"#,
    r#"{"$numberDecimal":"12345678901234567890123456789012345"}"#,
    r#"{"$binary":{"base64":"AQJ=","subType":"00"}}"#,
    r#"{"$binary":{"base64":"AQI==","subType":"00"}}"#,
    r#"{"$binary":{"base64":"AQI=","subType":"000"}}"#,
    r#"{"$binary":{"base64":"AQI=","subType":"4"}}"#,
    r#"{"$binary":{"base64":"AQI=","base64":"AQI=","subType":"0"}}"#,
    r#"{"$uuid":"73ffd26444b3-4c69-90e8-e7d1-dfc035d4"}"#,
    r#"{"$uuid":"{73ffd26444b34c6990e8e7d1dfc035}"}"#,
    r#"{"$date":"20261122"}"#,
    r#"{"$date":"1795341605"}"#,
    r#"{"$date":"1795341605.123"}"#,
    r#"{"$date":"1795341605123456"}"#,
    r#"{"$numberInt":1}"#,
    r#"{"$numberInt":"2147483648"}"#,
    r#"{"$numberDouble":1.5}"#,
    r#"{"$numberDouble":"nan"}"#,
    r#"{"$numberDouble":"infinity"}"#,
    r#"{"$numberDouble":"1e309"}"#,
    r#"{"$numberDouble":""}"#,
    r#"{"$binary":"AQI="}"#,
    r#"{"$binary":"AQI=","$type":"00","a":1}"#,
    r#"{"$binary":"AQI=","$type":"fffffff80"}"#,
    r#"{"$binary":"AQI=","$type":256}"#,
    r#"{"$binary":{"base64":"","subType":"00"},"$type":"00"}"#,
    r#"{"$type":"00"}"#,
    r#"{"$options":"i"}"#,
    r#"{"$timestamp":{"t":1}}"#,
    r#"{"$timestamp":{"t":1,"i":4294967296}}"#,
    r#"{"$timestamp":{"t":1,"i":1,"a":1}}"#,
    r#"{"$regex":"a","$options":"g"}"#,
    r#"{"$regex":"a\u0000"}"#,
    r#"{"$regularExpression":{"pattern":"a"}}"#,
    r#"{"$code":"f()","$scope":{}}"#,
    r#"{"$undefined":false}"#,
    r#"{"$minKey":"1"}"#,
    r#"{"$dbPointer":{"$ref":"a.b","$id":"65a0000000000000000000ff"}}"#,
    r#"{"$ref":"c","$id":1}"#,
    r#"{"$set":{"a":1}}"#,
    r#"{"$":1}"#,
];

const TEXTS: &[&str] = &[
    "",
    "a",
    r"\u0061",
    "é",
    r"\u00e9",
    r#"\""#,
    r"\\",
    r"\/",
    r"\b\f\n\r\t",
    "\u{7f}",
    r"\u0000",
    r"\ud83d\ude00",
    r"\uD83D\uDE00",
    "😀",
    "\u{feff}",
    r"\ufeff",
    "\u{ffff}",
    r"\uffff",
    r"\ufdd0",
    "\u{10ffff}",
    "$",
    r"\u0024",
    "1e5",
    "{",
    "]",
    ",",
    "日本",
];
const TEXTS_REFUSED: &[&str] = &[
    r"\ud83d",
    r"\ude00",
    r"\ud83d\u0061",
    r"\ude00\ud83d",
    r"\u00g0",
    r"\u+061",
    r"\u006",
    r"\x41",
    r"\",
    "\t",
    "\u{1f}",
    "\"",
];

/// What stands around a value that is right in most cases: `one in 40` is rejected, so that a text
/// of some pieces is mostly read.
fn piece(
    right: &'static [&'static str],
    rejected: &'static [&'static str],
) -> impl Strategy<Value = String> {
    prop_oneof![39 => select(right), 1 => select(rejected)].prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => piece(NUMBERS, NUMBERS_REFUSED),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        1 => "-?(0|[1-9][0-9]{0,18})\\.[0-9]{1,60}([eE][-+]?[0-9]{1,2})?",
    ]
}

fn text() -> impl Strategy<Value = String> {
    vec(prop_oneof![3 => piece(TEXTS, TEXTS_REFUSED), 1 => "[^\"\\\\\u{0}-\u{1f}]{0,4}"], 0..3)
        .prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Few names, so that some objects have one twice, or twice only once it is read.
fn name() -> impl Strategy<Value = String> {
    let read = select(vec![
        "a", "b", "c", "d", "e", "x.y", "a$", "", r"\u0061", r"\u0062c", "bc", "f", "g", "h",
    ])
    .prop_map(str::to_owned);
    let rejected = select(vec!["$a", r"\u0024a", r"a\u0000", "$date"]).prop_map(str::to_owned);
    prop_oneof![12 => read, 24 => "[a-z]{3}é?", 1 => rejected]
        .prop_map(|name| format!("\"{name}\""))
}

fn spaces() -> impl Strategy<Value = String> {
    prop_oneof![12 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t")].prop_map(str::to_owned)
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec((spaces(), name(), spaces(), spaces(), value, spaces()), 0..6).prop_map(|entries| {
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(a, name, b, c, value, d)| format!("{a}{name}{b}:{c}{value}{d}"))
            .collect();
        format!("{{{}}}", entries.join(","))
    })
}

/// A text that is nearly always one JSON object.
pub fn body() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => number(),
        3 => text(),
        1 => select(vec!["null", "true", "false", "[]", "{}"]).prop_map(str::to_owned),
        1 => piece(EXTENDED, EXTENDED_REFUSED),
    ];
    let value = leaf.prop_recursive(5, 30, 6, |inner| {
        let array = vec((spaces(), inner.clone()), 0..6).prop_map(|items| {
            let items: Vec<_> = items.into_iter().map(|(space, item)| space + &item).collect();
            format!("[{}]", items.join(","))
        });
        prop_oneof![array, object(inner)]
    });
    (spaces(), object(value), spaces())
        .prop_map(|(before, object, after)| before + &object + &after)
}
