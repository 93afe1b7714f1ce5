//! The table of what this process holds: every [`crate::message::Receipt`] that is not settled yet.
//!
//! A receipt enters when it is made and leaves when it is settled; [`crate::queue::visibility`]
//! keeps what stands here hidden from other receivers, until [`crate::settle`] takes a message over
//! to give it back. An empty table at the end is the proof that nothing was forgotten.

mod extension;

use std::cmp::Ordering as Order;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub use extension::Extension;

/// Shared by all receipts of a process; clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct Held {
    table: Arc<Mutex<Table>>,
    stages: Arc<[AtomicUsize; Stage::ALL.len()]>,
    hurries: Arc<Notify>,
}

/// How far a message is that is held. A jam is seen where most of them are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It needs more memory than its share, and waits for room.
    Room,
    /// It waits in its lane for a writer.
    Waiting,
    /// It is being written, or waits to be tried again.
    Writing,
    /// It was rejected, and its dead letter is being written.
    DeadLetter,
    /// It is being deleted or given back.
    Settling,
}

impl Stage {
    pub const ALL: [Self; 5] =
        [Self::Room, Self::Waiting, Self::Writing, Self::DeadLetter, Self::Settling];

    /// As it stands in metrics and on the status page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Waiting => "waiting",
            Self::Writing => "writing",
            Self::DeadLetter => "dead_letter",
            Self::Settling => "settling",
        }
    }
}

#[derive(Debug, Default)]
struct Table {
    next_number: u64,
    messages: BTreeMap<u64, Message>,
    /// When each must be extended, soonest first.
    due: BTreeSet<Turn>,
    /// Receipts that were dropped without being settled.
    forgotten: u64,
}

#[derive(Debug)]
struct Message {
    receipt_handle: Arc<str>,
    received_at: Instant,
    /// Its place in the schedule.
    due: Option<Instant>,
    /// It is being given back: nothing may hide it any more.
    is_taken_over: bool,
    /// Those that may have no answer yet, the latest last.
    extensions: Vec<Arc<Extension>>,
}

