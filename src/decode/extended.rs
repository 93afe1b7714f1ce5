//! Extended JSON: the objects that stand for a BSON type which JSON has not.
//!
//! Names and forms: "MongoDB Extended JSON (v2)" in the MongoDB manual, canonical and relaxed, and of
//! version 1 what drivers and `mongoexport` still write: `{"$binary": "...", "$type": "00"}`, and
//! `$regex` with `$options`. Beyond both, `$date` takes every written form of [`crate::time`] and
//! whole milliseconds as a number, and `$uuid` 32 hex digits without hyphens: pymongo before 4.0
//! writes the last two. Not read are `$code` with a `$scope`, which servers no longer run, and
//! `$ref`, which is an object with names of its own and no type.

mod value;

use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::place::NameSpan;
use super::writer::{Open, Writer};
use crate::bson::element;
use crate::message::Reason;

/// Writes the value that an object stands for whose first name, `name`, begins with `$`. The parser
/// is at its value.
pub fn read<'de, A: MapAccess<'de>>(
    writer: &mut Writer<'_>,
    open: Open,
    name: NameSpan,
    mut object: A,
) -> Result<(), A::Error> {
    let first = writer.name(name);
    let Some(first) = NAMES.iter().find(|known| **known == first) else {
        let is_reference = first == "$ref";
        return Err(if is_reference { reference(writer) } else { reject_dollar(writer) });
    };
    let operand: &RawValue = object.next_value()?;
    let second = object.next_key::<String>()?;
    let more: Option<&RawValue> = match second.as_deref() {
        None => None,
        Some("$scope") if *first == "$code" => {
            return Err(writer.reject(
                Reason::BadName,
                "has a $scope, and code with a scope is not read: send $code alone",
            ));
        }
        Some(second) if PAIRS.contains(&[*first, second]) => Some(object.next_value()?),
        Some(_) => return Err(beside(writer)),
    };
    if more.is_some() && object.next_key::<IgnoredAny>()?.is_some() {
        return Err(beside(writer));
    }
    let (name, operand, more) = match (*first, more) {
        ("$type", Some(binary)) => ("$binary", binary, Some(operand)),
        ("$options", Some(pattern)) => ("$regex", pattern, Some(operand)),
        ("$type" | "$options", None) => return Err(reject_dollar(writer)),
        (first, more) => (first, operand, more),
    };
    writer.count_numbers_in(operand.get());
    if let Some(more) = more {
        writer.count_numbers_in(more.get());
    }
    let written =
        value::write(name, operand.get(), more.map(RawValue::get), writer.reopen_as_value(open));
    match written {
        Ok(element_type) => {
            writer.set_type(open, element_type);
            note_time(writer, element_type, operand.get());
            if element_type == element::TIMESTAMP && writer.is_a_top_level_zero(operand.get()) {
                return Err(writer.reject(
                    Reason::BadValue,
                    "is the timestamp 0, for which MongoDB puts its own time at the top level: send a date",
                ));
            }
            writer.check_size()
        }
        Err((reason, problem)) => Err(writer.reject(reason, problem)),
    }
}

/// The names that are read.
const NAMES: [&str; 19] = [
    "$oid",
    "$date",
    "$numberLong",
    "$numberInt",
    "$numberDouble",
    "$numberDecimal",
    "$binary",
    "$type",
    "$uuid",
    "$timestamp",
    "$regularExpression",
    "$regex",
    "$options",
    "$code",
    "$symbol",
    "$dbPointer",
    "$undefined",
    "$minKey",
    "$maxKey",
];

/// Names that stand in one object, in either order.
const PAIRS: [[&str; 2]; 4] =
    [["$binary", "$type"], ["$type", "$binary"], ["$regex", "$options"], ["$options", "$regex"]];

/// A name that begins with `$` and is none of Extended JSON's, or stands where no value begins.
pub fn reject_dollar<E: serde::de::Error>(writer: &mut Writer<'_>) -> E {
    let beside_others = ["$type", "$options"];
    let alone: Vec<_> = NAMES.into_iter().filter(|name| !beside_others.contains(name)).collect();
    writer.reject(
        Reason::BadName,
        format_args!(
            "has a name that begins with $: of these only Extended JSON is read, alone in an object that is a field's value ({})",
            alone.join(", ")
        ),
    )
}

fn reference<E: serde::de::Error>(writer: &mut Writer<'_>) -> E {
    writer.reject(
        Reason::BadName,
        "has a name that begins with $: a DBRef is not read, send its $id and $ref under names of your own",
    )
}

fn beside<E: serde::de::Error>(writer: &mut Writer<'_>) -> E {
    writer.reject(
        Reason::BadName,
        "stands beside other names: an Extended JSON value is alone in its object",
    )
}

/// Keeps the time that a date or a double was written as.
fn note_time(writer: &mut Writer<'_>, element_type: u8, operand: &str) {
    if !matches!(element_type, element::DATE | element::DOUBLE) {
        return;
    }
    let Some(text) = value::text(operand) else { return };
    if element_type == element::DATE {
        writer.note_written_time(&text);
    } else if let Ok(number) = text.parse() {
        writer.note_exact_number(number, &text);
    }
}
