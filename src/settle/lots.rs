//! Where messages wait for the call that settles them: one lot for all that a call could take
//! together.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::BATCH_MAX;

use super::settlement::{Asked, Settlement};

/// Delete calls in flight at most: each is made when ten messages wait, so there are as many as the
/// rate and the time of a call need. At 20 ms a call this is 32,000 messages a second.
const CALLS_MAX: usize = 64;

/// Calls in flight up to which another may give messages back. Deletes that the queue refuses keep
/// their places, and must not stand in the way of what others could have now.
const CALLS_GIVING_BACK: usize = 2 * CALLS_MAX;

/// The same for releases once the worker lets go, which has about a second and a half for all that
/// is held, beside deletes that may hang: 100,000 messages, at 20 ms a call.
const CALLS_LETTING_GO: usize = CALLS_MAX + 128;

/// All that waits for a call, by what the queue is to be asked for.
#[derive(Debug)]
pub(super) struct Lots {
    release: Lot,
    leave: Lot,
    delete: Lot,
}

impl Lots {
    /// Deletes wait up to `linger` for others, so that calls are full. What is given back waits
    /// for nothing.
    pub fn new(linger: Duration) -> Self {
        Self {
            release: Lot::new(Duration::ZERO, CALLS_GIVING_BACK, CALLS_LETTING_GO),
            leave: Lot::new(Duration::ZERO, CALLS_GIVING_BACK, CALLS_GIVING_BACK),
            delete: Lot::new(linger, CALLS_MAX, CALLS_MAX),
        }
    }

    pub fn put(&mut self, settlement: Settlement) {
        let lot = match settlement.asked {
            Asked::Release => &mut self.release,
            Asked::Leave(_) => &mut self.leave,
            Asked::Delete(_) => &mut self.delete,
        };
        lot.put(settlement);
    }

    /// The messages of the next call, all asked for alike, if one is due and has room beside the
    /// `calls` in flight. What others could have now goes first: it must not wait behind deletes
    /// when the worker lets go.
    pub fn take_due(
        &mut self,
        calls: usize,
        is_letting_go: bool,
        is_closing: bool,
    ) -> Option<Vec<Settlement>> {
        [&mut self.release, &mut self.leave, &mut self.delete]
            .into_iter()
            .find(|lot| lot.has_room(calls, is_letting_go) && lot.is_due(is_closing))
            .map(Lot::take)
    }

    /// When the next call is due that has room beside the `calls` in flight.
    pub fn wake(&self, calls: usize, is_letting_go: bool) -> Option<Instant> {
        [&self.release, &self.leave, &self.delete]
            .into_iter()
            .filter(|lot| lot.has_room(calls, is_letting_go))
            .filter_map(Lot::wake)
            .min()
    }
}

/// Messages that wait for calls of one kind.
#[derive(Debug)]
struct Lot {
    settlements: VecDeque<Settlement>,
    /// Since when the first of them waits, or since the last call took its messages.
    since: Option<Instant>,
    linger: Duration,
    /// Calls in flight, of all lots, up to which another of this one may start.
    calls_max: usize,
    /// The same once the worker lets go.
    calls_letting_go: usize,
}

impl Lot {
    fn new(linger: Duration, calls_max: usize, calls_letting_go: usize) -> Self {
        Self { settlements: VecDeque::new(), since: None, linger, calls_max, calls_letting_go }
    }

    fn put(&mut self, settlement: Settlement) {
        self.settlements.push_back(settlement);
        self.since.get_or_insert_with(Instant::now);
    }

    fn has_room(&self, calls: usize, is_letting_go: bool) -> bool {
        calls < if is_letting_go { self.calls_letting_go } else { self.calls_max }
    }

    fn wake(&self) -> Option<Instant> {
        self.since.map(|since| since + self.linger)
    }

    fn is_due(&self, is_closing: bool) -> bool {
        !self.settlements.is_empty()
            && (is_closing
                || self.settlements.len() >= BATCH_MAX
                || self.wake().is_some_and(|wake| wake <= Instant::now()))
    }

