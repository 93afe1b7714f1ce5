//! What metrics show and counters do not have: it is asked of those that know it.

use std::sync::Arc;

use crate::held::Held;
use crate::telemetry::counters::figure;

/// AWS's list price of a million requests in US dollars, for the first hundred thousand million of
/// a month, in most regions. <https://aws.amazon.com/sqs/pricing/>
const STANDARD_DOLLARS_PER_MILLION: f64 = 0.40;
const FIFO_DOLLARS_PER_MILLION: f64 = 0.50;

/// What the parts of a worker know that have no counters here.
#[derive(Clone)]
pub struct Sources {
    /// The name of the queue.
    pub destination: Arc<str>,
    pub fifo: bool,
    pub held: Held,
    /// Requests to the queue so far, by operation.
    pub api_requests: Arc<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>,
    /// Connections to the database.
    pub connections: Arc<dyn Fn() -> Connections + Send + Sync>,
    /// Spans that were dropped because the collector did not keep up, or was not there.
    pub spans_dropped: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Exports of metrics that did not get through.
    pub metric_exports_failed: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Whether the watchdog finds a task stuck.
    pub is_stuck: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// The pool of connections to the database at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    pub used: u64,
    pub idle: u64,
    /// Operations that got none in time, since the start.
    pub timeouts: u64,
}

impl Sources {
    /// Requests to the queue so far, at list price.
    #[must_use]
    pub fn api_cost_dollars(&self) -> f64 {
        let requests: u64 = (self.api_requests)().iter().map(|(_, requests)| requests).sum();
        let price = if self.fifo { FIFO_DOLLARS_PER_MILLION } else { STANDARD_DOLLARS_PER_MILLION };
        figure(requests) * price / 1e6
    }
}
