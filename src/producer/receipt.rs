//! What the caller gets for a message, and what is told where nobody waits for that.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::telemetry::folds::{Folds, Kind};

use super::outbox::Unsent;
use super::room::Place;

/// A message that is in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The id that SQS gave it.
    pub message_id: String,
    /// Its `longshore-id`: the same however often it was sent, and the identity of an event without
    /// an id of its own.
    pub id: String,
}

/// Why a message is not in the queue, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// SQS refuses the message itself; another try would end the same.
    #[error("the queue refuses the message: {0}")]
    Refused(String),
    /// The queue did not take it within the budget of the retries. The text is of the last try,
    /// which may have reached the queue if its answer was lost.
    #[error("not sent in time: {0}")]
    Late(String),
    /// The queue is gone or does not let us send.
    #[error("the queue takes no messages: {0}")]
    Denied(String),
    /// The producer ended first: at the deadline of a drain, or with its runtime. A call that was
    /// in flight may have reached the queue.
    #[error("the producer ended before the queue confirmed the message")]
    Ended,
}

impl NotSent {
    /// What the queue said, without a word around it.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Refused(text) | Self::Late(text) | Self::Denied(text) => text.clone(),
            Self::Ended => self.to_string(),
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Late(_) => "late",
            Self::Denied(_) => "denied",
            Self::Ended => "ended",
        }
    }
}

impl From<Unsent> for NotSent {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Refused(text) => Self::Refused(text),
            Unsent::Late(text) => Self::Late(text),
            Unsent::Denied(text) => Self::Denied(text),
        }
    }
}

/// What became of all messages that a producer took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not settled yet, those in flight among them.
    pub waiting: u64,
    pub sent: u64,
    /// Not sent, for whichever reason.
    pub failed: u64,
    /// Of these: nobody was told by a receipt.
    pub untold: u64,
    /// Of these: the producer ended first.
    pub abandoned: u64,
}

/// Counts what became of messages, and logs what nobody waits for: one line a second of a kind.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<Counts>,
    pub folds: Folds,
}

impl Tally {
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Nobody waits for this: what the receipt would have said.
    fn untold(&self, why: &NotSent) {
        self.count(|counts| counts.untold += 1);
        // How many that were is one line of its own, when the producer has ended.
        if *why == NotSent::Ended {
            return;
        }
        let kind = Kind { what: "not_sent", code: why.code(), place: None, tell: tell_more };
        if self.folds.is_first(Some(kind)) {
            tracing::error!(reason = why.code(), error = %why, "a message was not sent, and nobody waits for its receipt");
        }
    }
}

fn tell_more(kind: Kind<'_>, more: u64) {
    tracing::error!(
        reason = kind.code,
        messages = more,
        "more messages were not sent, and nobody waits for their receipts"
    );
}

/// What becomes of one message, to be awaited. It may be dropped: the message is sent all the same,
/// and if it cannot be, that is counted ([`Counts::untold`]) and logged.
#[derive(Debug)]
#[must_use = "a receipt that nobody awaits tells a failure to the log alone"]
pub struct SendReceipt {
    answer: oneshot::Receiver<Result<Sent, NotSent>>,
    id: String,
    tally: Arc<Tally>,
    is_told: bool,
}

impl SendReceipt {
    /// The `longshore-id` of the message.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Future for SendReceipt {
    type Output = Result<Sent, NotSent>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(context));
        self.is_told = true;
        Poll::Ready(answer.unwrap_or(Err(NotSent::Ended)))
    }
}

impl Drop for SendReceipt {
    fn drop(&mut self) {
        // From here on whoever settles the message knows that nobody waits.
        self.answer.close();
        if !self.is_told
            && let Ok(Err(why)) = self.answer.try_recv()
        {
            self.tally.untold(&why);
        }
    }
}

/// The other end: settles one message, once. Dropped unsettled, the producer has ended.
#[derive(Debug)]
pub struct Pending {
    answer: Option<oneshot::Sender<Result<Sent, NotSent>>>,
    id: String,
    tally: Arc<Tally>,
    /// What it takes of the bounds, for as long as it waits.
    _place: Place,
}

impl Pending {
    pub fn new(id: String, tally: &Arc<Tally>, place: Place) -> (Self, SendReceipt) {
        let (sender, answer) = oneshot::channel();
        tally.count(|counts| counts.waiting += 1);
        let receipt =
            SendReceipt { answer, id: id.clone(), tally: Arc::clone(tally), is_told: false };
        (Self { answer: Some(sender), id, tally: Arc::clone(tally), _place: place }, receipt)
    }

    pub fn settle(mut self, outcome: Result<String, Unsent>) {
        let id = std::mem::take(&mut self.id);
        self.tell(outcome.map(|message_id| Sent { message_id, id }).map_err(NotSent::from));
    }

    fn tell(&mut self, outcome: Result<Sent, NotSent>) {
        let Some(answer) = self.answer.take() else { return };
        self.tally.count(|counts| {
            counts.waiting = counts.waiting.saturating_sub(1);
            match &outcome {
                Ok(_) => counts.sent += 1,
                Err(why) => {
                    counts.failed += 1;
                    counts.abandoned += u64::from(*why == NotSent::Ended);
                }
            }
        });
        if let Err(Err(why)) = answer.send(outcome) {
            self.tally.untold(&why);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.tell(Err(NotSent::Ended));
    }
}
