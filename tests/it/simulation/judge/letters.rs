//! Dead letters held against what was sent, and against what somebody put back of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::simulation::store::Document;
use crate::simulation::traffic::{Meaning, Sent, message_id};

use super::DEAD_LETTERS;
use super::contents::{letter_body, letter_message_ids, letter_reason, letter_replays};
use super::verdict::Verdict;

impl Verdict<'_> {
    pub fn letters(&self) {
        let mut due = self.letters_due.clone();
        let by_id: BTreeMap<_, _> =
            (0..self.sent.len()).map(|number| (message_id(number), number)).collect();
        for ((_, id), document) in self.of(DEAD_LETTERS) {
            let refused = letter_message_ids(document);
            let number_of = |id: &String| by_id.get(id).copied();
            let numbers: BTreeSet<usize> = refused.iter().filter_map(number_of).collect();
            if numbers.is_empty() || numbers.len() != refused.len() {
                self.history
                    .violation(|| format!("the dead letter {id} is of no message: {document:?}"));
            }
            self.reason(&id.to_string(), document, &numbers, &mut due);
            self.standing(&id.to_string(), document, &refused);
            for number in &numbers {
                if letter_body(document).as_ref() != Some(&self.sent[*number].body) {
                    self.history.violation(|| {
                        format!("the dead letter {id} has not the body that was sent: {document:?}")
                    });
                }
                // What is put back is the message that it was.
                if let Some(first) = self.sent[*number].put_back_of
                    && !numbers.contains(&first)
                {
                    self.history.violation(|| {
                        format!("m{number} is m{first}, put back, and has a dead letter of its own")
                    });
                }
            }
        }
        if !due.is_empty() {
            self.history.violation(|| format!("these messages should be dead letters: {due:?}"));
        }
    }

    /// It has the reason of one of those that were refused, and each of them has one to be refused for. That
    /// they have not all the same is so only where what refused them was mended before one was put back.
    fn reason(
        &self,
        id: &str,
        letter: &Document,
        numbers: &BTreeSet<usize>,
        due: &mut BTreeMap<usize, &'static str>,
    ) {
        let reason = letter_reason(letter);
        let mut expected = BTreeSet::new();
        for number in numbers {
            let of_number = match due.remove(number) {
                Some(reason) => vec![reason],
                None if self.letters_allowed.contains(number) => self.allowed(*number),
                None => vec![],
            };
            if of_number.is_empty() {
                self.history.violation(|| {
                    format!("m{number} is in the dead letter {id}, and nothing refused it")
                });
            }
            expected.extend(of_number);
        }
        if !reason.as_deref().is_some_and(|reason| expected.contains(reason)) {
            self.history.violation(|| format!("the dead letter {id} of {numbers:?} has the reason {reason:?}, and should have {expected:?}"));
        }
    }

    /// Of a message that may be rejected, or not. An event is such a one where what refused it was mended: then it may meet another
    /// of its identity.
    fn allowed(&self, number: usize) -> Vec<&'static str> {
        match self.sent[number].meaning {
            Meaning::Event { .. } => vec!["store_rejected", "id_conflict"],
            _ => vec!["store_rejected"],
        }
    }

    /// A letter that was never put back has to be seen to, and so has one of which the last that was put back is
    /// refused. One that is away does not.
    fn standing(&self, id: &str, letter: &Document, refused: &[String]) {
        let Some((stands, replays)) = letter_replays(letter) else {
            return self
                .history
                .violation(|| format!("the dead letter {id} does not say whether it stands"));
        };
        let must = replays.last().is_none_or(|last| refused.contains(last));
        let must_not = refused.len() == 1 && !replays.is_empty();
        if must && !stands || must_not && stands {
            self.history.violation(|| format!("the dead letter {id} is said to stand: {stands}, with {refused:?} refused and {replays:?} put back"));
        }
    }

    /// Contents that were put back, and that nothing refuses any more.
    pub fn mended(&self) -> BTreeSet<usize> {
        let is_taken = |sent: &&Sent| sent.put_back_of.is_some() && !sent.is_rejected();
        self.sent.iter().filter(is_taken).filter_map(Sent::content).collect()
    }
}
