//! Keeps what is held hidden from other receivers, until it is settled.
//!
//! At two thirds of its visibility timeout a message that is still held is extended by another.
//! Nothing is extended past [`HIDDEN_MAX`], half an hour after [`super::HOLD_MAX`]: its owner has
//! released it by then, and the queue would refuse.
//!
//! What is to be given back is not extended any more. The queue obeys the call that it applies last,
//! so whoever gives a message back waits for the extension in flight, which each call shows as an
//! [`crate::held::Extension`]. A call that was given up is still listened to: its answer may come.
//!
//! One call that fails or hangs is no reason to let the messages of others expire. When all fail
//! the queue refuses: it is then asked by a few calls with growing pauses, not by one for every ten
//! messages that are held.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

use crate::flow::Flow;
use crate::held::{Due, Held};
use crate::retry::Backoff;
use crate::retry::RetryConfig;
use crate::telemetry::signals::{ExtendFailed, Signals, StaleHandle, VisibilityExtended};

use super::{BATCH_MAX, EntryOutcome, HIDDEN_MAX, Queue, QueueFault};

/// Calls in flight: as many as it takes to have all answered within a sixth of the visibility
/// timeout, which is half of what is left of it, if each takes as long as a slow call does.
const CALLS_MIN: usize = 8;
const CALLS_MAX: usize = 64;
const CALL_TIME: Duration = Duration::from_millis(50);

/// Between looks at the table: what is due sooner than the timeout allows is never missed for long.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// The pause before an extension that failed is tried again.
const RETRY_IN: Duration = Duration::from_millis(500);

/// Calls that failed one after the other, without one between them that did not: the queue refuses.
const REFUSED_MAX: usize = CALLS_MIN;

/// The queue counts in whole seconds.
const ASKED_FOR_MIN: Duration = Duration::from_secs(1);

/// When a message received or extended at `now` must be extended.
#[must_use]
pub fn due(now: Instant, visibility_timeout: Duration) -> Instant {
    now + visibility_timeout * 2 / 3
}

/// Extends whatever is due, for ever: the pipeline drops this when nothing is held any more.
pub async fn run<Q: Queue>(
    queue: Arc<Q>,
    held: Held,
    visibility_timeout: Duration,
    Flow { clock, signals, .. }: Flow,
) {
    let mut backoff = Backoff::new(&pauses(visibility_timeout), clock);
    let extender =
        Extender { queue, held, visibility_timeout, signals, refused: AtomicUsize::new(0) };
    let mut given_up = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let due = by_call(
            extender.held.take_due(now, now + visibility_timeout / 6, BATCH_MAX),
            visibility_timeout,
        );
        let mut calls = Vec::with_capacity(due.len());
        for chunk in &due {
            calls.push(extender.extend(chunk));
        }
        let at_once = calls_at_once(calls.len(), visibility_timeout);
        let mut calls = pin!(stream::iter(calls).buffer_unordered(at_once));
        while let Some(call) = listening(&mut given_up, calls.next()).await {
            given_up.extend(call);
        }
        if extender.is_refused() {
            // One more failure is enough to pause again.
            extender.refused.store(REFUSED_MAX - 1, Ordering::Relaxed);
            listening(&mut given_up, sleep(backoff.next_interval())).await;
            continue;
        }
        backoff.reset();
        let longest = LOOK_MAX.min(visibility_timeout / 6);
        let pause = extender.held.until_due(Instant::now(), longest);
        let until_next = async {
            tokio::select! {
                biased;
                () = extender.held.hurried() => {}
                () = sleep(pause) => {}
            }
        };
        listening(&mut given_up, until_next).await;
    }
}

/// A call that is given up, until its answer. It ends by the limits of the queue's client.
type GivenUp = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Lets `work` go on, and hears meanwhile of calls that were given up.
async fn listening<T>(
    given_up: &mut FuturesUnordered<GivenUp>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(()) = given_up.next() => {}
        }
    }
}

/// What each call is to extend. A call has one timeout for all: what comes near to [`HIDDEN_MAX`]
/// gets calls of its own.
fn by_call(due: Vec<Due>, visibility_timeout: Duration) -> Vec<Vec<Due>> {
    let (whole, mut last): (Vec<_>, Vec<_>) =
        due.into_iter().partition(|due| asked_for(due) >= visibility_timeout);
    last.retain(|due| asked_for(due) >= ASKED_FOR_MIN);
    whole.chunks(BATCH_MAX).chain(last.chunks(BATCH_MAX)).map(<[Due]>::to_vec).collect()
}

