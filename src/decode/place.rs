//! Where in a body something is wrong, as text for people: `data.cart[2].price`. Names only, never
//! values.

use std::borrow::Cow;

use crate::message::place::Spot;
use crate::message::{Place, place, shown_name};

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

/// The same as it can be looked up again, cut short where it gets as long. At the end of a way that was
/// cut nothing is wrong with the name, but something inside of the value. Names that are no UTF-8 are none of
/// ours, which cannot be.
pub fn of(steps: &[Step], buffer: &[u8], spot: Spot) -> Place {
    let (mut found, mut bytes) = (Vec::with_capacity(steps.len()), 0);
    let mut is_cut = false;
    for step in steps {
        match step {
            Step::Entered => {}
            Step::Name(span) => {
                bytes += span.length;
                if bytes > PLACE_BYTES_MAX {
                    is_cut = true;
                    break;
                }
                let name = String::from_utf8_lossy(span.bytes(buffer)).into_owned();
                found.push(place::Step::Name(Cow::Owned(name)));
            }
            Step::Index(index) => found.push(place::Step::Index(*index)),
        }
    }
    let spot = match spot {
        Spot::Name | Spot::SecondName if is_cut => Spot::Value,
        spot => spot,
    };
    Place { steps: found, is_cut, spot, ..Place::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_many_long_names_is_cut() {
        let steps = vec![Step::Name(NameSpan { start: 0, length: 60 }); 100];
        assert!(shown(&steps, &[b'n'; 60]).len() < 700);
        let place = of(&steps, &[b'n'; 60], Spot::Name);
        assert_eq!((place.steps.len(), place.is_cut, place.spot), (8, true, Spot::Value));
        let place = of(&steps[..8], &[b'n'; 60], Spot::Name);
        assert_eq!((place.is_cut, place.spot), (false, Spot::Name));
    }
}
