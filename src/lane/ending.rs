//! How the parts of an item end.

use std::sync::atomic::Ordering;

use crate::message::{Part, Rejection};

use super::LaneContext;
use super::item::Item;

/// The item is durable: its messages may leave the queue.
pub(super) fn done<S>(context: &LaneContext<S>, item: Item) {
    for part in item.into_parts() {
        context.settle.delete(part.receipt, part.ending);
    }
}

/// The messages go back to the queue at once.
pub(super) fn release<S>(context: &LaneContext<S>, item: Item) {
    for part in item.into_parts() {
        context.settle.release(part.receipt);
    }
}

/// The message is refused for good.
pub(super) fn dead_letter<S>(context: &LaneContext<S>, part: Part, rejection: &Rejection) {
    match &context.rejects {
        Some(rejects) => rejects.send(part.receipt, rejection),
        // A record that cannot be written: the message stays in the queue, hidden for its timeout.
        None => context.settle.leave(part.receipt),
    }
}

/// Notes writes that the store confirmed. Dead letters do not count: each would be evidence for the next.
pub(super) fn confirmed<S>(context: &LaneContext<S>, writes: usize) {
    if context.rejects.is_some() {
        context.confirmed.fetch_add(writes as u64, Ordering::Relaxed);
    }
}
