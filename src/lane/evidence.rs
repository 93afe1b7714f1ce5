//! What tells a message's own fault from the store's, over all lanes and holds: how many writes
//! were confirmed, and which messages were in doubt or in the way of others before.
//!
//! A message whose fault could not be told stays in the queue and comes back. If it is in doubt
//! again, and others were confirmed in between, that may be its own fault or another trouble of the
//! store; at the third time it is its own.
//!
//! A message that was set aside because nothing could be written beside it, or because the store never
//! answered for it, is tried alone from the start when it comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

/// Messages remembered at most. What is forgotten is in doubt for the first time again.
const REMEMBERED_MAX: usize = 10_000;

/// How long it is remembered that items were in the way of others while the store was well: more of
/// their kind may come.
const TROUBLE_REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// Messages that were in doubt or set aside, until they have an end. One for all lanes.
#[derive(Debug, Default)]
pub struct Evidence {
    confirmed: AtomicU64,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    by_message: IndexMap<String, Remembered>,
    /// When items were last set aside, of whatever collection.
    set_aside_at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// How often it was in doubt, counted anew only after other writes were confirmed.
    doubts: u32,
    /// How many writes had been confirmed at the last of them.
    confirmed_then: u64,
    is_set_aside: bool,
}

impl Evidence {
    /// Notes writes that the store confirmed.
    pub(super) fn confirm(&self, writes: usize) {
        self.confirmed.fetch_add(writes as u64, Ordering::Relaxed);
    }

    /// How many writes the store confirmed so far.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::Relaxed)
    }

    /// Notes a doubt about a message by itself, and says how often there was one.
    pub(super) fn note_doubt(&self, message_id: &str) -> u32 {
        let (confirmed_now, mut memory) = (self.confirmed(), self.lock());
        let remembered = memory.remember(message_id);
        if remembered.doubts == 0 || confirmed_now > remembered.confirmed_then {
            (remembered.doubts, remembered.confirmed_then) = (remembered.doubts + 1, confirmed_now);
        }
        remembered.doubts
    }

    /// Notes that these messages were in the way of others while the store was well.
    pub(super) fn set_aside<'a>(&self, message_ids: impl Iterator<Item = &'a str>) {
        let mut memory = self.lock();
        memory.set_aside_at = Some(Instant::now());
        for message_id in message_ids {
            memory.remember(message_id).is_set_aside = true;
        }
    }

    /// Whether any of these messages was.
    pub(super) fn was_set_aside<'a>(&self, mut message_ids: impl Iterator<Item = &'a str>) -> bool {
        let memory = self.lock();
        let was_set_aside = |id| memory.by_message.get(id).is_some_and(|known| known.is_set_aside);
        memory.set_aside_at.is_some() && message_ids.any(was_set_aside)
    }

    /// Whether any item was set aside of late. Of all collections: each with such items would
    /// otherwise take its ten minutes from the rest.
    pub(super) fn is_trouble_known(&self) -> bool {
        self.lock().set_aside_at.is_some_and(|at| at.elapsed() < TROUBLE_REMEMBERED_FOR)
    }

    pub(super) fn forget(&self, message_id: &str) {
        let mut memory = self.lock();
        if !memory.by_message.is_empty() {
            memory.by_message.shift_remove(message_id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn remember(&mut self, message_id: &str) -> &mut Remembered {
        let remembered = self.by_message.shift_remove(message_id).unwrap_or_default();
        if self.by_message.len() >= REMEMBERED_MAX {
            // The one that has not been seen for longest.
            self.by_message.shift_remove_index(0);
        }
        self.by_message.entry(message_id.to_owned()).insert_entry(remembered).into_mut()
    }
}
