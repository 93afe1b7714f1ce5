//! How a worker must behave, call by call, seen from outside: what one incarnation was given, and
//! what it asked for.
//!
//! - [`receipts`] knows each handle and what became of it ([`receipt`]); [`hiding`] that it stays
//!   hidden meanwhile.
//! - [`last_word`] sees that no call about a handle overtakes another.
//! - [`limits`] are those of memory and of asking, [`polls`] those of receives in progress,
//!   [`sickness`] what a store in trouble demands, [`order`] what FIFO does.

mod hiding;
mod last_word;
mod limits;
mod order;
mod polls;
mod receipt;
mod receipts;
mod sickness;

use std::sync::Arc;
use std::time::Duration;

use longshore::message::Write;
use longshore::queue::EntryOutcome;
use longshore::store::WriteOutcome;
use tokio::time::Instant;

use super::incarnation::Incarnation;
use super::judge::{Judge, subject};
use super::queue::{Delivery, parse};

use limits::Limits;
pub use limits::kept_its_limits;
use polls::Polls;
use receipt::Receipt;
use receipts::Receipts;
use sickness::Sickness;

/// What an incarnation was given and asked for.
#[derive(Default)]
pub struct Book {
    /// Messages that receives in progress may bring.
    asked_for: usize,
    receipts: Receipts,
    limits: Limits,
    polls: Polls,
    sickness: Sickness,
    /// Extensions that failed as a whole or were not answered, since the last one that was.
    refused_hides: usize,
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
    limits::counts_call(who);
    if who.is_alive() {
        who.book(|book| {
            hiding::looks_after(who, book);
            last_word::looks_after(who, book);
        });
    }
}

pub fn receive_starts(who: &Incarnation, max: usize) {
    let history = &who.surroundings().history;
    if who.stop.is_draining() {
        history.violation(|| format!("{} starts a receive after its stop", who.name));
    }
    who.book(|book| {
        sickness::receive_starts(who, book);
        polls::starts(who, book);
        book.asked_for += max;
        limits::looks_at_messages(who, book);
    });
}

pub fn receive_ends(
    who: &Incarnation,
    judge: &Judge,
    (max, asked_at): (usize, Instant),
    brought: &[Delivery],
) {
    who.surroundings().history.delivered(brought.len());
    who.book(|book| {
        book.asked_for -= max;
        polls::ends(who, book, max, asked_at, brought);
        for delivery in brought {
            book.receipts.received(delivery, judge);
            sickness::received(who, book, delivery);
        }
        sickness::looks_at_received(who, book);
        limits::looks_at_bytes(who, book, 0);
    });
}

/// A call about receipt handles, as long as the worker waits for the answer.
pub struct Call<'a> {
    who: &'a Incarnation,
    handles: &'a [Arc<str>],
    wish: Wish,
    asked_at: Instant,
    is_answered: bool,
}

impl<'a> Call<'a> {
    /// Looks at it before it is sent.
    pub fn new(who: &'a Incarnation, judge: &Judge, handles: &'a [Arc<str>], wish: Wish) -> Self {
        let history = &who.surroundings().history;
        if handles.is_empty() || handles.len() > 10 {
            history
                .violation(|| format!("{} sends a batch of {} entries", who.name, handles.len()));
        }
        who.book(|book| {
            book.refused_hides += usize::from(wish == Wish::Hide);
            for handle in handles {
                last_word::asked(who, book, handle, wish);
                let asked =
                    book.receipts.get_mut(handle).map_or(Ok(()), |receipt| receipt.asked(wish));
                if let Err(wrong) = asked {
                    history.violation(|| {
                        format!("{} asks of {handle} to {wish:?}, {wrong}", who.name)
                    });
                }
                order::looks_at_order(who, book, handle, wish);
                looks_at_wish(who, book, judge, handle, wish);
            }
        });
        Self { who, handles, wish, asked_at: Instant::now(), is_answered: false }
    }

