//! What a lane works with, and when it lets go.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::dead_letter::Rejects;
use crate::flow::Flow;
use crate::gate::Gate;
use crate::message::Key;
use crate::settle::Settle;
use crate::store::Collection;
use crate::telemetry::instruments::CollectionLabel;

use super::evidence::Evidence;
use super::waiting::{BatchConfig, Size};

/// What a lane works with.
pub struct LaneContext<S> {
    pub store: Arc<S>,
    pub collection: Arc<Collection>,
    /// The collection in what is measured.
    pub label: CollectionLabel,
    pub batch: BatchConfig,
    pub gate: Gate,
    pub settle: Settle,
    /// Where rejected messages go. `None` in the dead-letter lane itself, whose rejected records go
    /// back to the queue.
    pub rejects: Option<Rejects>,
    /// All collections but that of dead letters, shared by all lanes. Where another one is well, the
    /// trouble of this one is no reason to receive nothing.
    pub collections: Arc<[Arc<Collection>]>,
    /// The retry budget was spent on a trouble that is the collection's alone, and nothing was
    /// written to it since.
    pub is_confined: AtomicBool,
    /// Shared by all lanes.
    pub evidence: Arc<Evidence>,
    pub searches: Searches,
    pub flow: Flow,
}

/// Batches of a lane in which one item is looked for. They leave their writers to others, and the
/// keys that they are done with.
#[derive(Debug, Clone, Default)]
pub struct Searches(Arc<Searching>);

#[derive(Debug, Default)]
struct Searching {
    /// Of each size.
    counts: [AtomicUsize; Size::ALL.len()],
    /// Keys that a write in flight carried, and does not any more.
    freed: Mutex<Vec<Key>>,
    changed: Notify,
}

impl Searches {
    pub(super) fn count(&self, size: Size) -> usize {
        self.0.counts[size as usize].load(Ordering::Relaxed)
    }

    /// A batch goes on without this key.
    pub(super) fn free(&self, key: Key) {
        self.freed().push(key);
        self.0.changed.notify_one();
    }

    /// The keys that were freed since this was last asked.
    pub(super) fn take_freed(&self) -> Vec<Key> {
        std::mem::take(&mut self.freed())
    }

    /// Nothing panics while it is held.
    fn freed(&self) -> MutexGuard<'_, Vec<Key>> {
        self.0.freed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one has begun, or a key was freed.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

/// One of [`Searches`], until it is dropped.
#[derive(Debug)]
pub(super) struct Search {
    searches: Searches,
    size: Size,
}

impl Drop for Search {
    fn drop(&mut self) {
        self.searches.0.counts[self.size as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S> LaneContext<S> {
    /// A batch of this size searches from now on, if it does not already.
    pub(super) fn searches(&self, size: Size, search: &mut Option<Search>) {
        search.get_or_insert_with(|| {
            let Searching { counts, changed, .. } = &*self.searches.0;
            counts[size as usize].fetch_add(1, Ordering::Relaxed);
            changed.notify_one();
            Search { searches: self.searches.clone(), size }
        });
    }

    /// Waits until what is not written must be given back: the worker lets go, and no receive is in
    /// progress that would bring it straight back and burn a count.
    pub(super) async fn letting_go(&self) {
        self.flow.stop.letting_go().await;
        self.gate.quiet().await;
    }

    pub(super) fn is_letting_go(&self) -> bool {
        self.flow.stop.is_letting_go() && self.gate.is_quiet()
    }
}
