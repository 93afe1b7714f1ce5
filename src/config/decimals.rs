//! Patterns for numbers that are written as text: JSON Schema bounds numbers, and of a text it knows
//! its form alone.

/// A decimal number as it may be written, without `^` and `$`. No text is divided in two ways: most validators go back
/// over all of them, which takes the square of a text's length.
pub(crate) const NUMBER: &str = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?";

/// A pattern for the whole numbers from `min` to `max`, without leading zeros, `^` and `$`.
pub(crate) fn between(min: u64, max: u64) -> String {
    let mut parts = Vec::new();
    let mut from = min;
    while from <= max {
        // As far as the number of digits stays the same.
        let longest =
            10_u64.checked_pow(from.max(1).ilog10() + 1).map_or(u64::MAX, |next| next - 1);
        let to = longest.min(max);
        parts.push(of_one_length(&from.to_string(), &to.to_string()));
        let Some(next) = to.checked_add(1) else { break };
        from = next;
    }
    format!("({})", parts.join("|"))
}

/// Both have as many digits.
fn of_one_length(from: &str, to: &str) -> String {
    let rest = from.len().saturating_sub(1);
    let (Some(first), Some(last)) = (from.bytes().next(), to.bytes().next()) else {
        return String::new();
    };
    let is_lowest = from.bytes().skip(1).all(|digit| digit == b'0');
    let is_highest = to.bytes().skip(1).all(|digit| digit == b'9');
    if is_lowest && is_highest {
        return format!("{}{}", digit(first, last), any(rest));
    }
    if first == last {
        return format!("{}({})", char::from(first), of_one_length(&from[1..], &to[1..]));
    }
    let (zeros, nines) = ("0".repeat(rest), "9".repeat(rest));
    let mut parts = Vec::new();
    let (mut low, mut high) = (first, last);
    if !is_lowest {
        parts.push(format!("{}({})", char::from(first), of_one_length(&from[1..], &nines)));
        low += 1;
    }
    if !is_highest {
        parts.push(format!("{}({})", char::from(last), of_one_length(&zeros, &to[1..])));
        high -= 1;
    }
    if low <= high {
        parts.push(format!("{}{}", digit(low, high), any(rest)));
    }
    parts.join("|")
}

fn digit(from: u8, to: u8) -> String {
    let (from, to) = (char::from(from), char::from(to));
    if from == to { from.to_string() } else { format!("[{from}-{to}]") }
}

fn any(digits: usize) -> String {
    match digits {
        0 => String::new(),
        1 => "[0-9]".to_owned(),
        _ => format!("[0-9]{{{digits}}}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(min: u64, max: u64, number: u64) -> bool {
        let schema = serde_json::json!({ "pattern": format!("^{}$", between(min, max)) });
        jsonschema::is_valid(&schema, &number.to_string().into())
    }

    #[test]
    fn bounds_are_inclusive_whatever_their_digits() {
        for (min, max) in
            [(0, 0), (0, 9), (1, 64), (10, 100_000), (946_684_800, 4_102_444_800), (5, u64::MAX)]
        {
            for number in [min, max, min + (max - min) / 2] {
                assert!(matches(min, max, number), "{number} of {min} to {max}");
            }
            for number in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
                assert!(!matches(min, max, number), "{number} of {min} to {max}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_is_between(a in 0_u64..3_000, b in 0_u64..3_000, number in 0_u64..3_300) {
            let (min, max) = (a.min(b), a.max(b));
            prop_assert_eq!(matches(min, max, number), (min..=max).contains(&number));
        }
    }
}
