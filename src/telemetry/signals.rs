//! One struct per thing that happened. Emitting it counts, measures and logs it, so that these
//! never disagree.
//!
//! A signal logs no body, no key and no secret: ids, counts, codes and the texts of faults only.

mod groups;
mod indexes;
mod message;
mod queue;
mod signal;
mod store;
mod words;
mod worker;

use std::sync::Arc;

use super::counters::Counters;
use super::folds::Folds;
use super::instruments::Instruments;
use super::recent::Recent;
use super::spans::Spans;
use super::watchdog::Watchdog;
use crate::gauges::Gauges;

pub use groups::{GroupNew, GroupUnasked, GroupsNotAsked};
pub use indexes::{
    CollectionFit, CollectionUnfit, Failure, IndexFound, IndexLost, IndexMade, IndexNotMade,
    IndexState, IndexesNotRead, Remedy, Role,
};
pub use message::{
    DeadLettered, Durable, Expired, FloodBegan, FloodEnded, Joined, MessageRejected, Outgrown,
    RejectedLeft, TypesDisagreed,
};
pub use queue::{
    Deleted, ExtendFailed, LettersNotSent, Overdrawn, QueueCalled, ReceiveFailed, Received,
    Released, SettleFailed, StaleHandle, Unread, VisibilityExtended,
};
pub use signal::Signal;
pub use store::{BatchWritten, GateClosed, GateOpened, Processed, StoreCalled, Then, WriteFailed};
pub use words::QueueCalls;
pub use worker::{ENDED_IN_FIGURES, ENDED_IN_WORDS, WorkerEnded};

/// Where signals go, and what is told beside them. Clones share all of it. The default one counts
/// and logs, and measures nothing.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    counters: Arc<Counters>,
    gauges: Arc<Gauges>,
    instruments: Instruments,
    recent: Recent,
    spans: Spans,
    watchdog: Watchdog,
    folds: Folds,
}

impl Signals {
    /// Signals that are measured, too.
    #[must_use]
    pub fn new(instruments: Instruments, spans: Spans) -> Self {
        Self { shared: Arc::new(Shared { instruments, spans, ..Shared::default() }) }
    }

    pub fn emit(&self, signal: &impl Signal) {
        signal.count(&self.shared.counters);
        signal.measure(&self.shared.instruments);
        signal.remember(&self.shared.recent);
        if self.shared.folds.is_first(signal.kind()) {
            signal.log();
        }
    }

    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    #[must_use]
    pub fn gauges(&self) -> &Arc<Gauges> {
        &self.shared.gauges
    }

    #[must_use]
    pub fn instruments(&self) -> &Instruments {
        &self.shared.instruments
    }

    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.shared.recent
    }

    #[must_use]
    pub fn spans(&self) -> &Spans {
        &self.shared.spans
    }

    #[must_use]
    pub fn folds(&self) -> &Folds {
        &self.shared.folds
    }

    #[must_use]
    pub fn watchdog(&self) -> &Watchdog {
        &self.shared.watchdog
    }
}
