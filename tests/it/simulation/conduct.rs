//! How a worker must behave, call by call, seen from outside: what one life of it was given, and
//! what it asked for.
//!
//! - [`receipts`] knows each handle and what became of it ([`receipt`]); [`hiding`] that it stays
//!   hidden meanwhile.
//! - [`last_word`] sees that no call about a handle overtakes another.
//! - [`limits`] are those of memory and of asking, [`polls`] those of receives in progress,
//!   [`sickness`] what a store in trouble demands, [`unreturned`] what a server demands that never
//!   returns from a write, [`order`] what FIFO does.

mod hiding;
mod last_word;
mod limits;
mod order;
mod polls;
mod receipt;
mod receipts;
mod sickness;
mod unreturned;

use std::sync::Arc;
use std::time::Duration;

use longshore::message::Write;
use longshore::queue::EntryOutcome;
use longshore::store::{ItemOutcome, WriteOutcome};
use tokio::time::Instant;

use super::judge::{Judge, subject};
use super::life::Life;
use super::queue::{Delivery, parse};

use limits::Limits;
pub use limits::kept_its_limits;
use polls::Polls;
use receipt::Receipt;
use receipts::Receipts;
use sickness::Sickness;
use unreturned::Unreturned;

/// What one life of a worker was given and asked for.
#[derive(Default)]
pub struct Ledger {
    /// Messages that receives in progress may bring.
    asked_for: usize,
    receipts: Receipts,
    limits: Limits,
    polls: Polls,
    sickness: Sickness,
    unreturned: Unreturned,
    /// Extensions that failed as a whole or were not answered, since the last one that was.
    refused_hides: usize,
}

/// What is asked about a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Delete,
    Release,
    /// Stay hidden: an extension, or left for another visibility timeout.
    Hide,
}

pub fn counts_call(who: &Life) {
    limits::counts_call(who);
    if who.is_alive() {
        who.ledger(|ledger| {
            hiding::looks_after(who, ledger);
            last_word::looks_after(who, ledger);
        });
    }
}

pub fn receive_starts(who: &Life, max: usize) {
    let history = &who.conditions().history;
    if who.stop.is_draining() {
        history.violation(|| format!("{} starts a receive after its stop", who.name));
    }
    who.ledger(|ledger| {
        sickness::receive_starts(who, ledger);
        polls::starts(who, ledger);
        ledger.asked_for += max;
        limits::looks_at_messages(who, ledger);
    });
}

pub fn receive_ends(
    who: &Life,
    judge: &Judge,
    (max, asked_at): (usize, Instant),
    brought: &[Delivery],
    are_unread: bool,
) {
    who.conditions().history.delivered(brought.len());
    who.ledger(|ledger| {
        ledger.asked_for -= max;
        polls::ends(who, ledger, max, asked_at, brought);
        for delivery in brought {
            if are_unread {
                who.conditions().may_leave(&delivery.message.receipt_handle);
            }
            ledger.receipts.received(delivery, judge, are_unread);
            sickness::received(who, ledger, judge, delivery, asked_at);
            unreturned::received(ledger, judge, delivery);
        }
        if brought.iter().any(|delivery| judge.is_poison(parse(&delivery.message.receipt_handle).0))
        {
            ledger.receipts.looks_at_rejected(who);
        }
        sickness::looks_at_received(who, ledger);
        limits::looks_at_bytes(who, ledger, 0);
    });
}

/// A call about receipt handles, as long as the worker waits for the answer.
pub struct Call<'a> {
    who: &'a Life,
    handles: &'a [Arc<str>],
    request: Request,
    asked_at: Instant,
    is_answered: bool,
}

impl<'a> Call<'a> {
    /// Looks at it before it is sent.
    pub fn new(who: &'a Life, judge: &Judge, handles: &'a [Arc<str>], request: Request) -> Self {
        let history = &who.conditions().history;
        if handles.is_empty() || handles.len() > 10 {
            history
                .violation(|| format!("{} sends a batch of {} entries", who.name, handles.len()));
        }
        who.ledger(|ledger| {
            ledger.refused_hides += usize::from(request == Request::Hide);
            for handle in handles {
                last_word::asked(who, ledger, handle, request);
                let asked = ledger
                    .receipts
                    .get_mut(handle)
                    .map_or(Ok(()), |receipt| receipt.asked(request));
                if let Err(wrong) = asked {
                    history.violation(|| {
                        format!("{} asks of {handle} to {request:?}, {wrong}", who.name)
                    });
                }
                order::looks_at_order(who, ledger, handle, request);
                looks_at_request(who, ledger, judge, handle, request);
            }
        });
        Self { who, handles, request, asked_at: Instant::now(), is_answered: false }
    }

    /// Takes note of the answer. `hide` is how long was asked for.
    pub fn answered(mut self, outcomes: &[EntryOutcome], hide: Duration) {
        self.is_answered = true;
        let (who, request) = (self.who, self.request);
        who.ledger(|ledger| {
            // An extension that was given up has failed, whatever is heard of it later.
            let is_in_time = self.asked_at.elapsed() < hiding::patience(hide);
            if request == Request::Hide && is_in_time {
                ledger.refused_hides = 0;
            }
            for (handle, outcome) in self.handles.iter().zip(outcomes) {
                let is_done = *outcome == EntryOutcome::Done;
                ledger.receipts.answered(handle, request, outcome);
                last_word::answered(ledger, handle, (request, self.asked_at), Some(outcome));
                if is_done
                    && is_in_time
                    && request == Request::Hide
                    && let Some(receipt) = ledger.receipts.get_mut(handle)
                {
                    receipt.hidden.confirmed(self.asked_at, hide);
                }
                let is_again =
                    ledger.receipts.get(handle).is_some_and(|receipt| receipt.calls.is_again());
                if is_done && request == Request::Release && !is_again {
                    sickness::gave_back(who, ledger, handle);
                }
            }
        });
    }
}

