//! That in a FIFO group nothing is deleted past a message that went back to the queue.
//!
//! The worker decides on a delete when the write is confirmed, and on a release before it asks for
//! it: a release waits for an extension in flight at most. So of those that it holds when it asks for a release, whatever
//! stands behind in the group and is not written yet has to go back, too. What was received later
//! does not: the queue gives no more of a group while it waits for what it gave, so the handle that
//! is released is stale by then.

use std::sync::Arc;

use crate::simulation::incarnation::Incarnation;

use super::{Book, Wish};

pub fn looks_at_order(who: &Incarnation, book: &mut Book, handle: &Arc<str>, wish: Wish) {
    let Some(receipt) = book.receipts.get_mut(handle) else { return };
    let Some((group, sequence)) = receipt.fifo.clone() else { return };
    let received_at = receipt.received_at;
    match wish {
        Wish::Release => {
            let is_behind = |other: &(String, u128)| other.0 == group && other.1 > sequence;
            for (_, other) in
                book.receipts.open_mut(who).filter(|(_, other)| other.received_at <= received_at)
            {
                other.is_behind_released |=
                    !other.written && other.fifo.as_ref().is_some_and(is_behind);
            }
        }
        Wish::Delete if receipt.is_behind_released => {
            let history = &who.surroundings().history;
            history.violation(|| {
                format!(
                    "{} deletes {handle} past another of its group {group} that went back",
                    who.name
                )
            });
        }
        Wish::Delete | Wish::Hide => {}
    }
}
