//! Adaptive receive: one long poll while idle, more while there is a backlog.
//!
//! A receive that came back at once and well filled, or with messages that had waited, starts another, up to
//! `queue.pollers_max` (the queue often returns fewer than ten although there are more); an empty one ends, down to one. So
//! idling costs one request per `queue.wait`, and load a tenth of a request per message.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::brake::Brake;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::{QueueConfig, RetryConfig};
use crate::gate::Gate;
use crate::held::Held;
use crate::message::{QueueMessage, Receipt};
use crate::retry::Backoff;
use crate::stop::Stop;
use crate::telemetry::signals::{ReceiveFailed, Received, Signals};

use super::{BATCH_MAX, Queue, QueueFault, visibility};

/// A receive with at least this many messages, returned at once, tells of a backlog.
const WELL_FILLED: usize = 5;

/// "At once": a receive that waited longer had an empty queue before it.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A message that waited longer than this tells of a backlog.
const WAITED_MS: i64 = 1_000;

/// Between two receives of an empty queue at least.
const IDLE_MIN: Duration = Duration::from_secs(1);

/// How long a receive in progress may still run when the worker lets go: what is held is given back only after it. At the drain
/// deadline only one that hangs is still there.
const LETTING_GO_MAX: Duration = Duration::from_secs(1);

/// What a message is taken to need before any was seen.
const MESSAGE_BYTES_FIRST: usize = 16 * 1024;

/// What receiving works with.
pub struct PollersContext<Q> {
    pub queue: Arc<Q>,
    pub config: QueueConfig,
    pub visibility_timeout: Duration,
    /// A FIFO queue: receives carry an attempt id, the same at a retry.
    pub fifo: bool,
    pub budget: Budget,
    pub held: Held,
    pub gate: Gate,
    pub brake: Brake,
    pub retry: RetryConfig,
    pub clock: Arc<dyn Clock>,
    pub stop: Stop,
    pub signals: Signals,
}

/// Receives until the stop, and hands every receipt to `intake`. Receives in progress are not cancelled, because a cancelled
/// long poll can leave messages hidden for their whole timeout: they run out, and `intake` releases what they bring. Only a
/// worker that lets go gives them up.
pub async fn run<Q: Queue>(context: PollersContext<Q>, intake: impl Fn(Vec<Receipt>) + Send + Sync + 'static) {
    let pollers_max = context.config.pollers_max;
    let poller = Arc::new(Poller { context, intake, message_bytes: AtomicUsize::new(MESSAGE_BYTES_FIRST), attempts: AtomicUsize::new(0) });
    let stop = poller.context.stop.clone();
    let mut backoff = Backoff::new(&poller.context.retry, poller.context.clock.clone());
    let mut receives = JoinSet::new();
    let mut retries = Retries::default();
    loop {
        if stop.is_draining() && receives.is_empty() {
            return;
        }
        if receives.is_empty() {
            let pause = retries.pause.take().unwrap_or_default();
            receives.spawn(Arc::clone(&poller).receive(pause, retries.attempts.pop_front()));
        }
        let Some(joined) = receives.join_next().await else { continue };
        match joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
            seen @ (Seen::Backlog | Seen::Some) => {
                backoff.reset();
                retries.pause = None;
                let is_slowed = poller.context.brake.pause().is_some();
                let more = match seen {
                    _ if is_slowed => usize::from(receives.is_empty()),
                    Seen::Backlog if receives.len() + 1 < pollers_max => 2,
                    _ => 1,
                };
                for _ in 0..more {
                    receives.spawn(Arc::clone(&poller).receive(Duration::ZERO, retries.attempts.pop_front()));
                }
            }
            Seen::Nothing => {
                backoff.reset();
                // Without a long poll an empty queue would be asked as fast as it answers.
                retries.pause = Some(IDLE_MIN.saturating_sub(poller.context.config.wait)).filter(|pause| !pause.is_zero());
            }
            Seen::Fault { fault, attempt } => {
                // Many that fail together are one fault.
                let retry_in = *retries.pause.get_or_insert_with(|| backoff.next_interval());
                poller.context.signals.emit(&ReceiveFailed { fault: &fault.text, retry_in });
                // One asks again; the others end, or many pollers would hammer a queue that is down.
                retries.attempts.extend(attempt);
            }
            Seen::Stopped => {}
        }
    }
}

