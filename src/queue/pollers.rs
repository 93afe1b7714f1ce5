//! Adaptive receive: one long poll while idle, more while there is a backlog.
//!
//! A receive that came back at once and well filled, or with messages that had waited, starts
//! another, up to `queue.pollers_max` (the queue often returns fewer than ten although there are
//! more); an empty one ends, down to one. Nothing else counts, this machine's wall clock least of
//! all: see `waits`. So idling costs one request per `queue.wait`, and load a
//! tenth of a request per message.
//!
//! Before it asks, a receive reserves the most that the answer can bring: that many messages of the
//! largest size, each with room for what is made of it. What they turn out not to need goes back on
//! arrival.

mod waits;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::budget::Shares;
use crate::budget::{Budget, Permit, Used};
use crate::flow::Flow;
use crate::gate::Gate;
use crate::held::Held;
use crate::message::{QueueMessage, Receipt};
use crate::queue::QueueConfig;
use crate::telemetry::signals::{Overdrawn, ReceiveFailed, Received};
use crate::telemetry::spans;

use waits::Waits;

use super::{BATCH_MAX, Queue, QueueFault, QueueTraits, visibility};

/// A receive with at least this many messages, returned at once, tells of a backlog.
const WELL_FILLED: usize = 5;

/// "At once": a receive that waited longer had an empty queue before it.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A message that waited longer than this tells of a backlog.
const WAITED_MS: i64 = 1_000;

/// Between two receives of an empty queue at least.
const IDLE_MIN: Duration = Duration::from_secs(1);

/// How long a receive in progress may still run when the worker lets go: what is held is given back
/// only after it, and shall arrive elsewhere within a second. At the drain deadline only a receive
/// that hangs is still there.
const LETTING_GO_MAX: Duration = Duration::from_millis(500);

/// What receiving works with.
pub struct PollersContext<Q> {
    pub queue: Arc<Q>,
    pub config: QueueConfig,
    pub traits: QueueTraits,
    pub shares: Shares,
    pub budget: Budget,
    pub held: Held,
    pub gate: Gate,
    pub flow: Flow,
}

