//! Keeps what is held hidden from other receivers, until it is settled.
//!
//! At two thirds of its visibility timeout a message that is still held is extended by another. Nothing is extended past
//! half an hour after [`super::HOLD_MAX`]: its owner has released it by then, and the queue would refuse.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

use crate::held::{Due, Held};
use crate::telemetry::signals::{ExtendFailed, Signals, StaleHandle, VisibilityExtended};

use super::{BATCH_MAX, EntryOutcome, HOLD_MAX, Queue};

/// Calls in flight at most.
const CALLS_MAX: usize = 8;

/// Between looks at the table: what is due sooner than the timeout allows is never missed for long.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// The pause before an extension that failed is tried again.
const RETRY_IN: Duration = Duration::from_millis(500);

/// How long after its receive a message is extended at most. SQS refuses what would end more than 12 h after it.
const EXTENDED_MAX: Duration = Duration::from_secs(HOLD_MAX.as_secs() + 1_800);

/// When a message received or extended at `now` must be extended.
#[must_use]
pub fn due(now: Instant, visibility_timeout: Duration) -> Instant {
    now + visibility_timeout * 2 / 3
}

/// Extends whatever is due, for ever: the pipeline drops this when nothing is held any more.
pub async fn run<Q: Queue>(queue: Arc<Q>, held: Held, visibility_timeout: Duration, signals: Signals) {
    loop {
        let now = Instant::now();
        let due = held.take_due(now);
        let mut calls = Vec::with_capacity(due.len().div_ceil(BATCH_MAX));
        for chunk in due.chunks(BATCH_MAX) {
            calls.push(extend(&*queue, &held, visibility_timeout, &signals, chunk));
        }
        stream::iter(calls).buffer_unordered(CALLS_MAX).collect::<()>().await;
        sleep(held.until_due(Instant::now(), LOOK_MAX.min(visibility_timeout / 6))).await;
    }
}

async fn extend<Q: Queue>(queue: &Q, held: &Held, visibility_timeout: Duration, signals: &Signals, chunk: &[Due]) {
    let asked_for = chunk.iter().map(|due| EXTENDED_MAX.saturating_sub(due.received_at.elapsed())).min().unwrap_or_default();
    let visibility_timeout = visibility_timeout.min(asked_for);
    if visibility_timeout < Duration::from_secs(1) {
        // Overdue: it is not put back into the schedule.
        return;
    }
    let handles: Vec<_> = chunk.iter().map(|due| Arc::clone(&due.receipt_handle)).collect();
    // The timeout counts from when the queue acts, which is not before now.
    let asked = Instant::now();
    let (mut extended, mut stale, mut failed, mut cause) = (0, 0, 0, String::new());
    // One call that hangs must not let the others expire; asking once more does no harm.
    let patience = visibility_timeout / 10;
    let outcomes = match timeout(patience, queue.change_visibility(&handles, visibility_timeout)).await {
        Ok(Ok(outcomes)) => outcomes,
        Ok(Err(fault)) => {
            cause = fault.text;
            Vec::new()
        }
        Err(_) => {
            cause = format!("no answer within {patience:?}");
            Vec::new()
        }
    };
    for (index, due) in chunk.iter().enumerate() {
        match outcomes.get(index) {
            Some(EntryOutcome::Done) => {
                extended += 1;
                held.extended(due.number, self::due(asked, visibility_timeout));
            }
            // Gone, or with someone else by now: what is written of it is the same either way.
            Some(EntryOutcome::Stale) => stale += 1,
            other => {
                failed += 1;
                if let Some(EntryOutcome::Failed(text)) = other {
                    cause.clone_from(text);
                }
                held.extended(due.number, Instant::now() + RETRY_IN);
            }
        }
    }
    if extended > 0 {
        signals.emit(&VisibilityExtended { messages: extended });
    }
    if stale > 0 {
        signals.emit(&StaleHandle { operation: "extend", messages: stale });
    }
    if failed > 0 {
        signals.emit(&ExtendFailed { messages: failed, cause: &cause });
    }
}