/// The place of a message in the schedule. A set of them finds each by a few comparisons, however
/// many there are: a queue that refuses everything lets all be put off again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    at: Instant,
    number: u64,
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Order {
        #[cfg(test)]
        COMPARED.set(COMPARED.get() + 1);
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

/// A message whose visibility must be extended.
#[derive(Debug, Clone)]
pub struct Due {
    pub number: u64,
    pub receipt_handle: Arc<str>,
    pub received_at: Instant,
}

impl Held {
    /// Enters a message that was received at `received_at` and must be extended at `due`, and gives
    /// it its number.
    #[must_use]
    pub fn enter(&self, receipt_handle: Arc<str>, received_at: Instant, due: Instant) -> u64 {
        let mut table = self.lock();
        let number = table.next_number;
        table.next_number += 1;
        let message = Message {
            receipt_handle,
            received_at,
            due: None,
            is_taken_over: false,
            extensions: Vec::new(),
        };
        table.messages.insert(number, message);
        table.schedule(due, number);
        number
    }

    /// The number that was given last.
    #[must_use]
    pub fn latest_number(&self) -> u64 {
        self.lock().next_number.saturating_sub(1)
    }

    /// The lowest number that is held; the next to be given where nothing is.
    #[must_use]
    pub fn oldest_number(&self) -> u64 {
        let table = self.lock();
        table.messages.first_key_value().map_or(table.next_number, |(number, _)| *number)
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().messages.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many receipts were dropped unsettled: 0, or there is a bug.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// How many are at each stage.
    pub fn by_stage(&self) -> impl Iterator<Item = (Stage, usize)> {
        Stage::ALL
            .into_iter()
            .map(|stage| (stage, self.stages[stage as usize].load(Ordering::Relaxed)))
    }

    /// A message has come to a stage, or left one.
    pub(crate) fn count_stage(&self, from: Option<Stage>, to: Option<Stage>) {
        if let Some(from) = from {
            self.stages[from as usize].fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(to) = to {
            self.stages[to as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Since when the message is held that is held longest.
    #[must_use]
    pub fn oldest(&self) -> Option<Instant> {
        self.lock().messages.first_key_value().map(|(_, message)| message.received_at)
    }

    pub(crate) fn settle(&self, number: u64) {
        self.lock().remove(number);
    }

    pub(crate) fn forget(&self, number: u64) {
        let mut table = self.lock();
        table.remove(number);
        table.forgotten += 1;
    }

    /// Takes all that must be extended by `now` off the schedule; [`Held::extended`] puts them
    /// back. Where calls of `call` messages would not be full, those due by `soon` fill them: a
    /// call costs the same for one message as for ten.
    #[must_use]
    pub fn take_due(&self, now: Instant, soon: Instant, call: usize) -> Vec<Due> {
        let mut table = self.lock();
        let mut taken: Vec<Due> = Vec::new();
        while let Some(Turn { number, .. }) = table
            .due
            .first()
            .copied()
            .filter(|turn| turn.at <= if taken.len().is_multiple_of(call) { now } else { soon })
        {
            table.unschedule(number);
            if let Some(message) = table.messages.get(&number) {
                taken.push(Due {
                    number,
                    receipt_handle: Arc::clone(&message.receipt_handle),
                    received_at: message.received_at,
                });
            }
        }
        taken
    }

    /// Schedules the next extension of a message that is still held and is not given back.
    pub fn extended(&self, number: u64, due: Instant) {
        self.lock().schedule(due, number);
    }

    /// A call is sent now that extends these messages, and its answer is waited for until
    /// `gives_up_at`. Returns it with the messages that it may still be about: what was settled or
    /// taken over meanwhile is left alone.
    #[must_use]
    pub fn extend(&self, due: &[Due], gives_up_at: Instant) -> (Arc<Extension>, Vec<Due>) {
        let (extension, mut table) = (Arc::new(Extension::new(gives_up_at)), self.lock());
        let mut extended = Vec::with_capacity(due.len());
        for due in due {
            if let Some(message) = table.messages.get_mut(&due.number)
                && !message.is_taken_over
            {
                message.extensions.retain(|extension| !extension.is_answered());
                message.extensions.push(Arc::clone(&extension));
                extended.push(due.clone());
            }
        }
        (extension, extended)
    }

    /// From now on nothing extends the message: it is to be given back. Returns the extension in
    /// flight, if there is one.
    pub(crate) fn take_over(&self, number: u64) -> Option<Arc<Extension>> {
        let mut table = self.lock();
        table.unschedule(number);
        let message = table.messages.get_mut(&number)?;
        message.is_taken_over = true;
        message.extensions.last().filter(|extension| extension.is_awaited()).cloned()
    }

    /// Extensions of the message that have no answer, also those that are waited for no more.
    pub(crate) fn unanswered(&self, number: u64) -> Vec<Arc<Extension>> {
        let mut table = self.lock();
        let Some(message) = table.messages.get_mut(&number) else { return Vec::new() };
        message.extensions.retain(|extension| !extension.is_answered());
        message.extensions.clone()
    }

    /// Something has entered that is due at once: an answer took most of its visibility timeout.
    pub fn hurry(&self) {
        self.hurries.notify_one();
    }

    /// Waits until [`Held::hurry`] is called, or was since this was last waited for.
    pub async fn hurried(&self) {
        self.hurries.notified().await;
    }

    /// How long until the next extension is due, at most `longest`.
    #[must_use]
    pub fn until_due(&self, now: Instant, longest: Duration) -> Duration {
        self.lock()
            .due
            .first()
            .map_or(longest, |turn| turn.at.saturating_duration_since(now).min(longest))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn remove(&mut self, number: u64) {
        self.unschedule(number);
        self.messages.remove(&number);
    }

    fn schedule(&mut self, due: Instant, number: u64) {
        self.unschedule(number);
        if let Some(message) = self.messages.get_mut(&number)
            && !message.is_taken_over
        {
            message.due = Some(due);
            self.due.insert(Turn { at: due, number });
        }
    }

    fn unschedule(&mut self, number: u64) {
        if let Some(message) = self.messages.get_mut(&number)
            && let Some(at) = message.due.take()
        {
            self.due.remove(&Turn { at, number });
        }
    }
}

#[cfg(test)]
thread_local! {
    /// Comparisons of places in a schedule, by the test on this thread.
    pub(crate) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_by(held: &Held, now: Instant) -> Vec<Due> {
        held.take_due(now, now, 10)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_soon_fills_a_call_and_makes_none() {
        let (held, now) = (Held::default(), Instant::now());
        for seconds in 10..30 {
            let _ = held.enter("a".into(), now, now + Duration::from_secs(seconds));
        }
        let taken = |at, soon| {
            held.take_due(now + Duration::from_secs(at), now + Duration::from_secs(soon), 10).len()
        };
        assert_eq!(taken(9, 29), 0, "nothing is due: no call is made for what is due soon");
        assert_eq!(taken(10, 12), 3, "one is due, two are soon");
        assert_eq!(taken(13, 29), 10, "one is due and fills its call");
        assert_eq!(taken(29, 29), 7, "all that is left is due");
    }

    #[tokio::test(start_paused = true)]
    async fn the_schedule_is_as_large_as_what_is_held_not_as_what_passed_through() {
        let (held, now) = (Held::default(), Instant::now());
        let kept = held.enter("kept".into(), now, now + Duration::from_hours(8));
        for _ in 0..100_000 {
            let number = held.enter("passing".into(), now, now + Duration::from_hours(8));
            held.settle(number);
        }
        assert_eq!(held.lock().due.len(), 1, "entries for one message");
        assert_eq!(
            due_by(&held, now + Duration::from_hours(9))
                .iter()
                .map(|due| due.number)
                .collect::<Vec<_>>(),
            [kept]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_over_to_be_given_back_is_not_extended() {
        let (held, now) = (Held::default(), Instant::now());
        let numbers = ["a", "b", "c"].map(|handle| held.enter(handle.into(), now, now));
        let due = due_by(&held, now);
        assert!(held.take_over(numbers[0]).is_none(), "no extension is in flight");
        let (extension, extended) = held.extend(&due, now + Duration::from_secs(3));
        assert_eq!(extended.iter().map(|due| due.number).collect::<Vec<_>>(), numbers[1..]);
        assert!(held.take_over(numbers[1]).is_some_and(|other| Arc::ptr_eq(&other, &extension)));
        for number in numbers {
            held.extended(number, now);
        }
        let due = due_by(&held, now);
        assert_eq!(due.iter().map(|due| due.number).collect::<Vec<_>>(), numbers[2..]);
        assert_eq!(held.len(), 3, "they are held until they are settled");
    }

    #[tokio::test(start_paused = true)]
    async fn an_extension_that_was_given_up_may_still_be_answered() {
        let (held, now) = (Held::default(), Instant::now());
        let number = held.enter("a".into(), now, now);
        let due = due_by(&held, now);
        let (given_up, _) = held.extend(&due, now + Duration::from_secs(3));
        tokio::time::advance(Duration::from_secs(4)).await;
        let (answered, _) = held.extend(&due, Instant::now() + Duration::from_secs(3));
        answered.answer(vec![number]);
        assert!(held.take_over(number).is_none(), "nobody waits for the first any more");
        let unanswered = held.unanswered(number);
        assert_eq!(unanswered.len(), 1);
        assert!(Arc::ptr_eq(&unanswered[0], &given_up));
        given_up.answer(Vec::new());
        assert!(held.unanswered(number).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_settled_is_not_extended() {
        let (held, now) = (Held::default(), Instant::now());
        let first = held.enter("a".into(), now, now + Duration::from_secs(20));
        let second = held.enter("b".into(), now, now + Duration::from_secs(10));
        assert_eq!(held.until_due(now, Duration::from_mins(1)), Duration::from_secs(10));
        held.settle(second);
        let due = due_by(&held, now + Duration::from_secs(30));
        assert_eq!(due.iter().map(|due| due.number).collect::<Vec<_>>(), [first]);
        assert!(due_by(&held, now + Duration::from_secs(30)).is_empty());
        held.extended(first, now + Duration::from_secs(40));
        held.extended(second, now + Duration::from_secs(40));
        assert_eq!(due_by(&held, now + Duration::from_secs(40)).len(), 1);
        assert_eq!(held.len(), 1);
    }
}
