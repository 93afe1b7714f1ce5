//! The one owner of a message that is held.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use tokio::time::Instant;

use super::origin::Origin;
use super::queue_message::QueueMessage;
use crate::budget::Permit;
use crate::held::{Extension, Held, Stage};

/// A held message. It owns the message, its place in the in-flight budget and the duty to be
/// settled exactly once. It is moved through every stage, and so is a pointer to what it owns; that it
/// dereferences to it keeps the pointer out of every use.
pub struct Receipt(Box<Owned>);

/// What a [`Receipt`] owns.
pub struct Owned {
    /// Grows with every message that this process received; names the receipt in logs and tables.
    pub number: u64,
    pub message: QueueMessage,
    /// When the receive that brought it returned.
    pub received_at: Instant,
    /// The name of the route that its type picked, once that is known.
    pub route: Option<Arc<str>>,
    /// Who sent the message when, once its envelope is open.
    pub origin: Option<Origin>,
    /// The span of the batch that it was last written in, where that is recorded.
    pub processed: Option<Arc<SpanContext>>,
    /// Returned to the budget when the receipt is settled.
    pub permit: Permit,
    stage: Option<Stage>,
    held: Held,
    settled: bool,
}

impl Receipt {
    /// Takes the message into the table of what is held; its visibility is to be extended at `due`.
    #[must_use]
    pub fn new(
        message: QueueMessage,
        received_at: Instant,
        due: Instant,
        permit: Permit,
        held: &Held,
    ) -> Self {
        let number = held.enter(Arc::clone(&message.receipt_handle), received_at, due);
        Self(Box::new(Owned {
            number,
            message,
            received_at,
            route: None,
            origin: None,
            processed: None,
            permit,
            stage: None,
            held: held.clone(),
            settled: false,
        }))
    }

    /// The message has come to `stage`.
    pub fn enter(&mut self, stage: Stage) {
        let before = self.stage.replace(stage);
        self.held.count_stage(before, Some(stage));
    }

    /// The number of the message that was received last.
    #[must_use]
    pub fn latest_number(&self) -> u64 {
        self.held.latest_number()
    }

    /// The lowest number of those that are held.
    #[must_use]
    pub fn oldest_number(&self) -> u64 {
        self.held.oldest_number()
    }

    /// From now on nothing hides the message any longer: it is to be given back. Returns the
    /// extension in flight, if there is one. Only [`crate::settle`] calls this.
    pub(crate) fn take_over(&self) -> Option<Arc<Extension>> {
        self.held.take_over(self.number)
    }

    /// Extensions that have no answer, also those that are waited for no more.
    pub(crate) fn unanswered_extensions(&self) -> Vec<Arc<Extension>> {
        self.held.unanswered(self.number)
    }

    /// Ends the receipt. Only [`crate::settle`] calls this, after the queue has answered.
    pub(crate) fn settled(mut self) {
        self.settled = true;
        self.held.settle(self.number);
    }
}

impl Deref for Receipt {
    type Target = Owned;

    fn deref(&self) -> &Owned {
        &self.0
    }
}

impl DerefMut for Receipt {
    fn deref_mut(&mut self) -> &mut Owned {
        &mut self.0
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("number", &self.number)
            .field("message_id", &self.message.message_id)
            .finish_non_exhaustive()
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let stage = self.stage.take();
        self.held.count_stage(stage, None);
        if !self.settled {
            // A teardown drops thousands: whoever looks at the table says it once.
            self.held.forget(self.number);
        }
    }
}
