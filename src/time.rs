//! Times as producers write them, read exactly, to the nanosecond. Pure.
//!
//! Read are RFC 3339 (`2026-11-22T10:00:00Z`), the same without an offset (taken as UTC) and with a
//! space for the `T`, as Python prints them, and numbers: epoch seconds, fractional too, or epoch
//! milliseconds ([`Unit`]). A BSON date holds milliseconds, so a time is stored to the millisecond;
//! versions are compared to the nanosecond, or two updates of one millisecond would have no order.
//! What is finer than a nanosecond is cut, towards the past before 1970 too.
//!
//! Nothing is guessed. A number whose unit nobody declared is a time only where one of the two
//! units makes it one of the years 2000 to 2100, which never both do. A text of 8 or 14 digits is
//! none at all: `20261122` is a day to whoever wrote it, and some August of 1970 to a clock.

mod decimal;

use std::fmt;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;

/// Tells what a number counts that is known to be a time of the years 2000 to 2100: below this
/// seconds, from here on milliseconds. 10^11 s is the year 5138, 10^11 ms is 1973, so no time of those
/// years lies on the wrong side. Of a number that may be anything, [`Unit`] says what it is.
pub const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
pub const MILLIS_MIN: i64 = -62_135_596_800_000;
pub const MILLIS_MAX: i64 = 253_402_300_799_999;

/// 2000-01-01T00:00:00Z and 2100-01-01T00:00:00Z: what a version may be. One of the year 2612, read
/// from a number that was none, would win over every true update for centuries.
pub const VERSION_MILLIS_MIN: i64 = 946_684_800_000;
pub const VERSION_MILLIS_MAX: i64 = 4_102_444_800_000;

const NANOS_PER_MILLI: i128 = 1_000_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i128 = 86_400;

/// A point in time, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time {
    millis: i64,
    nanos: i32,
}

impl Time {
    /// `millis`: since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self { millis, nanos: 0 }
    }

    /// Since the epoch.
    ///
    /// # Errors
    /// Outside the years 1 to 9999.
    pub fn from_nanos(nanos: i128) -> Result<Self, TimeError> {
        let millis =
            i64::try_from(nanos.div_euclid(NANOS_PER_MILLI)).map_err(|_| TimeError::OutOfRange)?;
        if !(MILLIS_MIN..=MILLIS_MAX).contains(&millis) {
            return Err(TimeError::OutOfRange);
        }
        let nanos = i32::try_from(nanos.rem_euclid(NANOS_PER_MILLI)).unwrap_or_default();
        Ok(Self { millis, nanos })
    }

    /// Milliseconds since the epoch, cut towards the past: what a BSON date holds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.millis
    }

    /// Nanoseconds beyond the milliseconds, 0 to 999,999.
    #[must_use]
    pub const fn nanos(self) -> i32 {
        self.nanos
    }

    /// As RFC 3339, in UTC, to the nanosecond: every time can be read again, exactly.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let nanos = i128::from(self.millis) * NANOS_PER_MILLI + i128::from(self.nanos);
        jiff::Timestamp::from_nanosecond(nanos)
            .map_or_else(|_| self.to_string(), |time| format!("{time:.9}"))
    }

    /// Whether it can be a version.
    #[must_use]
    pub fn can_be_a_version(self) -> bool {
        (VERSION_MILLIS_MIN..=VERSION_MILLIS_MAX).contains(&self.millis)
    }
}

/// Epoch seconds with nine digits behind the point. From 2000 to 2100 [`from_text`] reads them as
/// this time again, exactly.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.millis) * NANOS_PER_MILLI + i128::from(self.nanos);
        let sign = if nanos < 0 { "-" } else { "" };
        let (seconds, rest) = (nanos.abs() / NANOS_PER_SECOND, nanos.abs() % NANOS_PER_SECOND);
        write!(f, "{sign}{seconds}.{rest:09}")
    }
}

