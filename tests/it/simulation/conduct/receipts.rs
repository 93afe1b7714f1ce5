//! Every receipt handle that a worker was given and what became of it, kept from outside: from what was delivered, asked,
//! answered and written, never from what the worker says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use longshore::queue::EntryOutcome;
use longshore::store::{ItemOutcome, WriteOutcome};
use tokio::time::Instant;

use crate::simulation::incarnation::Incarnation;
use crate::simulation::judge::{Judge, Subject};
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
    /// Since the store left a write of its document in doubt: from then on it may be left in the queue.
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
        for subject in judge.subjects(parse(handle).0) {
            self.by_subject.entry(subject).or_default().push(Arc::clone(handle));
        }
        self.by_handle.insert(Arc::clone(handle), Receipt::new(delivery));
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
    pub fn of_subject(&mut self, subject: &Subject) -> Vec<&mut Receipt> {
        let Some(handles) = self.by_subject.get(subject) else { return Vec::new() };
        let is_meant = |(handle, receipt): &(&Arc<str>, &mut Receipt)| handles.contains(*handle) && !receipt.is_settled();
        self.by_handle.iter_mut().filter(is_meant).map(|(_, receipt)| receipt).collect()
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
    pub fn wrote(&mut self, subjects: &[Option<Subject>], outcome: &WriteOutcome) {
        let WriteOutcome::Answered { items, .. } = outcome else { return };
        for (subject, item) in subjects.iter().zip(items) {
            let Some(subject) = subject else { continue };
            for receipt in self.of_subject(subject) {
                match item {
                    ItemOutcome::Written | ItemOutcome::AlreadyThere => receipt.written = true,
                    ItemOutcome::Rejected(_) | ItemOutcome::Doubtful(_) | ItemOutcome::Unconfirmed(_) => {
                        receipt.doubt.get_or_insert_default();
                    }
                }
            }
        }
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
