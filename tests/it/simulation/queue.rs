//! The simulated queue: what SQS does by its documentation, with all that it may do and seldom
//! does.
//!
//! At least once, in any order, fewer than asked for; a message hides and comes back, each receive
//! gives a new receipt handle and counts; a deleted message may come once more; an old handle
//! deletes or does nothing, as it pleases. FIFO queues keep the order within a group and give the
//! same messages again for the same attempt (SQS developer guide, "Amazon SQS visibility timeout",
//! "at-least-once delivery" and "exactly-once processing").

mod asked;
pub mod client;
mod endpoint;
mod entries;
pub mod fate;
mod modelled;
mod sequence;
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore::message::{Fifo, QueueMessage};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::conditions::Conditions;
use super::fault::Fault;
use super::traffic::{EPOCH_MS, Sent, message_id};

/// How long a FIFO queue remembers a receive attempt (SQS API reference, `ReceiveRequestAttemptId`:
/// five minutes).
const ATTEMPT_KEPT: Duration = Duration::from_mins(5);

/// What a receive may ask for (SQS API reference, `ReceiveMessage`: 1 to 10 messages, 0 to 20
/// seconds).
const ENTRIES_MAX: usize = 10;
const WAIT_MAX: Duration = Duration::from_secs(20);

pub struct Queue {
    conditions: Arc<Conditions>,
    visibility_timeout: Duration,
    fifo: bool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    is_shuffled: bool,
    attempts: BTreeMap<String, Attempt>,
    /// The number of the call that was sent last.
    last_call: u64,
}

struct Slot {
    sent: Sent,
    /// Its place where the queue is FIFO.
    sequence: u128,
    visible_at: Instant,
    received_at: Instant,
    receive_count: u32,
    /// The number of the latest receipt handle.
    handle: u32,
    /// The call about that handle, of those that were applied, that was sent last.
    applied: u64,
    deleted: bool,
}

/// An earlier receive of a FIFO queue.
struct Attempt {
    at: Instant,
    /// Numbers of messages and of their handles then.
    brought: Vec<(usize, u32)>,
}

/// What came of a receive, as the queue knows it.
#[derive(Clone)]
pub struct Delivery {
    pub message: QueueMessage,
    /// Whether the message was not hidden, as it should be.
    pub regular: bool,
    /// From when on, as far as a worker can know, and for how long it is hidden now.
    pub hidden_at: Instant,
    pub hidden_for: Duration,
    /// When it came, by the world's own time.
    pub sent_at_ms: u64,
}

impl Queue {
    pub fn new(conditions: Arc<Conditions>, visibility_timeout: Duration, fifo: bool) -> Self {
        Self {
            conditions,
            visibility_timeout,
            fifo,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// A producer's message arrives. Gives its number.
    pub fn send(&self, sent: Sent) -> usize {
        let mut state = self.lock();
        let sequence = sequence::of(state.slots.iter().map(|slot| &slot.sent), &sent);
        state.slots.push(Slot {
            sent,
            sequence,
            visible_at: Instant::now(),
            received_at: Instant::now(),
            receive_count: 0,
            handle: 0,
            applied: 0,
            deleted: false,
        });
        let number = state.slots.len() - 1;
        drop(state);
        self.changed.notify_waiters();
        number
    }

    /// A message leaves the queue without a worker's doing.
    pub fn forget(&self, number: usize) {
        self.lock().slots[number].deleted = true;
    }

    /// From now on messages come in any order, whatever kind of queue it is.
    pub fn shuffle(&self) {
        self.lock().is_shuffled = true;
    }

    /// Numbers of the messages that are still there.
    pub fn left(&self) -> Vec<usize> {
        let state = self.lock();
        state
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| !slot.deleted)
            .map(|(number, _)| number)
            .collect()
    }

    /// How often each message was received.
    pub fn receive_counts(&self) -> Vec<u32> {
        self.lock().slots.iter().map(|slot| slot.receive_count).collect()
    }

    /// Takes messages, waiting up to `wait` for the first.
    pub async fn receive(
        &self,
        max: usize,
        wait: Duration,
        attempt: Option<&str>,
    ) -> Vec<Delivery> {
        if !(1..=ENTRIES_MAX).contains(&max) || wait > WAIT_MAX {
            self.conditions
                .history
                .violation(|| format!("a receive of {max} messages, waiting {wait:?}"));
        }
        let until = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let taken = self.take(max, attempt);
            if !taken.is_empty() || Instant::now() >= until {
                return taken;
            }
            // What is hidden comes back without anyone doing anything.
            let next = self
                .lock()
                .slots
                .iter()
                .filter(|slot| !slot.deleted)
                .map(|slot| slot.visible_at)
                .filter(|at| *at > Instant::now())
                .min();
            let _ = timeout_at(next.unwrap_or(until).min(until), changed).await;
            // Who of several that wait is first is left to chance.
            sleep(self.dice().between_ms(0, 20)).await;
        }
    }

