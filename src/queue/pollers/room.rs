//! Room for receives: what each reserves before it asks, and how an answer that turns out larger
//! finds room before it is read.
//!
//! What waits for room is hidden already and has no known handle, so it can be neither extended nor
//! given back. So it waits for a quarter of its visibility timeout at most, and for no longer than a
//! server may keep an answer that nobody reads; not at all once the gate closes or the worker drains.
//! Then it is read for its handles alone, and goes back.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, sleep_until};

use crate::budget::{Permit, Shares};
use crate::gate::GateState;
use crate::queue::{BATCH_MAX, Queue, ROOM_WAIT_MAX, Room};

use super::context::{AT_ONCE, PollersContext};

/// What the first receives reserve, of the largest answer: at AWS, for ten messages of 6.4 KiB.
const FIRST_SHARE: usize = 160;

/// What a receive reserves of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reservation {
    pub messages: usize,
    pub bytes: usize,
}

impl Reservation {
    /// Ten messages of the largest size, fewer where there is not room for ten, and at least one. A
    /// message larger than all the room, which SQS does not have, must not keep the worker from
    /// receiving.
    pub fn of_worst(shares: Shares, message_bytes_max: usize, messages_max: usize) -> Self {
        let each = Shares::of_message(message_bytes_max).max(1);
        let messages = (shares.receives / each).clamp(1, at_most(messages_max));
        Self { messages, bytes: (messages * each).min(shares.receives) }
    }

    /// Ten messages, and as many bytes as receives lately brought.
    pub fn of_lately(shares: Shares, lately: &Lately, messages_max: usize) -> Self {
        let bytes = lately.bytes().min(shares.receives.saturating_sub(shares.spare));
        Self { messages: at_most(messages_max), bytes }
    }
}

/// Where few are allowed, a receive that is held for long must leave room for others.
fn at_most(messages_max: usize) -> usize {
    BATCH_MAX.min((messages_max / 2).max(1))
}

/// What receives lately brought, in bytes of the budget: the most of it, and less and less of what is
/// long ago.
#[derive(Debug)]
pub(super) struct Lately {
    bytes: AtomicUsize,
}

impl Lately {
    pub fn new(message_bytes_max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(Shares::of_answer(BATCH_MAX, message_bytes_max) / FIRST_SHARE),
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What took more is too long ago.
    pub fn falls_to(&self, bytes: usize) {
        self.bytes.fetch_min(bytes, Ordering::Relaxed);
    }

    fn note(&self, bytes: usize) {
        let next = |lately: usize| Some(bytes.max(lately - lately.saturating_sub(bytes) / 8));
        // It never says no.
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }
}

/// The room of one receive.
pub(super) struct AnswerRoom<'a, Q> {
    context: &'a PollersContext<Q>,
    lately: &'a Lately,
    pub permit: Permit,
    asked: Instant,
    /// When the answer began, where it has asked for room.
    began: Option<Instant>,
    /// Whether there was no room at once.
    pub has_waited: bool,
}

impl<'a, Q> AnswerRoom<'a, Q> {
    pub fn new(
        context: &'a PollersContext<Q>,
        lately: &'a Lately,
        permit: Permit,
        asked: Instant,
    ) -> Self {
        Self { context, lately, permit, asked, began: None, has_waited: false }
    }

    /// What it brings is hidden since some moment after the question, and not for long when the answer
    /// began: counted from here, nothing is extended too late.
    pub fn hidden_since(&self) -> Instant {
        let began = self.began.unwrap_or_else(Instant::now);
        self.asked.max(began.checked_sub(AT_ONCE).unwrap_or(self.asked))
    }
}

impl<Q: Queue> Room for AnswerRoom<'_, Q> {
    async fn make(&mut self, bytes: usize) -> bool {
        let PollersContext { budget, shares, gate, flow, traits, .. } = self.context;
        self.began.get_or_insert_with(Instant::now);
        // While it is read it stands beside its text, and then beside what is made of it.
        let needed = Shares::of_message(bytes).min(shares.receives);
        // Read or not: receives to come need as much.
        self.lately.note(needed);
        let lacking = needed.saturating_sub(self.permit.bytes());
        if lacking == 0 || budget.try_extend(&mut self.permit, lacking) {
            return true;
        }
        self.has_waited = true;
        let waits_until = self.hidden_since() + (traits.visibility_timeout / 4).min(ROOM_WAIT_MAX);
        tokio::select! {
            biased;
            () = flow.stop.draining() => false,
            _ = gate.left(GateState::Open) => false,
            () = budget.extend(&mut self.permit, lacking) => true,
            () = sleep_until(waits_until) => false,
        }
    }

    fn hidden_until(&self) -> Instant {
        self.hidden_since() + self.context.traits.visibility_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation(receives: usize, message_bytes_max: usize, messages_max: usize) -> Reservation {
        let shares = Shares { receives, spare: 0, growth: 0 };
        Reservation::of_worst(shares, message_bytes_max, messages_max)
    }

    #[test]
    fn a_receive_asks_for_as_many_as_have_room() {
        let each = Shares::of_message(1_000);
        assert_eq!(
            reservation(100 * each, 1_000, 100),
            Reservation { messages: 10, bytes: 10 * each }
        );
        assert_eq!(
            reservation(4 * each - 1, 1_000, 100),
            Reservation { messages: 3, bytes: 3 * each }
        );
        assert_eq!(reservation(100 * each, 1_000, 7), Reservation { messages: 3, bytes: 3 * each });
    }

    #[test]
    fn a_queue_with_messages_larger_than_all_room_is_received_one_by_one() {
        assert_eq!(reservation(500, 1_000, 100), Reservation { messages: 1, bytes: 500 });
    }

    #[test]
    fn a_receive_that_is_told_its_size_reserves_what_lately_came() {
        let (shares, lately) =
            (Shares { receives: 1_000_000, spare: 100_000, growth: 0 }, Lately::new(16_000));
        let reserved = || Reservation::of_lately(shares, &lately, 100).bytes;
        assert_eq!(reserved(), 2_125, "a small part of the largest answer");
        lately.note(500_000);
        assert_eq!(reserved(), 500_000, "the most of it at once");
        lately.note(100_000);
        assert_eq!(reserved(), 450_000, "less and less of what is long ago");
        (0..100).for_each(|_| lately.note(100_000));
        assert!((100_000..100_010).contains(&reserved()), "{}", reserved());
        lately.note(2_000_000);
        assert_eq!(reserved(), 900_000, "all but what is spared");
    }
}