/// How long a message may still be hidden. What is overdue is not put back into the schedule.
fn asked_for(due: &Due) -> Duration {
    HIDDEN_MAX.saturating_sub(due.received_at.elapsed())
}

fn calls_at_once(calls: usize, visibility_timeout: Duration) -> usize {
    let one_by_one = CALL_TIME.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX)).as_millis();
    let at_once = one_by_one.div_ceil((visibility_timeout / 6).as_millis().max(1));
    usize::try_from(at_once).unwrap_or(CALLS_MAX).clamp(CALLS_MIN, CALLS_MAX)
}

/// Between looks while the queue refuses. A third of the timeout is left when an extension is first
/// tried: time for several.
fn pauses(visibility_timeout: Duration) -> RetryConfig {
    let max = RETRY_IN.max(visibility_timeout / 12);
    RetryConfig { initial: RETRY_IN, max, multiplier: 2.0, budget: Duration::MAX }
}

struct Extender<Q> {
    queue: Arc<Q>,
    held: Held,
    visibility_timeout: Duration,
    signals: Signals,
    /// Calls that failed since the last one that did not.
    refused: AtomicUsize,
}

impl<Q: Queue> Extender<Q> {
    fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed) >= REFUSED_MAX
    }

    /// Asks the queue. Returns the call where it was given up.
    async fn extend(&self, due: &[Due]) -> Option<GivenUp> {
        if self.is_refused() {
            self.put_off(due);
            return None;
        }
        let visibility_timeout =
            due.iter().map(asked_for).fold(self.visibility_timeout, Duration::min);
        // One call that hangs must not let the others expire; asking once more does no harm.
        let patience = visibility_timeout / 10;
        // The timeout counts from when the queue acts, which is not before now.
        let asked = Instant::now();
        let (extension, chunk) = self.held.extend(due, asked + patience);
        if chunk.is_empty() {
            return None;
        }
        let mut call = Box::pin(call(Arc::clone(&self.queue), handles(&chunk), visibility_timeout));
        if let Ok(answer) = timeout(patience, &mut call).await {
            extension.answer(hidden(&chunk, &answer));
            match answer {
                Ok(outcomes) => {
                    self.refused.store(0, Ordering::Relaxed);
                    self.answered(&chunk, &outcomes, self::due(asked, visibility_timeout));
                }
                Err(fault) => self.failed(&chunk, &fault.text),
            }
            return None;
        }
        self.failed(&chunk, &format!("no answer within {patience:?}"));
        Some(Box::pin(async move {
            let answer = call.await;
            extension.answer(hidden(&chunk, &answer));
        }))
    }

    /// A call failed as a whole, or has no answer.
    fn failed(&self, chunk: &[Due], cause: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.put_off(chunk);
        self.signals.emit(&ExtendFailed { messages: chunk.len(), cause });
    }

    /// The messages are due again soon.
    fn put_off(&self, chunk: &[Due]) {
        for due in chunk {
            self.held.extended(due.number, Instant::now() + RETRY_IN);
        }
    }

    fn answered(&self, chunk: &[Due], outcomes: &[EntryOutcome], due_again: Instant) {
        let (mut extended, mut stale, mut failed, mut cause) = (0, 0, 0, "no answer for the entry");
        for (index, due) in chunk.iter().enumerate() {
            match outcomes.get(index) {
                Some(EntryOutcome::Done) => {
                    extended += 1;
                    self.held.extended(due.number, due_again);
                }
                // Gone, or with someone else by now: what is written of it is the same either way.
                Some(EntryOutcome::Stale) => stale += 1,
                other => {
                    failed += 1;
                    if let Some(EntryOutcome::Failed(text)) = other {
                        cause = text;
                    }
                    self.held.extended(due.number, Instant::now() + RETRY_IN);
                }
            }
        }
        if extended > 0 {
            self.signals.emit(&VisibilityExtended { messages: extended });
        }
        if stale > 0 {
            self.signals.emit(&StaleHandle { operation: "extend", messages: stale });
        }
        if failed > 0 {
            self.signals.emit(&ExtendFailed { messages: failed, cause });
        }
    }
}

