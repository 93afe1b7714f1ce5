//! Where rules of the store reject a message, or not, for what else is stored: then the order of
//! arrival matters. A message has its dead letter or its effect, nothing else is stored, and what
//! no rule touches holds.

use std::collections::BTreeSet;

use crate::simulation::store::{Document, Name};
use crate::simulation::traffic::{Meaning, Sent};

use super::contents::{content, date, letter_reason, whole_content};
use super::verdict::{Verdict, stamp_of, version_field};
use super::{BADGES, DEAD_LETTERS, SHIFTS, is_letter_of};

impl Verdict<'_> {
    pub fn ruled(&mut self) {
        let rejected: BTreeSet<usize> =
            (0..self.sent.len()).filter(|number| self.has_letter(*number)).collect();
        for (number, sent) in self.sent.iter().enumerate() {
            let Some((BADGES | SHIFTS, _, _)) = sent.place() else { continue };
            if sent.is_rejected() || self.sent.iter().any(|other| meets(sent, other)) {
                self.letters_allowed.insert(number);
            }
        }
        for collection in [BADGES, SHIFTS] {
            let keys: BTreeSet<&str> = self
                .sent
                .iter()
                .filter_map(Sent::place)
                .filter(|place| place.0 == collection)
                .map(|place| place.1)
                .collect();
            for key in keys {
                let name = super::named(collection, key);
                let stored = self.documents.get(&name);
                match collection {
                    BADGES => self.holds(
                        &name,
                        "data",
                        &rejected,
                        |sent| match (stored, &sent.meaning) {
                            (
                                Some(Document::Whole { fields, .. }),
                                Meaning::Whole { stamp, content, .. },
                            ) => {
                                whole_content(fields).0 == Some(*content)
                                    && date(fields, version_field(collection))
                                        == Some(stamp.version_ms())
                            }
                            _ => false,
                        },
                        stored.is_some(),
                    ),
                    _ => {
                        for field in ["a", "b", "c"] {
                            let value = match stored {
                                Some(Document::Partial(fields)) => {
                                    fields.get(field).map(|(_, value)| value)
                                }
                                _ => None,
                            };
                            let is_of = |sent: &Sent| {
                                value.is_some_and(|value| sent.content() == content(value, field))
                            };
                            self.holds(&name, field, &rejected, is_of, value.is_some());
                        }
                    }
                }
            }
        }
    }

    /// One of the messages that carry the field is stored, and none is newer that was not rejected.
    fn holds(
        &self,
        name: &Name,
        field: &str,
        rejected: &BTreeSet<usize>,
        is_stored: impl Fn(&Sent) -> bool,
        is_there: bool,
    ) {
        let ours = || {
            self.sent
                .iter()
                .enumerate()
                .filter(|(_, sent)| !sent.is_rejected() && carries(sent, name, field))
        };
        let stored = ours().find(|(_, sent)| is_stored(sent));
        let taken = || ours().filter(|(number, _)| !rejected.contains(number));
        let lost = match stored {
            Some((_, stored)) => {
                taken().find(|(_, sent)| stamp_of(sent).is_newer_than(stamp_of(stored)))
            }
            None => taken().next(),
        };
        if let Some((number, _)) = lost {
            self.history.violation(|| {
                format!(
                    "{field} of {name:?} has lost m{number}, which was not rejected: {:?}",
                    self.documents.get(name)
                )
            });
        } else if is_there && stored.is_none() {
            self.history.violation(|| {
                format!(
                    "{field} of {name:?} holds what nobody sent: {:?}",
                    self.documents.get(name)
                )
            });
        }
    }

    fn has_letter(&self, number: usize) -> bool {
        self.documents.iter().any(|((collection, _), letter)| {
            collection == DEAD_LETTERS
                && is_letter_of(letter, number)
                && letter_reason(letter).as_deref() == Some("store_rejected")
        })
    }
}

fn carries(sent: &Sent, name: &Name, field: &str) -> bool {
    let Some((collection, key, _)) = sent.place() else { return false };
    super::named(collection, key) == *name
        && match &sent.meaning {
            Meaning::Partial { fields, .. } => fields.contains(&field),
            _ => true,
        }
}

/// Whether the second may be the reason for which the first is rejected.
fn meets(sent: &Sent, other: &Sent) -> bool {
    match (&sent.meaning, &other.meaning) {
        (
            Meaning::Whole { key, badge: Some(badge), .. },
            Meaning::Whole { key: other, badge: Some(taken), .. },
        ) => key != other && badge == taken,
        (
            Meaning::Partial { collection: SHIFTS, key, fields, .. },
            Meaning::Partial { collection: SHIFTS, key: other, fields: others, .. },
        ) => {
            let is_other_half =
                |fields: &[&str], others: &[&str]| fields.contains(&"a") && others.contains(&"b");
            key == other && (is_other_half(fields, others) || is_other_half(others, fields))
        }
        _ => false,
    }
}
