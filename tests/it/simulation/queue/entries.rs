//! What becomes of each entry of a batch: deleted, hidden, given back, or not.

use std::sync::Arc;
use std::time::Duration;

use longshore::queue::EntryOutcome;
use tokio::time::Instant;

use crate::simulation::fault::Fault;

use super::{Queue, parse};

/// How long a message may be hidden after its receive (SQS developer guide, "Amazon SQS visibility
/// timeout": 12 hours).
const HIDDEN_MAX: Duration = Duration::from_hours(12);

impl Queue {
    /// Numbers a call when it is sent. That is not the order in which calls are applied.
    pub fn call_sent(&self) -> u64 {
        let mut state = self.lock();
        state.last_call += 1;
        state.last_call
    }

    /// Takes note of a call that is applied now.
    pub fn call_applied(&self, handles: &[Arc<str>], call: u64) {
        let mut state = self.lock();
        for handle in handles {
            let (number, version) = parse(handle);
            let slot = &mut state.slots[number];
            if slot.handle != version {
                continue;
            }
            if slot.applied > call {
                self.conditions.history.saw(Fault::AppliedOutOfOrder);
            }
            slot.applied = slot.applied.max(call);
        }
    }

    pub fn delete(&self, handles: &[Arc<str>]) -> Vec<EntryOutcome> {
        let outcomes = handles.iter().map(|handle| self.delete_one(handle)).collect();
        self.changed.notify_waiters();
        outcomes
    }

    fn delete_one(&self, handle: &str) -> EntryOutcome {
        if let Some(outcome) = self.entry_fault() {
            return outcome;
        }
        let (number, version) = parse(handle);
        let mut state = self.lock();
        let slot = &mut state.slots[number];
        let is_latest = slot.handle == version;
        let is_expired = slot.visible_at <= Instant::now();
        if slot.deleted || (self.fifo && (!is_latest || is_expired)) {
            return EntryOutcome::Stale;
        }
        if !is_latest {
            if self.strikes(Fault::DeleteForgotten) {
                return EntryOutcome::Done;
            }
            if !self.strikes(Fault::DeletedByOldHandle) {
                return EntryOutcome::Stale;
            }
        }
        slot.deleted = true;
        self.done()
    }

    pub fn change_visibility(&self, handles: &[Arc<str>], timeout: Duration) -> Vec<EntryOutcome> {
        let outcomes = handles.iter().map(|handle| self.change_one(handle, timeout)).collect();
        self.changed.notify_waiters();
        outcomes
    }

    fn change_one(&self, handle: &str, timeout: Duration) -> EntryOutcome {
        if let Some(outcome) = self.entry_fault() {
            return outcome;
        }
        let (number, version) = parse(handle);
        let mut state = self.lock();
        let slot = &mut state.slots[number];
        if slot.deleted || slot.handle != version {
            return EntryOutcome::Stale;
        }
        if slot.visible_at <= Instant::now() {
            // Some server of the queue may not know yet that the message came back.
            let is_hidden =
                !self.fifo && !timeout.is_zero() && self.strikes(Fault::HiddenWhileVisible);
            if !is_hidden {
                return EntryOutcome::Stale;
            }
        }
        if timeout > HIDDEN_MAX || Instant::now() + timeout > slot.received_at + HIDDEN_MAX {
            self.conditions
                .history
                .violation(|| format!("{handle} would be hidden for more than 12 h"));
            return EntryOutcome::Failed("InvalidParameterValue".to_owned());
        }
        slot.visible_at = Instant::now() + timeout;
        self.done()
    }

    /// What is heard of an entry that was done.
    fn done(&self) -> EntryOutcome {
        if self.strikes(Fault::EntryFailedDone) {
            EntryOutcome::Failed("InternalError".to_owned())
        } else {
            EntryOutcome::Done
        }
    }

    fn entry_fault(&self) -> Option<EntryOutcome> {
        if self.strikes(Fault::EntryFailed) {
            return Some(EntryOutcome::Failed("InternalError".to_owned()));
        }
        self.strikes(Fault::HandleRefused).then_some(EntryOutcome::Stale)
    }
}
