//! How often each sender was met: the first few by their ids, the rest together.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Senders that have a count of their own: the first that were met since the start. Who sends as ever new
/// roles must not make the metrics grow.
pub const SENDERS_MAX: usize = 10;

/// Characters of a sender's id that are kept. An id of AWS has 128 at most; another server may send
/// any text.
const ID_CHARS_MAX: usize = 128;

/// The name of the others, and of those of whom the queue does not say who they are. Ids of AWS are in
/// capitals and digits, or in digits alone.
const OTHER: &str = "other";
const UNKNOWN: &str = "unknown";

/// Counts by sender.
#[derive(Debug, Default)]
pub struct Senders(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    first: Vec<(Box<str>, u64)>,
    other: u64,
    unknown: u64,
}

impl Senders {
    pub(in crate::telemetry) fn add(&self, sender: Option<&str>) {
        let mut state = self.lock();
        let Some(sender) = sender else {
            state.unknown += 1;
            return;
        };
        let end = sender.char_indices().nth(ID_CHARS_MAX).map_or(sender.len(), |(end, _)| end);
        let sender = &sender[..end];
        // Another server may send any text: nobody may speak in these names.
        if [OTHER, UNKNOWN].contains(&sender) {
            state.other += 1;
        } else if let Some((_, count)) =
            state.first.iter_mut().find(|(first, _)| **first == *sender)
        {
            *count += 1;
        } else if state.first.len() < SENDERS_MAX {
            state.first.push((sender.into(), 1));
        } else {
            state.other += 1;
        }
    }

    /// Each sender with its count, the others and the unknown ones last.
    #[must_use]
    pub fn all(&self) -> Vec<(String, u64)> {
        let state = self.lock();
        let first = state.first.iter().map(|(sender, count)| (sender.to_string(), *count));
        let rest = [(OTHER, state.other), (UNKNOWN, state.unknown)];
        first.chain(rest.map(|(name, count)| (name.to_owned(), count))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ten_have_counts_of_their_own_and_the_eleventh_is_other() {
        let senders = Senders::default();
        assert_eq!(senders.all(), [(OTHER.to_owned(), 0), (UNKNOWN.to_owned(), 0)]);
        for number in 0..25 {
            senders.add(Some(&format!("AIDA{number}")));
        }
        senders.add(Some("AIDA9"));
        senders.add(None);
        let all = senders.all();
        assert_eq!(all.len(), SENDERS_MAX + 2);
        assert_eq!(all[0], ("AIDA0".to_owned(), 1));
        assert_eq!(all[9], ("AIDA9".to_owned(), 2));
        assert_eq!(all[10..], [(OTHER.to_owned(), 15), (UNKNOWN.to_owned(), 1)]);
    }

    #[test]
    fn who_calls_himself_what_several_are_called_is_one_of_the_others() {
        let senders = Senders::default();
        for sender in [OTHER, UNKNOWN, "AIDA", UNKNOWN] {
            senders.add(Some(sender));
        }
        let named = |name: &str, count| (name.to_owned(), count);
        assert_eq!(senders.all(), [named("AIDA", 1), named(OTHER, 3), named(UNKNOWN, 0)]);
    }

    #[test]
    fn an_id_is_cut_between_two_characters() {
        let senders = Senders::default();
        for length in [1_000, 1_001] {
            senders.add(Some(&"\u{20ac}".repeat(length)));
        }
        let all = senders.all();
        assert_eq!((all[0].0.chars().count(), all[0].1), (ID_CHARS_MAX, 2));
    }
}
