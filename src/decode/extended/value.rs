//! The values of Extended JSON: what stands behind each name, as BSON.

use std::str::FromStr;

use bson::oid::ObjectId;
use bson::{Decimal128, Uuid};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bson::{element, layout, subtype};
use crate::decode::encoding;
use crate::message::Reason;
use crate::time;

/// Why a value is rejected: the text continues "field x".
type Problem = (Reason, String);

/// Appends the value's bytes and gives its element type. `more` is the second operand, of a form
/// that has two.
pub(super) fn write(
    name: &str,
    operand: &str,
    more: Option<&str>,
    buffer: &mut Vec<u8>,
) -> Result<u8, Problem> {
    match name {
        "$oid" => {
            let id = text(operand)
                .and_then(|text| ObjectId::parse_str(text).ok())
                .ok_or_else(|| bad(name, "24 hex digits"))?;
            Ok(layout::object_id(buffer, &id.bytes()))
        }
        "$date" => Ok(layout::date(buffer, date(operand)?)),
        "$numberLong" => Ok(layout::int64(buffer, integer(name, operand, "64")?)),
        "$numberInt" => Ok(layout::int32(buffer, integer(name, operand, "32")?)),
        "$numberDouble" => {
            let number = text(operand).and_then(|text| double(&text)).ok_or_else(|| {
                bad(name, r#"a number as a string, or "NaN", "Infinity" or "-Infinity""#)
            })?;
            Ok(layout::double(buffer, number))
        }
        "$numberDecimal" => {
            let number = text(operand)
                .and_then(|text| decimal(&text))
                .ok_or_else(|| bad(name, "a number of at most 34 digits as a string"))?;
            Ok(layout::decimal128(buffer, &number.bytes()))
        }
        "$binary" => match more {
            Some(subtype) => legacy_binary(operand, subtype, buffer),
            None => binary(operand, buffer),
        },
        "$uuid" => {
            let uuid = text(operand)
                .and_then(|text| uuid(&text))
                .ok_or_else(|| bad(name, "a UUID as a string"))?;
            Ok(layout::binary(buffer, subtype::UUID, &uuid.bytes()))
        }
        "$timestamp" => timestamp(operand, buffer),
        "$regularExpression" => regular_expression(operand, buffer),
        "$regex" => {
            let pattern = text(operand).ok_or_else(|| bad(name, "a pattern as a string"))?;
            let options = match more {
                None => String::new(),
                Some(options) => text(options).ok_or_else(|| bad("$options", OPTIONS))?,
            };
            regex(buffer, &pattern, options)
        }
        "$code" => marked_text(name, operand, element::CODE, buffer),
        "$symbol" => marked_text(name, operand, element::SYMBOL, buffer),
        "$dbPointer" => db_pointer(operand, buffer),
        "$undefined" if operand == "true" => Ok(element::UNDEFINED),
        "$undefined" => Err(bad(name, "true")),
        "$minKey" if operand == "1" => Ok(element::MIN_KEY),
        "$maxKey" if operand == "1" => Ok(element::MAX_KEY),
        _ => Err(bad(name, "1")),
    }
}

fn bad(name: &str, wanted: &str) -> Problem {
    (Reason::BadValue, format!("is not what {name} holds: give {wanted}"))
}

/// The operand as a string, if it is one.
pub(super) fn text(operand: &str) -> Option<String> {
    serde_json::from_str(operand).ok()
}

/// The operand as an object of these fields: serde would also read an array, by the order of the fields.
fn object<'a, T: Deserialize<'a>>(operand: &'a str) -> Option<T> {
    serde_json::from_str(operand).ok().filter(|_| operand.trim_start().starts_with('{'))
}

fn integer<N: FromStr>(name: &str, operand: &str, bits: &str) -> Result<N, Problem> {
    text(operand)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad(name, &format!("an integer of {bits} bits as a string")))
}

/// What JSON writes as a number, and the three that it cannot write.
fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if text.bytes().any(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().filter(|number: &f64| number.is_finite())
        }
        _ => None,
    }
}

/// Milliseconds since the epoch.
fn date(operand: &str) -> Result<i64, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Long {
        #[serde(rename = "$numberLong")]
        millis: String,
    }

    if let Some(text) = text(operand) {
        return time::from_date_text(&text)
            .map(time::Time::millis)
            .map_err(|error| (Reason::BadTime, error.to_string()));
    }
    let millis = match object::<Long>(operand) {
        Some(long) => i64::from_str(&long.millis).ok(),
        None => i64::from_str(operand).ok(),
    };
    let millis =
        millis.ok_or_else(|| (Reason::BadTime, time::TimeError::Unreadable.to_string()))?;
    time::in_range(millis)
        .map(time::Time::millis)
        .map_err(|error| (Reason::BadTime, error.to_string()))
}

