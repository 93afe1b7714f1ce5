//! The side that sends: a [`Producer`] makes it hard to send what a worker would refuse, doubles, or
//! cannot put in order.
//!
//! ```no_run
//! use std::time::{Duration, SystemTime};
//!
//! use longshore::{Event, Message, Producer, ProducerConfig, Session};
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/portal";
//! let producer = Producer::connect(ProducerConfig::new(url)).await?;
//!
//! // Waits for room, and then for the queue: from here on nothing loses it.
//! let event = Event::new(123, "login").metadata(&json!({ "ip": "10.0.0.1" }));
//! producer.send(event).await?.await?;
//!
//! // In a request handler: waits for nothing. The receipt may be dropped; what is not sent is then
//! // counted and logged.
//! let session = Session::new("s-81", &json!({ "cart": ["a"] })).last_accessed(SystemTime::now());
//! drop(producer.try_send(session)?);
//!
//! // A route of your own.
//! producer.send(Message::new("order", &json!({ "order_id": 7, "total": 12.5 }))).await?.await?;
//!
//! // At shutdown.
//! producer.drain(Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//!
//! - **Batches as they come**: up to ten messages and 1 MiB a call, a batch that is not full after
//!   [`ProducerConfig::linger`]. Up to 8 calls in flight; one to a FIFO queue.
//! - **Identity**: each message gets the attributes `longshore-id`, a UUID of version 7, and
//!   `longshore-time`. Both rise with the calls, within a millisecond and when the clock is set back
//!   too, and a retry keeps them: of two calls one after the other the later wins, and what is sent
//!   twice because an answer was lost is one message.
//! - **Retries** of what failed and nothing else, with pauses that grow, until
//!   [`RetryConfig::budget`](crate::retry::RetryConfig::budget) is spent. While the queue takes nothing, one call at a time asks whether
//!   it does again.
//! - **Bounded memory**: [`ProducerConfig::waiting_max`] messages of
//!   [`ProducerConfig::waiting_bytes_max`] bytes. Beyond that [`Producer::send`] waits and
//!   [`Producer::try_send`] gives the message back.
//! - **No message without an end**: each receipt says that it was sent or why not. A queue that takes
//!   nothing is told in the log once, and so is its return.
//! - **Checks** by the worker's own reader, at the call: what every worker would refuse is refused
//!   with the place of the fault, and of the built-in types also what their routes refuse. The
//!   settings of a worker may differ from the defaults: [`ProducerConfig::checks`] says what holds.
//! - **Traces**: the current span, of `tracing` with `tracing-opentelemetry` or of OpenTelemetry
//!   itself (in the versions that this crate uses), goes along as `traceparent` and `tracestate`.
//!
//! The only right in AWS that it needs is `sqs:SendMessage`, and those of the queue's KMS key.
//!
//! # Values
//!
//! Whatever serializes, as `serde_json` would write it, but for: NaN and Infinity, which are refused
//! rather than written as null; bytes, which become binary; and the types of the crate `bson`
//! (`ObjectId`, `DateTime`, `Binary`, `Decimal128`), which stay what they are. A UUID within a value
//! is a text unless it is a `bson::Binary`.

mod at;
mod checked;
pub(crate) mod delivery;
mod fill;
mod identity;
mod json;
pub(crate) mod limits;
mod message;
pub(crate) mod outbox;
mod receipt;
mod room;
pub(crate) mod settings;
mod shared;
mod task;
#[cfg(test)]
mod tests;
mod trace;
mod typed;
mod waiting;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::{Clock, SystemClock};
use crate::queue::sqs::{Credentials, SqsQueue};
use crate::queue::{QueueConfig, QueueFault, Sends, Transport};

pub use crate::message::Key;
pub use message::{BadMessage, Message};
pub use receipt::{Counts, NotSent, SendReceipt, Sent};
pub use settings::{Checks, Compression, ProducerConfig};
pub use typed::{Cache, Event, Session};

use message::Making;
use outbox::Delivery;
use room::{NoPlace, Room};
use shared::Shared;

/// What the texts of faults call the setting that names the queue.
const QUEUE_URL: &str = "queue_url";

/// Sends messages to one queue. Clones are the same producer; when the last one is dropped, what
/// waits is sent for as long as the runtime lives. [`Producer::drain`] waits for that.
#[derive(Clone)]
pub struct Producer(Arc<Handle>);

