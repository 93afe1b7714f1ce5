//! Values as messages write them: plain JSON, and Extended JSON for the types that JSON has not.

use serde_json::{Map, Value, json};

use super::reference::to;
use super::times;
use crate::config::decimals;
use crate::time::{MILLIS_MAX, MILLIS_MIN};

/// The longest text that is a key or in an index. It is counted in bytes, and characters are at
/// least one each.
const TEXT_MAX: usize = 1_024;

const HEX_12: &str = "^[0-9A-Fa-f]{24}$";
const UUID: &str = "^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})$";
const BASE64: &str = r"^[A-Za-z0-9+/=\t\n\f\r ]*$";
const SUBTYPE: &str = "^[0-9A-Fa-f]{1,2}$";
const LEGACY_SUBTYPE: &str = "^([Ff]{6})?[0-9A-Fa-f]{1,2}$";

/// All definitions that schemas of messages name.
pub(super) fn definitions() -> Map<String, Value> {
    let definitions = json!({
        "name": { "description": "A name of a field.", "type": "string", "pattern": r"^([^$\u0000][^\u0000]*)?$" },
        "value": {
            "description": "Any JSON value; Extended JSON (v2) for the types that JSON has not.",
            "anyOf": [
                { "type": "null" }, { "type": "boolean" }, { "type": "number" }, { "type": "string" },
                { "type": "array", "items": to("value") },
                {
                    "type": "object",
                    "propertyNames": to("name"),
                    "additionalProperties": to("value"),
                },
                to("date"), to("number"), to("ObjectId"), to("UUID"), to("binary"), to("rare"),
            ],
        },
        "key": {
            "description": "A text of 1 to 1024 bytes, an integer, an ObjectId or a UUID.",
            "anyOf": [
                { "type": "string", "minLength": 1, "maxLength": TEXT_MAX },
                { "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX },
                to("ObjectId"), to("UUID"),
                single("$numberLong", &integer(i64::MIN.unsigned_abs(), i64::MAX.unsigned_abs())),
                single("$numberInt", &integer(1 << 31, (1 << 31) - 1)),
            ],
        },
        "indexed": {
            "description": "One value, for an index holds it: a text of at most 1024 bytes, a number, a date, true, false, null, an ObjectId or a UUID.",
            "anyOf": [
                { "type": "null" }, { "type": "boolean" }, { "type": "number" },
                { "type": "string", "maxLength": TEXT_MAX },
                to("date"), to("number"), to("ObjectId"), to("UUID"),
            ],
        },
        "date": date(),
        "number": number(),
        "ObjectId": single("$oid", &text(HEX_12)),
        "UUID": uuid(),
        "binary": {
            "anyOf": [
                single("$binary", &binary(&text(SUBTYPE))),
                legacy_binary(&json!({ "anyOf": [text(LEGACY_SUBTYPE), { "type": "integer", "minimum": 0, "maximum": 255 }] })),
            ],
        },
        "rare": rare(),
    });
    match definitions {
        Value::Object(definitions) => definitions,
        _ => Map::new(),
    }
}

/// An object of this one name.
fn single(name: &str, operand: &Value) -> Value {
    object(&[(name, operand)])
}

/// An object of these names and no others.
fn object(members: &[(&str, &Value)]) -> Value {
    let properties: Map<_, _> =
        members.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect();
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "required": names, "properties": properties, "additionalProperties": false })
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// An integer as a text, from `-below` to `above`.
fn integer(below: u64, above: u64) -> Value {
    let (below, above) = (decimals::between(0, below), decimals::between(0, above));
    text(&format!("^(-0*({below})|[+]?0*({above}))$"))
}

fn date() -> Value {
    let digits = integer(MILLIS_MIN.unsigned_abs(), MILLIS_MAX.unsigned_abs());
    let long = single("$numberLong", &digits);
    let millis = json!({ "type": "integer", "minimum": MILLIS_MIN, "maximum": MILLIS_MAX });
    single("$date", &json!({ "anyOf": [text(&times::of_date()), millis, long] }))
}

fn number() -> Value {
    let decimal =
        format!("^({}|[+-]?([Nn][Aa][Nn]|[Ii][Nn][Ff]([Ii][Nn][Ii][Tt][Yy])?))$", decimals::NUMBER);
    let double = format!("^({}|NaN|-?Infinity)$", decimals::NUMBER);
    json!({
        "anyOf": [
            single("$numberLong", &integer(i64::MIN.unsigned_abs(), i64::MAX.unsigned_abs())),
            single("$numberInt", &integer(1 << 31, (1 << 31) - 1)),
            single("$numberDouble", &text(&double)),
            single("$numberDecimal", &text(&decimal)),
        ],
    })
}

fn binary(subtype: &Value) -> Value {
    object(&[("base64", &text(BASE64)), ("subType", subtype)])
}

fn legacy_binary(subtype: &Value) -> Value {
    object(&[("$binary", &text(BASE64)), ("$type", subtype)])
}

fn uuid() -> Value {
    json!({
        "anyOf": [
            single("$uuid", &text(UUID)),
            single("$binary", &binary(&text("^0?4$"))),
            legacy_binary(&json!({ "anyOf": [text("^([Ff]{6})?0?4$"), { "const": 4 }] })),
        ],
    })
}

/// What few producers send.
fn rare() -> Value {
    let any = json!({ "type": "string" });
    let without_nul = text(r"^[^\u0000]*$");
    let options = text("^[ilmsux]*$");
    let u32 = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    let pointer = object(&[("$ref", &any), ("$id", &single("$oid", &text(HEX_12)))]);
    json!({
        "anyOf": [
            single("$timestamp", &object(&[("t", &u32), ("i", &u32)])),
            single("$regularExpression", &object(&[("pattern", &without_nul), ("options", &options)])),
            single("$regex", &without_nul),
            object(&[("$regex", &without_nul), ("$options", &options)]),
            single("$code", &any),
            single("$symbol", &any),
            single("$dbPointer", &pointer),
            single("$undefined", &json!({ "const": true })),
            single("$minKey", &json!({ "const": 1 })),
            single("$maxKey", &json!({ "const": 1 })),
        ],
    })
}