/// A decimal, exactly: what would have to be rounded is none.
fn decimal(text: &str) -> Option<Decimal128> {
    // The crate's parser takes "", "." and "-" for zero.
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let has_digits = unsigned.split(['e', 'E']).next()?.bytes().any(|byte| byte.is_ascii_digit());
    let is_named =
        ["nan", "inf", "infinity"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    if has_digits || is_named { Decimal128::from_str(text).ok() } else { None }
}

fn uuid(text: &str) -> Option<Uuid> {
    // With hyphens or without; not the braced and URN forms, which the parser takes too.
    if matches!(text.len(), 32 | 36) { Uuid::parse_str(text).ok() } else { None }
}

fn binary(operand: &str, buffer: &mut Vec<u8>) -> Result<u8, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Binary {
        base64: String,
        #[serde(rename = "subType")]
        subtype: String,
    }

    let wanted = || bad("$binary", BINARY);
    let binary: Binary = object(operand).ok_or_else(wanted)?;
    let subtype = subtype_of(&binary.subtype).ok_or_else(wanted)?;
    write_binary(buffer, subtype, &binary.base64)
}

/// `{"$binary": "base64", "$type": "00"}`. `mongoexport` wrote a subtype from 80 on as the negative
/// number of 32 bits that it is in C, and pymongo reads the subtype as a number too.
fn legacy_binary(operand: &str, subtype: &str, buffer: &mut Vec<u8>) -> Result<u8, Problem> {
    let wanted = || bad("$binary", LEGACY_BINARY);
    let base64 = text(operand).ok_or_else(wanted)?;
    let subtype = match text(subtype) {
        Some(hex) => match hex.get(..6) {
            Some(sign) if sign.eq_ignore_ascii_case("ffffff") => subtype_of(&hex[6..]),
            _ => subtype_of(&hex),
        },
        None => subtype.parse().ok(),
    };
    write_binary(buffer, subtype.ok_or_else(wanted)?, &base64)
}

const BINARY: &str = r#"{"base64": "...", "subType": "00"}"#;
const LEGACY_BINARY: &str = r#"base64 as a string, and with it "$type": "00""#;

/// One or two hex digits.
fn subtype_of(hex: &str) -> Option<u8> {
    let is_hex = matches!(hex.len(), 1 | 2) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    u8::from_str_radix(hex, 16).ok().filter(|_| is_hex)
}

fn write_binary(buffer: &mut Vec<u8>, subtype: u8, base64: &str) -> Result<u8, Problem> {
    let bytes = encoding::base64(base64).ok_or_else(|| bad("$binary", "base64 (RFC 4648)"))?;
    if matches!(subtype, subtype::OLD_UUID | subtype::UUID) && bytes.len() != 16 {
        return Err(bad("$binary of a UUID subtype", "16 bytes"));
    }
    Ok(layout::binary(buffer, subtype, &bytes))
}

fn timestamp(operand: &str, buffer: &mut Vec<u8>) -> Result<u8, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Timestamp {
        t: u32,
        i: u32,
    }

    let Timestamp { t, i } = object(operand)
        .ok_or_else(|| bad("$timestamp", r#"{"t": 0, "i": 0} with integers of 32 bits"#))?;
    Ok(layout::timestamp(buffer, t, i))
}

const OPTIONS: &str = "letters of ilmsux as a string";

fn regular_expression(operand: &str, buffer: &mut Vec<u8>) -> Result<u8, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RegularExpression {
        pattern: String,
        options: String,
    }

    let RegularExpression { pattern, options } = object(operand)
        .ok_or_else(|| bad("$regularExpression", r#"{"pattern": "...", "options": ""}"#))?;
    regex(buffer, &pattern, options)
}

/// The options in the order of the alphabet, as BSON has them.
fn regex(buffer: &mut Vec<u8>, pattern: &str, options: String) -> Result<u8, Problem> {
    if pattern.contains('\0') {
        return Err((
            Reason::BadValue,
            "has a NUL in a regular expression: leave it out".to_owned(),
        ));
    }
    let mut options = options.into_bytes();
    options.sort_unstable();
    options.dedup();
    if !options.iter().all(|option| b"ilmsux".contains(option)) {
        return Err(bad("a regular expression's options", OPTIONS));
    }
    Ok(layout::regex(buffer, pattern.as_bytes(), &options))
}

/// A text that BSON marks as something else.
fn marked_text(
    name: &str,
    operand: &str,
    element_type: u8,
    buffer: &mut Vec<u8>,
) -> Result<u8, Problem> {
    let text = text(operand).ok_or_else(|| bad(name, "a string"))?;
    layout::text(buffer, &text);
    Ok(element_type)
}

fn db_pointer(operand: &str, buffer: &mut Vec<u8>) -> Result<u8, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pointer<'a> {
        #[serde(rename = "$ref")]
        namespace: String,
        #[serde(rename = "$id", borrow)]
        id: &'a RawValue,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Id {
        #[serde(rename = "$oid")]
        digits: String,
    }

    let wanted = || bad("$dbPointer", r#"{"$ref": "db.collection", "$id": {"$oid": "..."}}"#);
    let pointer: Pointer = object(operand).ok_or_else(wanted)?;
    let Id { digits } = object(pointer.id.get()).ok_or_else(wanted)?;
    let id = ObjectId::parse_str(&digits).map_err(|_| wanted())?;
    layout::text(buffer, &pointer.namespace);
    layout::object_id(buffer, &id.bytes());
    Ok(element::DB_POINTER)
}
