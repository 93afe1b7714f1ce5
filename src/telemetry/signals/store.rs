//! What happened between this process and the store.

use std::time::Duration;

use super::Signal;
use crate::telemetry::counters::Counters;

/// The store answered for a batch.
pub struct BatchWritten<'a> {
    pub collection: &'a str,
    pub written: usize,
    pub already_there: usize,
    pub stale: usize,
    pub took: Duration,
}

impl Signal for BatchWritten<'_> {
    fn count(&self, counters: &Counters) {
        counters.batches_written_total.add(1);
        counters.written_total.add(self.written);
        counters.already_there_total.add(self.already_there);
        counters.stale_total.add(self.stale);
    }

    fn log(&self) {
        tracing::debug!(
            collection = self.collection,
            written = self.written,
            already_there = self.already_there,
            stale = self.stale,
            took = ?self.took,
            "batch written"
        );
    }
}

/// A write, or a part of it, was not confirmed.
pub struct WriteFailed<'a> {
    pub collection: &'a str,
    pub documents: usize,
    pub cause: &'a str,
    pub retry_in: Duration,
}

impl Signal for WriteFailed<'_> {
    fn count(&self, counters: &Counters) {
        counters.writes_failed_total.add(1);
    }

    fn log(&self) {
        tracing::warn!(
            collection = self.collection,
            documents = self.documents,
            cause = self.cause,
            retry_in = ?self.retry_in,
            "write not confirmed, trying again"
        );
    }
}

/// The store is sick: nothing is received until it is well.
pub struct GateClosed<'a> {
    pub cause: &'a str,
}

impl Signal for GateClosed<'_> {
    fn count(&self, counters: &Counters) {
        counters.gate_closed_total.add(1);
    }

    fn log(&self) {
        tracing::error!(cause = self.cause, "gate closed: the database takes no writes, receiving is paused");
    }
}

/// The store is well again, or the next batch is to find out.
pub struct GateOpened;

impl Signal for GateOpened {
    fn count(&self, _: &Counters) {}

    fn log(&self) {
        tracing::info!("gate opened: receiving again");
    }
}
