//! What happened between this process and the queue.

use std::time::Duration;

use super::signal::Signal;
use crate::telemetry::counters::Counters;
use crate::telemetry::folds::Kind;
use crate::telemetry::instruments::Instruments;
use crate::telemetry::recent::Recent;

/// A receive was answered.
pub struct Received {
    pub messages: usize,
    /// Of these, how many were received before.
    pub redelivered: usize,
    /// The most messages, and the most bytes, that were ever reserved and held at once.
    pub in_flight_messages_peak: usize,
    pub in_flight_bytes_peak: usize,
}

impl Signal for Received {
    fn count(&self, counters: &Counters) {
        counters.receives_total.add(1);
        counters.receives_empty_total.add(usize::from(self.messages == 0));
        counters.received_total.add(self.messages);
        counters.redelivered_total.add(self.redelivered);
        counters.in_flight_messages_peak.raise(self.in_flight_messages_peak);
        counters.in_flight_bytes_peak.raise(self.in_flight_bytes_peak);
    }

    fn remember(&self, recent: &Recent) {
        recent.received();
    }

    fn log(&self) {
        tracing::trace!(messages = self.messages, redelivered = self.redelivered, "received");
    }
}

/// A receive brought more than the queue says that it can, and so more than was reserved.
pub struct Overdrawn {
    pub messages: usize,
    /// What they and what is made of them take.
    pub bytes: usize,
    pub reserved: usize,
}

impl Signal for Overdrawn {
    fn count(&self, counters: &Counters) {
        counters.overdrawn_total.add(1);
    }

    fn log(&self) {
        tracing::warn!(
            messages = self.messages,
            bytes = self.bytes,
            reserved = self.reserved,
            "a receive brought more bytes than the queue's MaximumMessageSize allows: the worker may hold more than in_flight.bytes_max for a moment"
        );
    }
}

/// There was no room in time for what a receive brought: it goes back unread.
pub struct Unread {
    pub messages: usize,
}

impl Signal for Unread {
    fn count(&self, counters: &Counters) {
        counters.received_unread_total.add(self.messages);
    }

    fn log(&self) {
        tracing::warn!(
            messages = self.messages,
            "a receive brought more bytes than in_flight.bytes_max has room for: its messages were given back to the queue unread"
        );
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

    fn remember(&self, recent: &Recent) {
        recent.error("receive failed", self.fault);
        recent.receives_fail(self.fault);
    }

    fn log(&self) {
        tracing::error!(fault = self.fault, retry_in = ?self.retry_in, "receive failed");
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
            let counter = if self.abandoned {
                &counters.deletes_abandoned_total
            } else {
                &counters.deletes_failed_total
            };
            counter.add(self.messages);
        }
    }

    fn remember(&self, recent: &Recent) {
        recent.error(
            if self.operation == "delete" { "delete failed" } else { "release failed" },
            self.cause,
        );
    }

    fn log(&self) {
        if self.abandoned {
            tracing::error!(
                operation = self.operation,
                messages = self.messages,
                cause = self.cause,
                "given up: the messages are received again after their visibility timeout"
            );
        } else {
            tracing::warn!(
                operation = self.operation,
                messages = self.messages,
                cause = self.cause,
                "failed, trying again"
            );
        }
    }
}

/// Dead letters could not be sent to their queue.
pub struct LettersNotSent<'a> {
    /// The name of that queue.
    pub to: &'a str,
    pub messages: usize,
    pub cause: &'a str,
    /// Whether they go to the collection. Otherwise they are tried again.
    pub is_over: bool,
}

impl Signal for LettersNotSent<'_> {
    fn count(&self, counters: &Counters) {
        if self.is_over {
            counters.dead_letters_not_sent_total.add(self.messages);
        }
    }

    fn remember(&self, recent: &Recent) {
        recent.error("dead letters not sent", &format!("{}: {}", self.to, self.cause));
    }

    fn kind(&self) -> Option<Kind<'_>> {
        let tell: fn(Kind<'_>, u64) = |kind, more| {
            tracing::warn!(more, "dead letters not sent: {}", kind.code);
        };
        let code = if self.is_over { "they go to the collection" } else { "trying again" };
        Some(Kind { what: "letters not sent", code, place: None, tell })
    }

    fn log(&self) {
        let Self { to, messages, cause, is_over } = self;
        if *is_over {
            tracing::error!(
                to,
                messages,
                cause,
                "dead letters not sent: they go to the collection"
            );
        } else {
            tracing::warn!(to, messages, cause, "dead letters not sent, trying again");
        }
    }
}

/// The queue no longer knew a receipt handle: the message was held past its visibility timeout, or
/// is gone.
pub struct StaleHandle {
    pub operation: &'static str,
    pub messages: usize,
}

impl Signal for StaleHandle {
    fn count(&self, counters: &Counters) {
        counters.stale_handles_total.add(self.messages);
    }

    fn log(&self) {
        tracing::debug!(
            operation = self.operation,
            messages = self.messages,
            "stale receipt handle"
        );
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

/// Visibility could not be extended; the messages may be delivered elsewhere, which doubles
/// nothing.
pub struct ExtendFailed<'a> {
    pub messages: usize,
    pub cause: &'a str,
}

impl Signal for ExtendFailed<'_> {
    fn count(&self, counters: &Counters) {
        counters.extends_failed_total.add(self.messages);
    }

    fn remember(&self, recent: &Recent) {
        recent.error("visibility not extended", self.cause);
    }

    fn log(&self) {
        tracing::warn!(
            messages = self.messages,
            cause = self.cause,
            "visibility not extended, trying again"
        );
    }
}

/// A call to the queue has ended.
pub struct QueueCalled<'a> {
    pub operation: &'static str,
    /// The name of the queue, where it is another one than messages are received from.
    pub other: Option<&'a str>,
    pub took: Duration,
    /// The kind of its fault, if it failed.
    pub error: Option<&'static str>,
}

impl Signal for QueueCalled<'_> {
    fn measure(&self, instruments: &Instruments) {
        instruments.queue_called(self.operation, self.other, self.took, self.error);
    }
}
