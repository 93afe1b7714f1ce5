//! One struct per thing that happened. Emitting it counts and logs it, so that the two never disagree.
//!
//! A signal holds no body, no key and no secret: ids, counts, codes and the texts of faults only.

mod worker_ended;

use std::sync::Arc;
use std::time::Duration;

use crate::message::{Reason, Rejection};

use super::counters::Counters;

pub use worker_ended::{QueueCalls, WorkerEnded};

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

/// A receive was answered.
pub struct Received {
    pub messages: usize,
    /// Of these, how many were received before.
    pub redelivered: usize,
}

impl Signal for Received {
    fn count(&self, counters: &Counters) {
        counters.receives_total.add(1);
        counters.receives_empty_total.add(usize::from(self.messages == 0));
        counters.received_total.add(self.messages);
        counters.redelivered_total.add(self.redelivered);
    }

    fn log(&self) {
        tracing::trace!(messages = self.messages, redelivered = self.redelivered, "received");
    }
}

/// A receive failed; the next one waits.
pub struct ReceiveFailed<'a> {
    pub fault: &'a str,
    pub retry_in: Duration,
}

impl Signal for ReceiveFailed<'_> {
    fn count(&self, counters: &Counters) {
        counters.receives_failed_total.add(1);
    }

    fn log(&self) {
        tracing::error!(fault = self.fault, retry_in = ?self.retry_in, "receive failed");
    }
}

/// A message was refused and its dead letter is on its way.
pub struct MessageRejected<'a> {
    pub message_id: &'a str,
    pub route: Option<&'a str>,
    pub rejection: &'a Rejection,
}

impl Signal for MessageRejected<'_> {
    fn count(&self, _: &Counters) {}

    fn log(&self) {
        tracing::warn!(
            message.id = self.message_id,
            route = self.route,
            reason = self.rejection.reason.code(),
            server.code = self.rejection.code,
            text = self.rejection.text,
            "message rejected"
        );
    }
}

/// A dead letter is durable.
pub struct DeadLettered {
    pub reason: Reason,
}

impl Signal for DeadLettered {
    fn count(&self, counters: &Counters) {
        counters.dead_lettered(self.reason);
    }

    fn log(&self) {
        tracing::debug!(reason = self.reason.code(), "dead-lettered");
    }
}

/// A message was joined with another of the same key before writing.
pub struct Joined;

impl Signal for Joined {
    fn count(&self, counters: &Counters) {
        counters.joined_total.add(1);
    }

    fn log(&self) {}
}

/// An update was past its route's TTL and was not written.
pub struct Expired;

impl Signal for Expired {
    fn count(&self, counters: &Counters) {
        counters.stale_total.add(1);
    }

    fn log(&self) {}
}

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

/// Messages were deleted from the queue.
pub struct Deleted {
    pub messages: usize,
}

impl Signal for Deleted {
    fn count(&self, counters: &Counters) {
        counters.deleted_total.add(self.messages);
    }

    fn log(&self) {
        tracing::trace!(messages = self.messages, "deleted");
    }
}

/// Entries of a delete or release failed and are tried again, or are given up.
pub struct SettleFailed<'a> {
    pub operation: &'static str,
    pub messages: usize,
    pub cause: &'a str,
    pub abandoned: bool,
}

impl Signal for SettleFailed<'_> {
    fn count(&self, counters: &Counters) {
        if self.operation == "delete" {
            let counter = if self.abandoned { &counters.deletes_abandoned_total } else { &counters.deletes_failed_total };
            counter.add(self.messages);
        }
    }

    fn log(&self) {
        if self.abandoned {
            tracing::error!(operation = self.operation, messages = self.messages, cause = self.cause, "given up: the messages come back");
        } else {
            tracing::warn!(operation = self.operation, messages = self.messages, cause = self.cause, "failed, trying again");
        }
    }
}

/// The queue no longer knew a receipt handle: the message was held past its visibility timeout, or is gone.
pub struct StaleHandle {
    pub operation: &'static str,
    pub messages: usize,
}

impl Signal for StaleHandle {
    fn count(&self, counters: &Counters) {
        counters.stale_handles_total.add(self.messages);
    }

    fn log(&self) {
        tracing::debug!(operation = self.operation, messages = self.messages, "stale receipt handle");
    }
}

/// Messages were given back to the queue.
pub struct Released {
    pub messages: usize,
}

impl Signal for Released {
    fn count(&self, counters: &Counters) {
        counters.released_total.add(self.messages);
    }

    fn log(&self) {
        tracing::debug!(messages = self.messages, "released");
    }
}

/// The visibility of held messages was extended.
pub struct VisibilityExtended {
    pub messages: usize,
}

impl Signal for VisibilityExtended {
    fn count(&self, counters: &Counters) {
        counters.extended_total.add(self.messages);
    }

    fn log(&self) {
        tracing::debug!(messages = self.messages, "visibility extended");
    }
}

/// Visibility could not be extended; the messages may be delivered elsewhere, which doubles nothing.
pub struct ExtendFailed<'a> {
    pub messages: usize,
    pub cause: &'a str,
}

impl Signal for ExtendFailed<'_> {
    fn count(&self, _: &Counters) {}

    fn log(&self) {
        tracing::warn!(messages = self.messages, cause = self.cause, "visibility not extended, trying again");
    }
}

/// Most of the last messages were rejected for one reason: a bad deploy of a producer should not drain the queue.
pub struct SlowedDown {
    pub reason: Reason,
}

impl Signal for SlowedDown {
    fn count(&self, counters: &Counters) {
        counters.slowed_total.add(1);
    }

    fn log(&self) {
        tracing::error!(
            reason = self.reason.code(),
            "over half of the last messages were rejected for one reason: receiving slows to a batch a second; look at the producer"
        );
    }
}
