//! Which messages were in doubt before, over all lanes and holds.
//!
//! A message whose fault could not be told stays in the queue and comes back. If it is in doubt again, and others were confirmed in
//! between, that may be its own fault or another trouble of the store; at the third time it is its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;

use super::item::Item;

/// Messages remembered at most. What is forgotten is in doubt for the first time again.
const REMEMBERED_MAX: usize = 1_000;

/// Doubts, each after other writes were confirmed, that prove a message's own fault.
const DOUBTS_MAX: u32 = 3;

/// Messages that were in doubt, until they have an end.
#[derive(Debug, Default)]
pub struct Doubts {
    by_message: Mutex<IndexMap<String, Remembered>>,
}

#[derive(Debug)]
struct Remembered {
    /// How often it was in doubt, counted anew only after other writes were confirmed.
    doubts: u32,
    /// How many writes had been confirmed at the last of them.
    confirmed_then: u64,
}

impl Doubts {
    /// Notes a doubt about a message by itself, and says whether its fault is proven.
    pub(super) fn note(&self, item: &Item, confirmed_now: u64) -> bool {
        // Of a joined one nothing is known: the fault may be that of one of its messages alone.
        let Some(message_id) = item.only_message_id() else { return false };
        let mut by_message = self.lock();
        if let Some(remembered) = by_message.get_mut(message_id) {
            if confirmed_now > remembered.confirmed_then {
                *remembered = Remembered { doubts: remembered.doubts + 1, confirmed_then: confirmed_now };
            }
            return remembered.doubts >= DOUBTS_MAX;
        }
        if by_message.len() >= REMEMBERED_MAX {
            by_message.shift_remove_index(0);
        }
        by_message.insert(message_id.to_owned(), Remembered { doubts: 1, confirmed_then: confirmed_now });
        false
    }

    pub(super) fn forget(&self, item: &Item) {
        if let Some(message_id) = item.only_message_id() {
            self.lock().shift_remove(message_id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, IndexMap<String, Remembered>> {
        self.by_message.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
