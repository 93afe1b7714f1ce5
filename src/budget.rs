//! The in-flight budget: how many messages, and how many bytes of them, this process holds at most.
//! It is the backpressure: a receive waits until there is room for the most that it may bring.
//!
//! Receives leave a part of the bytes alone, the headroom, so that a message that needs more than
//! its share finds room even while they hold all that they may. Those that have grown hold half of
//! all bytes at most, or a few small ones would keep all others out. So do rejected messages: where
//! their dead letters cannot be written, or not as fast, others go on.

mod amounts;
mod permit;
mod room;
mod state;

use std::sync::{Arc, Mutex};

use tokio::sync::{MutexGuard, Notify};

use crate::gauges::Gauges;

pub use self::amounts::{InFlightConfig, Shares, Used};
pub use self::permit::Permit;
use self::room::wait;
use self::state::{Shared, State};

/// A counted budget of messages and bytes. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

impl Budget {
    #[must_use]
    pub fn new(messages_max: usize, bytes_max: usize, headroom: usize) -> Self {
        Self::shown_in(&Arc::default(), messages_max, bytes_max, headroom, 0)
    }

    /// A budget whose use stands in `gauges`. `headroom` and `spare` are parts of `bytes_max`.
    #[must_use]
    pub fn shown_in(
        gauges: &Arc<Gauges>,
        messages_max: usize,
        bytes_max: usize,
        headroom: usize,
        spare: usize,
    ) -> Self {
        gauges.in_flight_messages_max.set(messages_max);
        gauges.in_flight_bytes_max.set(bytes_max);
        Self {
            shared: Arc::new(Shared {
                messages_max,
                bytes_max,
                headroom,
                spare,
                gauges: Arc::clone(gauges),
                state: Mutex::default(),
                freed: Notify::new(),
                freed_to_grow: Notify::new(),
                freed_to_extend: Notify::new(),
                extending: tokio::sync::Mutex::default(),
            }),
        }
    }

    #[must_use]
    pub fn messages_max(&self) -> usize {
        self.shared.messages_max
    }

    #[must_use]
    pub fn used(&self) -> Used {
        self.shared.lock().used
    }

    /// The most messages, and the most bytes, that were ever taken.
    #[must_use]
    pub fn peak(&self) -> Used {
        self.shared.lock().peak
    }

    /// Waits for room for `messages` and `bytes` beside headroom and spare, and takes it. What is
    /// more than the whole is never granted. Cancel safe: a dropped wait took nothing.
    pub async fn acquire(&self, messages: usize, bytes: usize) -> Permit {
        let take = || {
            let mut state = self.shared.lock();
            // More than the spare, where an answer that is here already waits for more: receives would
            // take what it waits for, again and again.
            let spare = self.shared.spare.max(state.lacking);
            let bytes_max = self.for_receives().saturating_sub(spare);
            self.reserve(&mut state, messages, bytes, bytes_max)
        };
        let permit = wait(&self.shared.freed, take).await;
        // There may be room for the next in line too, whose wake-up this one took.
        self.shared.freed.notify_one();
        permit
    }

    /// Waits for `bytes` more for a receive whose answer is larger than what it has reserved, the
    /// spare included, and takes them. Who asks first has them first. Cancel safe.
    pub async fn extend(&self, reserved: &mut Permit, bytes: usize) {
        let mut waiting = Extending::begin(&self.shared);
        waiting.is_first_and_lacks(bytes).await;
        let take = || self.extend_now(&mut self.shared.lock(), bytes);
        wait(&self.shared.freed_to_extend, take).await.join(reserved);
    }

    /// The same at once, where there is room and nobody waits for it; false where that is not so.
    #[must_use]
    pub fn try_extend(&self, reserved: &mut Permit, bytes: usize) -> bool {
        let more = {
            let mut state = self.shared.lock();
            let nobody_waits = state.extending == 0;
            nobody_waits.then(|| self.extend_now(&mut state, bytes)).flatten()
        };
        more.map(|more| more.join(reserved)).is_some()
    }

    fn extend_now(&self, state: &mut State, bytes: usize) -> Option<Permit> {
        self.reserve(state, 0, bytes, self.for_receives())
    }

