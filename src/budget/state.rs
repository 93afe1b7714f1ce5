//! What is taken of the budget, and who waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::amounts::Used;
use crate::gauges::Gauges;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) messages_max: usize,
    pub(super) bytes_max: usize,
    /// Bytes that receives leave to messages that grow.
    pub(super) headroom: usize,
    /// Bytes that receives leave, before they ask, to answers that turn out larger.
    pub(super) spare: usize,
    pub(super) gauges: Arc<Gauges>,
    pub(super) state: Mutex<State>,
    /// For those that wait to acquire. The two wait apart, or one could take the other's wake-up
    /// and not fit.
    pub(super) freed: Notify,
    /// For the one that waits to grow.
    pub(super) freed_to_grow: Notify,
    /// For the first of those that wait to extend, who has the lock.
    pub(super) freed_to_extend: Notify,
    pub(super) extending: tokio::sync::Mutex<()>,
}

impl Shared {
    /// Whether `bytes` more may be of those that have grown: one message always may.
    pub(super) fn may_grow(&self, state: &State, bytes: usize) -> bool {
        is_half_or_alone(state.grown, bytes, self.bytes_max)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) used: Used,
    /// Of the used bytes, those over the budget: see [`Permit::split_message`](super::Permit::split_message).
    pub(super) beyond: usize,
    /// Of the used bytes, those of messages that have grown, and those taken to let one grow.
    pub(super) grown: usize,
    /// One waits to grow. Nobody who came later grows before it, or smaller ones could pass it again
    /// and again.
    pub(super) is_waited_to_grow: bool,
    /// Receives that wait to extend what they have reserved.
    pub(super) extending: usize,
    /// What the first of these lacks.
    pub(super) lacking: usize,
    /// Of what is used, what receives have reserved and not brought.
    pub(super) reserved: Used,
    /// Of what is used, that of rejected messages whose dead letters are not kept yet.
    pub(super) rejected: Used,
    pub(super) peak: Used,
}

impl State {
    pub(super) fn take(&mut self, messages: usize, bytes: usize) {
        self.used.messages += messages;
        self.used.bytes += bytes;
        self.peak.messages = self.peak.messages.max(self.used.messages);
        self.peak.bytes = self.peak.bytes.max(self.used.bytes);
    }

    pub(super) fn forget_rejected(&mut self, own: Used) {
        self.rejected.messages -= own.messages;
        self.rejected.bytes -= own.bytes;
    }

    pub(super) fn show(&self, gauges: &Gauges) {
        gauges.in_flight_messages.set(self.used.messages);
        gauges.in_flight_bytes.set(self.used.bytes);
        gauges.in_flight_messages_reserved.set(self.reserved.messages);
        gauges.in_flight_bytes_reserved.set(self.reserved.bytes);
    }
}

/// Whether `more` beside what `others` of its kind hold is half of all at most, or there are no others.
pub(super) fn is_half_or_alone(others: usize, more: usize, max: usize) -> bool {
    others == 0 || others + more <= max / 2
}
