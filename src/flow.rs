//! What every stage works with, handed on as one value: the clock, the stop, where what happens is
//! told, and how calls are tried again.

use std::sync::Arc;

use crate::clock::Clock;
use crate::retry::Backoff;
use crate::retry::RetryConfig;
use crate::stop::Stop;
use crate::telemetry::signals::Signals;

/// One for a pipeline; clones share all of it.
#[derive(Clone)]
pub struct Flow {
    pub clock: Arc<dyn Clock>,
    pub stop: Stop,
    pub signals: Signals,
    pub retry: RetryConfig,
}

impl Flow {
    /// The pauses between the tries of one call.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        Backoff::new(&self.retry, Arc::clone(&self.clock))
    }
}
