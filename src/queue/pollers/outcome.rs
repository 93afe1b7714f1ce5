//! What a receive tells, and what is to be tried again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::QueueFault;

/// What is to be tried again once no receive is in progress.
#[derive(Default)]
pub(super) struct Retries {
    pub pause: Option<Duration>,
    /// Of FIFO receives whose answer was lost: the queue gives the same messages for them again.
    pub attempts: VecDeque<String>,
}

/// What one receive tells about the queue.
pub(super) enum ReceiveOutcome {
    /// There is more.
    Backlog,
    Some,
    /// There was no room at once for what it brought.
    Crowded {
        asked: Instant,
    },
    Nothing,
    Fault {
        fault: QueueFault,
        attempt: Option<String>,
    },
    /// Nothing was asked: the worker stops.
    Stopped,
}
