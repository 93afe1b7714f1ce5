//! What became of the lines so far: which are held by the pipeline, which wait to be delivered again,
//! and up to where all have their end. Pure, but for the time that is handed in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Lines without an end at most, and those with one behind the first of these. A queue has such a bound
/// too: SQS gives no more once 120,000 messages are in flight.
pub(super) const LINES_MAX: usize = 200_000;

/// Where a line stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Of its first byte, or of the blank lines before it.
    pub offset: u64,
    /// With the blank lines before it and its own end.
    pub bytes: u64,
    /// From 1.
    pub number: u64,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its effect is durable.
    Loaded,
    /// It was refused, and is the same at every delivery.
    Bad,
}

/// Up to where every line has its end, and how many had which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// All lines that begin before this have their end.
    pub offset: u64,
    /// The number of the last of them.
    pub line: u64,
    pub loaded: u64,
    pub bad: u64,
}

/// One delivery of a line: what its receipt handle stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delivery {
    pub offset: u64,
    /// From 1; of a line that was delivered again, only the last one counts.
    pub count: u32,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    deliveries: u32,
    is_refused: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Delivered, and until then nobody else's.
    Hidden(Instant),
    Visible,
    Ended(End),
}

/// All lines from the [`Mark`] to what was read last.
#[derive(Debug)]
pub(super) struct Ledger {
    mark: Mark,
    entries: BTreeMap<u64, Entry>,
    visible: BTreeSet<u64>,
    hidden: BTreeSet<(Instant, u64)>,
    /// Bad lines that the mark has passed, and that were not taken yet.
    passed_bad: Vec<Place>,
    has_read_all: bool,
}

impl Ledger {
    pub(super) fn after(mark: Mark) -> Self {
        Self {
            mark,
            entries: BTreeMap::new(),
            visible: BTreeSet::new(),
            hidden: BTreeSet::new(),
            passed_bad: Vec::new(),
            has_read_all: false,
        }
    }

