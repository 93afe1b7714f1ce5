//! What a receive tells, and what is to be tried again.

use std::collections::VecDeque;
use std::mem;
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
    /// There is more: messages had waited.
    Backlog,
    /// Well filled at once, by messages that had hardly waited.
    Full,
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
        let is_full = is_well_filled && took < AT_ONCE;
        let is_fresh = waited_ms <= FRESH_MS;
        if brought == 0 {
            Self::Nothing
        } else if waited_ms > WAITED_MS || is_full && !is_fresh {
            Self::Backlog
        } else if is_full {
            Self::Full
        } else if is_fresh && !is_well_filled {
            Self::Few
        } else {
            Self::Some
        }
    }
}

/// What receives tell together, in the order in which they came back.
#[derive(Default)]
pub(super) struct Trend {
    was_full: bool,
    /// That brought a few fresh messages, since a message had waited or the number of receives changed.
    few: usize,
}

impl Trend {
    /// How many receives are to take the place of the one that came back, with `others` in progress.
    pub fn successors(&mut self, outcome: &ReceiveOutcome, others: usize) -> usize {
        let was_full = mem::replace(&mut self.was_full, matches!(outcome, ReceiveOutcome::Full));
        let successors = match outcome {
            ReceiveOutcome::Backlog => 2,
            // One alone brings the rest of a batch that was sent as a whole. The least wait that was seen
            // cannot tell the two apart: a backlog that grows younger always looks fresh.
            ReceiveOutcome::Full if was_full => 2,
            ReceiveOutcome::Few => {
                self.few += 1;
                // If each ended at once, chance would end them all.
                usize::from(self.few <= others)
            }
            ReceiveOutcome::Full | ReceiveOutcome::Some | ReceiveOutcome::Crowded { .. } => 1,
            ReceiveOutcome::Nothing | ReceiveOutcome::Fault { .. } | ReceiveOutcome::Stopped => 0,
        };
        // A crowd ends receives, too.
        if successors != 1
            || matches!(outcome, ReceiveOutcome::Some | ReceiveOutcome::Crowded { .. })
        {
            self.few = 0;
        }
        successors
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{ReceiveOutcome, Trend};

    const OTHERS: usize = 3;

    /// Of a trend that has seen as many few answers as there are other receives.
    fn about_to_end_one() -> Trend {
        let mut trend = Trend::default();
        for _ in 0..OTHERS {
            assert_eq!(trend.successors(&ReceiveOutcome::Few, OTHERS), 1);
        }
        trend
    }

    #[test]
    fn one_receive_ends_after_a_few_answers_for_each() {
        let mut trend = about_to_end_one();
        assert_eq!(trend.successors(&ReceiveOutcome::Full, OTHERS), 1);
        assert_eq!(trend.successors(&ReceiveOutcome::Few, OTHERS), 0);
        assert_eq!(
            trend.successors(&ReceiveOutcome::Few, OTHERS),
            1,
            "the count did not begin anew"
        );
    }

    #[test]
    fn messages_that_waited_and_a_crowd_begin_the_count_anew() {
        for outcome in [ReceiveOutcome::Some, ReceiveOutcome::Crowded { asked: Instant::now() }] {
            let mut trend = about_to_end_one();
            assert_eq!(trend.successors(&outcome, OTHERS), 1);
            assert_eq!(trend.successors(&ReceiveOutcome::Few, OTHERS), 1);
        }
    }
}
