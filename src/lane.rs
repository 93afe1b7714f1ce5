//! One lane per collection: what waits is written in one batch as soon as a writer is free.
//!
//! So latency is lowest at low load and batches are largest at high load, without a timer. A second
//! write starts only when a full batch is waiting, and never with a key that another write carries:
//! two writers at one key would make each other stale or conflict on the server. Large items have a
//! writer of their own, so that others need not wait for it.

mod alone;
mod context;
mod ending;
mod evidence;
mod group;
mod health;
mod item;
mod policy;
mod seen;
mod waiting;
mod way;
mod writing;

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::gate::GateState;
use crate::message::{Part, Write};
use crate::store::Store;
use crate::telemetry::signals::{Expired, Joined};

pub use context::{LaneContext, Searches};
pub use evidence::Evidence;
use item::Item;
pub use waiting::BatchConfig;
use waiting::{Size, Waiting};
pub use way::{Lane, Waiters};

/// Writes whatever comes until every way in is gone and everything was settled.
pub async fn run<S: Store>(context: LaneContext<S>, mut waiters: Waiters) {
    let mut waiting = Waiting::new(&context.batch, S::command_bytes);
    let mut writes = FuturesUnordered::new();
    // Of these, how many are of each size.
    let mut busy = [0; Size::ALL.len()];
    // Beside the batches, which they do not hold up.
    let mut alone = FuturesUnordered::new();
    let mut open = true;
    // Of each size: until when its line lingers.
    let mut linger_until = [None; Size::ALL.len()];
    loop {
        waiting.written(&context.searches.take_freed());
        // Everything that has arrived takes part in the next batch.
        while let Ok(parts) = waiters.parts.try_recv() {
            admit(&context, &mut waiting, parts);
        }
        let gate = context.gate.state();
        if !waiting.is_empty() && (gate == GateState::Shut || context.is_letting_go()) {
            waiting.drain_parts().for_each(|part| context.settle.release(part.receipt));
        }
        linger_until = Size::ALL.map(|size| {
            let until = linger_until[size as usize];
            if open { linger(&context.batch, &waiting, size, until) } else { None }
        });
        while gate == GateState::Open
            && let Some((size, mut items)) = take(&context, &mut waiting, busy, linger_until)
        {
            linger_until[size as usize] = None;
            busy[size as usize] += 1;
            let span = context.begin(items.iter_mut().flat_map(Item::parts_mut));
            let context = &context;
            let write = async move {
                let started = Instant::now();
                let written = writing::write(context, size, items).await;
                context.processed(started);
                (size, written)
            };
            writes.push(write.instrument(span));
        }
        let linger = linger_until.into_iter().filter(|until| is_ahead(*until)).flatten().min();
        if !open && waiting.is_empty() && writes.is_empty() && alone.is_empty() {
            return;
        }
        tokio::select! {
            biased;
            Some((size, (keys, mut to_try))) = writes.next(), if !writes.is_empty() => {
                busy[size as usize] -= 1;
                let to_keep: HashSet<_> =
                    to_try.iter().filter_map(|alone| item::key(&alone.part.write)).collect();
                let (kept, free): (Vec<_>, Vec<_>) =
                    keys.into_iter().partition(|key| to_keep.contains(key));
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
            // Its writer is free, or a key of it.
            () = context.searches.changed(), if !waiting.is_empty() => {}
            () = sleep_until(linger.unwrap_or_else(Instant::now)), if linger.is_some() => {}
            // What waits must not wait for a write that probes a sick store.
            _ = context.gate.left(gate), if !waiting.is_empty() => {}
            () = context.letting_go(), if !waiting.is_empty() => {}
        }
    }
}

/// The next batch that a writer is free for.
fn take<S>(
    context: &LaneContext<S>,
    waiting: &mut Waiting,
    busy: [usize; Size::ALL.len()],
    linger_until: [Option<Instant>; Size::ALL.len()],
) -> Option<(Size, Vec<Item>)> {
    let has_writer = |size| {
        !is_ahead(linger_until[size as usize])
            && has_writer(context, size, busy[size as usize], waiting.is_full(size))
    };
    let [small, large] = Size::ALL.map(|size| has_writer(size).then_some(size));
    let mut take = |size: Option<Size>| Some((size?, waiting.take(size?)?));
    take(small).or_else(|| take(large))
}

/// Whether a writer is free for what waits of this size: the first one always, others for full
/// batches. What is large has writers of its own, one fewer where that leaves one. A batch in which one
/// item is looked for leaves its writer to others, up to as many again.
fn has_writer<S>(context: &LaneContext<S>, size: Size, writes: usize, is_full: bool) -> bool {
    let writers_max = context.batch.writers_max_of(size);
    let busy = writes - context.searches.count(size).min(writes);
    busy < writers_max && writes < 2 * writers_max && (busy == 0 || is_full)
}

/// Until when a free writer waits for more of this size: only where `batch.linger` is set, and never
/// with a full batch.
fn linger(
    batch: &BatchConfig,
    waiting: &Waiting,
    size: Size,
    until: Option<Instant>,
) -> Option<Instant> {
    let lingers = !batch.linger.is_zero() && waiting.has(size) && !waiting.is_full(size);
    lingers.then(|| until.unwrap_or_else(|| Instant::now() + batch.linger))
}

fn is_ahead(until: Option<Instant>) -> bool {
    until.is_some_and(|until| until > Instant::now())
}

fn admit<S>(context: &LaneContext<S>, waiting: &mut Waiting, parts: Vec<Part>) {
    for mut part in parts {
        part.receipt.enter(context.waiting());
        if was_expired(context, &part) {
            context.flow.signals.emit(&Expired);
            context.settle.delete(part.receipt, part.ending);
        } else if waiting.push(part) {
            context.flow.signals.emit(&Joined);
        }
    }
}

fn was_expired<S>(context: &LaneContext<S>, part: &Part) -> bool {
    is_past_ttl(context.collection.ttl, &part.write, part.receipt.message.sent_ms)
}

/// Whether the update was past its TTL when it was sent: such a late one must not make a document
/// anew. The queue's clock alone decides, because this machine's may be ahead, and a fresh update
/// must not be lost for that. What grew too old in the queue is written, and removed by the TTL
/// index within a minute.
#[must_use]
pub fn is_past_ttl(ttl: Option<Duration>, write: &Write, sent_ms: i64) -> bool {
    let (Some(ttl), Some(time_ms)) = (ttl, item::newest_time_ms(write)) else { return false };
    time_ms.saturating_add(crate::time::millis(ttl)) < sent_ms
}
