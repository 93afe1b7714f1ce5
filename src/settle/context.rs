//! What settling works with.

use std::sync::Arc;

use crate::flow::Flow;
use crate::queue::QueueTraits;

/// The same for all messages of a pipeline.
pub struct SettleContext<Q> {
    pub queue: Arc<Q>,
    pub traits: QueueTraits,
    /// The budget of its retries is not used: tries are counted here.
    pub flow: Flow,
}
