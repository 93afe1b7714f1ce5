//! How a worker must behave, call by call, seen from outside: what one incarnation was given, and what it asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use longshore::message::QueueMessage;
use longshore::queue::EntryOutcome;
use longshore::store::WriteOutcome;
use tokio::time::Instant;

use super::fault::Fault;
use super::incarnation::Incarnation;
use super::judge::Judge;
use super::queue::{Delivery, parse};
use super::store;

/// Calls of one world, and for each second of it: more of them are a hot loop.
const CALLS_MAX: u64 = 20_000;
const CALLS_PER_SECOND_MAX: u64 = 20;

/// A delete or a release that fails is asked for this often at least.
const SETTLE_TRIES_MIN: usize = 8;

/// What an incarnation was given and asked for.
#[derive(Default)]
pub struct Book {
    /// Messages that receives in progress may bring.
    asked_for: usize,
    /// Handles that came and of which nothing was asked yet, with the bytes of their messages.
    untouched: BTreeMap<Arc<str>, usize>,
    /// When each handle that is not settled was last hidden, or asked to be; without those that the queue called stale.
    hidden: BTreeMap<Arc<str>, Instant>,
    /// Handles whose delete or release the queue has not confirmed, and how often it was asked for.
    unconfirmed: BTreeMap<Arc<str>, usize>,
    /// Handles for which the queue has confirmed a delete or a release.
    settled: BTreeSet<Arc<str>>,
    /// How often each message, by its number, was given back during the present outage.
    given_back: BTreeMap<usize, usize>,
    /// Since when the store confirmed nothing of what this worker wrote.
    sick_since: Option<Instant>,
}

/// What is asked about a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Delete,
    Release,
    /// Stay hidden: an extension, or left for another visibility timeout.
    Hide,
}

pub fn counts_call(who: &Incarnation) {
    let surroundings = who.surroundings();
    let calls = surroundings.history.called();
    if calls > CALLS_MAX + CALLS_PER_SECOND_MAX * surroundings.age().as_secs() {
        surroundings.history.violation(|| format!("{} makes the call {calls}: something asks in a hot loop", who.name));
        who.kill();
    }
}

pub fn receive_starts(who: &Incarnation, max: usize) {
    let history = &who.surroundings().history;
    if who.stop.is_draining() {
        history.violation(|| format!("{} starts a receive after its stop", who.name));
    }
    let limit = who.surroundings().plan.config.in_flight.messages_max;
    who.book(|book| {
        if who.held.is_empty() {
            book.sick_since = None;
        }
        if let Some(since) = book.sick_since
            && who.surroundings().awake_since(since) > patience(who)
            && who.surroundings().outage_holds() == 0
        {
            history.violation(|| format!("{} still receives, though nothing was written for {:?}", who.name, since.elapsed()));
        }
        book.asked_for += max;
        // What is held by its own account, which cannot be less than what nothing was asked of.
        let held = who.held.len().max(book.untouched.len());
        let most = held + book.asked_for;
        if most > limit {
            history.violation(|| format!("{} may hold {most} messages, its limit is {limit}", who.name));
        }
    });
}

/// How long receiving may go on while nothing is written: a batch may fail for the retry budget before it closes the gate, after
/// what was in doubt did so and stayed hidden for a visibility timeout, and each try may take as long as the driver's patience.
fn patience(who: &Incarnation) -> Duration {
    let plan = &who.surroundings().plan;
    2 * plan.config.retry.budget + plan.visibility_timeout + 4 * store::client::PATIENCE
}

/// Takes note of whether a write was answered.
pub fn wrote(who: &Incarnation, outcome: &WriteOutcome) {
    who.book(|book| match outcome {
        WriteOutcome::Answered { .. } => book.sick_since = None,
        WriteOutcome::Unconfirmed(_) => {
            book.sick_since.get_or_insert_with(Instant::now);
        }
    });
}

