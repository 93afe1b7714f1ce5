//! One receipt handle that a worker was given, and what became of it.

use std::time::Duration;

use longshore::queue::EntryOutcome;
use tokio::time::Instant;

use crate::simulation::queue::Delivery;

use super::Request;
use super::hiding::{HOLD, Hidden};
use super::last_word::Calls;

/// What the worker hears and what it does about it may be so far apart.
const JUST_NOW: Duration = Duration::from_secs(1);

pub struct Receipt {
    /// Bytes of the message as it came; `None` where there was no room for it.
    bytes: Option<usize>,
    /// Bytes of the document that was made of it, once a write has shown them.
    pub made_bytes: usize,
    pub received_at: Instant,
    pub hidden: Hidden,
    pub calls: Calls,
    /// Group and place in it, of FIFO queues only.
    pub fifo: Option<(String, u128)>,
    /// Whether the store confirmed a write of its document since it came, or it has none.
    pub written: bool,
    pub dead_letter: DeadLetter,
    /// A lower one of its group went back before this one was written.
    pub is_behind_released: bool,
    /// Whether it was there at a drain that nothing disturbs.
    pub must_be_written: bool,
    /// Since the store left a write of its document in doubt, or denied its dead letter: from then
    /// on it may be left in the queue.
    doubt: Option<Doubt>,
    /// Deletes or releases that failed: see [`Receipt::unanswered`].
    tries: usize,
    /// Which of the two was asked for.
    request: Option<Request>,
    /// That of these for whose answer the worker waits.
    pending: Option<Request>,
    end: Option<End>,
}

/// What was asked to hide a message since its write was in doubt.
#[derive(Default)]
struct Doubt {
    asks: usize,
    is_hidden: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub enum DeadLetter {
    #[default]
    NotDue,
    /// The message is rejected, or may be for a doubt.
    Due,
    /// Confirmed at that time.
    Kept(Instant),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Deleted, or the queue called the handle stale when that was asked.
    Deleted,
    /// Released, or stale at that.
    Released,
    /// The queue called the handle stale when the message was to stay hidden: it may be settled, or
    /// dropped.
    Stale,
}

impl Receipt {
    pub fn new(delivery: &Delivery) -> Self {
        let message = &delivery.message;
        let attributes = message
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.bytes())
            .sum::<usize>();
        Self {
            bytes: Some(message.body.len() + attributes),
            made_bytes: 0,
            received_at: Instant::now(),
            hidden: Hidden::new(delivery.hidden_at, delivery.hidden_for),
            calls: Calls::default(),
            fifo: message.fifo.as_ref().map(|fifo| (fifo.group.clone(), fifo.sequence)),
            written: false,
            dead_letter: DeadLetter::default(),
            is_behind_released: false,
            must_be_written: false,
            doubt: None,
            tries: 0,
            request: None,
            pending: None,
            end: None,
        }
    }

    /// Whether the worker still has to do something about it, of which it was asked `tries_min`
    /// times at least.
    pub fn is_open(&self, tries_min: usize) -> bool {
        self.may_be_held(tries_min) && !self.may_be_left(tries_min)
    }

    pub fn may_be_held(&self, tries_min: usize) -> bool {
        self.end.is_none() && self.tries < tries_min
    }

