//! What settling works with.

use std::sync::Arc;
use std::time::Duration;

use crate::brake::Brake;
use crate::clock::Clock;
use crate::config::RetryConfig;
use crate::stop::Stop;
use crate::telemetry::signals::Signals;

/// The same for all messages of a pipeline.
pub struct SettleContext<Q> {
    pub queue: Arc<Q>,
    /// How long the queue hides a message that it has delivered.
    pub visibility_timeout: Duration,
    /// Whether the queue is a FIFO queue: it gives no more of a group until what it gave is gone.
    pub fifo: bool,
    /// The pauses between the tries of one call. Its budget is not used: tries are counted here.
    pub retry: RetryConfig,
    /// Hears how each message ended that is to be deleted.
    pub brake: Brake,
    pub clock: Arc<dyn Clock>,
    pub stop: Stop,
    pub signals: Signals,
}
