//! One struct per thing that happened. Emitting it counts and logs it, so that the two never disagree.
//!
//! A signal holds no body, no key and no secret: ids, counts, codes and the texts of faults only.

mod message;
mod queue;
mod store;
mod worker;

use std::sync::Arc;

use super::counters::Counters;

pub use message::{DeadLettered, Expired, Joined, MessageRejected, Outgrown, SlowedDown};
pub use queue::{Deleted, ExtendFailed, Overdrawn, ReceiveFailed, Received, Released, SettleFailed, StaleHandle, VisibilityExtended};
pub use store::{BatchWritten, GateClosed, GateOpened, WriteFailed};
pub use worker::{QueueCalls, WorkerEnded};

/// Where signals go. Clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    counters: Arc<Counters>,
}

impl Signals {
    pub fn emit(&self, signal: &impl Signal) {
        signal.count(&self.counters);
        signal.log();
    }

    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// Something that happened.
pub trait Signal {
    fn count(&self, counters: &Counters);
    fn log(&self);
}