/// Receives until the stop, and hands every receipt to `intake`. Receives in progress are not
/// cancelled, because a cancelled long poll can leave messages hidden for their whole timeout: they
/// run out, and `intake` releases what they bring. Only a worker that lets go gives them up.
/// `intake` also gets what is left of the reservation, for what it makes of the messages.
pub async fn run<Q: Queue>(
    context: PollersContext<Q>,
    intake: impl Fn(Vec<Receipt>, Permit) + Send + Sync + 'static,
) {
    let message_bytes_max = AtomicUsize::new(context.traits.message_bytes_max);
    let (attempts, waits) = (AtomicUsize::new(0), Waits::new());
    let poller = Arc::new(Poller { context, intake, message_bytes_max, attempts, waits });
    let stop = poller.context.flow.stop.clone();
    let watchdog = poller.context.flow.signals.watchdog().clone();
    let mut backoff = poller.context.flow.backoff();
    let mut receives = JoinSet::new();
    let mut retries = Retries::default();
    loop {
        if stop.is_draining() && receives.is_empty() {
            poller.context.flow.signals.gauges().pollers.set(0);
            return;
        }
        if receives.is_empty() {
            let pause = retries.pause.take().unwrap_or_default();
            receives.spawn(
                watchdog.watch(
                    "poller",
                    Arc::clone(&poller).receive(pause, retries.attempts.pop_front()),
                ),
            );
        }
        poller.context.flow.signals.gauges().pollers.set(receives.len());
        let Some(joined) = receives.join_next().await else { continue };
        match joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
            outcome @ (ReceiveOutcome::Backlog | ReceiveOutcome::Some) => {
                backoff.reset();
                retries.pause = None;
                let more = match outcome {
                    ReceiveOutcome::Backlog if receives.len() + 1 < poller.pollers_max() => 2,
                    _ => 1,
                };
                for _ in 0..more {
                    receives.spawn(watchdog.watch(
                        "poller",
                        Arc::clone(&poller).receive(Duration::ZERO, retries.attempts.pop_front()),
                    ));
                }
            }
            ReceiveOutcome::Nothing => {
                backoff.reset();
                // Without a long poll an empty queue would be asked as fast as it answers.
                retries.pause = Some(IDLE_MIN.saturating_sub(poller.context.config.wait))
                    .filter(|pause| !pause.is_zero());
            }
            ReceiveOutcome::Fault { fault, attempt } => {
                // Many that fail together are one fault.
                let retry_in = *retries.pause.get_or_insert_with(|| backoff.next_interval());
                poller.context.flow.signals.emit(&ReceiveFailed { fault: &fault.text, retry_in });
                // One asks again; the others end, or many pollers would hammer a queue that is
                // down.
                retries.attempts.extend(attempt);
            }
            ReceiveOutcome::Stopped => {}
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
enum ReceiveOutcome {
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
    /// The largest message that the queue says it takes, or that it delivered nonetheless: it may
    /// be set to more while this runs.
    message_bytes_max: AtomicUsize,
    /// Names FIFO receive attempts.
    attempts: AtomicUsize,
    waits: Waits,
}

/// What a receive reserves of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reservation {
    messages: usize,
    bytes: usize,
}

impl Reservation {
    /// Ten messages of the largest size, fewer where there is not room for ten, and at least one. A
    /// message larger than all the room, which SQS does not have, must not keep the worker from
    /// receiving.
    fn new(shares: Shares, message_bytes_max: usize, messages_max: usize) -> Self {
        let each = Shares::of_message(message_bytes_max).max(1);
        // Where few are allowed, one that is held for long must leave room for others.
        let messages = (shares.receives / each).clamp(1, BATCH_MAX.min((messages_max / 2).max(1)));
        Self { messages, bytes: (messages * each).min(shares.receives) }
    }
}

impl<Q: Queue, I: Fn(Vec<Receipt>, Permit) + Send + Sync> Poller<Q, I> {
    fn reservation(&self) -> Reservation {
        let PollersContext { shares, budget, .. } = &self.context;
        Reservation::new(
            *shares,
            self.message_bytes_max.load(Ordering::Relaxed),
            budget.messages_max(),
        )
    }

    /// No more than have room beside each other: others would only wait.
    fn pollers_max(&self) -> usize {
        let room_for = self.context.shares.receives / self.reservation().bytes.max(1);
        self.context.config.pollers_max.min(room_for).max(1)
    }

    /// One receive: pause, gate, budget, ask, hand over.
    async fn receive(self: Arc<Self>, pause: Duration, attempt: Option<String>) -> ReceiveOutcome {
        let context = &self.context;
        let reservation = self.reservation();
        let ready = async {
            sleep(pause).await;
            loop {
                context.gate.opened().await;
                let permit = context.budget.acquire(reservation.messages, reservation.bytes).await;
                // It may have closed while this waited for room.
                if let Some(receiving) = context.gate.receive() {
                    return (permit, receiving);
                }
            }
        };
        // In progress until the messages are handed over.
        let (permit, _receiving) = tokio::select! {
            biased;
            () = context.flow.stop.draining() => return ReceiveOutcome::Stopped,
            ready = ready => ready,
        };
        let attempt = attempt.or_else(|| self.next_attempt());
        let asked = Instant::now();
        let span = context.flow.signals.spans().receive();
        let waits_at_queue = context.flow.signals.gauges().receives.ask();
        let given_up = async {
            context.flow.stop.letting_go().await;
            sleep(LETTING_GO_MAX).await;
        };
        let messages = tokio::select! {
            biased;
            answer = context.queue.receive(reservation.messages, context.config.wait, attempt.as_deref()) => match answer {
                Ok(messages) => messages,
                Err(fault) => {
                    spans::failed(&span, fault.kind.name(), &fault.text);
                    waits_at_queue.failed();
                    return ReceiveOutcome::Fault { fault, attempt };
                }
            },
            () = given_up => return ReceiveOutcome::Stopped,
        };
        context.flow.signals.spans().received(&span, &messages);
        drop(span);
        waits_at_queue.answered(self.oldest_age(&messages));
        let redelivered = messages.iter().filter(|message| message.receive_count > 1).count();
        let (received, outcome) = (messages.len(), self.outcome(&messages, asked));
        let (receipts, room) = self.hold(messages, permit, asked);
        let Used { messages: in_flight_messages_peak, bytes: in_flight_bytes_peak } =
            context.budget.peak();
        context.flow.signals.emit(&Received {
            messages: received,
            redelivered,
            in_flight_messages_peak,
            in_flight_bytes_peak,
        });
        if !receipts.is_empty() {
            (self.intake)(receipts, room);
        }
        outcome
    }

    /// Gives each message its part of the reservation: what it takes, and as much again for what is
    /// made of it. Also returns what is left.
    fn hold(
        &self,
        messages: Vec<QueueMessage>,
        mut reserved: Permit,
        asked: Instant,
    ) -> (Vec<Receipt>, Permit) {
        let context = &self.context;
        let (count, bytes) =
            (messages.len(), messages.iter().map(|message| 2 * message.bytes()).sum::<usize>());
        if count > reserved.messages() || bytes > reserved.bytes() {
            let largest = messages.iter().map(QueueMessage::bytes).max().unwrap_or_default();
            self.message_bytes_max.fetch_max(largest, Ordering::Relaxed);
            context.flow.signals.emit(&Overdrawn {
                messages: count,
                bytes,
                reserved: reserved.bytes(),
            });
        }
        // Hidden since some moment after the question: counted from there, nothing is extended too
        // late.
        let due = visibility::due(
            asked.max(Instant::now().checked_sub(AT_ONCE).unwrap_or(asked)),
            context.traits.visibility_timeout,
        );
        let hold = |message: QueueMessage| {
            let permit = reserved.split_message(2 * message.bytes());
            Receipt::new(message, Instant::now(), due, permit, &context.held)
        };
        let receipts = messages.into_iter().map(hold).collect();
        (receipts, reserved)
    }

    fn outcome(&self, messages: &[QueueMessage], asked: Instant) -> ReceiveOutcome {
        if messages.is_empty() {
            return ReceiveOutcome::Nothing;
        }
        let at_once = asked.elapsed() < AT_ONCE
            && messages.len() >= self.reservation().messages.min(WELL_FILLED);
        // Always asked: it learns from each receive.
        let waited = self.waits.longest_ms(messages) > WAITED_MS;
        if at_once || waited { ReceiveOutcome::Backlog } else { ReceiveOutcome::Some }
    }

    /// How long the oldest of them had waited.
    fn oldest_age(&self, messages: &[QueueMessage]) -> Duration {
        let now_ms = self.context.flow.clock.now_ms();
        let ages = messages.iter().map(|message| now_ms.saturating_sub(message.sent_ms));
        Duration::from_millis(u64::try_from(ages.max().unwrap_or_default()).unwrap_or_default())
    }

    fn next_attempt(&self) -> Option<String> {
        self.context.traits.fifo.then(|| {
            let number = self.attempts.fetch_add(1, Ordering::Relaxed);
            format!(
                "{}-{number}-{:.0}",
                self.context.flow.clock.now_ms(),
                self.context.flow.clock.random() * 1e9
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation(receives: usize, message_bytes_max: usize, messages_max: usize) -> Reservation {
        Reservation::new(Shares { receives, growth: 0 }, message_bytes_max, messages_max)
    }

    #[test]
    fn a_receive_asks_for_as_many_as_have_room() {
        let each = Shares::of_message(1_000);
        assert_eq!(
            reservation(100 * each, 1_000, 100),
            Reservation { messages: 10, bytes: 10 * each }
        );
        assert_eq!(
            reservation(4 * each - 1, 1_000, 100),
            Reservation { messages: 3, bytes: 3 * each }
        );
        assert_eq!(reservation(100 * each, 1_000, 7), Reservation { messages: 3, bytes: 3 * each });
    }

    #[test]
    fn a_queue_with_messages_larger_than_all_room_is_received_one_by_one() {
        assert_eq!(reservation(500, 1_000, 100), Reservation { messages: 1, bytes: 500 });
    }
}