    /// The oldest ten that are to be hidden for the same time.
    fn take(&mut self) -> Vec<Settlement> {
        let hidden_for = self.settlements.front().map(|first| first.asked.hidden_for());
        let (mut taken, mut skipped) = (Vec::with_capacity(BATCH_MAX), Vec::new());
        while taken.len() < BATCH_MAX
            && let Some(settlement) = self.settlements.pop_front()
        {
            if Some(settlement.asked.hidden_for()) == hidden_for {
                taken.push(settlement);
            } else {
                skipped.push(settlement);
            }
        }
        // Back to where they stood, so that a long lot is not moved for each ten of it.
        skipped.into_iter().rev().for_each(|settlement| self.settlements.push_front(settlement));
        self.since = (!self.settlements.is_empty()).then(Instant::now);
        taken
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::budget::Budget;
    use crate::held::Held;
    use crate::message::{Ending, QueueMessage, Receipt};

    const LINGER: Duration = Duration::from_millis(500);
    const DELETE: Asked = Asked::Delete(Ending::Written);
    const NONE: [u64; 0] = [];

    /// Lots with one message for each of `asked`, numbered from 0.
    async fn lots(asked: impl IntoIterator<Item = Asked>) -> Lots {
        let (mut lots, held) = (Lots::new(LINGER), Held::default());
        for asked in asked {
            let permit = Budget::new(1, 1, 0).acquire(1, 0).await;
            let now = Instant::now();
            let receipt = Receipt::new(QueueMessage::default(), now, now, permit, &held);
            lots.put(Settlement { receipt, asked, overtakes: Vec::new() });
        }
        lots
    }

    /// The numbers of the messages that the next call takes.
    fn take(lots: &mut Lots, calls: usize, is_letting_go: bool, is_closing: bool) -> Vec<u64> {
        let taken = lots.take_due(calls, is_letting_go, is_closing).unwrap_or_default();
        let mut numbers = Vec::new();
        for Settlement { receipt, .. } in taken {
            numbers.push(receipt.number);
            receipt.settled();
        }
        numbers
    }

    #[tokio::test(start_paused = true)]
    async fn deletes_wait_for_ten_or_for_their_time_and_at_the_end_for_nothing() {
        let mut lots = lots([DELETE; 23]).await;
        assert_eq!(take(&mut lots, 0, false, false), (0..10).collect::<Vec<_>>());
        assert_eq!(take(&mut lots, 0, false, false), (10..20).collect::<Vec<_>>());
        assert_eq!(take(&mut lots, 0, false, false), NONE, "three wait for seven more");
        assert_eq!(lots.wake(0, false), Some(Instant::now() + LINGER));
        advance(LINGER).await;
        assert_eq!(take(&mut lots, 0, false, false), [20, 21, 22]);
        assert_eq!(lots.wake(0, false), None);
        let mut lots = self::lots([DELETE]).await;
        assert_eq!(take(&mut lots, 0, false, true), [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_back_waits_neither_for_others_nor_behind_deletes() {
        let leave = Asked::Leave(Duration::from_secs(30));
        let mut lots = lots([DELETE, leave, Asked::Release]).await;
        assert_eq!(take(&mut lots, 0, false, true), [2]);
        assert_eq!(take(&mut lots, 0, false, true), [1]);
        assert_eq!(take(&mut lots, 0, false, true), [0]);
        let mut lots = self::lots([DELETE, Asked::Release, leave, Asked::Release]).await;
        assert_eq!(take(&mut lots, CALLS_MAX, false, true), [1, 3], "deletes hold all their calls");
        assert_eq!(take(&mut lots, CALLS_MAX, false, true), [2]);
        assert_eq!(take(&mut lots, CALLS_MAX, false, true), NONE);
        assert_eq!(lots.wake(CALLS_MAX, false), None, "an answer wakes what waits for room");
        assert_eq!(take(&mut lots, CALLS_MAX - 1, false, true), [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn letting_go_gives_back_by_more_calls_at_once() {
        let leave = Asked::Leave(Duration::from_secs(30));
        let mut lots = lots([DELETE, leave, Asked::Release]).await;
        assert_eq!(take(&mut lots, CALLS_GIVING_BACK, false, true), NONE);
        assert_eq!(take(&mut lots, CALLS_LETTING_GO, true, true), NONE);
        assert_eq!(take(&mut lots, CALLS_LETTING_GO - 1, true, true), [2]);
        assert_eq!(take(&mut lots, CALLS_LETTING_GO - 1, true, true), NONE, "it is to come later");
        assert_eq!(take(&mut lots, 0, true, true), [1]);
        assert_eq!(take(&mut lots, 0, true, true), [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_the_oldest_that_are_left_for_the_same_time_and_moves_no_other() {
        let [short, long] = [30, 60].map(|seconds| Asked::Leave(Duration::from_secs(seconds)));
        let mut lots = lots([short, long, short, long, long, short]).await;
        assert_eq!(take(&mut lots, 0, false, false), [0, 2, 5]);
        assert_eq!(take(&mut lots, 0, false, false), [1, 3, 4]);
        assert_eq!(take(&mut lots, 0, false, false), NONE);
    }
}
