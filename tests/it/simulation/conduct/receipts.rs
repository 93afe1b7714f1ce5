//! Every receipt handle that a worker was given and what became of it, kept from outside: from what
//! was delivered, asked, answered and written, never from what the worker says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore::queue::EntryOutcome;
use longshore::store::{ItemOutcome, StoreFaultKind, WriteOutcome};
use tokio::time::Instant;

use crate::simulation::judge::{DEAD_LETTERS, Judge, Subject};
use crate::simulation::life::Life;
use crate::simulation::queue::{Delivery, parse};

use super::Request;
use super::receipt::{DeadLetter, Receipt};

/// A delete or a release that fails is asked for this often at least.
const SETTLE_TRIES_MIN: usize = 8;

/// The same once the worker has to let go.
const SETTLE_TRIES_LETTING_GO_MIN: usize = 2;

/// All handles of one life.
#[derive(Default)]
pub struct Receipts {
    by_handle: BTreeMap<Arc<str>, Receipt>,
    /// The handles of the messages that ask for the same document.
    by_subject: BTreeMap<Subject, Vec<Arc<str>>>,
    /// Messages, by their numbers, that were in the way of others: when they come back they may be
    /// left at any time.
    set_aside: BTreeSet<usize>,
    /// Those of them that were deleted.
    gone: BTreeSet<usize>,
}

impl Receipts {
    /// `is_unread`: there was no room for it, and it is to be given back.
    pub fn received(&mut self, delivery: &Delivery, judge: &Judge, is_unread: bool) {
        let handle = &delivery.message.receipt_handle;
        let number = parse(handle).0;
        for subject in judge.subjects(number) {
            self.by_subject.entry(subject).or_default().push(Arc::clone(handle));
        }
        let mut receipt = Receipt::new(delivery);
        if is_unread {
            receipt.goes_back_unread();
        }
        receipt.written = judge.is_without_effect(number);
        if judge.is_poison(number) && !is_unread {
            receipt.dead_letter = DeadLetter::Due;
        }
        if self.set_aside.contains(&number) {
            receipt.doubts();
        }
        self.by_handle.insert(Arc::clone(handle), receipt);
        // What is joined with one that was in the way is tried alone with it.
        for subject in judge.subjects(number) {
            if self.has_set_aside(&subject) {
                self.doubts(&subject);
            }
        }
    }

    /// Takes note of the answer to what was asked of a handle.
    pub fn answered(&mut self, handle: &str, request: Request, outcome: &EntryOutcome) {
        if let Some(receipt) = self.by_handle.get_mut(handle) {
            receipt.answered(request, outcome);
            if receipt.is_deleted() {
                self.gone.insert(parse(handle).0);
            }
        }
    }

    pub fn get(&self, handle: &str) -> Option<&Receipt> {
        self.by_handle.get(handle)
    }

    pub fn get_mut(&mut self, handle: &str) -> Option<&mut Receipt> {
        self.by_handle.get_mut(handle)
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut Receipt)> {
        self.by_handle.iter_mut()
    }

    /// Those that the worker still has to settle.
    pub fn open(&self, who: &Life) -> impl Iterator<Item = (&Arc<str>, &Receipt)> {
        let tries_min = tries_min(who);
        self.by_handle.iter().filter(move |(_, receipt)| receipt.is_open(tries_min))
    }

    /// Those that the worker holds, or has left to the queue.
    pub fn perhaps_held(&self, who: &Life) -> impl Iterator<Item = &Arc<str>> {
        let tries_min = tries_min(who);
        let is_either = move |receipt: &Receipt| {
            receipt.may_be_held(tries_min) && receipt.may_be_left(tries_min)
        };
        self.by_handle
            .iter()
            .filter(move |(_, receipt)| is_either(receipt))
            .map(|(handle, _)| handle)
    }

    pub fn open_mut(&mut self, who: &Life) -> impl Iterator<Item = (&Arc<str>, &mut Receipt)> {
        let tries_min = tries_min(who);
        self.by_handle.iter_mut().filter(move |(_, receipt)| receipt.is_open(tries_min))
    }

    /// Receipts of messages that ask for this document and are not settled, as far as is known.
    pub fn of_subject(&self, subject: &Subject) -> impl Iterator<Item = &Receipt> {
        let handles = self.by_subject.get(subject).into_iter().flatten();
        handles
            .filter_map(|handle| self.by_handle.get(handle))
            .filter(|receipt| !receipt.is_settled())
    }

