//! The last line of a worker: all that it did, by name.

use std::time::Duration;

use crate::telemetry::counters::{Counters, Counts};

use super::Signal;

/// A worker has settled what it held, or given it back, and is about to exit.
pub struct WorkerEnded {
    /// Everything held was written and deleted; else some of it was given back.
    pub drained: bool,
    pub ran: Duration,
    pub counts: Counts,
    pub calls: QueueCalls,
}

/// Requests to the queue, failed ones included: what AWS bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCalls {
    pub receive: u64,
    pub delete: u64,
    pub change_visibility: u64,
    pub other: u64,
}

impl Signal for WorkerEnded {
    fn count(&self, _: &Counters) {}

    fn log(&self) {
        // Without `..`: a new counter does not compile until it stands here.
        let Counts {
            receives_total,
            receives_empty_total,
            receives_failed_total,
            received_total,
            redelivered_total,
            batches_written_total,
            written_total,
            joined_total,
            already_there_total,
            stale_total,
            writes_failed_total,
            deleted_total,
            deletes_failed_total,
            deletes_abandoned_total,
            stale_handles_total,
            released_total,
            extended_total,
            gate_closed_total,
            slowed_total,
            dead_lettered,
        } = &self.counts;
        let reasons: Vec<_> = dead_lettered.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        tracing::info!(
            drained = self.drained,
            ran = ?self.ran,
            receives_total,
            receives_empty_total,
            receives_failed_total,
            received_total,
            redelivered_total,
            batches_written_total,
            written_total,
            joined_total,
            already_there_total,
            stale_total,
            writes_failed_total,
            dead_lettered_total = dead_lettered.values().sum::<u64>(),
            dead_lettered = reasons.join(", "),
            deleted_total,
            deletes_failed_total,
            deletes_abandoned_total,
            stale_handles_total,
            released_total,
            extended_total,
            gate_closed_total,
            slowed_total,
            calls.receive = self.calls.receive,
            calls.delete = self.calls.delete,
            calls.change_visibility = self.calls.change_visibility,
            calls.other = self.calls.other,
            "ended"
        );
    }
}