    /// Takes for a receive, where no more than `bytes_max` are used with it.
    fn reserve(
        &self,
        state: &mut State,
        messages: usize,
        bytes: usize,
        bytes_max: usize,
    ) -> Option<Permit> {
        let mut permit = self.take(state, messages, bytes, bytes_max)?;
        state.reserved.messages += messages;
        state.reserved.bytes += bytes;
        state.show(&self.shared.gauges);
        permit.is_reserved = true;
        Some(permit)
    }

    /// What receives may hold and reserve together.
    fn for_receives(&self) -> usize {
        self.shared.bytes_max.saturating_sub(self.shared.headroom)
    }

    /// Waits for `bytes` for messages that are in the budget already, the headroom included, and
    /// takes them; also until those that have grown leave them within half of the budget. One at a
    /// time waits so, and meanwhile [`Permit::give`] lets no other grow. Cancel safe.
    pub async fn grow(&self, bytes: usize) -> Permit {
        let _turn = Turn::of_one_that_waits(&self.shared);
        wait(&self.shared.freed_to_grow, || {
            let mut state = self.shared.lock();
            if !self.shared.may_grow(&state, bytes) {
                return None;
            }
            let mut permit = self.take(&mut state, 0, bytes, self.shared.bytes_max)?;
            state.grown += bytes;
            state.show(&self.shared.gauges);
            permit.grown = bytes;
            Some(permit)
        })
        .await
    }

    fn take(
        &self,
        state: &mut State,
        messages: usize,
        bytes: usize,
        bytes_max: usize,
    ) -> Option<Permit> {
        let has_places =
            messages == 0 || state.used.messages + messages <= self.shared.messages_max;
        // What is over the budget does not count: a message that is larger than the whole would
        // otherwise wait here until it has left itself.
        if !has_places || state.used.bytes - state.beyond + bytes > bytes_max {
            return None;
        }
        state.take(messages, bytes);
        Some(Permit::new(&self.shared, Used { messages, bytes }))
    }
}

/// That of the one that waits to grow, until it has grown or waits no more.
struct Turn<'a> {
    shared: &'a Shared,
}

impl<'a> Turn<'a> {
    fn of_one_that_waits(shared: &'a Shared) -> Self {
        shared.lock().is_waited_to_grow = true;
        Self { shared }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shared.lock().is_waited_to_grow = false;
    }
}

/// One that waits to extend what it has reserved, until it has it or waits no more.
struct Extending<'a> {
    shared: &'a Shared,
    /// That of the first of them. What it lacks is left alone by receives.
    turn: Option<MutexGuard<'a, ()>>,
}

impl<'a> Extending<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.lock().extending += 1;
        Self { shared, turn: None }
    }

    async fn is_first_and_lacks(&mut self, bytes: usize) {
        self.turn = Some(self.shared.extending.lock().await);
        self.shared.lock().lacking = bytes;
    }
}