    /// Changes each of these.
    fn change_of_subject(&mut self, subject: &Subject, mut change: impl FnMut(&mut Receipt)) {
        let Some(handles) = self.by_subject.get_mut(subject) else { return };
        let by_handle = &mut self.by_handle;
        handles.retain(|handle| by_handle.get(handle).is_some_and(|receipt| !receipt.is_settled()));
        for handle in handles {
            by_handle.entry(Arc::clone(handle)).and_modify(&mut change);
        }
    }

    /// The document that was made of a message is as large as this. Of several messages one is
    /// written; who knows which.
    pub fn made(&mut self, subject: &Subject, bytes: usize) {
        let mut made_bytes = Some(bytes);
        self.change_of_subject(subject, |receipt| {
            receipt.made_bytes = made_bytes.take().unwrap_or(receipt.made_bytes);
        });
    }

    /// Takes note of what the store said of these documents.
    pub fn wrote(
        &mut self,
        collection: &str,
        subjects: &[Option<Subject>],
        outcome: &WriteOutcome,
    ) {
        let items = match outcome {
            WriteOutcome::Answered { items, .. } => items,
            WriteOutcome::Unconfirmed(fault) => {
                match (fault.kind, subjects) {
                    (StoreFaultKind::Collection, _) => {
                        subjects.iter().flatten().for_each(|subject| self.doubts(subject));
                    }
                    // One alone from which the server does not return is left.
                    (StoreFaultKind::NoAnswer, [Some(subject)]) => self.sets_aside(subject),
                    _ => {}
                }
                return;
            }
        };
        for (subject, item) in subjects.iter().zip(items) {
            let Some(subject) = subject else { continue };
            // Of several messages that ask for one document, the one in doubt may be another than
            // the one that was written.
            let is_alone = self.of_subject(subject).count() == 1;
            self.change_of_subject(subject, |receipt| match item {
                ItemOutcome::Written | ItemOutcome::AlreadyThere => {
                    receipt.is_written(is_alone);
                    if collection == DEAD_LETTERS && is_alone {
                        receipt.dead_letter = DeadLetter::Kept(Instant::now());
                    }
                }
                // Its dead letter is due.
                ItemOutcome::Rejected(_) if collection != DEAD_LETTERS => {
                    receipt.is_rejected();
                }
                ItemOutcome::Rejected(_)
                | ItemOutcome::Doubtful(_)
                | ItemOutcome::Unconfirmed(_) => {
                    // A doubt that is proven ends as a rejection.
                    if matches!(item, ItemOutcome::Doubtful(_)) {
                        receipt.is_rejected();
                    }
                    receipt.doubts();
                }
            });
        }
    }

    /// Those that wait for their dead letters hold half of what the worker may hold at most: beyond
    /// that they may be left in the queue.
    pub fn looks_at_rejected(&mut self, who: &Life) {
        let limits = &who.conditions().plan.config.in_flight;
        let rejected = || self.by_handle.values().filter(|receipt| receipt.waits_for_dead_letter());
        // What is made of a message is about as large again.
        let bytes: usize =
            rejected().map(|receipt| 2 * receipt.bytes() + 2 * receipt.made_bytes).sum();
        if rejected().count() > limits.messages_max / 2 || bytes > limits.bytes_max / 4 {
            let all = self.by_handle.iter_mut();
            for (handle, receipt) in all.filter(|(_, receipt)| receipt.waits_for_dead_letter()) {
                receipt.doubts();
                who.conditions().may_leave(handle);
            }
        }
    }

    /// The messages that ask for this document may be left in the queue.
    pub fn doubts(&mut self, subject: &Subject) {
        self.change_of_subject(subject, Receipt::doubts);
    }

    /// The messages that ask for this document were in the way of others.
    pub fn sets_aside(&mut self, subject: &Subject) {
        self.doubts(subject);
        let handles = self.by_subject.get(subject).into_iter().flatten();
        self.set_aside.extend(handles.map(|handle| parse(handle).0));
    }

    /// Whether a message that asks for this document was in the way of others and is there still.
    fn has_set_aside(&self, subject: &Subject) -> bool {
        let mut handles = self.by_subject.get(subject).into_iter().flatten();
        handles.any(|handle| {
            let number = parse(handle).0;
            self.set_aside.contains(&number) && !self.gone.contains(&number)
        })
    }

    /// After an orderly end: whatever came was settled, or left for a reason, or asked for often
    /// enough.
    pub fn ended(&self, who: &Life) {
        let history = &who.conditions().history;
        for (handle, receipt) in self.open(who) {
            let (tries, name) = (receipt.tries(), &who.name);
            history.violation(|| {
                format!("{name} ended and has not settled {handle}, after {tries} tries")
            });
        }
    }
}

fn tries_min(who: &Life) -> usize {
    if who.stop.is_letting_go() { SETTLE_TRIES_LETTING_GO_MIN } else { SETTLE_TRIES_MIN }
}
