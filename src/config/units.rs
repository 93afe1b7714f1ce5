//! Times and sizes as people write them: `"250ms"`, `"15MiB"`. Strict, and printed in the form that
//! is read.
//!
//! One whole number and one unit: a fraction or a second unit would be a second way to write the
//! same thing.

use std::time::Duration;

use jiff::Timestamp;

use crate::time::{self, Time};

/// Milliseconds of each unit, the longest first.
pub(super) const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes of each unit, the largest first.
pub(super) const SIZE_UNITS: [(&str, u64); 4] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads `250ms`, `30s`, `5m`, `11h`, `30d`; a bare number is seconds.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let unit = if unit.is_empty() { "s" } else { unit };
    scaled(number, unit, &TIME_UNITS).map(Duration::from_millis)
}

/// Reads `15MiB`, `64KiB`, `1GiB`, `100B`; a bare number is bytes.
pub(crate) fn parse_size(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let unit = if unit.is_empty() { "B" } else { unit };
    scaled(number, unit, &SIZE_UNITS).and_then(|bytes| usize::try_from(bytes).ok())
}

/// Reads a time as producers write them, or how long before now (`2h`), to milliseconds since the epoch.
/// A number alone is a time.
///
/// # Errors
/// What to give instead.
pub(crate) fn parse_moment(text: &str) -> Result<i64, String> {
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    if has_unit && let Some(ago) = parse_duration(text) {
        return Ok(Timestamp::now().as_millisecond().saturating_sub(time::millis(ago)));
    }
    time::from_text(text).map(Time::millis).map_err(|_| {
        "give a time such as 2026-11-28T10:00:00Z, or how long ago, such as 2h".to_owned()
    })
}

/// A time in the longest unit that holds it whole.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    show(millis, &TIME_UNITS)
}

/// A size in the largest unit that holds it whole.
pub(crate) fn show_size(bytes: usize) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    show(u64::try_from(bytes).unwrap_or(u64::MAX), &SIZE_UNITS)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

fn scaled(number: u64, unit: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*scale)
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    let largest = units.iter().find(|(_, scale)| value.is_multiple_of(*scale));
    largest.map_or_else(|| value.to_string(), |(name, scale)| format!("{}{name}", value / scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read() {
        let read: Vec<_> = ["250ms", "30s", "5m", "11h", "30d", "20", " 5 m "]
            .into_iter()
            .map(parse_duration)
            .collect();
        let millis = [250, 30_000, 300_000, 39_600_000, 2_592_000_000, 20_000, 300_000];
        assert_eq!(read, millis.map(|millis| Some(Duration::from_millis(millis))));
        let read: Vec<_> =
            ["100B", "64KiB", "15MiB", "1GiB", "4096"].into_iter().map(parse_size).collect();
        assert_eq!(read, [100, 65_536, 15_728_640, 1_073_741_824, 4_096].map(Some));
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for text in [
            "",
            "s",
            "1.5h",
            "-1s",
            "+1s",
            "1h30m",
            "5 min",
            "5M",
            "1w",
            "0x10",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "15MB", "15mib", "15M", "18446744073709551615GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_written_or_counted_back_from_now() {
        assert_eq!(parse_moment("2026-11-22T10:00:00Z"), Ok(1_795_341_600_000));
        let before = parse_moment("2h").expect("a time");
        let ago = Timestamp::now().as_millisecond() - before;
        assert!((7_200_000..7_260_000).contains(&ago), "{ago}");
        assert_eq!(parse_moment("1795341600"), Ok(1_795_341_600_000), "epoch seconds");
        for text in ["yesterday", "20260901", "2026", "7", ""] {
            assert!(parse_moment(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_back(number in 0_u64..u64::MAX / 2) {
            let duration = Duration::from_millis(number);
            proptest::prop_assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
            let size = usize::try_from(number).unwrap_or(0);
            proptest::prop_assert_eq!(parse_size(&show_size(size)), Some(size));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
