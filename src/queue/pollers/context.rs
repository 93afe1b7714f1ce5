//! What receiving works with.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::{Budget, Shares};
use crate::flow::Flow;
use crate::gate::Gate;
use crate::held::Held;
use crate::queue::{QueueConfig, QueueTraits};

/// "At once": a receive that waited longer had an empty queue before it.
pub(super) const AT_ONCE: Duration = Duration::from_millis(500);

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