/// What is to be tried again once no receive is in progress.
#[derive(Default)]
struct Retries {
    pause: Option<Duration>,
    /// Of FIFO receives whose answer was lost: the queue gives the same messages for them again.
    attempts: VecDeque<String>,
}

/// What one receive tells about the queue.
enum Seen {
    /// There is more.
    Backlog,
    Some,
    Nothing,
    Fault {
        fault: QueueFault,
        attempt: Option<String>,
    },
    /// Nothing was asked: the worker stops.
    Stopped,
}

struct Poller<Q, I> {
    context: PollersContext<Q>,
    intake: I,
    /// The largest message lately seen, which sizes the reservation of the next receive.
    message_bytes: AtomicUsize,
    /// Names FIFO receive attempts.
    attempts: AtomicUsize,
}

impl<Q: Queue, I: Fn(Vec<Receipt>) + Send + Sync> Poller<Q, I> {
    /// One receive: pause, gate, budget, ask, hand over.
    async fn receive(self: Arc<Self>, pause: Duration, attempt: Option<String>) -> Seen {
        let context = &self.context;
        let bytes = self.message_bytes.load(Ordering::Relaxed) * BATCH_MAX;
        let ready = async {
            sleep(pause.max(context.brake.pause().unwrap_or_default())).await;
            loop {
                context.gate.opened().await;
                let permit = context.budget.acquire(BATCH_MAX, bytes).await;
                // It may have closed while this waited for room.
                if let Some(receiving) = context.gate.receive() {
                    return (permit, receiving);
                }
            }
        };
        // In progress until the messages are handed over.
        let (mut permit, _receiving) = tokio::select! {
            biased;
            () = context.stop.draining() => return Seen::Stopped,
            ready = ready => ready,
        };
        let attempt = attempt.or_else(|| self.next_attempt());
        let asked = Instant::now();
        let given_up = async {
            context.stop.letting_go().await;
            sleep(LETTING_GO_MAX).await;
        };
        let messages = tokio::select! {
            biased;
            answer = context.queue.receive(BATCH_MAX, context.config.wait, attempt.as_deref()) => match answer {
                Ok(messages) => messages,
                Err(fault) => return Seen::Fault { fault, attempt },
            },
            () = given_up => return Seen::Stopped,
        };
        let redelivered = messages.iter().filter(|message| message.receive_count > 1).count();
        context.signals.emit(&Received { messages: messages.len(), redelivered });
        let seen = self.look(&messages, asked);
        // Hidden since some moment after the question: counted from there, nothing is extended too late.
        let due = visibility::due(asked.max(Instant::now().checked_sub(AT_ONCE).unwrap_or(asked)), context.visibility_timeout);
        let receipts: Vec<_> = messages
            .into_iter()
            .map(|message| {
                let permit = permit.split_message(message.bytes());
                Receipt::new(message, Instant::now(), due, permit, &context.held)
            })
            .collect();
        drop(permit);
        if !receipts.is_empty() {
            (self.intake)(receipts);
        }
        seen
    }

    fn look(&self, messages: &[QueueMessage], asked: Instant) -> Seen {
        let Some(largest) = messages.iter().map(QueueMessage::bytes).max() else { return Seen::Nothing };
        // Grows at once, shrinks slowly: a reservation too large delays a receive, one too small overdraws the budget.
        let before = self.message_bytes.load(Ordering::Relaxed);
        self.message_bytes.store(largest.max(before - before / 8), Ordering::Relaxed);
        let now_ms = self.context.clock.now_ms();
        let at_once = asked.elapsed() < AT_ONCE && messages.len() >= WELL_FILLED;
        let waited = messages.iter().any(|message| now_ms.saturating_sub(message.sent_ms) > WAITED_MS);
        if at_once || waited { Seen::Backlog } else { Seen::Some }
    }

    fn next_attempt(&self) -> Option<String> {
        self.context.fifo.then(|| {
            let number = self.attempts.fetch_add(1, Ordering::Relaxed);
            format!("{}-{number}-{:.0}", self.context.clock.now_ms(), self.context.clock.random() * 1e9)
        })
    }
}
