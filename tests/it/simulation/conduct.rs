//! How a worker must behave, call by call, seen from outside: what one incarnation was given, and what it asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use longshore::message::QueueMessage;
use longshore::queue::EntryOutcome;

use super::fault::Fault;
use super::incarnation::Incarnation;
use super::judge::Judge;
use super::queue::{Delivery, parse};

/// How long a message may be held, so that a longer outage delivers it once more (SQS: 12 h; we give it back at 11 h).
const HOLD: Duration = Duration::from_hours(11);

/// Calls of one world: more of them are a hot loop.
const CALLS_MAX: u64 = 60_000;

/// What an incarnation was given and asked for.
#[derive(Default)]
pub struct Book {
    /// Messages that receives in progress may bring.
    asked_for: usize,
    /// Handles that came and of which nothing was asked yet, with the bytes of their messages.
    untouched: BTreeMap<Arc<str>, usize>,
    /// Handles for which the queue has confirmed a delete or a release.
    settled: BTreeSet<Arc<str>>,
    /// How often each message came during the present outage, by the message's number.
    in_outage: BTreeMap<usize, usize>,
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
    if who.surroundings().history.called() == CALLS_MAX {
        who.surroundings().history.violation(|| format!("{CALLS_MAX} calls: something asks in a hot loop"));
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
        book.asked_for += max;
        // What is held by its own account, which cannot be less than what nothing was asked of.
        let held = who.held.len().max(book.untouched.len());
        let most = held + book.asked_for;
        if most > limit {
            history.violation(|| format!("{} may hold {most} messages, its limit is {limit}", who.name));
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
            if let Some(outage) = surroundings.outage()
                && *regular
            {
                let number = parse(&message.receipt_handle).0;
                let times = book.in_outage.entry(number).or_default();
                *times += 1;
                // Once, once more for what was in doubt just before, and once for each time that it cannot be held longer.
                let holds = outage.until.saturating_sub(outage.from).as_secs() / HOLD.as_secs();
                let allowed = 2 + usize::try_from(holds).expect("a few");
                if *times > allowed {
                    let times = *times;
                    surroundings.history.violation(|| format!("{} receives m{number} for the {times}th time in one outage", who.name));
                }
            }
        }
        if surroundings.outage().is_none() {
            book.in_outage.clear();
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
            if wish == Wish::Hide {
                continue;
            }
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
    if wish == Wish::Hide {
        return;
    }
    who.book(|book| {
        for (handle, outcome) in handles.iter().zip(outcomes) {
            if matches!(outcome, EntryOutcome::Done | EntryOutcome::Stale) {
                book.settled.insert(Arc::clone(handle));
            }
        }
    });
}

/// After an orderly end: whatever came must have been asked about.
pub fn ended(who: &Incarnation) {
    who.book(|book| {
        if !book.untouched.is_empty() {
            who.surroundings().history.violation(|| format!("{} ended and never settled {:?}", who.name, book.untouched.keys()));
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
