//! Times as messages may write them. Their values are checked as far as a pattern can: a date
//! such as February 30 is the worker's to refuse.

use serde_json::{Value, json};

use super::reference;
use crate::config::decimals;
use crate::time::{MILLIS_MAX, MILLIS_MIN, Unit, VERSION_MILLIS_MAX, VERSION_MILLIS_MIN};

/// Blanks around a text are none of it.
const BLANKS: &str = r"[\t\n\f\r ]*";
const DAY: &str =
    r"(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])|(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01]))";
const CLOCK: &str = r"([01][0-9]|2[0-3])(:?[0-5][0-9](:?([0-5][0-9]|60)([.,][0-9]+)?)?)?";
const OFFSET: &str = r"([Zz]|[+-][0-9]{2}(:?[0-9]{2}(:?[0-9]{2}([.,][0-9]+)?)?)?)?";
/// What Temporal writes behind a time, without a time zone.
const ANNOTATIONS: &str = r"(\[!?[a-z_][a-z0-9_-]*=[A-Za-z0-9-]+\])*";
const YEAR: &str = r"([0-9]{4}|[+-][0-9]{6})";
/// A day of an offset away from the years in which a version must lie.
const YEAR_OF_VERSIONS: &str = r"(\+00)?(1999|20[0-9]{2}|2100)";

/// The time that is shown as an example.
const SECONDS: i64 = 1_795_341_600;

/// RFC 3339, and what is read beside it, with such a year.
fn written(year: &str) -> String {
    format!("^{BLANKS}{year}{DAY}[Tt ]{CLOCK}{OFFSET}{ANNOTATIONS}{BLANKS}$")
}

/// The text of a `$date`.
pub(super) fn of_date() -> String {
    written(YEAR)
}

/// A version, which lies in the years 2000 to 2100.
pub(super) fn version() -> Value {
    time(&written(YEAR_OF_VERSIONS), &number_by_size(), &by_size(), SECONDS)
}

/// A time of which a number counts this.
pub(super) fn of(unit: Unit) -> Value {
    let (number, numbers, example) = match unit {
        Unit::BySize => (number_by_size(), by_size(), SECONDS),
        Unit::Seconds => (any_number(), within(1_000), SECONDS),
        Unit::Millis => (any_number(), within(1), SECONDS * 1_000),
    };
    time(&written(YEAR), &number, &numbers, example)
}

fn time(written: &str, number: &str, numbers: &Value, example: i64) -> Value {
    json!({
        "anyOf": [
            { "type": "string", "pattern": written },
            { "type": "string", "pattern": number },
            numbers,
            reference::to("date"),
            reference::to("number"),
        ],
        "examples": ["2026-11-22T10:00:00Z", example],
    })
}

/// Seconds or milliseconds of the years 2000 to 2100. A fraction of the last millisecond is cut.
fn by_size() -> Value {
    json!({
        "type": "number",
        "anyOf": [
            { "minimum": VERSION_MILLIS_MIN / 1_000, "exclusiveMaximum": VERSION_MILLIS_MAX / 1_000 + 1 },
            { "minimum": VERSION_MILLIS_MIN, "exclusiveMaximum": VERSION_MILLIS_MAX + 1 },
        ],
    })
}

/// The years 1 to 9999, counted by so many milliseconds.
fn within(millis: i64) -> Value {
    json!({ "type": "number", "minimum": MILLIS_MIN / millis, "exclusiveMaximum": (MILLIS_MAX + 1) / millis })
}

fn number_by_size() -> String {
    let [seconds, millis] = [1_000, 1].map(|unit| {
        decimals::between(bound(VERSION_MILLIS_MIN / unit), bound(VERSION_MILLIS_MAX / unit))
    });
    let exponent = r"[+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][+-]?[0-9]+";
    format!(r"^{BLANKS}([+]?0*({seconds}|{millis})(\.[0-9]*)?|{exponent}){BLANKS}$")
}

fn any_number() -> String {
    format!(r"^{BLANKS}{}{BLANKS}$", decimals::NUMBER)
}

fn bound(millis: i64) -> u64 {
    u64::try_from(millis).unwrap_or_default()
}
