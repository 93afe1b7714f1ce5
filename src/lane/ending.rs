//! How messages end in a lane.

use crate::message::{Part, Rejection};
use crate::telemetry::signals::DeadLetterRefused;

use super::context::LaneContext;

/// The message is durable: it may leave the queue.
pub(super) fn done<S>(context: &LaneContext<S>, part: Part) {
    context.evidence.forget(&part.receipt.message.message_id);
    context.durable(&part);
    context.settle.delete(part.receipt, part.ending);
}

/// The message is refused for good.
pub(super) fn refuse<S>(context: &LaneContext<S>, part: Part, rejection: &Rejection) {
    if let Some(rejects) = &context.rejects {
        return rejects.send(part.receipt, rejection);
    }
    // This is the lane of dead letters: there is no other way for what it rejects.
    context.flow.signals.emit(&DeadLetterRefused {
        collection: &context.collection.name,
        message_id: &part.receipt.message.message_id,
        cause: &rejection.text,
    });
    context.settle.leave(part.receipt);
}

/// The messages go back to the queue at once.
pub(super) fn release<S>(context: &LaneContext<S>, parts: impl IntoIterator<Item = Part>) {
    for part in parts {
        context.settle.release(part.receipt);
    }
}

/// Notes writes that the store confirmed, but for those that changed nothing: a store that cannot
/// write can say so, too. Dead letters do not count: each would be evidence for the next.
pub(super) fn confirmed<S>(context: &LaneContext<S>, written: usize, stale: usize) {
    if context.rejects.is_some() {
        context.evidence.confirm(written.saturating_sub(stale));
    }
}