/// A call that failed, or that the worker does not wait for any more.
impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.who.ledger(|ledger| {
                let is_overdue = |handle: &Arc<str>| {
                    ledger.receipts.get(handle).is_some_and(Receipt::is_overdue)
                };
                let may_end = self.who.stop.is_letting_go() || self.handles.iter().any(is_overdue);
                for handle in self.handles {
                    last_word::answered(ledger, handle, (self.request, self.asked_at), None);
                    ledger
                        .receipts
                        .get_mut(handle)
                        .into_iter()
                        .for_each(|receipt| receipt.unanswered(self.request, may_end));
                }
            });
        }
    }
}

/// The queue acts on a call that was sent at `asked_at`, whether anybody listens or not.
pub fn hides(who: &Life, handles: &[Arc<str>], outcomes: &[EntryOutcome], asked_at: Instant) {
    who.ledger(|ledger| {
        for entry in handles.iter().zip(outcomes) {
            last_word::hides(who, ledger, entry, asked_at);
        }
    });
}

fn looks_at_request(
    who: &Life,
    ledger: &mut Ledger,
    judge: &Judge,
    handle: &str,
    request: Request,
) {
    let history = &who.conditions().history;
    if ledger.receipts.get(handle).is_some_and(|receipt| receipt.calls.is_again()) {
        return;
    }
    if request != Request::Hide {
        limits::was_held(who, ledger, handle);
    }
    match request {
        Request::Delete => {
            if let Err(lack) = judge.is_durable(parse(handle).0) {
                history.violation(|| format!("{} deletes {handle}, but {lack}", who.name));
            }
            if ledger.receipts.get(handle).is_some_and(Receipt::is_unread) {
                history.violation(|| format!("{} deletes {handle}, and has not read it", who.name));
            }
        }
        Request::Release => {
            sickness::gives_back(who, ledger, judge, handle);
            if ledger.receipts.get(handle).is_some_and(|receipt| receipt.must_be_written) {
                history.violation(|| {
                    format!("{} gives {handle} back, which it could have written", who.name)
                });
            }
        }
        Request::Hide => {}
    }
}

/// Looks at a write before it is sent.
pub fn writes(who: &Life, collection: &str, writes: &[Write]) {
    let subjects: Vec<_> = writes.iter().map(|write| subject(collection, write)).collect();
    who.ledger(|ledger| {
        sickness::writes(who, ledger, writes, &subjects);
        unreturned::writes(who, ledger, &subjects);
        limits::looks_at_write(who, ledger, writes, &subjects);
    });
}

/// Takes note of what came of a write.
pub fn wrote(who: &Life, collection: &str, writes: &[Write], outcome: &WriteOutcome) {
    let subjects: Vec<_> = writes.iter().map(|write| subject(collection, write)).collect();
    who.ledger(|ledger| {
        ledger.receipts.wrote(collection, &subjects, outcome);
        if let WriteOutcome::Answered { items, .. } = outcome
            && items.iter().any(|item| matches!(item, ItemOutcome::Rejected(_)))
        {
            ledger.receipts.looks_at_rejected(who);
        }
        sickness::wrote(who, ledger, writes, &subjects, outcome);
        unreturned::wrote(ledger, &subjects, outcome);
    });
}

/// A worker's question whether the store takes writes, as long as it waits for the answer.
pub struct Question<'a> {
    who: &'a Life,
    is_well: bool,
}

impl<'a> Question<'a> {
    pub fn new(who: &'a Life) -> Self {
        who.ledger(sickness::asks);
        Self { who, is_well: false }
    }

    pub fn answer(mut self, is_well: bool) {
        self.is_well = is_well;
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.who.ledger(|ledger| {
            sickness::hears(ledger, self.is_well);
            unreturned::hears(ledger, self.is_well);
        });
    }
}

/// From now on the worker drains, and nothing disturbs it: whatever it holds it can write and
/// delete.
pub fn drains_in_calm(who: &Life) {
    who.ledger(|ledger| {
        let read = ledger.receipts.all_mut().filter(|(_, receipt)| !receipt.is_unread());
        read.for_each(|(_, receipt)| receipt.must_be_written = true);
    });
}

/// How many messages the worker still has to settle.
pub fn held(who: &Life) -> usize {
    who.ledger(|ledger| ledger.receipts.open(who).count())
}

/// After an orderly end.
pub fn ended(who: &Life) {
    who.ledger(|ledger| {
        hiding::looks_after(who, ledger);
        ledger.receipts.ended(who);
    });
    let held = &who.held;
    if !held.is_empty() || held.forgotten() > 0 {
        let history = &who.conditions().history;
        history.violation(|| {
            format!(
                "{} ended and by its own account holds {}, forgot {}",
                who.name,
                held.len(),
                held.forgotten()
            )
        });
    }
}