    /// Whether it was hidden since it is in doubt. Who knows whether it is left to the queue then,
    /// or held on.
    pub fn may_be_left(&self, tries_min: usize) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| doubt.is_hidden || doubt.asks >= tries_min)
    }

    /// Whether it waits for its dead letter, or did a moment ago.
    pub fn waits_for_dead_letter(&self) -> bool {
        let waits = match self.dead_letter {
            DeadLetter::NotDue => false,
            DeadLetter::Due => true,
            DeadLetter::Kept(at) => at.elapsed() <= JUST_NOW,
        };
        waits && !self.is_settled()
    }

    /// Whether the queue will soon refuse to hide it any longer.
    pub fn is_overdue(&self) -> bool {
        self.received_at.elapsed() >= HOLD
    }

    pub fn is_released(&self) -> bool {
        self.end == Some(End::Released)
    }

    pub fn is_deleted(&self) -> bool {
        self.end == Some(End::Deleted)
    }

    /// Whether the worker has asked to give it back. Whatever becomes of that, it need not hide it.
    pub fn is_given_back(&self) -> bool {
        self.request == Some(Request::Release)
    }

    pub fn is_settled(&self) -> bool {
        matches!(self.end, Some(End::Deleted | End::Released))
    }

    pub fn is_doubted(&self) -> bool {
        self.doubt.is_some()
    }

    /// Deletes or releases that failed: see [`Receipt::unanswered`].
    pub fn tries(&self) -> usize {
        self.tries
    }

    /// Nothing of it is in memory but its handle, and it goes back.
    pub fn goes_back_unread(&mut self) {
        self.bytes = None;
    }

    pub fn is_unread(&self) -> bool {
        self.bytes.is_none()
    }

    /// What it takes in memory as it came.
    pub fn bytes(&self) -> usize {
        self.bytes.unwrap_or_default()
    }

    /// Its dead letter is due, or may be for a doubt. What was made of it is needed no more.
    pub fn is_rejected(&mut self) {
        self.dead_letter = DeadLetter::Due;
        self.made_bytes = 0;
    }

    /// From now on it may be left in the queue.
    pub fn doubts(&mut self) {
        self.doubt.get_or_insert_default();
    }

    /// Of several messages that ask for one document, the one in doubt may be another than the one
    /// that was written.
    pub fn is_written(&mut self, is_alone: bool) {
        self.written = true;
        self.doubt = self.doubt.take().filter(|doubt| doubt.is_hidden || !is_alone);
    }

    /// Takes note of what is asked of its handle.
    ///
    /// # Errors
    /// Why that must not be asked: every receipt is settled once.
    pub fn asked(&mut self, request: Request) -> Result<(), &'static str> {
        if request == Request::Hide {
            self.hidden.asked();
            if let Some(doubt) = &mut self.doubt {
                doubt.asks += 1;
            }
            return Ok(());
        }
        if self.calls.is_again() {
            return Ok(());
        }
        let is_pending = self.pending.replace(request).is_some();
        let before = self.request.replace(request);
        if self.is_settled() {
            Err("which is settled already")
        } else if is_pending {
            Err("though it waits for the answer to that")
        } else if before.is_some_and(|before| before != request) && self.end.is_none() {
            Err("though it asked for the other before")
        } else {
            Ok(())
        }
    }

    /// A call failed as a whole, or the worker waits for it no more. Of deletes that is no try:
    /// what is written is kept until the queue takes deletes again, unless that `may_end`.
    pub fn unanswered(&mut self, request: Request, may_end: bool) {
        if request == Request::Hide {
            return self.hidden.failed();
        }
        self.pending = None;
        self.tries += usize::from(request == Request::Release || may_end);
    }

    pub fn answered(&mut self, request: Request, outcome: &EntryOutcome) {
        if request != Request::Hide {
            self.pending = None;
        }
        match (request, outcome) {
            (Request::Hide, EntryOutcome::Failed(_)) => self.hidden.failed(),
            (Request::Hide, EntryOutcome::Done) => {
                if let Some(doubt) = &mut self.doubt {
                    doubt.is_hidden = true;
                }
            }
            (Request::Hide, EntryOutcome::Stale) => self.end = self.end.or(Some(End::Stale)),
            (_, EntryOutcome::Failed(_)) => self.tries += 1,
            (Request::Delete, EntryOutcome::Done | EntryOutcome::Stale) => {
                self.end = Some(End::Deleted);
            }
            (Request::Release, EntryOutcome::Done | EntryOutcome::Stale) => {
                self.end = Some(End::Released);
            }
        }
    }
}
