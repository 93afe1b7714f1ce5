//! That in a FIFO group nothing is deleted past a message that went back to the queue.
//!
//! The worker decides on a delete when the write is confirmed, and on a release before it asks for
//! it: a release waits for an extension in flight at most. So of those that it holds when it asks for a release, whatever
//! stands behind in the group and is not written yet has to go back, too. What was received later
//! does not: the queue gives no more of a group while it waits for what it gave, so the handle that
//! is released is stale by then.

use std::sync::Arc;

use crate::simulation::life::Life;

use super::{Ledger, Request};

pub fn looks_at_order(who: &Life, ledger: &mut Ledger, handle: &Arc<str>, request: Request) {
    let Some(receipt) = ledger.receipts.get_mut(handle) else { return };
    let Some((group, sequence)) = receipt.fifo.clone() else { return };
    let received_at = receipt.received_at;
    match request {
        Request::Release => {
            let is_behind = |other: &(String, u128)| other.0 == group && other.1 > sequence;
            for (_, other) in
                ledger.receipts.open_mut(who).filter(|(_, other)| other.received_at <= received_at)
            {
                other.is_behind_released |=
                    !other.written && other.fifo.as_ref().is_some_and(is_behind);
            }
        }
        Request::Delete if receipt.is_behind_released => {
            let history = &who.conditions().history;
            history.violation(|| {
                format!(
                    "{} deletes {handle} past another of its group {group} that went back",
                    who.name
                )
            });
        }
        Request::Delete | Request::Hide => {}
    }
}
