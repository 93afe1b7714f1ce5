//! Every receipt handle that a worker was given and what became of it, kept from outside: from what was delivered, asked,
//! answered and written, never from what the worker says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longshore::queue::EntryOutcome;
use longshore::store::{ItemOutcome, StoreFaultKind, WriteOutcome};
use tokio::time::Instant;

use crate::simulation::incarnation::Incarnation;
use crate::simulation::judge::{DEAD_LETTERS, Judge, Subject};
use crate::simulation::queue::{Delivery, parse};

use super::Wish;
use super::hiding::Hidden;

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
    /// Messages, by their numbers, that were in the way of others: when they come back they may be left at any time.
    set_aside: BTreeSet<usize>,
}

pub struct Receipt {
    /// Bytes of the message as it came.
    pub bytes: usize,
    /// Bytes of the document that was made of it, once a write has shown them.
    pub made_bytes: usize,
    pub received_at: Instant,
    pub hidden: Hidden,
    /// Group and place in it, of FIFO queues only.
    pub fifo: Option<(String, u128)>,
    /// Whether the store confirmed a write of its document since it came.
    pub written: bool,
    /// A lower one of its group went back before this one was written.
    pub is_behind_released: bool,
    /// Whether it was there at a drain that nothing disturbs.
    pub must_be_written: bool,
    /// Since the store left a write of its document in doubt, or denied its dead letter: from then on it may be left in the queue.
    doubt: Option<Doubt>,
    /// Deletes and releases that were asked for.
    tries: usize,
    end: Option<End>,
}

/// What was asked to hide a message since its write was in doubt.
#[derive(Default)]
struct Doubt {
    asks: usize,
    is_hidden: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Deleted, or the queue called the handle stale when that was asked.
    Deleted,
    /// Released, or stale at that.
    Released,
    /// The queue called the handle stale when the message was to stay hidden: it may be settled, or dropped.
    Stale,
}

impl Receipt {
    fn new(delivery: &Delivery) -> Self {
        let message = &delivery.message;
        let attributes = message.attributes.iter().map(|(name, value)| name.len() + value.bytes()).sum::<usize>();
        Self {
            bytes: message.body.len() + attributes,
            made_bytes: 0,
            received_at: Instant::now(),
            hidden: Hidden::new(delivery.hidden_at, delivery.hidden_for),
            fifo: message.fifo.as_ref().map(|fifo| (fifo.group.clone(), fifo.sequence)),
            written: false,
            is_behind_released: false,
            must_be_written: false,
            doubt: None,
            tries: 0,
            end: None,
        }
    }

    /// Whether the worker still has to do something about it, of which it was asked `tries_min` times at least.
    pub fn is_open(&self, tries_min: usize) -> bool {
        let is_left = self.doubt.as_ref().is_some_and(|doubt| doubt.is_hidden || doubt.asks >= tries_min);
        self.end.is_none() && self.tries < tries_min && !is_left
    }

    pub fn is_released(&self) -> bool {
        self.end == Some(End::Released)
    }

    fn is_settled(&self) -> bool {
        matches!(self.end, Some(End::Deleted | End::Released))
    }

    pub fn is_doubted(&self) -> bool {
        self.doubt.is_some()
    }
}