/// One call, which goes on when nobody waits for it.
async fn call<Q: Queue>(
    queue: Arc<Q>,
    handles: Vec<Arc<str>>,
    visibility_timeout: Duration,
) -> Result<Vec<EntryOutcome>, QueueFault> {
    queue.change_visibility(&handles, visibility_timeout).await
}

fn handles(chunk: &[Due]) -> Vec<Arc<str>> {
    chunk.iter().map(|due| Arc::clone(&due.receipt_handle)).collect()
}

/// Numbers of the messages that the queue says it hides.
fn hidden(chunk: &[Due], answer: &Result<Vec<EntryOutcome>, QueueFault>) -> Vec<u64> {
    let outcomes = answer.as_deref().unwrap_or_default();
    let is_done = |entry: &(&Due, &EntryOutcome)| *entry.1 == EntryOutcome::Done;
    chunk.iter().zip(outcomes).filter(is_done).map(|(due, _)| due.number).collect()
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Mutex;

    use super::super::{Brought, Room};
    use super::*;
    use crate::clock::SystemClock;
    use crate::stop::Stop;

    /// Hides whatever it is asked to, and keeps when that was.
    #[derive(Default)]
    struct Hides(Mutex<Vec<Instant>>);

    impl Queue for Hides {
        fn tells_size(&self) -> bool {
            false
        }

        async fn receive_into(
            &self,
            _: usize,
            _: Duration,
            _: Option<&str>,
            _: &mut impl Room,
        ) -> Result<Brought, QueueFault> {
            pending().await
        }

        async fn delete(&self, _: &[Arc<str>]) -> Result<Vec<EntryOutcome>, QueueFault> {
            pending().await
        }

        async fn change_visibility(
            &self,
            handles: &[Arc<str>],
            _: Duration,
        ) -> Result<Vec<EntryOutcome>, QueueFault> {
            self.0.lock().expect("no panic").push(Instant::now());
            Ok(vec![EntryOutcome::Done; handles.len()])
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_as_it_comes_is_extended_at_once() {
        let (queue, held) = (Arc::new(Hides::default()), Held::default());
        let flow = Flow {
            clock: Arc::new(SystemClock::default()),
            stop: Stop::default(),
            signals: Signals::default(),
            retry: pauses(Duration::ZERO),
        };
        tokio::spawn(run(Arc::clone(&queue), held.clone(), Duration::from_mins(2), flow));
        sleep(Duration::from_secs(1)).await;
        let now = Instant::now();
        let _number = held.enter("r".into(), now, now);
        held.hurry();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(*queue.0.lock().expect("no panic"), [now]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_near_the_hidden_max_shortens_no_neighbour() {
        let old = Instant::now();
        tokio::time::advance(HIDDEN_MAX.saturating_sub(Duration::from_secs(20))).await;
        let mut due = Vec::new();
        for number in 0..14 {
            let received_at = if number % 7 == 0 { old } else { Instant::now() };
            due.push(Due { number, receipt_handle: "r".into(), received_at });
        }
        let numbers = |seconds| {
            let calls = by_call(due.clone(), Duration::from_secs(seconds));
            calls
                .iter()
                .map(|call| call.iter().map(|due| due.number).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(30), [vec![1, 2, 3, 4, 5, 6, 8, 9, 10, 11], vec![12, 13], vec![0, 7]]);
        assert_eq!(numbers(20), [(0..10).collect::<Vec<_>>(), (10..14).collect()]);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(numbers(30).concat().len(), 12, "what is overdue is not extended any more");
    }

    #[test]
    fn the_more_is_due_in_the_less_time_the_more_calls_are_in_flight() {
        let at_once = |messages: usize, seconds| {
            calls_at_once(messages.div_ceil(BATCH_MAX), Duration::from_secs(seconds))
        };
        assert_eq!(at_once(100, 30), CALLS_MIN);
        assert_eq!(at_once(10_000, 30), 10, "1,000 calls of 50 ms in 5 s");
        assert_eq!(at_once(10_000, 5), 61, "in 0.8 s");
        assert_eq!(at_once(100_000, 5), CALLS_MAX);
    }
}