pub fn receive_ends(who: &Incarnation, max: usize, brought: &[Delivery]) {
    let surroundings = who.surroundings();
    let bytes_max = surroundings.plan.config.in_flight.bytes_max;
    who.book(|book| {
        book.asked_for -= max;
        for Delivery { message, regular } in brought {
            book.untouched.insert(Arc::clone(&message.receipt_handle), QueueMessage::bytes(message));
            book.hidden.insert(Arc::clone(&message.receipt_handle), Instant::now());
            if *regular && surroundings.outage().is_some() {
                let number = parse(&message.receipt_handle).0;
                let times = book.given_back.get(&number).copied().unwrap_or_default();
                if times > surroundings.outage_holds() + 1 {
                    let name = &who.name;
                    surroundings
                        .history
                        .violation(|| format!("{name} gave m{number} back {times} times in one outage, and receives it again"));
                }
            }
        }
        if surroundings.outage().is_none() {
            book.given_back.clear();
        }
        let bytes: usize = book.untouched.values().sum();
        if bytes > bytes_max {
            surroundings.history.violation(|| format!("{} holds {bytes} bytes of messages, its limit is {bytes_max}", who.name));
        }
    });
}

/// Looks at a call before it is sent.
pub fn wishes(who: &Incarnation, judge: &Judge, handles: &[Arc<str>], wish: Wish) {
    let history = &who.surroundings().history;
    if handles.is_empty() || handles.len() > 10 {
        history.violation(|| format!("{} sends a batch of {} entries", who.name, handles.len()));
    }
    who.book(|book| {
        for handle in handles {
            book.untouched.remove(handle);
            if let Some(hidden) = book.hidden.get_mut(handle) {
                let exposed = who.surroundings().awake_since(*hidden);
                if exposed > who.surroundings().plan.visibility_timeout {
                    history.violation(|| format!("{} held {handle} for {exposed:?} and did not ask to hide it", who.name));
                }
                *hidden = Instant::now();
            }
            if wish == Wish::Hide {
                continue;
            }
            *book.unconfirmed.entry(Arc::clone(handle)).or_default() += 1;
            if book.settled.contains(handle) {
                history.violation(|| format!("{} settles {handle} again: {wish:?}", who.name));
            }
            if wish == Wish::Delete
                && let Err(lack) = judge.is_durable(parse(handle).0)
            {
                history.violation(|| format!("{} deletes {handle}, but {lack}", who.name));
            }
        }
    });
}

/// Takes note of the answer.
pub fn answered(who: &Incarnation, handles: &[Arc<str>], wish: Wish, outcomes: &[EntryOutcome]) {
    who.book(|book| {
        for (handle, outcome) in handles.iter().zip(outcomes) {
            if *outcome == EntryOutcome::Stale {
                book.hidden.remove(handle);
            }
            if wish == Wish::Hide || matches!(outcome, EntryOutcome::Failed(_)) {
                continue;
            }
            book.hidden.remove(handle);
            book.unconfirmed.remove(handle);
            book.settled.insert(Arc::clone(handle));
            if *outcome == EntryOutcome::Done && wish == Wish::Release && who.surroundings().outage().is_some() {
                *book.given_back.entry(parse(handle).0).or_default() += 1;
            }
        }
    });
}

/// After an orderly end: whatever came must have been asked about, and what failed asked for again.
pub fn ended(who: &Incarnation) {
    let history = &who.surroundings().history;
    let least = if who.stop.is_letting_go() { 1 } else { SETTLE_TRIES_MIN };
    who.book(|book| {
        if !book.untouched.is_empty() {
            history.violation(|| format!("{} ended and never settled {:?}", who.name, book.untouched.keys()));
        }
        for (handle, tries) in book.unconfirmed.iter().filter(|(_, tries)| **tries < least) {
            history.violation(|| format!("{} ended, and asked only {tries} times to settle {handle}, which failed", who.name));
        }
    });
}

/// At any end: what was in flight by the worker's own account, with all that was reserved and made of it, never passed its
/// limits.
pub fn kept_its_limits(who: &Incarnation) {
    let limits = &who.surroundings().plan.config.in_flight;
    let counts = who.signals.counters().counts();
    let peaks = [(counts.in_flight_messages_peak, limits.messages_max), (counts.in_flight_bytes_peak, limits.bytes_max)];
    if peaks.iter().any(|(peak, limit)| *peak > *limit as u64) || counts.overdrawn_total > 0 {
        let history = &who.surroundings().history;
        history.violation(|| format!("{} had in flight (messages, bytes; with limits): {peaks:?}", who.name));
    }
    if counts.outgrown_total > 0 {
        who.surroundings().history.saw(Fault::Outgrown);
    }
}