    /// Takes note of the answer. `hide` is how long was asked for.
    pub fn answered(mut self, outcomes: &[EntryOutcome], hide: Duration) {
        self.is_answered = true;
        let (who, wish) = (self.who, self.wish);
        who.book(|book| {
            // An extension that was given up has failed, whatever is heard of it later.
            let is_in_time = self.asked_at.elapsed() < hiding::patience(hide);
            if wish == Wish::Hide && is_in_time {
                book.refused_hides = 0;
            }
            for (handle, outcome) in self.handles.iter().zip(outcomes) {
                let is_done = *outcome == EntryOutcome::Done;
                book.receipts.answered(handle, wish, outcome);
                last_word::answered(book, handle, (wish, self.asked_at), Some(outcome));
                if is_done
                    && is_in_time
                    && wish == Wish::Hide
                    && let Some(receipt) = book.receipts.get_mut(handle)
                {
                    receipt.hidden.confirmed(self.asked_at, hide);
                }
                let is_again =
                    book.receipts.get(handle).is_some_and(|receipt| receipt.calls.is_again());
                if is_done && wish == Wish::Release && !is_again {
                    sickness::gave_back(who, book, handle);
                }
            }
        });
    }
}

/// A call that failed, or that the worker does not wait for any more.
impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.who.book(|book| {
                let is_overdue =
                    |handle: &Arc<str>| book.receipts.get(handle).is_some_and(Receipt::is_overdue);
                let may_end = self.who.stop.is_letting_go() || self.handles.iter().any(is_overdue);
                for handle in self.handles {
                    last_word::answered(book, handle, (self.wish, self.asked_at), None);
                    book.receipts
                        .get_mut(handle)
                        .into_iter()
                        .for_each(|receipt| receipt.unanswered(self.wish, may_end));
                }
            });
        }
    }
}

/// The queue acts on a call that was sent at `asked_at`, whether anybody listens or not.
pub fn hides(
    who: &Incarnation,
    handles: &[Arc<str>],
    outcomes: &[EntryOutcome],
    asked_at: Instant,
) {
    who.book(|book| {
        for entry in handles.iter().zip(outcomes) {
            last_word::hides(who, book, entry, asked_at);
        }
    });
}

fn looks_at_wish(who: &Incarnation, book: &mut Book, judge: &Judge, handle: &str, wish: Wish) {
    let history = &who.surroundings().history;
    if book.receipts.get(handle).is_some_and(|receipt| receipt.calls.is_again()) {
        return;
    }
    if wish != Wish::Hide {
        limits::was_held(who, book, handle);
    }
    match wish {
        Wish::Delete => {
            if let Err(lack) = judge.is_durable(parse(handle).0) {
                history.violation(|| format!("{} deletes {handle}, but {lack}", who.name));
            }
        }
        Wish::Release => {
            sickness::gives_back(who, book, judge, handle);
            if book.receipts.get(handle).is_some_and(|receipt| receipt.must_be_written) {
                history.violation(|| {
                    format!("{} gives {handle} back, which it could have written", who.name)
                });
            }
        }
        Wish::Hide => {}
    }
}

/// Looks at a write before it is sent.
pub fn writes(who: &Incarnation, collection: &str, writes: &[Write]) {
    let subjects: Vec<_> = writes.iter().map(|write| subject(collection, write)).collect();
    who.book(|book| limits::looks_at_write(who, book, writes, &subjects));
}

/// Takes note of what came of a write.
pub fn wrote(who: &Incarnation, collection: &str, writes: &[Write], outcome: &WriteOutcome) {
    let subjects: Vec<_> = writes.iter().map(|write| subject(collection, write)).collect();
    who.book(|book| {
        book.receipts.wrote(collection, &subjects, outcome);
        sickness::wrote(who, book, collection, &subjects, outcome);
    });
}

/// A worker's question whether the store takes writes, as long as it waits for the answer.
pub struct Question<'a> {
    who: &'a Incarnation,
    is_well: bool,
}

impl<'a> Question<'a> {
    pub fn new(who: &'a Incarnation) -> Self {
        who.book(sickness::asks);
        Self { who, is_well: false }
    }

    pub fn answer(mut self, is_well: bool) {
        self.is_well = is_well;
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.who.book(|book| sickness::hears(book, self.is_well));
    }
}

/// From now on the worker drains, and nothing disturbs it: whatever it holds it can write and
/// delete.
pub fn drains_in_calm(who: &Incarnation) {
    who.book(|book| {
        book.receipts.all_mut().for_each(|(_, receipt)| receipt.must_be_written = true);
    });
}

/// How many messages the worker still has to settle.
pub fn held(who: &Incarnation) -> usize {
    who.book(|book| book.receipts.open(who).count())
}

/// After an orderly end.
pub fn ended(who: &Incarnation) {
    who.book(|book| {
        hiding::looks_after(who, book);
        book.receipts.ended(who);
    });
    let held = &who.held;
    if !held.is_empty() || held.forgotten() > 0 {
        let history = &who.surroundings().history;
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
