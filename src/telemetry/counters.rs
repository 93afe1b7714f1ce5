//! Counts of what happened since the start of the process.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::message::Reason;
use crate::store::WriteTrouble;

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Monotone counters; only [`super::signals`] writes them.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])* pub $name: Counter,)*
            dead_lettered: By<Reason>,
            writes_failed: By<WriteTrouble>,
        }

        /// All counters at one moment.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[doc = $doc])* pub $name: u64,)*
            /// Messages whose dead letter is durable, by reason; only reasons that occurred.
            pub dead_lettered: BTreeMap<Reason, u64>,
        }

        impl Counters {
            #[must_use]
            pub fn counts(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* dead_lettered: self.dead_lettered.counts() }
            }

            /// All counters without labels: name, description, and where the value stands.
            pub(super) const NAMED: &[(&str, &str, fn(&Self) -> &Counter)] =
                &[$((stringify!($name), concat!($($doc),*), |counters| &counters.$name),)*];
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
    /// Messages whose visibility could not be extended, and was asked for again.
    extends_failed_total,
    /// Times the gate closed.
    gate_closed_total,
    /// Times receiving was slowed because most messages were rejected for one reason.
    slowed_total,
}

impl Counters {
    /// Messages whose dead letter is durable.
    #[must_use]
    pub fn dead_lettered(&self) -> &By<Reason> {
        &self.dead_lettered
    }

    /// Write attempts after which nothing, or not all, was confirmed, by what was in the way.
    #[must_use]
    pub fn writes_failed(&self) -> &By<WriteTrouble> {
        &self.writes_failed
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

/// What a counter is counted by: a closed list, so that no message can make the metrics grow.
pub trait Label: Copy + 'static {
    const ALL: &'static [Self];

    /// As it stands in metrics, logs and records.
    fn name(self) -> &'static str;

    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
}

impl Label for Reason {
    const ALL: &'static [Self] = Self::ALL;

    fn name(self) -> &'static str {
        self.code()
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// One counter for each value of a label.
#[derive(Debug)]
pub struct By<L>(Vec<Counter>, PhantomData<L>);

impl<L: Label> Default for By<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|_| Counter::default()).collect(), PhantomData)
    }
}

impl<L: Label> By<L> {
    pub(in crate::telemetry) fn add(&self, label: L) {
        self.0[label.index()].add(1);
    }

    /// Every label with its count, those that never occurred included.
    pub fn all(&self) -> impl Iterator<Item = (L, u64)> {
        L::ALL.iter().zip(&self.0).map(|(label, counter)| (*label, counter.get()))
    }
}

impl By<Reason> {
    fn counts(&self) -> BTreeMap<Reason, u64> {
        self.all().filter(|(_, count)| *count > 0).collect()
    }
}
