//! What became of single messages.

use std::time::Duration;

use crate::message::{Reason, Rejection};

use super::signal::Signal;
use crate::gauges::FloodNow;
use crate::telemetry::counters::Counters;
use crate::telemetry::folds::Kind;
use crate::telemetry::instruments::{CollectionLabel, Instruments};
use crate::telemetry::recent::Recent;

/// A message was rejected and its dead letter is on its way.
pub struct MessageRejected<'a> {
    pub message_id: &'a str,
    pub route: Option<&'a str>,
    pub rejection: &'a Rejection,
    /// Kept for the status page where `admin.show_bodies` says so, and nowhere else.
    pub body: &'a str,
}

impl Signal for MessageRejected<'_> {
    fn remember(&self, recent: &Recent) {
        recent.dead_letter(
            self.message_id,
            self.route,
            self.rejection.reason.code(),
            &self.rejection.text,
            self.body,
        );
    }

    fn kind(&self) -> Option<Kind<'_>> {
        let tell: fn(Kind<'_>, u64) = |kind, more| {
            tracing::warn!(reason = kind.code, route = kind.place, more, "messages rejected");
        };
        let (code, place) = (self.rejection.reason.code(), self.route);
        Some(Kind { what: "rejected", code, place, tell })
    }

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
pub struct DeadLettered<'a> {
    pub reason: Reason,
    pub route: Option<&'a str>,
    /// Who sent the message, where the queue says it.
    pub sender: Option<&'a str>,
}

impl Signal for DeadLettered<'_> {
    fn count(&self, counters: &Counters) {
        counters.dead_lettered_total.add(self.reason, self.route);
        counters.dead_letter_senders.add(self.sender);
    }

    fn log(&self) {
        tracing::debug!(reason = self.reason.code(), "dead-lettered");
    }
}

/// A message needed more than its share of the in-flight bytes, and has it now.
pub struct Outgrown {
    /// The most bytes that were ever reserved and held at once.
    pub in_flight_bytes_peak: usize,
}

impl Signal for Outgrown {
    fn count(&self, counters: &Counters) {
        counters.outgrown_total.add(1);
        counters.in_flight_bytes_peak.raise(self.in_flight_bytes_peak);
    }
}

/// Two names of a message's type name two routes: who fills the body means another one than who sends
/// it on.
pub struct TypesDisagreed<'a> {
    pub message_id: &'a str,
    /// The one that was taken.
    pub route: &'a str,
    pub other: &'a str,
}

impl Signal for TypesDisagreed<'_> {
    fn count(&self, counters: &Counters) {
        counters.types_disagreed_total.add(1);
    }

    fn kind(&self) -> Option<Kind<'_>> {
        let tell: fn(Kind<'_>, u64) = |kind, more| {
            tracing::debug!(
                route = kind.place,
                more,
                "types of messages are named twice, for two routes"
            );
        };
        Some(Kind { what: "types disagree", code: "", place: Some(self.route), tell })
    }

    fn log(&self) {
        tracing::debug!(
            message.id = self.message_id,
            route = self.route,
            other = self.other,
            "the message's type is named twice, for two routes: the first is taken"
        );
    }
}

/// A message was joined with another of the same key before writing.
pub struct Joined;

impl Signal for Joined {
    fn count(&self, counters: &Counters) {
        counters.joined_total.add(1);
    }
}

/// An update was past its route's TTL and was not written.
pub struct Expired;

impl Signal for Expired {
    fn count(&self, counters: &Counters) {
        counters.stale_total.add(1);
    }
}

/// A rejected message stays in the queue, hidden: those that wait for their dead letters hold all that
/// they may.
pub struct RejectedLeft<'a> {
    pub message_id: &'a str,
    pub reason: Reason,
}

impl Signal for RejectedLeft<'_> {
    fn count(&self, counters: &Counters) {
        counters.rejected_left_total.add(1);
    }

    fn remember(&self, recent: &Recent) {
        recent.error(
            "rejected messages left in the queue",
            "rejected messages whose dead letters are not written yet hold half of the in-flight limits",
        );
    }

    fn kind(&self) -> Option<Kind<'_>> {
        let tell: fn(Kind<'_>, u64) = |kind, more| {
            tracing::warn!(reason = kind.code, more, "rejected messages left in the queue");
        };
        Some(Kind { what: "rejected left", code: self.reason.code(), place: None, tell })
    }

    fn log(&self) {
        tracing::warn!(
            message.id = self.message_id,
            reason = self.reason.code(),
            "rejected message left in the queue for now: rejected messages whose dead letters are not written yet \
             hold half of the in-flight limits"
        );
    }
}

/// Most of the last messages were rejected for one reason.
pub struct FloodBegan<'a> {
    pub reason: Reason,
    pub flood: &'a FloodNow,
}

impl Signal for FloodBegan<'_> {
    fn remember(&self, recent: &Recent) {
        recent.error("most messages are rejected", &self.flood.text());
    }

    fn count(&self, counters: &Counters) {
        counters.floods_total.add(self.reason);
    }

    fn log(&self) {
        tracing::error!(
            reason = self.reason.code(),
            route = self.flood.route.as_deref(),
            "over half of the last messages were rejected for one reason: they are kept as dead letters, and other messages go on; look at the producer"
        );
    }
}

/// The flood of rejected messages is over.
pub struct FloodEnded;

impl Signal for FloodEnded {
    fn log(&self) {
        tracing::info!("the flood of rejected messages is over");
    }
}

/// A message is durable, or its dead letter is.
pub struct Durable<'a> {
    pub collection: &'a CollectionLabel,
    /// Since its `SentTimestamp`.
    pub after: Duration,
}

impl Signal for Durable<'_> {
    fn measure(&self, instruments: &Instruments) {
        instruments.durable(self.collection, self.after);
    }
}