/// Why a time cannot be read. Holds no value of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error(
        "is not a time: give RFC 3339 (2026-11-22T10:00:00Z), epoch seconds or epoch milliseconds"
    )]
    Unreadable,
    #[error("is outside the years 1 to 9999: send a time within them, or null")]
    OutOfRange,
    #[error(
        "is a text of 8 or 14 digits, with a sign or a fraction or without, which may be a date or a number: give RFC 3339 \
         (2026-11-22T10:00:00Z)"
    )]
    Ambiguous,
    #[error(
        "is a number outside the years 2000 to 2100, as epoch seconds and as milliseconds: give RFC 3339 (2026-11-22T10:00:00Z)"
    )]
    UnknownUnit,
    #[error(
        "is a $date of digits as a text, which may be seconds or milliseconds: give $date RFC 3339 (2026-11-22T10:00:00Z), or milliseconds as \
         a number"
    )]
    DigitsInDate,
    #[error(
        "is a $date outside the years 2000 to 2100, and given as a number, which counts milliseconds there: give milliseconds, or $date with \
         RFC 3339 (2026-11-22T10:00:00Z)"
    )]
    DateUnlikely,
    #[error(
        "looks like microseconds: send milliseconds, or RFC 3339 (2026-11-22T10:00:00.123456Z)"
    )]
    Microseconds,
    #[error(
        "looks like nanoseconds: send milliseconds, or RFC 3339 (2026-11-22T10:00:00.123456789Z)"
    )]
    Nanoseconds,
}

/// What the number of a time counts since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Seconds or milliseconds, as its size tells, and so from 2000 to 2100 alone.
    #[default]
    BySize,
    /// Seconds, of any year from 1 to 9999.
    Seconds,
    /// Milliseconds, likewise.
    Millis,
}

/// Reads a time from text: one of the written forms, or a number in decimal digits, whose unit its
/// size tells.
///
/// # Errors
/// As [`Unit::text`].
pub fn from_text(text: &str) -> Result<Time, TimeError> {
    Unit::BySize.text(text)
}

/// Reads the text of a `$date`, which is one of the written forms: there a number counts
/// milliseconds, and as a text it counts nothing that is known.
///
/// # Errors
/// Where it cannot be read, or is outside the years 1 to 9999.
pub fn from_date_text(text: &str) -> Result<Time, TimeError> {
    match from_text(text) {
        Ok(_) | Err(TimeError::UnknownUnit | TimeError::Microseconds | TimeError::Nanoseconds)
            if is_numeric(text.trim_ascii()) =>
        {
            Err(TimeError::DigitsInDate)
        }
        read => read,
    }
}

impl Unit {
    /// Reads a time from text: one of the written forms, or a number in decimal digits.
    ///
    /// # Errors
    /// Where it cannot be read, may be one of two things, or is outside the years of the unit.
    pub fn text(self, text: &str) -> Result<Time, TimeError> {
        let text = text.trim_ascii();
        if is_numeric(text) {
            if is_compact_date(text) {
                return Err(TimeError::Ambiguous);
            }
            match self.number(text) {
                Err(TimeError::Unreadable) => {}
                read => return read,
            }
        }
        from_written(text)
    }

    /// Reads a number in decimal digits, with a point and an exponent or without.
    ///
    /// # Errors
    /// Where it cannot be read or is outside the years of the unit.
    pub fn number(self, text: &str) -> Result<Time, TimeError> {
        let scaled = |places| {
            decimal::scaled(text, places).map_err(|error| match (error, self) {
                (decimal::DecimalError::Unreadable, _) => TimeError::Unreadable,
                (decimal::DecimalError::TooLarge, Self::BySize) => TimeError::UnknownUnit,
                (decimal::DecimalError::TooLarge, _) => TimeError::OutOfRange,
            })
        };
        match self {
            Self::Seconds => Time::from_nanos(scaled(9)?),
            Self::Millis => Time::from_nanos(scaled(6)?),
            Self::BySize => by_size(|places| Time::from_nanos(scaled(places)?)),
        }
    }

