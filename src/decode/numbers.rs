//! Number literals of a JSON text, found again where the parser hides how a number was written.
//!
//! `serde_json` hands over an integer beyond 64 bits, and `-0`, as a double: rightly for most
//! programs, but an integer must never become a float here. Only doubles that could have been one
//! are looked up, in the source, and each byte of it is walked at most once however many there are.

use crate::time::{VERSION_MILLIS_MAX, VERSION_MILLIS_MIN};

/// A walk over the number literals of a text that the parser has accepted so far.
pub struct Literals<'t> {
    text: &'t str,
    /// The byte after the last literal found.
    at: usize,
    /// How many literals were found.
    found: u64,
}

impl<'t> Literals<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0, found: 0 }
    }

    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The literal with this number, the first being 1. Numbers must rise from call to call; one
    /// that is passed or beyond the end gives nothing.
    pub fn nth(&mut self, number: u64) -> Option<&'t str> {
        let mut literal = None;
        while self.found < number {
            literal = Some(self.next()?);
        }
        literal
    }

    /// How many are left.
    pub fn count_rest(mut self) -> u64 {
        let found = self.found;
        while self.next().is_some() {}
        self.found - found
    }

    fn next(&mut self) -> Option<&'t str> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b'"' => self.skip_string(),
                b'-' | b'0'..=b'9' => {
                    let start = self.at;
                    let length =
                        bytes[start..].iter().take_while(|byte| is_number_byte(**byte)).count();
                    self.at += length;
                    self.found += 1;
                    return self.text.get(start..self.at);
                }
                _ => self.at += 1,
            }
        }
    }

    /// From an opening quote to past the closing one.
    fn skip_string(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }
}

fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Whether a double can have been an integer literal that the parser could not hold as one.
pub fn may_be_an_integer(number: f64) -> bool {
    // 2^63, which is also where the negative ones begin once they are rounded.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    number.abs() >= BEYOND || (number == 0.0 && number.is_sign_negative())
}

/// Characters of a number that is the nearest one to its double: 15 digits, and the point.
pub const EXACT_CHARS_MAX: usize = 16;

/// Whether a double, as seconds or as milliseconds, can be a time of the years 2000 to 2100.
#[expect(clippy::cast_precision_loss, reason = "bounds below 2^53")]
pub fn may_be_a_version(number: f64) -> bool {
    let versions = VERSION_MILLIS_MIN as f64..=VERSION_MILLIS_MAX as f64;
    versions.contains(&number) || versions.contains(&(number * 1_000.0))
}

/// Whether a literal is an integer by the way it is written.
pub fn is_integer(literal: &str) -> bool {
    !literal.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_in_order_and_those_in_strings_are_not() {
        let text = r#"{"1":[-0, 2.5e+3,"3\"4\\",true,-5E-1],"6":7}"#;
        let mut literals = Literals::new(text);
        assert_eq!(literals.nth(1), Some("-0"));
        assert_eq!(literals.nth(3), Some("-5E-1"), "a number may be passed over");
        assert_eq!(literals.nth(2), None, "there is no way back");
        assert_eq!(literals.nth(4), Some("7"));
        assert_eq!(literals.nth(5), None);
    }
}
