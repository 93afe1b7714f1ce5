//! Extended JSON: the six objects that stand for a BSON type which JSON has not.
//!
//! Names and forms: "MongoDB Extended JSON (v2)" in the MongoDB manual. Beyond it, `$date` takes
//! every written form of [`crate::time`] and whole milliseconds as a number, and `$uuid` 32 hex
//! digits without hyphens: pymongo before 4.0 writes the last two.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use bson::oid::ObjectId;
use bson::{Decimal128, Uuid};
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::place::NameSpan;
use super::writer::{Open, Writer};
use crate::bson::{element, layout, subtype};
use crate::message::Reason;
use crate::time;

/// Why a value is rejected: the text continues "field x".
type Problem = (Reason, String);

/// Writes the value that an object stands for whose first name, `name`, begins with `$`. The parser
/// is at its value.
pub fn read<'de, A: MapAccess<'de>>(
    writer: &mut Writer<'_>,
    open: Open,
    name: NameSpan,
    mut object: A,
) -> Result<(), A::Error> {
    let Some(wrapper) = Wrapper::named(writer.name(name)) else {
        return Err(writer.reject_dollar());
    };
    let operand: &RawValue = object.next_value()?;
    if object.next_key::<IgnoredAny>()?.is_some() {
        return Err(writer.reject(
            Reason::BadName,
            "stands beside other names: an Extended JSON value is alone in its object",
        ));
    }
    if operand.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        writer.count_number();
    }
    let written = wrapper.write(operand.get(), writer.reopen_as_value(open));
    match written {
        Ok(element_type) => {
            writer.set_type(open, element_type);
            if element_type == element::DATE
                && let Some(text) = text(operand.get())
            {
                writer.note_written_time(&text);
            }
            writer.check_size()
        }
        Err((reason, problem)) => Err(writer.reject(reason, problem)),
    }
}

/// The names that are read.
#[derive(Clone, Copy)]
enum Wrapper {
    ObjectId,
    Date,
    Long,
    Decimal,
    Binary,
    Uuid,
}

impl Wrapper {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "$oid" => Self::ObjectId,
            "$date" => Self::Date,
            "$numberLong" => Self::Long,
            "$numberDecimal" => Self::Decimal,
            "$binary" => Self::Binary,
            "$uuid" => Self::Uuid,
            _ => return None,
        })
    }

    /// Appends the value's bytes and gives its element type.
    fn write(self, operand: &str, buffer: &mut Vec<u8>) -> Result<u8, Problem> {
        match self {
            Self::ObjectId => {
                let id = text(operand)
                    .and_then(|text| ObjectId::parse_str(text).ok())
                    .ok_or_else(|| bad("$oid", "24 hex digits"))?;
                Ok(layout::object_id(buffer, &id.bytes()))
            }
            Self::Date => Ok(layout::date(buffer, date(operand)?)),
            Self::Long => {
                let number = text(operand)
                    .and_then(|text| i64::from_str(&text).ok())
                    .ok_or_else(|| bad("$numberLong", "an integer of 64 bits as a string"))?;
                Ok(layout::int64(buffer, number))
            }
            Self::Decimal => {
                let number = text(operand).and_then(|text| decimal(&text));
                let number = number.ok_or_else(|| {
                    bad("$numberDecimal", "a number of at most 34 digits as a string")
                })?;
                Ok(layout::decimal128(buffer, &number.bytes()))
            }
            Self::Binary => binary(operand, buffer),
            Self::Uuid => {
                let uuid = text(operand)
                    .and_then(|text| uuid(&text))
                    .ok_or_else(|| bad("$uuid", "a UUID as a string"))?;
                Ok(layout::binary(buffer, subtype::UUID, &uuid.bytes()))
            }
        }
    }
}

fn bad(name: &str, wanted: &str) -> Problem {
    (Reason::BadValue, format!("is not what {name} holds: give {wanted}"))
}

/// The operand as a string, if it is one.
fn text(operand: &str) -> Option<String> {
    serde_json::from_str(operand).ok()
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
        return time::from_text(&text)
            .map(time::Time::millis)
            .map_err(|error| (Reason::BadTime, error.to_string()));
    }
    let millis = match serde_json::from_str::<Long>(operand) {
        Ok(long) => i64::from_str(&long.millis).ok(),
        Err(_) => i64::from_str(operand).ok(),
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

    let wanted = || bad("$binary", r#"{"base64": "...", "subType": "00"}"#);
    let binary: Binary = serde_json::from_str(operand).map_err(|_| wanted())?;
    let is_hex = matches!(binary.subtype.len(), 1 | 2)
        && binary.subtype.bytes().all(|byte| byte.is_ascii_hexdigit());
    let subtype =
        u8::from_str_radix(&binary.subtype, 16).ok().filter(|_| is_hex).ok_or_else(wanted)?;
    let bytes = STANDARD_PAD_INDIFFERENT.decode(&binary.base64).map_err(|_| wanted())?;
    if matches!(subtype, subtype::OLD_UUID | subtype::UUID) && bytes.len() != 16 {
        return Err(bad("$binary of a UUID subtype", "16 bytes"));
    }
    Ok(layout::binary(buffer, subtype, &bytes))
}