    fn take(&self, max: usize, attempt: Option<&str>) -> Vec<Delivery> {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(again) = attempt.and_then(|attempt| self.repeat(state, attempt)) {
            return again;
        }
        let mut chosen = if self.fifo && !state.is_shuffled {
            fifo_candidates(state)
        } else {
            self.candidates(state)
        };
        if chosen.len() > 1 && self.conditions.draws(Fault::ShortAnswer) {
            let fewer = self.dice().below(chosen.len());
            if fewer < max {
                self.conditions.history.saw(Fault::ShortAnswer);
                chosen.truncate(fewer);
            }
        }
        chosen.truncate(max);
        if !self.fifo && chosen.windows(2).any(|pair| pair[0] > pair[1]) {
            self.conditions.history.saw(Fault::Reordered);
        }
        let brought: Vec<_> = chosen.iter().map(|number| self.deliver(state, *number)).collect();
        if let Some(attempt) = attempt
            && !brought.is_empty()
        {
            let brought =
                chosen.iter().map(|number| (*number, state.slots[*number].handle)).collect();
            state.attempts.insert(attempt.to_owned(), Attempt { at: Instant::now(), brought });
        }
        brought
    }

    /// What a standard queue may deliver now, in any order: what is visible, and sometimes what is
    /// not.
    fn candidates(&self, state: &State) -> Vec<usize> {
        let now = Instant::now();
        let mut candidates = Vec::new();
        for (number, slot) in state.slots.iter().enumerate() {
            let is_visible = match (slot.deleted, slot.visible_at <= now) {
                (false, true) => true,
                (false, false) => self.rarely(Fault::DeliveredWhileHidden),
                (true, _) => self.rarely(Fault::DeliveredAfterDelete),
            };
            if is_visible {
                candidates.push(number);
            }
        }
        self.dice().shuffle(&mut candidates);
        candidates
    }

    /// The same messages and handles as an earlier receive with this attempt id brought, if they
    /// are all still as it left them.
    fn repeat(&self, state: &mut State, attempt: &str) -> Option<Vec<Delivery>> {
        let earlier = state.attempts.get(attempt)?;
        let now = Instant::now();
        let is_kept = |(number, handle): &(usize, u32)| {
            let slot = &state.slots[*number];
            !slot.deleted && slot.handle == *handle && slot.visible_at > now
        };
        if earlier.at + ATTEMPT_KEPT < now || !earlier.brought.iter().all(is_kept) {
            return None;
        }
        self.conditions.history.saw(Fault::ReceiveRepeated);
        let numbers: Vec<_> = earlier.brought.iter().map(|(number, _)| *number).collect();
        let again = numbers.into_iter().map(|number| {
            state.slots[number].visible_at = now + self.visibility_timeout;
            self.delivery(number, &state.slots[number], true)
        });
        Some(again.collect())
    }

    fn deliver(&self, state: &mut State, number: usize) -> Delivery {
        let slot = &mut state.slots[number];
        let regular = !slot.deleted && slot.visible_at <= Instant::now();
        if !regular {
            let fault = if slot.deleted {
                Fault::DeliveredAfterDelete
            } else {
                Fault::DeliveredWhileHidden
            };
            self.conditions.history.saw(fault);
        }
        slot.deleted = false;
        slot.handle += 1;
        slot.applied = 0;
        slot.receive_count += 1;
        slot.received_at = Instant::now();
        slot.visible_at = Instant::now() + self.visibility_timeout;
        self.delivery(number, slot, regular)
    }

    fn delivery(&self, number: usize, slot: &Slot, regular: bool) -> Delivery {
        let (message, sent_at_ms) = (self.message(number, slot), slot.sent.at_ms);
        Delivery {
            message,
            regular,
            hidden_at: Instant::now(),
            hidden_for: self.visibility_timeout,
            sent_at_ms,
        }
    }

    fn message(&self, number: usize, slot: &Slot) -> QueueMessage {
        let fifo =
            self.fifo.then(|| Fifo { group: slot.sent.group.clone(), sequence: slot.sequence });
        QueueMessage {
            line: None,
            message_id: message_id(number),
            receipt_handle: handle(number, slot.handle).into(),
            body: slot.sent.body.clone(),
            attributes: slot.sent.attached(number),
            sent_ms: EPOCH_MS + i64::try_from(slot.sent.at_ms).expect("minutes"),
            receive_count: slot.receive_count,
            fifo,
            sender: Some(slot.sent.sender(number).into()),
            trace_header: None,
        }
    }

    /// For what is possible for each message at each look.
    fn rarely(&self, fault: Fault) -> bool {
        self.dice().chance(0.05) && self.conditions.draws(fault)
    }

    fn strikes(&self, fault: Fault) -> bool {
        self.conditions.strikes(fault)
    }

    fn dice(&self) -> &super::dice::Dice {
        &self.conditions.dice
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a FIFO queue may deliver now: in order, and nothing of a group of which something is in
/// flight.
fn fifo_candidates(state: &State) -> Vec<usize> {
    let now = Instant::now();
    let there = || state.slots.iter().enumerate().filter(|(_, slot)| !slot.deleted);
    let busy: BTreeSet<_> = there()
        .filter(|(_, slot)| slot.visible_at > now)
        .map(|(_, slot)| slot.sent.group.as_str())
        .collect();
    there()
        .filter(|(_, slot)| !busy.contains(slot.sent.group.as_str()))
        .map(|(number, _)| number)
        .collect()
}

fn handle(number: usize, version: u32) -> String {
    format!("{number}-{version}")
}

/// The number of the message, and which of its handles it is.
pub fn parse(handle: &str) -> (usize, u32) {
    let (number, version) = handle.split_once('-').expect("a handle of ours");
    (number.parse().expect("a number"), version.parse().expect("a number"))
}
