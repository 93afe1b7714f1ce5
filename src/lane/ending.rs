//! How messages end in a lane.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::flood::RejectedIn;
use crate::message::{Part, Rejection};
use crate::store::WriteTrouble;
use crate::telemetry::signals::{BatchWritten, Then};

use super::context::LaneContext;
use super::policy::Tally;

/// The message is durable: it may leave the queue.
pub(super) fn done<S>(context: &LaneContext<S>, part: Part) {
    context.evidence.forget(&part.receipt.message.message_id);
    context.durable(&part);
    context.settle.delete(part.receipt, part.ending);
}

/// The message is rejected for good.
pub(super) fn reject<S>(context: &LaneContext<S>, part: Part, rejection: &Rejection) {
    if let Some(rejects) = &context.rejects {
        return rejects.send(RejectedIn::Lane, part.receipt, rejection);
    }
    // This is the lane of dead letters: there is no other way for what it rejects.
    let then = Then::LeaveDeadLetter(&part.receipt.message.message_id);
    context.failed(1, WriteTrouble::Item, &rejection.text, then);
    context.settle.leave(part.receipt);
}

/// The messages go back to the queue at once.
pub(super) fn release<S>(context: &LaneContext<S>, parts: impl IntoIterator<Item = Part>) {
    for part in parts {
        context.settle.release(part.receipt);
    }
}

/// Notes what the store answered since `started`. Writes that changed nothing are no evidence: a
/// store that cannot write can say so, too. Nor are dead letters: each would be one for the next.
pub(super) fn confirmed<S>(context: &LaneContext<S>, tally: &Tally, started: Instant) {
    let Tally { written, already_there, stale, .. } = *tally;
    if context.rejects.is_some() {
        context.evidence.confirm(written.saturating_sub(stale));
    }
    let is_store_well = tally.is_store_well();
    if is_store_well {
        context.is_confined.store(false, Ordering::Relaxed);
    }
    if is_store_well || written + already_there > 0 {
        let (collection, took) = (&context.label, started.elapsed());
        context.flow.signals.emit(&BatchWritten {
            collection,
            written,
            already_there,
            stale,
            is_store_well,
            took,
        });
    }
}
