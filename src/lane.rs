//! One lane per collection: what waits is written in one batch as soon as a writer is free.
//!
//! So latency is lowest at low load and batches are largest at high load, without a timer. A second
//! write starts only when a full batch is waiting, and never with a key that another write carries:
//! two writers at one key would make each other stale or conflict on the server.

mod alone;
mod ending;
mod evidence;
mod health;
mod item;
mod policy;
mod seen;
mod waiting;
mod writing;

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::clock::Clock;
use crate::config::{BatchConfig, Collection, RetryConfig};
use crate::dead_letter::DeadLetters;
use crate::gate::{Gate, GateState};
use crate::message::{Key, Part, Receipt, Rejection};
use crate::settle::Settle;
use crate::stop::Stop;
use crate::store::Store;
use crate::telemetry::instruments::CollectionLabel;
use crate::telemetry::signals::{Expired, Joined, Signals};

pub use evidence::Evidence;
use item::Item;
use waiting::Waiting;

/// The way into a lane. Unbounded, because the in-flight budget bounds what there is to send. The
/// lane ends when all of its ways in are gone and everything was settled.
#[derive(Debug, Clone)]
pub struct Lane {
    parts: mpsc::UnboundedSender<Vec<Part>>,
}

/// The other end of a [`Lane`].
#[derive(Debug)]
pub struct Waiters {
    parts: mpsc::UnboundedReceiver<Vec<Part>>,
}

impl Lane {
    #[must_use]
    pub fn new() -> (Self, Waiters) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { parts: sender }, Waiters { parts: receiver })
    }

    /// Hands parts over; from here on the lane settles them.
    pub fn send(&self, parts: Vec<Part>) {
        // A lane ends only after all of its senders, so this fails only in a teardown, where
        // dropping is what happens.
        let _ = self.parts.send(parts);
    }
}

/// The way of a rejected message: its dead letter is made, and handed to the lane that writes dead
/// letters.
#[derive(Clone)]
pub struct Rejects {
    pub dead_letters: DeadLetters,
    pub lane: Lane,
}

impl Rejects {
    /// Hands the message over; the dead-letter lane settles it.
    pub fn send(&self, receipt: Receipt, rejection: &Rejection) {
        self.lane.send(vec![self.dead_letters.part(receipt, rejection)]);
    }
}

/// What a lane works with.
pub struct LaneContext<S> {
    pub store: Arc<S>,
    pub collection: Arc<Collection>,
    /// The collection in what is measured.
    pub label: CollectionLabel,
    pub batch: BatchConfig,
    pub retry: RetryConfig,
    pub gate: Gate,
    pub settle: Settle,
    /// Where rejected messages go. `None` in the dead-letter lane itself, whose rejected records go
    /// back to the queue.
    pub rejects: Option<Rejects>,
    pub clock: Arc<dyn Clock>,
    pub stop: Stop,
    pub signals: Signals,
    /// Shared by all lanes.
    pub evidence: Arc<Evidence>,
}

impl<S> LaneContext<S> {
    /// Waits until what is not written must be given back: the worker lets go, and no receive is in
    /// progress that would bring it straight back and burn a count.
    async fn letting_go(&self) {
        self.stop.letting_go().await;
        self.gate.quiet().await;
    }

    fn is_letting_go(&self) -> bool {
        self.stop.is_letting_go() && self.gate.is_quiet()
    }
}

/// Writes whatever comes until every way in is gone and everything was settled.
pub async fn run<S: Store>(context: LaneContext<S>, mut waiters: Waiters) {
    let mut waiting = Waiting::new(&context.batch);
    let mut writes = FuturesUnordered::new();
    // Beside the batches, which they do not hold up.
    let mut alone = FuturesUnordered::new();
    let mut open = true;
    let mut linger_until = None;
    loop {
        // Everything that has arrived takes part in the next batch.
        while let Ok(parts) = waiters.parts.try_recv() {
            admit(&context, &mut waiting, parts);
        }
        let gate = context.gate.state();
        if !waiting.is_empty() && (gate == GateState::Shut || context.is_letting_go()) {
            waiting.drain_parts().for_each(|part| context.settle.release(part.receipt));
        }
        let linger = if open { linger(&context.batch, &waiting, &mut linger_until) } else { None };
        while gate == GateState::Open
            && linger.is_none()
            && writes.len() < context.batch.writers_max
            && (writes.is_empty() || waiting.is_full())
        {
            let Some(mut items) = waiting.take() else { break };
            linger_until = None;
            let span = context.begin(items.iter_mut().flat_map(Item::parts_mut));
            let keys: Vec<_> = items.iter().filter_map(|item| item.key().cloned()).collect();
            let context = &context;
            let write = async move {
                let started = Instant::now();
                let to_try = writing::write(context, items).await;
                context.processed(started);
                (keys, to_try)
            };
            writes.push(write.instrument(span));
        }
        if !open && waiting.is_empty() && writes.is_empty() && alone.is_empty() {
            return;
        }
        tokio::select! {
            biased;
            Some((keys, mut to_try)) = writes.next(), if !writes.is_empty() => {
                let is_kept = |key: &Key| to_try.iter().any(|alone| item::key(&alone.part.write) == Some(key));
                let (kept, free): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_kept);
                waiting.written(&free);
                if !to_try.is_empty() {
                    let context = &context;
                    let span = context.begin(to_try.iter_mut().map(|alone| &mut alone.part));
                    let try_alone = async move {
                        alone::try_alone(context, to_try).await;
                        kept
                    };
                    alone.push(try_alone.instrument(span));
                }
            }
            Some(keys) = alone.next(), if !alone.is_empty() => waiting.written(&keys),
            received = waiters.parts.recv(), if open => match received {
                Some(parts) => admit(&context, &mut waiting, parts),
                None => open = false,
            },
            () = sleep_until(linger.unwrap_or_else(Instant::now)), if linger.is_some() => {}
            // What waits must not wait for a write that probes a sick store.
            _ = context.gate.left(gate), if !waiting.is_empty() => {}
            () = context.letting_go(), if !waiting.is_empty() => {}
        }
    }
}

/// Until when a free writer waits for more: only where `batch.linger` is set, and never with a full
/// batch.
fn linger(batch: &BatchConfig, waiting: &Waiting, until: &mut Option<Instant>) -> Option<Instant> {
    if batch.linger.is_zero() || waiting.is_empty() || waiting.is_full() {
        *until = None;
        return None;
    }
    let deadline = *until.get_or_insert_with(|| Instant::now() + batch.linger);
    (deadline > Instant::now()).then_some(deadline)
}

fn admit<S>(context: &LaneContext<S>, waiting: &mut Waiting, parts: Vec<Part>) {
    for mut part in parts {
        part.receipt.enter(context.waiting());
        if was_expired(context, &part) {
            context.signals.emit(&Expired);
            context.settle.delete(part.receipt, part.ending);
        } else if waiting.push(part) {
            context.signals.emit(&Joined);
        }
    }
}

/// Whether the update was past its TTL when it was sent: such a late one must not make a document
/// anew. The queue's clock alone decides, because this machine's may be ahead, and a fresh update
/// must not be lost for that. What grew too old in the queue is written, and removed by the TTL
/// index within a minute.
fn was_expired<S>(context: &LaneContext<S>, part: &Part) -> bool {
    let (Some(ttl), Some(time_ms)) = (context.collection.ttl, item::newest_time_ms(&part.write))
    else {
        return false;
    };
    time_ms.saturating_add(crate::time::millis(ttl)) < part.receipt.message.sent_ms
}
