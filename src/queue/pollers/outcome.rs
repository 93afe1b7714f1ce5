//! What a receive tells, and what is to be tried again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::QueueFault;

use super::context::AT_ONCE;

/// A receive with at least this many messages, returned at once, tells of a backlog.
const WELL_FILLED: usize = 5;

/// A message that waited longer than this tells of a backlog.
const WAITED_MS: i64 = 1_000;

/// A message that waited no longer than this was received as soon as can be, give or take two
/// receives. Where such messages come a few at a time, some receives are too many; where messages wait
/// for longer, none is, for the queue may give few although it has more.
const FRESH_MS: i64 = 100;

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
    /// A few messages that had hardly waited.
    Few,
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

impl ReceiveOutcome {
    /// Of a receive that asked for so many messages and brought `brought` after `took`, of which one had
    /// waited for `waited_ms`, and none longer.
    pub fn of(brought: usize, asked_for: usize, took: Duration, waited_ms: i64) -> Self {
        let is_well_filled = brought >= asked_for.min(WELL_FILLED);
        if brought == 0 {
            Self::Nothing
        } else if is_well_filled && took < AT_ONCE || waited_ms > WAITED_MS {
            Self::Backlog
        } else if !is_well_filled && waited_ms <= FRESH_MS {
            Self::Few
        } else {
            Self::Some
        }
    }
}

/// Receives in a row that brought a few fresh messages.
#[derive(Default)]
pub(super) struct Surplus(usize);

impl Surplus {
    /// Whether the receive that came back is one too many, with `others` in progress: where as many in a
    /// row as there are brought few. If each ended at once, chance would end them all.
    pub fn after(&mut self, outcome: &ReceiveOutcome, others: usize) -> bool {
        self.0 = if matches!(outcome, ReceiveOutcome::Few) { self.0 + 1 } else { 0 };
        let is_one = self.0 > others;
        if is_one {
            self.0 = 0;
        }
        is_one
    }
}
