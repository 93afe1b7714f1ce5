//! Counts of what happened since the start of the process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::message::Reason;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Monotone counters; only [`super::signals`] writes them.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
            dead_lettered: ByReason,
        }

        /// All counters at one moment.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
            /// Messages whose dead letter is durable, by reason; only reasons that occurred.
            pub dead_lettered: BTreeMap<Reason, u64>,
        }

        impl Counters {
            #[must_use]
            pub fn counts(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* dead_lettered: self.dead_lettered.counts() }
            }
        }
    };
}

counters! {
    /// Receives that were answered, empty ones included.
    receives_total,
    /// Receives that brought nothing.
    receives_empty_total,
    /// Receives that failed.
    receives_failed_total,
    /// Messages received, redeliveries included.
    received_total,
    /// Messages whose receive count was above one.
    redelivered_total,
    /// Commands that the store answered.
    batches_written_total,
    /// Documents and updates that the store took, before what turned out stale is subtracted.
    written_total,
    /// Receives that brought more than the queue says that it can.
    overdrawn_total,
    /// The most messages that were ever reserved and held at once.
    in_flight_messages_peak,
    /// The most bytes that were ever reserved and held at once.
    in_flight_bytes_peak,
    /// Messages that needed more than their share of the in-flight bytes, and waited for it.
    outgrown_total,
    /// Messages joined with another of the same key before writing.
    joined_total,
    /// Inserts whose document was there already.
    already_there_total,
    /// Updates that were not newer than what is stored, or past their TTL.
    stale_total,
    /// Write attempts after which nothing, or not all, was confirmed.
    writes_failed_total,
    /// Messages deleted after their write, dead letters included.
    deleted_total,
    /// Delete entries that failed and were tried again.
    deletes_failed_total,
    /// Deletes given up: the message comes back and is found to be there already.
    deletes_abandoned_total,
    /// Receipt handles that the queue no longer knew.
    stale_handles_total,
    /// Messages given back to the queue.
    released_total,
    /// Messages whose visibility was extended.
    extended_total,
    /// Times the gate closed.
    gate_closed_total,
    /// Times receiving was slowed because most messages were rejected for one reason.
    slowed_total,
}

impl Counters {
    pub(in crate::telemetry) fn dead_lettered(&self, reason: Reason) {
        self.dead_lettered.add(reason);
    }
}

/// A counter that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(in crate::telemetry) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(in crate::telemetry) fn raise(&self, to: usize) {
        self.0.fetch_max(to as u64, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One counter per reason; the list of reasons is closed.
#[derive(Debug)]
struct ByReason(Vec<Counter>);

impl Default for ByReason {
    fn default() -> Self {
        Self(Reason::ALL.iter().map(|_| Counter::default()).collect())
    }
}

impl ByReason {
    fn add(&self, reason: Reason) {
        self.0[reason as usize].add(1);
    }

    fn counts(&self) -> BTreeMap<Reason, u64> {
        Reason::ALL.iter().zip(&self.0).map(|(reason, counter)| (*reason, counter.get())).filter(|(_, count)| *count > 0).collect()
    }
}