impl Drop for Extending<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.extending -= 1;
        if self.turn.is_some() {
            // Before the turn goes on: the next one says what it lacks then.
            state.lacking = 0;
            drop(state);
            self.shared.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use crate::gauges::Gauge;

    use super::*;

    #[tokio::test]
    async fn a_receive_waits_until_there_is_room() {
        let budget = Budget::new(10, 1_000, 0);
        let mut first = budget.acquire(10, 500).await;
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.acquire(1, 100).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let message = first.split_message(200);
        drop(first);
        let second = waiting.await.expect("no panic");
        assert_eq!(budget.used(), Used { messages: 2, bytes: 300 });
        drop((message, second));
        assert_eq!(
            (budget.used(), budget.peak()),
            (Used::default(), Used { messages: 10, bytes: 500 })
        );
    }

    #[tokio::test]
    async fn what_receives_reserve_is_told_apart_from_what_is_held() {
        let gauges = Arc::<Gauges>::default();
        let budget = Budget::shown_in(&gauges, 10, 1_000, 0, 0);
        let shown = || {
            let [messages, bytes] =
                [&gauges.in_flight_messages_reserved, &gauges.in_flight_bytes_reserved];
            [messages, &gauges.in_flight_messages, bytes, &gauges.in_flight_bytes].map(Gauge::get)
        };
        let mut receive = budget.acquire(10, 800).await;
        assert_eq!(shown(), [10, 10, 800, 800], "nothing is held");
        let mut message = receive.split_message(100);
        assert_eq!(shown(), [9, 10, 700, 800]);
        assert!(receive.give(&mut message, 50));
        assert_eq!(shown(), [9, 10, 650, 800]);
        let largest = receive.split_message(900);
        assert_eq!(shown(), [8, 10, 0, 1_050], "more than was reserved");
        drop(receive);
        assert_eq!(shown(), [0, 2, 0, 1_050]);
        drop((message, largest));
        assert_eq!(shown(), [0; 4]);
    }

    #[tokio::test]
    async fn receives_leave_the_headroom_to_a_message_that_grows() {
        let budget = Budget::new(10, 1_000, 400);
        let mut received = budget.acquire(2, 600).await;
        assert!(budget.acquire(1, 1).now_or_never().is_none());
        let mut grown = budget.grow(400).now_or_never().expect("the headroom is free");
        assert!(budget.grow(1).now_or_never().is_none());
        let mut message = received.split_message(300);
        assert!(grown.give(&mut message, 150));
        drop((received, grown));
        assert_eq!((message.bytes(), budget.used()), (450, Used { messages: 1, bytes: 450 }));
        assert!(budget.acquire(1, 151).now_or_never().is_none());
        assert!(budget.acquire(1, 150).now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_one_waits_for_is_not_taken_by_a_wake_up_of_the_other() {
        let budget = Budget::new(10, 1_000, 400);
        let (received, grown) = (budget.acquire(1, 600).await, budget.grow(400).await);
        let receiving = tokio::spawn({
            let budget = budget.clone();
            async move { budget.acquire(1, 600).await }
        });
        tokio::task::yield_now().await;
        let growing = tokio::spawn({
            let budget = budget.clone();
            async move { budget.grow(400).await }
        });
        tokio::task::yield_now().await;
        drop(grown);
        let grown = growing.await.expect("no panic");
        assert!(!receiving.is_finished());
        drop((received, grown));
        receiving.await.expect("no panic");
    }

    #[tokio::test]
    async fn receives_leave_alone_what_an_answer_waits_for() {
        let gauges = Arc::<Gauges>::default();
        let budget = Budget::shown_in(&gauges, 10, 1_000, 0, 100);
        let mut answer = budget.acquire(1, 100).await;
        let (mut other, mut third) = (budget.acquire(1, 800).await, budget.acquire(1, 0).await);
        assert!(budget.try_extend(&mut other, 100), "the spare is for answers");
        let mut waiting = Box::pin(budget.extend(&mut answer, 500));
        assert!((&mut waiting).now_or_never().is_none());
        let mut small = budget.acquire(1, 1).now_or_never().map(|_| ());
        assert!(small.is_none());
        let held = other.split_message(600);
        drop(other);
        small = budget.acquire(1, 1).now_or_never().map(|_| ());
        assert!(small.is_none(), "300 are free, and wanted");
        assert!(!budget.try_extend(&mut third, 1), "who asks first has them first");
        drop(held);
        assert!(waiting.now_or_never().is_some());
        assert!(budget.acquire(1, 300).now_or_never().is_some(), "what is left but the spare");
        assert!(budget.try_extend(&mut third, 1));
        drop((answer, third));
        assert_eq!(budget.used(), Used::default());
    }

    #[tokio::test]
    async fn an_answer_that_waits_no_more_is_waited_for_no_more() {
        let budget = Budget::new(10, 1_000, 0);
        let mut answer = budget.acquire(1, 600).await;
        let mut waiting = Box::pin(budget.extend(&mut answer, 900));
        assert!((&mut waiting).now_or_never().is_none());
        let receiving = tokio::spawn({
            let budget = budget.clone();
            async move { budget.acquire(1, 400).await }
        });
        tokio::task::yield_now().await;
        assert!(!receiving.is_finished());
        drop(waiting);
        receiving.await.expect("no panic");
    }

    #[tokio::test]
    async fn what_is_larger_than_reserved_is_over_the_budget_and_does_not_wait_for_itself() {
        let budget = Budget::new(1, 1_000, 400);
        let mut reserved = budget.acquire(1, 600).await;
        let (message, more) = (reserved.split_message(5_000), reserved.split_message(10));
        drop(reserved);
        assert_eq!(
            (budget.used(), budget.peak().bytes),
            (Used { messages: 2, bytes: 5_010 }, 5_010)
        );
        assert!(budget.acquire(1, 1).now_or_never().is_none());
        assert!(budget.grow(400).now_or_never().is_some());
        drop((message, more));
        assert_eq!(budget.used(), Used::default());
        assert!(budget.acquire(1, 600).now_or_never().is_some(), "nothing is left beyond");
    }

    #[tokio::test]
    async fn rejected_messages_hold_half_at_most_and_one_always() {
        let budget = Budget::new(10, 1_000, 0);
        let mut received = budget.acquire(10, 1_000).await;
        let mut messages: Vec<_> = (0..10).map(|_| received.split_message(20)).collect();
        let rejected = messages.iter_mut().map(Permit::reject).filter(|taken| *taken).count();
        assert_eq!(rejected, 5, "half of the messages");
        messages.remove(0);
        assert!(messages[5].reject() && !messages[6].reject(), "one has gone");
        messages[0].kept();
        assert!(messages[6].reject() && !messages[7].reject(), "the dead letter of one is kept");
        drop(messages);
        let (mut large, mut small) = (received.split_message(450), received.split_message(60));
        assert!(large.reject() && !small.reject(), "half of the bytes");
        drop((large, small, received));
        let mut whole = budget.acquire(1, 1_000).await;
        assert!(whole.reject(), "a budget for one message keeps its dead letter, too");
        assert_eq!(budget.used(), Used { messages: 1, bytes: 1_000 });
    }

    #[tokio::test]
    async fn messages_that_have_grown_hold_half_at_most_and_one_always() {
        const KIB: usize = 1024;
        let budget = Budget::new(10, 100 * KIB, 20 * KIB);
        let mut received = budget.acquire(4, 80 * KIB).await;
        let mut messages: Vec<_> = (0..4).map(|_| received.split_message(2 * KIB)).collect();
        assert!(received.give(&mut messages[0], 5 * KIB), "so much counts for nothing");
        assert!(received.give(&mut messages[1], 35 * KIB), "it grows by 30");
        assert!(!received.give(&mut messages[2], 26 * KIB), "half would be passed by 1");
        assert!(budget.grow(20 * KIB).now_or_never().is_some(), "up to half");
        let mut grown = budget.grow(20 * KIB).now_or_never().expect("it was given back");
        assert!(grown.give(&mut messages[2], 10 * KIB));
        assert!(budget.grow(20 * KIB).now_or_never().is_none());
        drop(grown);
        drop(messages.remove(1));
        assert!(received.give(&mut messages[2], 25 * KIB));
        let before = budget.used().bytes;
        for message in &mut messages {
            message.shrink_to(2 * KIB);
        }
        assert_eq!(before - budget.used().bytes, (5 + 35) * KIB);
        assert!(budget.grow(50 * KIB).now_or_never().is_some(), "what they had grown is free");
        drop((messages, received));
        let mut all = budget.acquire(1, 80 * KIB).await;
        let mut message = all.split_message(2 * KIB);
        assert!(all.give(&mut message, 78 * KIB), "one always can");
        drop((all, message));
        assert_eq!(budget.used(), Used::default());
    }

    #[tokio::test]
    async fn what_waits_to_grow_is_passed_by_none_that_came_later() {
        const KIB: usize = 1024;
        let budget = Budget::new(10, 100 * KIB, 20 * KIB);
        let mut received = budget.acquire(4, 80 * KIB).await;
        let mut messages: Vec<_> = (0..4).map(|_| received.split_message(2 * KIB)).collect();
        assert!(received.give(&mut messages[0], 40 * KIB), "it grows by 35");
        let mut first = tokio::spawn({
            let budget = budget.clone();
            async move { budget.grow(20 * KIB).await }
        });
        tokio::task::yield_now().await;
        assert!(!received.give(&mut messages[1], 10 * KIB), "there is room, but not its turn");
        assert!(received.give(&mut messages[1], 5 * KIB), "so much counts for nothing");
        first.abort();
        assert!((&mut first).await.is_err());
        assert!(received.give(&mut messages[2], 10 * KIB), "nobody waits any more");
        let first = tokio::spawn({
            let budget = budget.clone();
            async move { budget.grow(20 * KIB).await }
        });
        tokio::task::yield_now().await;
        messages.truncate(1);
        messages[0].shrink_to(2 * KIB);
        let mut first = first.await.expect("no panic");
        let mut message = received.split_message(2 * KIB);
        assert!(first.give(&mut message, 20 * KIB), "what it waited for is its own");
        assert!(received.give(&mut message, 5 * KIB), "and others have their turn");
        drop((messages, message, received, first));
        assert_eq!(budget.used(), Used::default());
    }
}
