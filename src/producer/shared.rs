//! What the handles of a producer and its task share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::message::Attribute;
use crate::message::origin::{ID_ATTRIBUTE, TIME_ATTRIBUTE};
use crate::queue::{Outgoing, QueueFault, Sends, Sent};

use super::identity::Identities;
use super::outbox::{Batch, Delivery, Next, Outbox};
use super::receipt::{Pending, SendReceipt, Tally};
use super::room::{Place, Room};

pub struct Shared {
    pub queue: Arc<dyn Sends>,
    pub room: Room,
    pub tally: Arc<Tally>,
    /// Wakes the task: something came, or nothing more will.
    pub wake: Notify,
    /// Ends the task at once.
    pub let_go: CancellationToken,
    /// The task has ended.
    pub ended: CancellationToken,
    clock: Arc<dyn Clock>,
    /// Whether a message gets a deduplication id.
    fifo: bool,
    state: Mutex<State>,
}

struct State {
    outbox: Outbox<Pending>,
    identities: Identities,
    is_closed: bool,
}

impl Shared {
    pub fn new(
        queue: Arc<dyn Sends>,
        delivery: Delivery,
        room: Room,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let fifo = delivery.fifo;
        let outbox = Outbox::new(delivery, Arc::clone(&clock));
        Self {
            queue,
            room,
            tally: Arc::default(),
            wake: Notify::new(),
            let_go: CancellationToken::new(),
            ended: CancellationToken::new(),
            clock,
            fifo,
            state: Mutex::new(State {
                outbox,
                identities: Identities::default(),
                is_closed: false,
            }),
        }
    }

    /// Puts a message in its place. It gets its identity here, under the same lock as its place in
    /// the order: of two calls one after the other the later has the greater one.
    ///
    /// # Errors
    /// The message again, where nothing more is taken.
    pub fn enter(
        &self,
        mut message: Outgoing,
        place: Place,
        gets_identity: bool,
    ) -> Result<SendReceipt, Outgoing> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(message);
        }
        let mut id = String::new();
        if gets_identity {
            let identity = state.identities.next(self.clock.now_ms());
            id.clone_from(&identity.id);
            let time = identity.time_ms.to_string();
            message.deduplication = self.fifo.then(|| identity.id.clone());
            message.attributes.push((ID_ATTRIBUTE.to_owned(), Attribute::Text(identity.id)));
            message.attributes.push((TIME_ATTRIBUTE.to_owned(), Attribute::Text(time)));
        }
        let (pending, receipt) = Pending::new(id, &self.tally, place);
        state.outbox.push(message, pending, Instant::now());
        drop(state);
        self.wake.notify_one();
        Ok(receipt)
    }

    /// Takes nothing more. What waits is sent.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.room.close();
        self.wake.notify_one();
    }

    pub fn next(&self) -> Next<Pending> {
        let mut state = self.lock();
        let is_closed = state.is_closed;
        state.outbox.next(Instant::now(), is_closed)
    }

    pub fn answered(&self, batch: Batch<Pending>, answer: Sent) {
        let fault = answer.as_ref().err().cloned();
        let mut state = self.lock();
        let was_in_trouble = state.outbox.is_in_trouble();
        let settled = state.outbox.answered(batch, answer, Instant::now());
        let is_in_trouble = state.outbox.is_in_trouble();
        let is_denied = state.outbox.is_denied();
        drop(state);
        self.tell(was_in_trouble, is_in_trouble, fault);
        // Not under the lock: it wakes whoever waits.
        for (pending, outcome) in settled {
            pending.settle(outcome);
        }
        if is_denied {
            self.close();
        }
    }

    /// Says once that the queue takes nothing, and once that it does again.
    fn tell(&self, was_in_trouble: bool, is_in_trouble: bool, fault: Option<QueueFault>) {
        let waiting = self.tally.counts().waiting;
        match (was_in_trouble, is_in_trouble) {
            (false, true) => {
                let error =
                    fault.map_or_else(|| "every message failed".to_owned(), |fault| fault.text);
                tracing::warn!(
                    waiting,
                    error,
                    "the queue takes no messages: they wait, and are tried again"
                );
            }
            (true, false) => tracing::info!(waiting, "the queue takes messages again"),
            _ => {}
        }
    }

    /// Gives up what is left. Returns how many messages were abandoned in all.
    pub fn end(&self) -> u64 {
        self.close();
        let left = self.lock().outbox.clear();
        drop(left);
        self.tally.folds.tell();
        self.ended.cancel();
        self.tally.counts().abandoned
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
