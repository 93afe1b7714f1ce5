//! Adaptive receive: one long poll while idle, more while there is a backlog.
//!
//! A receive with messages that had waited starts another, up to `queue.pollers_max`, and so does one
//! that came back at once and well filled after another such one (the queue often returns fewer than
//! ten although there are more). An empty one ends, down to one. So does one of those that bring a few
//! fresh messages each: fewer receives would bring the same in fuller answers, and each is paid for.
//! Nothing else counts, this machine's wall clock least of all: see `waits`. So idling costs one request
//! per `queue.wait`, load a tenth of a request per message, and a trickle no more than one receive at a
//! time can ask.
//!
//! Before it asks, a receive reserves what receives lately brought, with room for what is made of it,
//! and makes room for more once the answer tells its size (`room`). Where the queue does not tell it, it
//! reserves the most that the answer can bring: that many messages of the largest size. What they turn
//! out not to need goes back on arrival. An answer that had to wait for room halves the receives.

mod context;
mod outcome;
mod room;
mod waits;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::budget::{Permit, Used};
use crate::gate::{GateState, Receiving};
use crate::message::{QueueMessage, Receipt};
use crate::telemetry::signals::{Overdrawn, ReceiveFailed, Received, Unread};
use crate::telemetry::spans;

use outcome::{ReceiveOutcome, Retries, Trend};
use room::{AnswerRoom, Lately, Reservation};
use waits::Waits;

pub use context::PollersContext;

use super::{Brought, Queue, visibility};

/// Between two receives of an empty queue at least.
const IDLE_MIN: Duration = Duration::from_secs(1);

/// How long a receive in progress may still run when the worker lets go: what is held is given back
/// only after it, and shall arrive elsewhere within a second. At the drain deadline only a receive
/// that hangs is still there.
const LETTING_GO_MAX: Duration = Duration::from_millis(500);

/// What becomes of what a receive brought.
pub enum Arrival {
    /// With what is left of the reservation, for what is made of the messages.
    Read(Vec<Receipt>, Permit),
    /// There was no room for them: they go back.
    Unread(Vec<Receipt>),
}

/// Receives until the stop, and hands every receipt to `intake`. Receives in progress are not
/// cancelled, because a cancelled long poll can leave messages hidden for their whole timeout: they
/// run out, and `intake` releases what they bring. Only a worker that lets go gives them up.
pub async fn run<Q: Queue>(
    context: PollersContext<Q>,
    intake: impl Fn(Arrival) + Send + Sync + 'static,
) {
    let (attempts, waits) = (AtomicUsize::new(0), Waits::new());
    let lately = Lately::new(context.traits.message_bytes_max);
    let message_bytes_max = AtomicUsize::new(context.traits.message_bytes_max);
    let poller = Arc::new(Poller { context, intake, message_bytes_max, lately, attempts, waits });
    let stop = poller.context.flow.stop.clone();
    let watchdog = poller.context.flow.signals.watchdog().clone();
    let mut backoff = poller.context.flow.backoff();
    let mut receives = JoinSet::new();
    let mut retries = Retries::default();
    // Fewer than there may be, once an answer had to wait for room.
    let (mut allowed, mut crowded_at) = (usize::MAX, Instant::now());
    let mut trend = Trend::default();
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
        let others = receives.len();
        let joined = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let successors = trend.successors(&joined, others);
        let pause = match joined {
            // Many that waited beside each other are one crowd.
            ReceiveOutcome::Crowded { asked } if asked >= crowded_at => {
                (allowed, crowded_at) = (others.div_ceil(2), Instant::now());
                None
            }
            ReceiveOutcome::Nothing => {
                // Without a long poll an empty queue would be asked as fast as it answers.
                let pause = IDLE_MIN.saturating_sub(poller.context.config.wait);
                Some(pause).filter(|pause| !pause.is_zero())
            }
            ReceiveOutcome::Fault { fault, attempt } => {
                // Many that fail together are one fault.
                let retry_in = *retries.pause.get_or_insert_with(|| backoff.next_interval());
                poller.context.flow.signals.emit(&ReceiveFailed { fault: &fault.text, retry_in });
                // One asks again; the others end, or many pollers would hammer a queue that is
                // down.
                retries.attempts.extend(attempt);
                continue;
            }
            ReceiveOutcome::Stopped => continue,
            _ => None,
        };
        backoff.reset();
        retries.pause = pause;
        if successors > 1 {
            allowed = allowed.saturating_add(1);
        }
        let most = poller.pollers_max().min(allowed).max(1);
        for _ in others..(others + successors).min(most) {
            receives.spawn(watchdog.watch(
                "poller",
                Arc::clone(&poller).receive(Duration::ZERO, retries.attempts.pop_front()),
            ));
        }
    }
}

struct Poller<Q, I> {
    context: PollersContext<Q>,
    intake: I,
    /// The largest message that the queue says it takes, or that it delivered nonetheless: it may
    /// be set to more while this runs.
    message_bytes_max: AtomicUsize,
    lately: Lately,
    /// Names FIFO receive attempts.
    attempts: AtomicUsize,
    waits: Waits,
}

