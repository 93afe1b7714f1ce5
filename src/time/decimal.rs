//! Decimal text as a whole number of some power of ten, exactly: a float in between would lose the
//! last digits of a time.

/// Why a text is no such number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecimalError {
    Unreadable,
    /// Beyond [`DIGITS_MAX`] digits.
    TooLarge,
}

/// Digits of a result: what an `i128` holds for certain.
const DIGITS_MAX: i64 = 38;

/// `text` times ten to the power of `places`, cut towards negative infinity. Read are digits, with
/// a sign, one point and an exponent or without.
pub(super) fn scaled(text: &str, places: i64) -> Result<i128, DecimalError> {
    let (is_negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(DecimalError::Unreadable);
    }
    let significant = || whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
    // How many of the significant digits stand before the point of the result.
    let count = |digits: usize| i64::try_from(digits).unwrap_or(i64::MAX);
    let leading_zeros = count(whole.len() + fraction.len() - significant().count());
    let kept = count(whole.len()) - leading_zeros + exponent.saturating_add(places);
    if kept > DIGITS_MAX && significant().next().is_some() {
        return Err(DecimalError::TooLarge);
    }
    let kept = usize::try_from(kept).unwrap_or_default();
    let number = significant()
        .chain(std::iter::repeat(b'0'))
        .take(kept)
        .fold(0_i128, |number, digit| number * 10 + i128::from(digit - b'0'));
    let is_cut = significant().skip(kept).any(|digit| digit != b'0');
    Ok(if is_negative { -number - i128::from(is_cut) } else { number })
}

/// Saturating: what is beyond is rejected for its size, or next to nothing.
fn exponent(text: &str) -> Result<i64, DecimalError> {
    /// Far beyond any result, and far from what would overflow.
    const LARGEST: i64 = 1_000_000;
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::Unreadable);
    }
    Ok(sign * digits.parse::<i64>().map_or(LARGEST, |number| number.min(LARGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_exactly_and_cut_towards_negative_infinity() {
        for (text, places, wanted) in [
            ("0", 9, 0),
            ("-0", 9, 0),
            ("12.345", 2, 1_234),
            ("-12.345", 2, -1_235),
            ("-12.340", 2, -1_234),
            ("+.5", 0, 0),
            ("5.", 1, 50),
            ("0.00012e4", 1, 12),
            ("12e-5", 3, 0),
            ("-12e-5", 3, -1),
            ("0e999999999999999999999", 9, 0),
            ("1e-999999999999999999999", 9, 0),
            ("1.7", 37, 17 * 10_i128.pow(36)),
        ] {
            assert_eq!(scaled(text, places), Ok(wanted), "{text}");
        }
        for text in ["", "-", ".", "e1", "1e", "1e+", "1.2.3", "--1", "1-2", "0x1"] {
            assert_eq!(scaled(text, 0), Err(DecimalError::Unreadable), "{text}");
        }
        assert_eq!(scaled("1e38", 0), Err(DecimalError::TooLarge));
        assert_eq!(scaled("1e999999999999999999999", -9), Err(DecimalError::TooLarge));
    }
}