impl Receipts {
    pub fn received(&mut self, delivery: &Delivery, judge: &Judge) {
        let handle = &delivery.message.receipt_handle;
        let number = parse(handle).0;
        for subject in judge.subjects(number) {
            self.by_subject.entry(subject).or_default().push(Arc::clone(handle));
        }
        let mut receipt = Receipt::new(delivery);
        receipt.doubt = self.set_aside.contains(&number).then(Doubt::default);
        self.by_handle.insert(Arc::clone(handle), receipt);
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
    pub fn open(&self, who: &Incarnation) -> impl Iterator<Item = (&Arc<str>, &Receipt)> {
        let tries_min = tries_min(who);
        self.by_handle.iter().filter(move |(_, receipt)| receipt.is_open(tries_min))
    }

    pub fn open_mut(&mut self, who: &Incarnation) -> impl Iterator<Item = (&Arc<str>, &mut Receipt)> {
        let tries_min = tries_min(who);
        self.by_handle.iter_mut().filter(move |(_, receipt)| receipt.is_open(tries_min))
    }

    /// Receipts of messages that ask for this document and are not settled, as far as is known.
    pub fn of_subject(&self, subject: &Subject) -> impl Iterator<Item = &Receipt> {
        let handles = self.by_subject.get(subject).into_iter().flatten();
        handles.filter_map(|handle| self.by_handle.get(handle)).filter(|receipt| !receipt.is_settled())
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

    /// The document that was made of a message is as large as this. Of several messages one is written; who knows which.
    pub fn made(&mut self, subject: &Subject, bytes: usize) {
        let mut made_bytes = Some(bytes);
        self.change_of_subject(subject, |receipt| receipt.made_bytes = made_bytes.take().unwrap_or(receipt.made_bytes));
    }

    /// Takes note of what is asked of a handle. Whether it was settled already.
    pub fn asked(&mut self, handle: &str, wish: Wish) -> bool {
        let Some(receipt) = self.by_handle.get_mut(handle) else { return false };
        if wish == Wish::Hide {
            receipt.hidden.asked();
            if let Some(doubt) = &mut receipt.doubt {
                doubt.asks += 1;
            }
            return false;
        }
        receipt.tries += 1;
        receipt.is_settled()
    }

    pub fn answered(&mut self, handle: &str, wish: Wish, outcome: &EntryOutcome) {
        let Some(receipt) = self.by_handle.get_mut(handle) else { return };
        match (wish, outcome) {
            (Wish::Hide, EntryOutcome::Failed(_)) => receipt.hidden.failed(),
            (Wish::Hide, EntryOutcome::Done) => {
                if let Some(doubt) = &mut receipt.doubt {
                    doubt.is_hidden = true;
                }
            }
            (Wish::Hide, EntryOutcome::Stale) => receipt.end = receipt.end.or(Some(End::Stale)),
            (_, EntryOutcome::Failed(_)) => {}
            (Wish::Delete, EntryOutcome::Done | EntryOutcome::Stale) => receipt.end = Some(End::Deleted),
            (Wish::Release, EntryOutcome::Done | EntryOutcome::Stale) => receipt.end = Some(End::Released),
        }
    }

    /// Takes note of what the store said of these documents.
    pub fn wrote(&mut self, collection: &str, subjects: &[Option<Subject>], outcome: &WriteOutcome) {
        let items = match outcome {
            WriteOutcome::Answered { items, .. } => items,
            WriteOutcome::Unconfirmed(fault) => {
                if fault.kind == StoreFaultKind::Denied && collection == DEAD_LETTERS {
                    subjects.iter().flatten().for_each(|subject| self.doubts(subject));
                }
                return;
            }
        };
        for (subject, item) in subjects.iter().zip(items) {
            let Some(subject) = subject else { continue };
            self.change_of_subject(subject, |receipt| match item {
                ItemOutcome::Written | ItemOutcome::AlreadyThere => receipt.written = true,
                ItemOutcome::Rejected(_) | ItemOutcome::Doubtful(_) | ItemOutcome::Unconfirmed(_) => {
                    receipt.doubt.get_or_insert_default();
                }
            });
        }
    }

    /// The messages that ask for this document may be left in the queue.
    pub fn doubts(&mut self, subject: &Subject) {
        self.change_of_subject(subject, |receipt| _ = receipt.doubt.get_or_insert_default());
    }

    /// The messages that ask for this document were in the way of others.
    pub fn sets_aside(&mut self, subject: &Subject) {
        self.doubts(subject);
        let handles = self.by_subject.get(subject).into_iter().flatten();
        self.set_aside.extend(handles.map(|handle| parse(handle).0));
    }

    /// After an orderly end: whatever came was settled, or left for a reason, or asked for often enough.
    pub fn ended(&self, who: &Incarnation) {
        let history = &who.surroundings().history;
        for (handle, receipt) in self.open(who) {
            let (tries, name) = (receipt.tries, &who.name);
            history.violation(|| format!("{name} ended and has not settled {handle}, of which it asked {tries} times"));
        }
    }
}

fn tries_min(who: &Incarnation) -> usize {
    if who.stop.is_letting_go() { SETTLE_TRIES_LETTING_GO_MIN } else { SETTLE_TRIES_MIN }
}
