//! How the parts of an item end.

use crate::message::{Part, Rejection};

use super::LaneContext;
use super::item::Item;

/// The item is durable: its messages may leave the queue.
pub(super) fn done<S>(context: &LaneContext<S>, item: Item) {
    context.doubts.forget(&item);
    for part in item.into_parts() {
        context.durable(&part);
        context.settle.delete(part.receipt, part.ending);
    }
}

/// The messages go back to the queue at once.
pub(super) fn release<S>(context: &LaneContext<S>, item: Item) {
    for part in item.into_parts() {
        context.settle.release(part.receipt);
    }
}

/// The item is refused for good. A joined one is taken apart, because the fault may be one
/// message's alone: its parts come back, oldest version first, to be tried singly.
pub(super) fn refuse<S>(context: &LaneContext<S>, item: Item, rejection: &Rejection) -> Vec<Item> {
    if item.parts_len() > 1 {
        return item.into_single_items();
    }
    for part in item.into_parts() {
        dead_letter(context, part, rejection);
    }
    Vec::new()
}

fn dead_letter<S>(context: &LaneContext<S>, part: Part, rejection: &Rejection) {
    match &context.rejects {
        Some(rejects) => rejects.send(part.receipt, rejection),
        // A record that cannot be written: the message stays in the queue, hidden for its timeout.
        None => context.settle.leave(part.receipt),
    }
}

/// Notes writes that the store confirmed, but for those that changed nothing: a store that cannot
/// write can say so, too. Dead letters do not count: each would be evidence for the next.
pub(super) fn confirmed<S>(context: &LaneContext<S>, written: usize, stale: usize) {
    if context.rejects.is_some() {
        context.doubts.confirm(written.saturating_sub(stale));
    }
}
