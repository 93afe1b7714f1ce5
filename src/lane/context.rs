//! What a lane works with, and when it lets go.

use std::sync::Arc;

use crate::dead_letter::Rejects;
use crate::flow::Flow;
use crate::gate::Gate;
use crate::settle::Settle;
use crate::store::Collection;
use crate::telemetry::instruments::CollectionLabel;

use super::evidence::Evidence;
use super::waiting::BatchConfig;

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
    /// Shared by all lanes.
    pub evidence: Arc<Evidence>,
    pub flow: Flow,
}

impl<S> LaneContext<S> {
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
