//! Names from outside, as they stand in texts for people.

use std::fmt;

/// Characters of one name that are shown.
const CHARS_MAX: usize = 64;

/// A name from outside, fit for a log line: cut to 64 characters, with what is no printable
/// character escaped, and `""` where it is empty.
#[must_use]
pub fn shown_name(name: &str) -> String {
    if name.is_empty() {
        return r#""""#.to_owned();
    }
    let mut shown: String = name.chars().take(CHARS_MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// The same in backticks, for the middle of a sentence.
pub struct Name<'a>(pub &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", shown_name(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_cannot_break_a_log_line_or_flood_it() {
        assert_eq!(shown_name("a\n\u{1b}[31mb\0"), r"a\n\u{1b}[31mb\0");
        assert_eq!(shown_name(&"é".repeat(65)), format!("{}...", "é".repeat(64)));
        assert_eq!(shown_name(&"é".repeat(64)), "é".repeat(64));
    }

    #[test]
    fn a_name_in_a_sentence_is_quoted_and_never_nothing() {
        assert_eq!(["a\nb", ""].map(|name| Name(name).to_string()), ["`a\\nb`", "`\"\"`"]);
    }
}
