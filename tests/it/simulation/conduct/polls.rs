//! That a worker does not ask an idle queue more often than it must: it has one receive in
//! progress, and one more for each that told of a backlog. What the wall clock of its machine says
//! is no sign of that: here, true time counts.

use std::time::Duration;

use tokio::time::Instant;

use crate::simulation::life::Life;
use crate::simulation::queue::Delivery;

use super::Ledger;

/// A receive with this many messages, or with all it asked for, that came back within this time.
const WELL_FILLED: usize = 5;
const AT_ONCE: Duration = Duration::from_millis(500);

/// A message that was in the queue for longer than this.
const WAITED_MS: u64 = 1_000;

/// Receives in progress, and how many there may be.
pub struct Polls {
    in_progress: usize,
    allowed: usize,
    /// Messages came that were sent in the future: they are given to another world once more, with
    /// their old times. A worker can tell nothing from such times.
    is_misled: bool,
}

impl Default for Polls {
    fn default() -> Self {
        Self { in_progress: 0, allowed: 1, is_misled: false }
    }
}

pub fn starts(who: &Life, ledger: &mut Ledger) {
    let polls = &mut ledger.polls;
    polls.in_progress += 1;
    if polls.in_progress > polls.allowed && !polls.is_misled {
        let Polls { in_progress, allowed, .. } = *polls;
        who.conditions().history.violation(|| {
            format!(
                "{} has {in_progress} receives in progress, of which no backlog told but of \
                 {allowed}",
                who.name
            )
        });
    }
}

pub fn ends(who: &Life, ledger: &mut Ledger, max: usize, asked_at: Instant, brought: &[Delivery]) {
    let polls = &mut ledger.polls;
    polls.in_progress -= 1;
    let now_ms = who.conditions().history.now_ms();
    polls.is_misled |= brought.iter().any(|delivery| delivery.sent_at_ms > now_ms);
    let has_waited = |delivery: &Delivery| now_ms > delivery.sent_at_ms + WAITED_MS;
    let is_full = asked_at.elapsed() < AT_ONCE && brought.len() >= WELL_FILLED.min(max);
    if brought.is_empty() {
        polls.allowed = (polls.allowed - 1).max(1);
    } else if is_full || brought.iter().any(has_waited) {
        let most = who.conditions().plan.config.queue.pollers_max;
        polls.allowed = (polls.allowed + 1).min(most);
    }
}