    /// Whether there is room for one line more.
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() < LINES_MAX
    }

    /// A line was read, and is delivered for the first time.
    pub(super) fn deliver(&mut self, place: Place, until: Instant) -> Delivery {
        self.hidden.insert((until, place.offset));
        self.enter(place, 1, State::Hidden(until));
        Delivery { offset: place.offset, count: 1 }
    }

    /// A line was read that can be no message.
    pub(super) fn refuse(&mut self, place: Place) {
        self.enter(place, 0, State::Ended(End::Bad));
        self.advance();
    }

    fn enter(&mut self, place: Place, deliveries: u32, state: State) {
        self.entries.insert(place.offset, Entry { place, deliveries, is_refused: false, state });
    }

    /// Nothing is left to read.
    pub(super) fn read_all(&mut self) {
        self.has_read_all = true;
    }

    /// Whether every line of the file has its end.
    pub(super) fn is_complete(&self) -> bool {
        self.has_read_all && self.entries.is_empty()
    }

    /// The first line that waits to be delivered again, or that nobody has kept hidden. It is
    /// delivered.
    pub(super) fn again(&mut self, now: Instant, until: Instant) -> Option<(Place, Delivery)> {
        let expired = self.hidden.first().filter(|(at, _)| *at <= now).map(|(_, offset)| *offset);
        let offset = expired.or_else(|| self.visible.first().copied())?;
        let entry = self.entries.get_mut(&offset)?;
        entry.deliveries = entry.deliveries.saturating_add(1);
        let (place, count) = (entry.place, entry.deliveries);
        self.put(offset, State::Hidden(until));
        Some((place, Delivery { offset, count }))
    }

    /// When the next line is no longer hidden, if one is.
    pub(super) fn shows_at(&self) -> Option<Instant> {
        self.hidden.first().map(|(at, _)| *at)
    }

    /// The line there was refused; that it has its end is said by [`Ledger::end`]. Gives its number.
    pub(super) fn mark_refused(&mut self, offset: u64) -> Option<u64> {
        let entry = self.entries.get_mut(&offset)?;
        entry.is_refused = true;
        Some(entry.place.number)
    }

    /// The line has its end. False where the delivery is not its last one, or it has ended before.
    pub(super) fn end(&mut self, delivery: Delivery) -> bool {
        let Some(entry) = self.last(delivery) else { return false };
        let end = if entry.is_refused { End::Bad } else { End::Loaded };
        self.put(delivery.offset, State::Ended(end));
        self.advance();
        true
    }

    /// The line stays hidden until then. False where this is not its last delivery, or is over.
    pub(super) fn hide(&mut self, delivery: Delivery, until: Instant) -> bool {
        let is_hidden =
            self.last(delivery).is_some_and(|entry| matches!(entry.state, State::Hidden(_)));
        if is_hidden {
            self.put(delivery.offset, State::Hidden(until));
        }
        is_hidden
    }

    /// The line is to be delivered again. False as in [`Ledger::hide`].
    pub(super) fn give_back(&mut self, delivery: Delivery) -> bool {
        let is_hidden =
            self.last(delivery).is_some_and(|entry| matches!(entry.state, State::Hidden(_)));
        if is_hidden {
            self.put(delivery.offset, State::Visible);
        }
        is_hidden
    }

    fn last(&self, delivery: Delivery) -> Option<&Entry> {
        let entry = self.entries.get(&delivery.offset)?;
        let is_over = matches!(entry.state, State::Ended(_));
        (entry.deliveries == delivery.count && !is_over).then_some(entry)
    }

    fn put(&mut self, offset: u64, state: State) {
        let Some(entry) = self.entries.get_mut(&offset) else { return };
        match std::mem::replace(&mut entry.state, state) {
            State::Hidden(until) => _ = self.hidden.remove(&(until, offset)),
            State::Visible => _ = self.visible.remove(&offset),
            State::Ended(_) => {}
        }
        match state {
            State::Hidden(until) => _ = self.hidden.insert((until, offset)),
            State::Visible => _ = self.visible.insert(offset),
            State::Ended(_) => {}
        }
    }

    /// Moves the mark over all that has its end.
    fn advance(&mut self) {
        while let Some(first) = self.entries.first_entry()
            && let State::Ended(end) = first.get().state
        {
            let place = first.remove().place;
            self.mark.offset = place.offset + place.bytes;
            self.mark.line = place.number;
            match end {
                End::Loaded => self.mark.loaded += 1,
                End::Bad => {
                    self.mark.bad += 1;
                    self.passed_bad.push(place);
                }
            }
        }
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// The mark, and the bad lines that it has passed since this was last asked, in their order.
    pub(super) fn take_passed(&mut self) -> (Mark, Vec<Place>) {
        (self.mark, std::mem::take(&mut self.passed_bad))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn place(number: u64) -> Place {
        Place { offset: (number - 1) * 10, bytes: 10, number }
    }

    fn ledger(lines: u64, until: Instant) -> (Ledger, Vec<Delivery>) {
        let mut ledger = Ledger::after(Mark::default());
        let deliveries = (1..=lines).map(|line| ledger.deliver(place(line), until)).collect();
        (ledger, deliveries)
    }

    #[test]
    fn the_mark_passes_no_line_without_an_end() {
        let (mut ledger, all) = ledger(3, Instant::now() + SECOND);
        assert!(ledger.end(all[2]) && ledger.end(all[1]));
        assert_eq!(ledger.mark(), Mark::default());
        ledger.mark_refused(all[0].offset);
        assert!(ledger.end(all[0]));
        assert_eq!(ledger.mark(), Mark { offset: 30, line: 3, loaded: 2, bad: 1 });
        assert_eq!(ledger.take_passed().1, [place(1)]);
        assert_eq!(ledger.take_passed().1, []);
        assert!(!ledger.is_complete(), "there may be more");
        ledger.read_all();
        assert!(ledger.is_complete());
    }

    #[test]
    fn a_line_that_was_given_back_comes_again_and_its_old_handle_says_nothing() {
        let (now, later) = (Instant::now(), Instant::now() + SECOND);
        let (mut ledger, all) = ledger(2, later);
        assert_eq!(ledger.again(now, later), None, "both are hidden");
        assert!(
            ledger.give_back(all[1]) && !ledger.give_back(all[1]) && !ledger.hide(all[1], later)
        );
        let (again, second) = ledger.again(now, later).expect("it waits");
        assert_eq!((again, second), (place(2), Delivery { offset: 10, count: 2 }));
        assert!(!ledger.end(all[1]) && !ledger.hide(all[1], later));
        assert!(ledger.end(second) && !ledger.end(second));
        // A line that was given back can still end by its last handle, as in SQS.
        assert!(ledger.give_back(all[0]) && ledger.end(all[0]));
        assert_eq!((ledger.mark().loaded, ledger.again(later, later)), (2, None));
    }

    #[test]
    fn a_line_that_nobody_keeps_hidden_comes_again() {
        let (now, later) = (Instant::now(), Instant::now() + SECOND);
        let (mut ledger, all) = ledger(2, later);
        assert!(ledger.hide(all[0], later + SECOND));
        assert_eq!(ledger.shows_at(), Some(later));
        assert_eq!(ledger.again(now, later), None);
        assert_eq!(ledger.again(later, later + SECOND).map(|(place, _)| place.number), Some(2));
        assert_eq!(ledger.again(later, later + SECOND), None);
    }

    #[test]
    fn a_line_that_is_no_message_ends_at_once_and_there_is_a_bound() {
        let mut ledger = Ledger::after(Mark::default());
        ledger.refuse(place(1));
        assert_eq!(ledger.mark(), Mark { offset: 10, line: 1, loaded: 0, bad: 1 });
        let until = Instant::now() + SECOND;
        for line in 2..=LINES_MAX as u64 + 1 {
            assert!(ledger.has_room());
            ledger.deliver(place(line), until);
        }
        assert!(!ledger.has_room());
    }

    proptest! {
        #[test]
        fn every_line_is_counted_once_whatever_happens(steps in proptest::collection::vec((0_u8..5, any::<prop::sample::Index>()), 1..200)) {
            let mut now = Instant::now();
            let (mut ledger, mut live) = ledger(20, now + SECOND);
            let mut ended = BTreeSet::new();
            for (step, pick) in steps {
                let delivery = live[pick.index(live.len())];
                match step {
                    0 => if ledger.end(delivery) { prop_assert!(ended.insert(delivery.offset)); },
                    1 => _ = ledger.give_back(delivery),
                    2 => _ = ledger.hide(delivery, now + 2 * SECOND),
                    3 => now += SECOND / 2,
                    _ => if let Some((_, again)) = ledger.again(now, now + SECOND) {
                        prop_assert!(!ended.contains(&again.offset), "an ended line was delivered");
                        live.push(again);
                    },
                }
                let below = (0..20).find(|line| !ended.contains(&(line * 10))).unwrap_or(20);
                prop_assert_eq!(ledger.mark(), Mark { offset: below * 10, line: below, loaded: below, bad: 0 });
            }
        }
    }
}
