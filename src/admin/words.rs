//! Figures as people say them. The page's script says the same.

/// A figure and its unit, which no line may part.
fn with_unit(figure: impl std::fmt::Display, unit: &str) -> String {
    format!("{figure}\u{a0}{unit}")
}

/// `1234567` as `1,234,567`; a fraction is rounded.
pub(super) fn number(value: f64) -> String {
    let rounded = format!("{:.0}", (value + 0.5).floor());
    let (sign, digits) =
        rounded.strip_prefix('-').map_or(("", rounded.as_str()), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate. Below ten it has one decimal, so that a low rate is not rounded away.
pub(super) fn rate(value: f64) -> String {
    if value > 0.0 && value < 10.0 { format!("{value:.1}") } else { number(value) }
}

/// A part of a whole, from 0 to 1. Below a tenth it has one decimal; what is not nothing is never
/// told as 0, nor what is not all as 100.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let shown = match percent {
        percent if percent <= 0.0 => "0".to_owned(),
        percent if percent < 0.1 => "<0.1".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1}"),
        percent if percent > 99.0 && percent < 100.0 => ">99".to_owned(),
        percent => number(percent),
    };
    with_unit(shown, "%")
}

/// Seconds that are counted, so without a decimal.
pub(super) fn elapsed(seconds: f64) -> String {
    if seconds < 100.0 { with_unit(seconds.max(0.0).floor(), "s") } else { duration(seconds) }
}

/// Seconds, in the unit that people would say. The page's script says the same.
pub(super) fn duration(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    let (minutes, hours) = ((seconds / MINUTE).round(), (seconds / 3_600.0).floor());
    match seconds {
        seconds if seconds <= 0.0 => with_unit(0, "s"),
        seconds if seconds < 0.000_95 => with_unit("<1", "ms"),
        seconds if seconds < 0.009_95 => with_unit(format_args!("{:.1}", seconds * 1e3), "ms"),
        seconds if seconds < 0.999_5 => with_unit(format_args!("{:.0}", seconds * 1e3), "ms"),
        seconds if seconds < 9.95 => with_unit(format_args!("{seconds:.1}"), "s"),
        seconds if seconds < 99.5 => with_unit(format_args!("{seconds:.0}"), "s"),
        _ if minutes < 100.0 => with_unit(minutes, "min"),
        seconds if seconds < 48.0 * 3_600.0 => {
            format!(
                "{} {}",
                with_unit(hours, "h"),
                with_unit(((seconds - hours * 3_600.0) / MINUTE).floor(), "min")
            )
        }
        seconds => {
            let days = (seconds / 86_400.0).floor();
            format!(
                "{} {}",
                with_unit(days, "d"),
                with_unit(((seconds - days * 86_400.0) / 3_600.0).floor(), "h")
            )
        }
    }
}

pub(super) fn bytes(mut value: f64) -> String {
    if value < 1_024.0 {
        return with_unit(format_args!("{value:.0}"), "B");
    }
    let mut units = ["KiB", "MiB", "GiB"].into_iter();
    value /= 1_024.0;
    for unit in &mut units {
        if value < 1_024.0 {
            return with_unit(format_args!("{value:.1}"), unit);
        }
        value /= 1_024.0;
    }
    with_unit(format_args!("{value:.1}"), "TiB")
}

/// `2026-11-23T10:20:05Z` as `10:20:05 UTC`.
pub(super) fn time(at: &str) -> String {
    at.get(11..19).map_or_else(|| at.to_owned(), |time| format!("{time} UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        let durations =
            [0.0, 0.000_5, 0.004_2, 0.012, 0.9999, 3.21, 34.0, 240.0, 7_980.0, 198_000.0]
                .map(duration);
        let plain = durations.map(|text| text.replace('\u{a0}', " "));
        assert_eq!(
            plain,
            [
                "0 s",
                "<1 ms",
                "4.2 ms",
                "12 ms",
                "1.0 s",
                "3.2 s",
                "34 s",
                "4 min",
                "2 h 13 min",
                "2 d 7 h"
            ]
        );
        assert_eq!(
            [0.0, 999.5, 1_234_567.4, -1_234.0].map(number),
            ["0", "1,000", "1,234,567", "-1,234"]
        );
        let sizes = [0.0, 1_023.0, 1_048_576.0, 268_435_456.0, 3e10]
            .map(|value| bytes(value).replace('\u{a0}', " "));
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 MiB", "256.0 MiB", "27.9 GiB"]);
        assert_eq!([0.0, 0.04, 9.94, 34.2].map(rate), ["0", "0.0", "9.9", "34"]);
        assert_eq!(
            [12.9, 240.0].map(|value| elapsed(value).replace('\u{a0}', " ")),
            ["12 s", "4 min"]
        );
        assert_eq!(
            [0.0, 0.000_2, 0.0909, 0.166, 0.996, 1.0]
                .map(|share| percent(share).replace('\u{a0}', " ")),
            ["0 %", "<0.1 %", "9.1 %", "17 %", ">99 %", "100 %"]
        );
        assert_eq!(time("2026-11-23T10:20:05Z"), "10:20:05 UTC");
    }
}
