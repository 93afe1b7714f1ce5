//! Where in a body something is wrong, as text for people: `data.cart[2].price`. Names only, never
//! values.

/// Characters of one name that are shown.
const NAME_CHARS_MAX: usize = 64;
/// Bytes of a place from which on its rest is left out.
const PLACE_BYTES_MAX: usize = 512;

/// A name that stands in the BSON buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NameSpan {
    pub start: usize,
    pub length: usize,
}

impl NameSpan {
    pub fn bytes(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.start..self.start + self.length).unwrap_or_default()
    }
}

/// One step from an object or array to what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The container was entered, and nothing of it was read.
    Entered,
    Name(NameSpan),
    Index(usize),
}

/// The place that the steps lead to, or an empty text for the body itself.
pub fn shown(steps: &[Step], buffer: &[u8]) -> String {
    let mut place = String::new();
    for step in steps {
        if place.len() > PLACE_BYTES_MAX {
            place.push_str("...");
            break;
        }
        match step {
            Step::Entered => {}
            Step::Name(span) => {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(&shown_name(&String::from_utf8_lossy(span.bytes(buffer))));
            }
            Step::Index(index) => {
                place.push('[');
                place.push_str(&index.to_string());
                place.push(']');
            }
        }
    }
    place
}

/// A name from outside, fit for a log line: cut to 64 characters, with what is no printable
/// character escaped, and `""` where it is empty.
#[must_use]
pub fn shown_name(name: &str) -> String {
    if name.is_empty() {
        return r#""""#.to_owned();
    }
    let mut shown: String =
        name.chars().take(NAME_CHARS_MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(NAME_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_cannot_break_a_log_line_or_flood_it() {
        assert_eq!(shown_name("a\n\u{1b}[31mb\0"), r"a\n\u{1b}[31mb\0");
        assert_eq!(shown_name(&"é".repeat(65)), format!("{}...", "é".repeat(64)));
        assert_eq!(shown_name(&"é".repeat(64)), "é".repeat(64));
        let steps = vec![Step::Name(NameSpan { start: 0, length: 60 }); 100];
        assert!(shown(&steps, &[b'n'; 60]).len() < 700);
    }
}