    /// # Errors
    /// Outside the years of the unit.
    pub fn integer(self, number: i64) -> Result<Time, TimeError> {
        match self {
            Self::Seconds => in_range(number.saturating_mul(1_000)),
            Self::Millis => in_range(number),
            Self::BySize => by_size(|places| match places {
                9 => in_range(number.saturating_mul(1_000)),
                6 => in_range(number),
                3 => in_range(number.div_euclid(1_000)),
                _ => in_range(number.div_euclid(1_000_000)),
            }),
        }
    }

    /// By the shortest text that is this double, which is what a producer's library prints:
    /// 1795341605.123 times 1000 would be 1795341605122.9999.
    ///
    /// # Errors
    /// Where it is no number, or outside the years of the unit.
    pub fn double(self, number: f64) -> Result<Time, TimeError> {
        if !number.is_finite() {
            return Err(TimeError::Unreadable);
        }
        // `{:e}` is as exact and has no hundreds of zeros for what is large or next to nothing.
        self.number(&format!("{number:e}"))
    }
}

/// The one reading of a number that is a time of the years 2000 to 2100: seconds are told from
/// milliseconds by it, and the finer units from both. `read` reads it as so many places above
/// nanoseconds.
fn by_size(read: impl Fn(i64) -> Result<Time, TimeError>) -> Result<Time, TimeError> {
    for (places, finer) in [
        (9, None),
        (6, None),
        (3, Some(TimeError::Microseconds)),
        (0, Some(TimeError::Nanoseconds)),
    ] {
        match read(places) {
            Ok(time) if time.can_be_a_version() => return finer.map_or(Ok(time), Err),
            Err(TimeError::Unreadable) => return Err(TimeError::Unreadable),
            _ => {}
        }
    }
    Err(TimeError::UnknownUnit)
}

/// Whether it has what a number has, and nothing else.
fn is_numeric(text: &str) -> bool {
    let of_number =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    text.bytes().all(of_number)
}

/// Whether a number is written as dates are without separators, `20261122` or `20261122100005`,
/// with a fraction of a second or without.
fn is_compact_date(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = unsigned.split('.').next().unwrap_or_default();
    matches!(whole.len(), 8 | 14) && whole.bytes().all(|byte| byte.is_ascii_digit())
}

fn from_written(text: &str) -> Result<Time, TimeError> {
    let text = without_digits_beyond_nanoseconds(text);
    // Longer than any form of a time: not worth a parse.
    if text.len() > 64 {
        return Err(TimeError::Unreadable);
    }
    let pieces = Pieces::parse(text.as_bytes()).map_err(|_| TimeError::Unreadable)?;
    // A date alone is not accepted: it is more often a field of another meaning than a time.
    let time = pieces.time().ok_or(TimeError::Unreadable)?;
    if pieces.time_zone_annotation().is_some() {
        return Err(TimeError::Unreadable);
    }
    let offset = pieces.to_numeric_offset().map_or(0, |offset| i128::from(offset.seconds()));
    if offset.abs() >= SECONDS_PER_DAY {
        return Err(TimeError::Unreadable);
    }
    // By civil time, not jiff's Timestamp, which ends two days before the year 9999 does.
    let civil = DateTime::from_parts(pieces.date(), time)
        .duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    let nanos = civil.as_nanos() - offset * NANOS_PER_SECOND;
    let leap = leap_second(&text, time);
    // It is the last of a day of UTC (RFC 3339, 5.7).
    let last = SECONDS_PER_DAY - 1;
    if leap > 0 && nanos.div_euclid(NANOS_PER_SECOND).rem_euclid(SECONDS_PER_DAY) != last {
        return Err(TimeError::Unreadable);
    }
    Time::from_nanos(nanos + leap)
}

/// jiff takes the second 60 of RFC 3339 for the second 59, fraction and all, which would turn time
/// back.
fn leap_second(text: &str, time: jiff::civil::Time) -> i128 {
    // Hours, minutes and seconds stand behind the date, with colons or without.
    let Some((_, clock)) = text.split_once(['T', 't', ' ']) else { return 0 };
    let of_clock = clock.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b':');
    let mut seconds = of_clock.filter(u8::is_ascii_digit).skip(4);
    let is_60 = seconds.next() == Some(b'6') && seconds.next() == Some(b'0');
    if is_60 && time.second() == 59 { NANOS_PER_SECOND } else { 0 }
}