impl<Q: Queue, I: Fn(Arrival) + Send + Sync> Poller<Q, I> {
    fn reservation(&self) -> Reservation {
        let PollersContext { queue, shares, budget, .. } = &self.context;
        let messages_max = budget.messages_max();
        if queue.tells_size() && shares.spare > 0 {
            return Reservation::of_lately(*shares, &self.lately, messages_max);
        }
        let message_bytes_max = self.message_bytes_max.load(Ordering::Relaxed);
        Reservation::of_worst(*shares, message_bytes_max, messages_max)
    }

    /// No more than have room beside each other: others would only wait.
    fn pollers_max(&self) -> usize {
        let PollersContext { config, shares, budget, .. } = &self.context;
        let Reservation { messages, bytes } = self.reservation();
        let room_for = (shares.receives / bytes.max(1)).min(budget.messages_max() / messages);
        config.pollers_max.min(room_for).max(1)
    }

    /// Waits for gate and room, and takes both.
    async fn ready(&self, pause: Duration, reservation: Reservation) -> (Permit, Receiving) {
        let gate = &self.context.gate;
        // The clock's tick is a millisecond: no pause would be up to one.
        if !pause.is_zero() {
            sleep(pause).await;
        }
        loop {
            gate.opened().await;
            let permit = self.room(reservation).await;
            // It may have closed while this waited for room.
            if let Some(receiving) = gate.receive() {
                return (permit, receiving);
            }
        }
    }

    /// Waits for room. Where an answer took more lately, it waits for as much: with less it would bring
    /// the same, and give it back, as long as nothing is written. But for no longer than a write is
    /// tried until the gate closes: what is held after that must not keep all others in the queue.
    async fn room(&self, Reservation { messages, bytes }: Reservation) -> Permit {
        let PollersContext { budget, shares, flow, .. } = &self.context;
        let took = self.lately.bytes().min(shares.receives);
        // Otherwise the spare is left alone for it.
        if shares.spare == 0 && took > bytes {
            if let Ok(permit) = timeout(flow.retry.budget, budget.acquire(messages, took)).await {
                return permit;
            }
            self.lately.falls_to(bytes);
        }
        budget.acquire(messages, bytes).await
    }

    /// One receive: pause, gate, budget, ask, hand over.
    async fn receive(self: Arc<Self>, pause: Duration, attempt: Option<String>) -> ReceiveOutcome {
        let context = &self.context;
        let reservation = self.reservation();
        let ready = self.ready(pause, reservation);
        // In progress until the messages are handed over.
        let (permit, receiving) = tokio::select! {
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
        let mut room = AnswerRoom::new(context, &self.lately, permit, asked);
        let answer = context.queue.receive_into(
            reservation.messages,
            context.config.wait,
            attempt.as_deref(),
            &mut room,
        );
        let Brought { messages, are_unread } = tokio::select! {
            biased;
            answer = answer => match answer {
                Ok(brought) => brought,
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
        if !are_unread {
            waits_at_queue.answered(self.oldest_age(&messages));
        }
        let redelivered = messages.iter().filter(|message| message.receive_count > 1).count();
        let received = messages.len();
        let outcome = if room.has_waited {
            ReceiveOutcome::Crowded { asked }
        } else {
            self.outcome(&messages, asked)
        };
        let due = visibility::due(room.hidden_since(), context.traits.visibility_timeout);
        let (receipts, room) = self.hold(messages, room.permit, due);
        if due <= Instant::now() {
            context.held.hurry();
        }
        let Used { messages: in_flight_messages_peak, bytes: in_flight_bytes_peak } =
            context.budget.peak();
        context.flow.signals.emit(&Received {
            messages: received,
            redelivered,
            in_flight_messages_peak,
            in_flight_bytes_peak,
        });
        if are_unread {
            context.flow.signals.emit(&Unread { messages: received });
            drop((room, receiving));
            self.goes_back(receipts).await;
        } else if !receipts.is_empty() {
            (self.intake)(Arrival::Read(receipts, room));
        }
        outcome
    }

    /// Gives back what is not read, once the gate is open: what is in progress would bring it straight
    /// back. At a drain it goes back with all that is held.
    async fn goes_back(&self, receipts: Vec<Receipt>) {
        tokio::select! {
            biased;
            () = self.context.flow.stop.draining() => {}
            _ = self.context.gate.left(GateState::Closed) => {}
        }
        (self.intake)(Arrival::Unread(receipts));
    }

    /// Gives each message its part of the reservation: what it takes, and as much again for what is
    /// made of it. Also returns what is left.
    fn hold(
        &self,
        messages: Vec<QueueMessage>,
        mut reserved: Permit,
        due: Instant,
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
        let hold = |message: QueueMessage| {
            let permit = reserved.split_message(2 * message.bytes());
            Receipt::new(message, Instant::now(), due, permit, &context.held)
        };
        let receipts = messages.into_iter().map(hold).collect();
        (receipts, reserved)
    }

    fn outcome(&self, messages: &[QueueMessage], asked: Instant) -> ReceiveOutcome {
        // Always asked: it learns from each receive.
        let waited_ms = self.waits.longest_ms(messages);
        let asked_for = self.reservation().messages;
        ReceiveOutcome::of(messages.len(), asked_for, asked.elapsed(), waited_ms)
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
