//! The queue, by its delivery contract. [`sqs`] is the one real implementation; the simulation has
//! another.

pub mod name;
mod outgoing;
pub mod pollers;
pub mod sqs;
pub mod visibility;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::message::QueueMessage;

pub use outgoing::{Outgoing, SEND_BYTES_MAX, SendOutcome};

/// The most messages one receive, delete or visibility call takes (SQS).
pub const BATCH_MAX: usize = 10;

/// The largest message that SQS takes, attributes included (SQS quotas: 1 MiB). A queue may be set
/// to less, and to more again at any time.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The longest long poll (SQS).
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// The longest that an answer may wait for room to be read in: servers and what stands before them
/// keep one for a minute or so.
pub const ROOM_WAIT_MAX: Duration = Duration::from_secs(20);

/// The longest a message may be held from its receive on (SQS: 12 h); a message is released an hour
/// before.
pub const HOLD_MAX: Duration = Duration::from_hours(11);

/// How long after its receive a message is hidden at most. SQS refuses what would end more than 12
/// h after it.
pub const HIDDEN_MAX: Duration = Duration::from_secs(HOLD_MAX.as_secs() + 1_800);

/// Which queue, and how it is asked: the section `queue`.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// Required by commands that touch the queue.
    pub url: Option<String>,
    /// Another endpoint than the host of `url`.
    pub endpoint_url: Option<String>,
    /// Otherwise by the endpoint's host, or the AWS chain (environment, profile, IMDS).
    pub region: Option<String>,
    /// Whether requests may go to another machine without TLS.
    pub allow_insecure: bool,
    pub transport: Transport,
    /// Of a long poll: whole seconds, 0 to 20, and at most `worker.drain_timeout` - 5 s.
    pub wait: Duration,
    /// 1 to 64.
    pub pollers_max: usize,
    /// Otherwise the queue's own attribute. Whole seconds, 5 s to 11 h.
    pub visibility_timeout: Option<Duration>,
}

/// What receives, deletes and hides, which is nearly all that a worker calls. The rest is always the
/// AWS SDK's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Our own, of the same protocol, at a fraction of the cost.
    Lean,
    /// The AWS SDK.
    Sdk,
}

impl Transport {
    /// As it stands in settings and texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lean => "lean",
            Self::Sdk => "sdk",
        }
    }
}

/// What the queue says of itself, as far as a pipeline needs it.
#[derive(Debug, Clone)]
pub struct QueueTraits {
    pub arn: Arc<str>,
    /// How long the queue hides a message that it has delivered.
    pub visibility_timeout: Duration,
    /// Whether it is a FIFO queue: it gives no more of a group until what it gave is gone.
    pub fifo: bool,
    /// The largest message that it takes, attributes included.
    pub message_bytes_max: usize,
}

/// A queue that delivers at least once, in any order, and takes a message back when nobody says
/// that it is done.
///
/// None of the calls retries; all are safe to retry. Dropping the future of a call says nothing
/// about whether it happened.
pub trait Queue: Send + Sync + 'static {
    /// Takes up to `max` (1 to [`BATCH_MAX`]) messages, waiting up to `wait` for the first. Each is
    /// hidden from other receivers for the queue's visibility timeout from about now, and its
    /// receive count has grown by one. What does not find `room` is not read.
    ///
    /// A FIFO queue gives the same messages again for the same `attempt`, if the answer to an
    /// earlier try was lost.
    fn receive_into(
        &self,
        max: usize,
        wait: Duration,
        attempt: Option<&str>,
        room: &mut impl Room,
    ) -> impl Future<Output = Result<Brought, QueueFault>> + Send;

    /// Whether a receive makes room for an answer once it knows the size. Otherwise the room for the
    /// largest answer has to be there before.
    fn tells_size(&self) -> bool;

    /// The same, for who has room for whatever comes.
    fn receive(
        &self,
        max: usize,
        wait: Duration,
        attempt: Option<&str>,
    ) -> impl Future<Output = Result<Vec<QueueMessage>, QueueFault>> + Send {
        async move { Ok(self.receive_into(max, wait, attempt, &mut AnyRoom).await?.messages) }
    }

    /// Deletes by receipt handle, at most [`BATCH_MAX`]. The answers stand in the order of
    /// `handles`, one each; an `Err` of the whole says that nothing is known about any of them.
    fn delete(
        &self,
        handles: &[Arc<str>],
    ) -> impl Future<Output = Result<Vec<EntryOutcome>, QueueFault>> + Send;

    /// Hides each message for `timeout` from now (whole seconds, 0 to 12 h; 0 gives it back at
    /// once). Answers as `delete`.
    fn change_visibility(
        &self,
        handles: &[Arc<str>],
        timeout: Duration,
    ) -> impl Future<Output = Result<Vec<EntryOutcome>, QueueFault>> + Send;
}

/// A queue that messages are sent to. It does not retry; to send again what had no answer may send it
/// twice.
pub trait Sends: Send + Sync {
    /// Sends at most [`BATCH_MAX`] messages of together at most [`SEND_BYTES_MAX`], which the caller
    /// sees to. The answers stand in the order of `messages`.
    ///
    /// # Errors
    /// Where nothing is known about any of them.
    fn send<'a>(&'a self, messages: &'a [Outgoing]) -> BoxFuture<'a, Sent>;
}

/// What became of each message of a send.
pub type Sent = Result<Vec<SendOutcome>, QueueFault>;

/// Room for what a receive brings: made once its size is known, and before it is read.
pub trait Room: Send {
    /// Waits for room for an answer of `bytes` in all, as it comes over the network. Asked again, for
    /// more, where an answer does not tell its size and turns out larger than was thought.
    ///
    /// False: there is none in time. Its messages are hidden already, and nobody knows their handles
    /// yet; so the answer is read for these alone, and what it brings is given back.
    fn make(&mut self, bytes: usize) -> impl Future<Output = bool> + Send;

    /// Until when the messages are hidden from others: what is read later is no longer this
    /// receiver's.
    fn hidden_until(&self) -> Instant;
}

/// For what is read whatever its size.
#[derive(Debug, Clone, Copy)]
pub struct AnyRoom;

impl Room for AnyRoom {
    async fn make(&mut self, _: usize) -> bool {
        true
    }

    fn hidden_until(&self) -> Instant {
        // As good as no bound: no message is held for longer.
        Instant::now() + HIDDEN_MAX
    }
}

/// What a receive brought.
#[derive(Debug, Default)]
pub struct Brought {
    pub messages: Vec<QueueMessage>,
    /// There was no room for them: each has its id and its receipt handle, and nothing else.
    pub are_unread: bool,
}

/// What became of one entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryOutcome {
    Done,
    /// The handle is of an earlier receive, or the message is gone or no longer in flight. Nothing
    /// to do.
    Stale,
    /// Failed for now; worth another try.
    Failed(String),
}

/// Why a call to the queue failed. The kind decides what to do, the text is for people.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct QueueFault {
    pub kind: QueueFaultKind,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueFaultKind {
    /// Asked too often: back off.
    Throttled,
    /// The queue does not exist (any more).
    Missing,
    /// Not allowed, or no valid credentials.
    Denied,
    /// Anything else: network, timeouts, 5xx.
    Unavailable,
}

impl QueueFaultKind {
    /// As it stands in metrics and spans.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Missing => "missing",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
        }
    }
}
