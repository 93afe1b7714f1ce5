//! Times as producers write them, read to milliseconds since the epoch. Pure.
//!
//! Read are RFC 3339 (`2026-11-22T10:00:00Z`), the same without an offset (taken as UTC) and with a space for the `T`, as
//! Python prints them, and numbers: epoch seconds, fractional too, or milliseconds from 10^11 on. All are cut to
//! milliseconds before anything compares them, because a BSON date holds no more.

use std::time::Duration;

use bson::Decimal128;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;

use crate::fields::Field;

/// BSON element types that a time is read from.
pub mod element {
    pub const DOUBLE: u8 = 0x01;
    pub const STRING: u8 = 0x02;
    pub const DOCUMENT: u8 = 0x03;
    pub const ARRAY: u8 = 0x04;
    pub const BINARY: u8 = 0x05;
    pub const OBJECT_ID: u8 = 0x07;
    pub const BOOLEAN: u8 = 0x08;
    pub const DATE: u8 = 0x09;
    pub const NULL: u8 = 0x0A;
    pub const INT32: u8 = 0x10;
    pub const INT64: u8 = 0x12;
    pub const DECIMAL128: u8 = 0x13;
}

/// Numbers below this are seconds, from here on milliseconds: 10^11 s is the year 5138, 10^11 ms is 1973.
pub const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
pub const MILLIS_MIN: i64 = -62_135_596_800_000;
pub const MILLIS_MAX: i64 = 253_402_300_799_999;

/// Why a time cannot be read. Holds no value of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("is not a time: give RFC 3339 (2026-11-22T10:00:00Z), epoch seconds or epoch milliseconds")]
    Unreadable,
    #[error("is outside the years 1 to 9999")]
    OutOfRange,
}

/// Reads a time from a field of any type that can hold one.
///
/// # Errors
/// Where it cannot be read or is outside the years 1 to 9999.
pub fn from_field(field: Field<'_>) -> Result<i64, TimeError> {
    let value = field.value();
    let fixed = |length: usize| value.get(..length).ok_or(TimeError::Unreadable);
    match field.element_type() {
        element::DATE => in_range(i64::from_le_bytes(fixed(8)?.try_into().map_err(|_| TimeError::Unreadable)?)),
        element::INT64 => from_integer(i64::from_le_bytes(fixed(8)?.try_into().map_err(|_| TimeError::Unreadable)?)),
        element::INT32 => from_integer(i32::from_le_bytes(fixed(4)?.try_into().map_err(|_| TimeError::Unreadable)?).into()),
        element::DOUBLE => from_float(f64::from_le_bytes(fixed(8)?.try_into().map_err(|_| TimeError::Unreadable)?)),
        element::DECIMAL128 => {
            let bytes: [u8; 16] = fixed(16)?.try_into().map_err(|_| TimeError::Unreadable)?;
            Decimal128::from_bytes(bytes).to_string().parse().map_err(|_| TimeError::Unreadable).and_then(from_float)
        }
        element::STRING => {
            // Length, text, NUL.
            let text = value.get(4..value.len().saturating_sub(1)).ok_or(TimeError::Unreadable)?;
            from_text(std::str::from_utf8(text).map_err(|_| TimeError::Unreadable)?)
        }
        _ => Err(TimeError::Unreadable),
    }
}

/// Reads a time from text: one of the written forms, or a number in decimal digits.
///
/// # Errors
/// Where it cannot be read or is outside the years 1 to 9999.
pub fn from_text(text: &str) -> Result<i64, TimeError> {
    let text = text.trim_ascii();
    if let Ok(integer) = text.parse::<i64>() {
        return from_integer(integer);
    }
    // Longer than any form of a time: not worth a parse.
    if text.len() > 64 {
        return Err(TimeError::Unreadable);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'))
        && let Ok(float) = text.parse::<f64>()
    {
        return from_float(float);
    }
    let pieces = Pieces::parse(text).map_err(|_| TimeError::Unreadable)?;
    // A date alone is not accepted: it is more often a field of another meaning than a time.
    let time = pieces.time().ok_or(TimeError::Unreadable)?;
    if pieces.time_zone_annotation().is_some() {
        return Err(TimeError::Unreadable);
    }
    let offset = pieces.to_numeric_offset().map_or(0, |offset| i128::from(offset.seconds()));
    // By civil time, not jiff's Timestamp, which ends two days before the year 9999 does.
    let civil = DateTime::from_parts(pieces.date(), time).duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    // Cut towards the past, so that times before 1970 keep their order too.
    let millis = (civil.as_nanos() - offset * 1_000_000_000).div_euclid(1_000_000);
    in_range(i64::try_from(millis).map_err(|_| TimeError::OutOfRange)?)
}

fn from_integer(number: i64) -> Result<i64, TimeError> {
    if number.unsigned_abs() >= MILLISECONDS_FROM.unsigned_abs() {
        return in_range(number);
    }
    in_range(number * 1_000)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "floats beyond the range saturate and are then refused")]
fn from_float(number: f64) -> Result<i64, TimeError> {
    if !number.is_finite() {
        return Err(TimeError::Unreadable);
    }
    if number.abs() >= MILLISECONDS_FROM as f64 {
        return in_range(number.floor() as i64);
    }
    // Through text-like rounding to microseconds: 1795341605.123 * 1000 is 1795341605122.9999 in binary.
    let micros = (number * 1_000_000.0).round();
    in_range((micros / 1_000.0).floor() as i64)
}

fn in_range(millis: i64) -> Result<i64, TimeError> {
    if (MILLIS_MIN..=MILLIS_MAX).contains(&millis) { Ok(millis) } else { Err(TimeError::OutOfRange) }
}

/// A duration in whole milliseconds, saturating.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_written_form_of_one_instant_is_that_instant() {
        for text in [
            "2026-11-22T10:00:05.123Z",
            "2026-11-22t10:00:05.123z",
            "2026-11-22T10:00:05.123",
            "2026-11-22 10:00:05.123",
            "2026-11-22 10:00:05.123+00:00",
            "2026-11-22T12:00:05.123456+02:00",
            "1795341605.123",
            "1795341605123",
        ] {
            assert_eq!(from_text(text), Ok(1_795_341_605_123), "{text}");
        }
        assert_eq!(from_text("2026-11-22 10:00"), Ok(1_795_341_600_000));
        assert_eq!(from_text("1795341605"), Ok(1_795_341_605_000));
        assert_eq!(from_text("1969-12-31T23:59:59.9999Z"), Ok(-1));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "now", "2026-13-01T00:00:00Z", "2026-11-22", "22/11/2026 10:00", "nan", "inf", "2026-11-22T10:00:05Zjunk", "1e400"]
        {
            assert_eq!(from_text(text), Err(TimeError::Unreadable), "{text}");
        }
        for text in ["99999999999999999", "-99999999999999", "0000-12-31T00:00:00Z", "1e30"] {
            assert_eq!(from_text(text), Err(TimeError::OutOfRange), "{text}");
        }
        assert_eq!(from_text("0001-01-01T00:00:00Z"), Ok(MILLIS_MIN));
        assert_eq!(from_text("9999-12-31T23:59:59.999Z"), Ok(MILLIS_MAX));
    }

    proptest::proptest! {
        #[test]
        fn fractional_seconds_keep_their_milliseconds(millis in 0_i64..4_000_000_000_000) {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            let seconds = millis as f64 / 1_000.0;
            proptest::prop_assert_eq!(from_float(seconds), Ok(millis));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = from_text(&text);
        }
    }
}