/// RFC 3339 has any number of digits behind the point, and jiff reads nine.
fn without_digits_beyond_nanoseconds(text: &str) -> std::borrow::Cow<'_, str> {
    const DIGITS: usize = 9;
    let Some(point) = text.find(['.', ',']) else { return text.into() };
    let digits = text[point + 1..].bytes().take_while(u8::is_ascii_digit).count();
    if digits <= DIGITS {
        return text.into();
    }
    [&text[..=point + DIGITS], &text[point + 1 + digits..]].concat().into()
}

/// `millis` since the epoch.
///
/// # Errors
/// Outside the years 1 to 9999.
pub fn in_range(millis: i64) -> Result<Time, TimeError> {
    if (MILLIS_MIN..=MILLIS_MAX).contains(&millis) {
        Ok(Time::from_millis(millis))
    } else {
        Err(TimeError::OutOfRange)
    }
}

/// A duration in whole milliseconds, saturating.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> Result<i128, TimeError> {
        from_text(text)
            .map(|time| i128::from(time.millis()) * NANOS_PER_MILLI + i128::from(time.nanos()))
    }

    #[test]
    fn every_written_form_of_one_instant_is_that_instant() {
        for text in [
            "2026-11-22T10:00:05.123Z",
            "2026-11-22t10:00:05.123z",
            "2026-11-22T10:00:05.123",
            "2026-11-22 10:00:05.123",
            "2026-11-22 10:00:05.123+00:00",
            "2026-11-22T12:00:05.123000+02:00",
            "1795341605.123",
            "1795341605123",
            "1795341605123.0",
            "1.795341605123e9",
        ] {
            assert_eq!(nanos(text), Ok(1_795_341_605_123_000_000), "{text}");
        }
        assert_eq!(nanos("2026-11-22 10:00"), Ok(1_795_341_600_000_000_000));
        assert_eq!(nanos("1795341605"), Ok(1_795_341_605_000_000_000));
    }

    #[test]
    fn a_time_is_read_to_the_nanosecond_and_exactly() {
        for (text, wanted) in [
            ("2026-11-22T10:00:05.123456789Z", 1_795_341_605_123_456_789),
            ("2026-11-22T10:00:05.1234567899999Z", 1_795_341_605_123_456_789),
            ("2026-11-22T10:00:05,1234567899999Z", 1_795_341_605_123_456_789),
            ("2026-11-22 12:00:05.123456+02:00", 1_795_341_605_123_456_000),
            ("1795341605.123456789", 1_795_341_605_123_456_789),
            ("1795341605.1234567891", 1_795_341_605_123_456_789),
            ("1795341605123.456789", 1_795_341_605_123_456_789),
            ("1795341605123456.789e-3", 1_795_341_605_123_456_789),
        ] {
            assert_eq!(nanos(text), Ok(wanted), "{text}");
        }
        let many = "9".repeat(1_000);
        assert_eq!(
            nanos(&format!("2026-11-22T10:00:05.123456789{many}Z")),
            Ok(1_795_341_605_123_456_789)
        );
        assert_eq!(nanos(&format!("1795341605.123456789{many}")), Ok(1_795_341_605_123_456_789));
        // Leap seconds do not turn time back.
        for leap in [
            "2016-12-31T23:59:60.5Z",
            "2016-12-31 23:59:60,5",
            "20161231T235960.5Z",
            "2016-12-31t235960.5Z",
            "20170101 015960.5+0200",
        ] {
            assert_eq!(nanos(leap), nanos("2017-01-01T00:00:00.5Z"), "{leap}");
        }
        assert_eq!(nanos("2016-12-31T23:60:59Z"), Err(TimeError::Unreadable));
        // Towards the past, so that times before 1970 keep their order too.
        assert_eq!(nanos("1969-12-31T23:59:59.9999999999Z"), Ok(-1));
        let seconds = |text| Unit::Seconds.text(text).map(|time| (time.millis(), time.nanos()));
        assert_eq!(seconds("-0.0000000001"), Ok((-1, 999_999)));
        assert_eq!(seconds("-0.0001"), Ok((-1, 900_000)));
    }

    #[test]
    fn what_is_no_time_is_rejected() {
        for text in [
            "",
            "now",
            "2026-13-01T00:00:00Z",
            "2026-11-22",
            "22/11/2026 10:00",
            "nan",
            "2026-11-22T24:00:00Z",
            "inf",
            "2026-11-22T10:00:05Zjunk",
            "1.2.3",
            "e5",
            "-",
            "2026-11-22T10:00:05+24:00",
            "2026-11-22T10:00:05-25:00",
            "2026-11-22T10:00:60Z",
            "2026-11-22T23:59:60+01:00",
        ] {
            assert_eq!(from_text(text), Err(TimeError::Unreadable), "{text}");
        }
        assert_eq!(from_text("0000-12-31T00:00:00Z"), Err(TimeError::OutOfRange));
        for text in
            ["99999999999999999", "-99999999999999", "1e30", "1e400", "1e99999999999999999999"]
        {
            let wanted =
                if is_compact_date(text) { TimeError::Ambiguous } else { TimeError::OutOfRange };
            assert_eq!(Unit::Millis.text(text), Err(wanted), "{text}");
        }
        assert_eq!(from_text("0001-01-01T00:00:00Z"), Ok(Time::from_millis(MILLIS_MIN)));
        assert_eq!(from_text("9999-12-31T23:59:59.999Z"), Ok(Time::from_millis(MILLIS_MAX)));
    }

    #[test]
    fn digits_that_may_be_a_date_are_no_time_whatever_unit_is_declared() {
        for text in [
            "20261122",
            " 20261122 ",
            "+20261122",
            "20261122100005",
            "20261122100005.123",
            "00000000",
            "99999999999999",
        ] {
            for unit in [Unit::BySize, Unit::Seconds, Unit::Millis] {
                assert_eq!(unit.text(text), Err(TimeError::Ambiguous), "{text} as {unit:?}");
            }
        }
        assert!(TimeError::Ambiguous.to_string().contains("with a sign or a fraction or without"));
        for text in ["20261122T100005Z", "20261122 100005.25"] {
            assert!(from_text(text).is_ok(), "{text} is written as a time");
        }
    }

    #[test]
    fn a_number_whose_unit_is_not_declared_lies_from_2000_to_2100() {
        let read = |number: i64| {
            let of_integer = Unit::BySize.integer(number);
            // By every way in the same.
            assert_eq!(from_text(&format!("{number}e0")), of_integer, "{number}");
            #[expect(clippy::cast_precision_loss, reason = "as a producer may")]
            let of_double = Unit::BySize.double(number as f64);
            if number.unsigned_abs() < 1 << 53 {
                assert_eq!(of_double, of_integer, "{number}");
            }
            of_integer
        };
        for (number, wanted) in [
            (946_684_799, Err(TimeError::UnknownUnit)),
            (946_684_800, Ok(Time::from_millis(VERSION_MILLIS_MIN))),
            (4_102_444_800, Ok(Time::from_millis(VERSION_MILLIS_MAX))),
            (4_102_444_801, Err(TimeError::UnknownUnit)),
            (946_684_799_999, Err(TimeError::UnknownUnit)),
            (946_684_800_000, Ok(Time::from_millis(VERSION_MILLIS_MIN))),
            (4_102_444_800_000, Ok(Time::from_millis(VERSION_MILLIS_MAX))),
            (4_102_444_800_001, Err(TimeError::UnknownUnit)),
            (1_795_341_605_123_456, Err(TimeError::Microseconds)),
            (1_795_341_605_123_456_789, Err(TimeError::Nanoseconds)),
            (20_261_122, Err(TimeError::UnknownUnit)),
            (20_261_122_100_005, Err(TimeError::UnknownUnit)),
            (0, Err(TimeError::UnknownUnit)),
            (1, Err(TimeError::UnknownUnit)),
            (-1_795_341_605, Err(TimeError::UnknownUnit)),
            (i64::MIN, Err(TimeError::UnknownUnit)),
            (i64::MAX, Err(TimeError::UnknownUnit)),
        ] {
            assert_eq!(read(number), wanted, "{number}");
        }
        assert_eq!(Unit::BySize.double(f64::MAX), Err(TimeError::UnknownUnit));
        assert_eq!(from_text("1795341605123456"), Err(TimeError::Microseconds));
        assert_eq!(from_text("1795341605123456.5"), Err(TimeError::Microseconds));
    }

    #[test]
    fn a_number_of_a_declared_unit_is_of_any_year() {
        let of = |unit: Unit, number| unit.integer(number).map(Time::millis);
        assert_eq!(of(Unit::Millis, -86_400_000), Ok(-86_400_000));
        assert_eq!(of(Unit::Millis, 5), Ok(5));
        assert_eq!(of(Unit::Seconds, -2_208_988_800), Ok(-2_208_988_800_000));
        assert_eq!(of(Unit::Seconds, 253_402_300_799), Ok(253_402_300_799_000));
        assert_eq!(of(Unit::Seconds, 253_402_300_800), Err(TimeError::OutOfRange));
        assert_eq!(of(Unit::Seconds, i64::MIN), Err(TimeError::OutOfRange));
        assert_eq!(
            Unit::Millis.double(-0.5).map(|time| (time.millis(), time.nanos())),
            Ok((-1, 500_000))
        );
        assert_eq!(Unit::Seconds.text("1957-10-04T19:28:34Z"), from_text("1957-10-04T19:28:34Z"));
        assert_eq!(Unit::Seconds.text("-1.5").map(Time::millis), Ok(-1_500));
    }

    #[test]
    fn a_version_lies_from_2000_to_2100() {
        for (text, can_be) in [
            ("1999-12-31T23:59:59.999999999Z", false),
            ("2000-01-01T00:00:00Z", true),
            ("2099-12-31T23:59:59Z", true),
            ("2612-01-27T00:00:00Z", false),
        ] {
            assert_eq!(from_text(text).unwrap().can_be_a_version(), can_be, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_time_reads_as_itself_again(nanos in i128::from(MILLIS_MIN) * NANOS_PER_MILLI..i128::from(MILLIS_MAX) * NANOS_PER_MILLI) {
            let time = Time::from_nanos(nanos).unwrap();
            proptest::prop_assert_eq!(Unit::Seconds.number(&time.to_string()), Ok(time));
        }

        #[test]
        fn a_time_of_a_version_reads_as_itself_again(nanos in i128::from(VERSION_MILLIS_MIN) * NANOS_PER_MILLI..i128::from(VERSION_MILLIS_MAX) * NANOS_PER_MILLI) {
            let time = Time::from_nanos(nanos).unwrap();
            proptest::prop_assert_eq!(from_text(&time.to_string()), Ok(time));
        }

        #[test]
        fn fractional_seconds_keep_their_microseconds(micros in 0_i64..4_000_000_000_000_000) {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            let seconds = micros as f64 / 1_000_000.0;
            proptest::prop_assert_eq!(Unit::Seconds.double(seconds), Time::from_nanos(i128::from(micros) * 1_000));
        }

        #[test]
        fn doubles_keep_their_order(a in -1e10_f64..1e10, b in -1e10_f64..1e10) {
            if a <= b {
                proptest::prop_assert!(Unit::Seconds.double(a).unwrap() <= Unit::Seconds.double(b).unwrap());
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = from_text(&text);
        }

        #[test]
        fn no_number_panics(text in "[-+0-9.eE]{0,70}") {
            let _ = from_text(&text);
        }
    }
}
