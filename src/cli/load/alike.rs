//! Bad lines that are alike: the first few are told one by one, and of the rest how many they are.

use std::collections::BTreeMap;

use crate::message::{Place, Reason};

/// Lines of a kind that are told one by one.
const TOLD_MAX: u64 = 5;

/// Kinds that are told apart: names of fields are a sender's. Beyond that the reason alone makes one.
const KINDS_MAX: usize = 1_000;

/// A reason, and where in the body it is: with `[]` for any item of an array, and empty where that is the
/// whole line, or unknown.
type Kind = (Reason, String);

/// How many lines were bad in which way.
#[derive(Debug, Default)]
pub(super) struct Alike(BTreeMap<Kind, u64>);

impl Alike {
    /// Counts a line. True where it is to be told by itself.
    pub(super) fn is_told(&mut self, reason: Reason, place: Option<&Place>) -> bool {
        let mut kind = (reason, place.map(Place::pattern).unwrap_or_default());
        if self.0.len() >= KINDS_MAX && !self.0.contains_key(&kind) {
            kind.1.clear();
        }
        let lines = self.0.entry(kind).or_default();
        *lines += 1;
        *lines <= TOLD_MAX
    }

    /// The reason and place of those that were not told, and how many they are.
    pub(super) fn rest(&self) -> impl Iterator<Item = (Reason, &str, u64)> {
        let rest = self.0.iter().map(|((reason, place), lines)| {
            (*reason, place.as_str(), lines.saturating_sub(TOLD_MAX))
        });
        rest.filter(|(.., lines)| *lines > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_of_a_kind_are_told_and_the_rest_is_counted() {
        let mut alike = Alike::default();
        let mut told = |reason, place: Option<Place>, lines| {
            (0..lines).filter(|_| alike.is_told(reason, place.as_ref())).count()
        };
        assert_eq!(told(Reason::MissingType, None, 60_000), 5);
        assert_eq!(told(Reason::MissingField, Some(Place::missing("a")), 5), 5);
        assert_eq!(told(Reason::MissingField, Some(Place::missing("b")), 6), 5);
        let rest: Vec<_> = alike.rest().collect();
        assert_eq!(
            rest,
            [(Reason::MissingType, "", 59_995), (Reason::MissingField, "b", 1)],
            "in the order of the reasons"
        );
    }

    #[test]
    fn names_of_fields_take_no_memory_without_end() {
        let mut alike = Alike::default();
        let told = (0..5_000).filter(|number| {
            alike.is_told(Reason::BadName, Some(&Place::name(format!("n{number}"))))
        });
        assert_eq!(told.count(), KINDS_MAX + 5);
        assert_eq!(alike.0.len(), KINDS_MAX + 1);
        assert_eq!(alike.rest().collect::<Vec<_>>(), [(Reason::BadName, "", 3_995)]);
    }
}
