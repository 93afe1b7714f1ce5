//! Where in a body something is wrong, as text for people: `data.cart[2].price`. Names only, never
//! values.

use crate::message::shown_name;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_many_long_names_is_cut() {
        let steps = vec![Step::Name(NameSpan { start: 0, length: 60 }); 100];
        assert!(shown(&steps, &[b'n'; 60]).len() < 700);
    }
}