/// All clones.
struct Handle {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    making: Making,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Why a producer could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    #[error("{0}")]
    Settings(String),
    #[error(transparent)]
    Queue(#[from] QueueFault),
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the message is not sent: {0}")]
    Bad(#[from] BadMessage),
    /// Here is the message.
    #[error("the producer is drained and takes nothing more")]
    Ended(Message),
}

/// Why a message was not taken at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError {
    /// As much waits as may. Here is the message.
    #[error("as many messages or bytes wait as may: try later, or wait with `send`")]
    Full(Message),
    #[error("the message is not sent: {0}")]
    Bad(#[from] BadMessage),
    /// Here is the message.
    #[error("the producer is drained and takes nothing more")]
    Ended(Message),
}

/// What a drain left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{messages} messages were not confirmed within {within:?}")]
pub struct Undrained {
    /// Given up, those in flight among them, which may have reached the queue.
    pub messages: u64,
    pub within: Duration,
}

impl Producer {
    /// Makes a producer for the queue of `config`. The queue is asked nothing: whether it is there
    /// is seen at the first message.
    ///
    /// # Errors
    /// Where a setting is out of its bounds, or there is no region or no credentials.
    pub async fn connect(config: ProducerConfig) -> Result<Self, ConnectError> {
        config.check().map_err(ConnectError::Settings)?;
        let settings = QueueConfig { transport: Transport::Sdk, ..config.queue.clone() };
        let credentials =
            config.credentials.clone().unwrap_or_else(|| Credentials::chain(&settings));
        let queue = SqsQueue::unasked(QUEUE_URL, &settings, credentials).await?;
        Ok(Self::start(Arc::new(queue), &config, config.delivery()))
    }

    /// The same on a queue of your own making, such as one in a test. Whether it is FIFO is told by
    /// the URL in `config`.
    ///
    /// # Errors
    /// Where a setting is out of its bounds.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn on(queue: Arc<dyn Sends>, config: &ProducerConfig) -> Result<Self, ConnectError> {
        config.check().map_err(ConnectError::Settings)?;
        Ok(Self::start(queue, config, config.delivery()))
    }

    /// The same with a delivery of one's own.
    pub(crate) fn start(
        queue: Arc<dyn Sends>,
        config: &ProducerConfig,
        delivery: Delivery,
    ) -> Self {
        Self::start_by(Arc::new(SystemClock::default()), queue, config, delivery)
    }

    fn start_by(
        clock: Arc<dyn Clock>,
        queue: Arc<dyn Sends>,
        config: &ProducerConfig,
        delivery: Delivery,
    ) -> Self {
        let (compression, checks) = (config.compression, config.checks);
        let making = Making { compression, fifo: delivery.fifo, checks };
        let room = Room::new(config.waiting_max, config.waiting_bytes_max);
        let shared = Arc::new(Shared::new(queue, delivery, room, Arc::clone(&clock)));
        tokio::spawn(task::run(Arc::clone(&shared)));
        Self(Arc::new(Handle { shared, clock, making }))
    }

    /// Checks the message, waits for room, and queues it. The receipt resolves when SQS has it, or
    /// when it is given up. Dropping the future before it is done sends nothing.
    ///
    /// # Errors
    /// Where the message is bad, or nothing more is taken.
    pub async fn send(&self, message: impl Into<Message>) -> Result<SendReceipt, SendError> {
        let message = self.ready(message.into())?;
        let shared = &self.0.shared;
        let Some(place) = shared.room.wait(message.bytes()).await else {
            return Err(SendError::Ended(message));
        };
        let gets_identity = message.gets_identity();
        let entered = shared.enter(message.into_outgoing(), place, gets_identity);
        entered.map_err(|again| SendError::Ended(Message::as_it_is(again, gets_identity)))
    }

    /// The same without waiting for room. Checking and packing a large message takes its time all the same, here.
    ///
    /// # Errors
    /// Where the message is bad, there is no room, or nothing more is taken.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<SendReceipt, TrySendError> {
        let message = self.ready(message.into())?;
        let shared = &self.0.shared;
        let place = match shared.room.try_now(message.bytes()) {
            Ok(place) => place,
            Err(NoPlace::Full) => return Err(TrySendError::Full(message)),
            Err(NoPlace::Closed) => return Err(TrySendError::Ended(message)),
        };
        let gets_identity = message.gets_identity();
        let entered = shared.enter(message.into_outgoing(), place, gets_identity);
        entered.map_err(|again| TrySendError::Ended(Message::as_it_is(again, gets_identity)))
    }

    fn ready(&self, mut message: Message) -> Result<Message, BadMessage> {
        message.make_ready(self.0.making, self.0.clock.now_ms())?;
        Ok(message)
    }

    /// Takes nothing more, and sends what waits. What is not confirmed `within` so long is given up.
    ///
    /// # Errors
    /// How many messages were given up. What failed for another reason is in the receipts, and in
    /// [`Producer::counts`].
    pub async fn drain(&self, within: Duration) -> Result<(), Undrained> {
        let shared = &self.0.shared;
        shared.close();
        if timeout(within, shared.ended.cancelled()).await.is_err() {
            self.let_go().await;
        }
        match shared.tally.counts().abandoned {
            0 => Ok(()),
            messages => Err(Undrained { messages, within }),
        }
    }

    /// Takes nothing more. What waits is sent.
    pub fn close(&self) {
        self.0.shared.close();
    }

    /// Gives up at once what is not confirmed.
    pub(crate) async fn let_go(&self) {
        self.0.shared.let_go.cancel();
        self.0.shared.ended.cancelled().await;
    }

    /// What became of the messages so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.shared.tally.counts()
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
