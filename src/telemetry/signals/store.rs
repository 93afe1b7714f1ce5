//! What happened between this process and the store.

use std::time::Duration;

use super::signal::Signal;
use crate::store::WriteTrouble;
use crate::telemetry::counters::Counters;
use crate::telemetry::folds::Kind;
use crate::telemetry::instruments::{CollectionLabel, Instruments};
use crate::telemetry::labels::Label;
use crate::telemetry::recent::Recent;

/// The store answered for a batch.
pub struct BatchWritten<'a> {
    pub collection: &'a CollectionLabel,
    pub written: usize,
    pub already_there: usize,
    pub stale: usize,
    /// Whether it shows that the collection takes writes: a store that cannot write answers
    /// nonetheless where nothing is to be changed.
    pub is_store_well: bool,
    pub took: Duration,
}

impl Signal for BatchWritten<'_> {
    fn count(&self, counters: &Counters) {
        counters.batches_written_total.add(1);
        counters.written_total.add(self.written);
        counters.already_there_total.add(self.already_there);
        counters.stale_total.add(self.stale);
    }

    fn remember(&self, recent: &Recent) {
        // A collection that refuses all it is given has taken nothing.
        if self.is_store_well && self.written + self.already_there > 0 {
            recent.written(self.collection.name());
        }
    }

    fn log(&self) {
        tracing::debug!(
            collection = self.collection.name(),
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
    pub trouble: WriteTrouble,
    pub cause: &'a str,
    pub then: Then<'a>,
}

/// What becomes of what was not confirmed.
#[derive(Debug, Clone, Copy)]
pub enum Then<'a> {
    /// It is tried again after this pause.
    Retry(Duration),
    /// It is not tried any more for now: its messages stay in the queue, hidden for longer at each
    /// receive, and others go on.
    Leave,
    /// The same of the message with this id: it has no other end, for it is a dead letter that the
    /// collection of dead letters refused.
    LeaveDeadLetter(&'a str),
}

impl WriteFailed<'_> {
    /// Whether it says something of the whole collection. Single items say nothing of the others.
    const fn is_of_the_collection(&self) -> bool {
        match (self.then, self.trouble) {
            (Then::Retry(_), trouble) => !matches!(trouble, WriteTrouble::Item),
            (Then::Leave, trouble) => matches!(
                trouble,
                WriteTrouble::Unavailable | WriteTrouble::Denied | WriteTrouble::Collection
            ),
            (Then::LeaveDeadLetter(_), _) => true,
        }
    }

    /// Why messages are left, and what to do.
    const fn why_left(&self) -> &'static str {
        match self.trouble {
            WriteTrouble::Denied | WriteTrouble::Collection => {
                "their collection takes no writes; `longshore check` names what is wrong"
            }
            WriteTrouble::NoAnswer => {
                "the server does not answer their writes; `db.currentOp()` shows what it is busy with"
            }
            WriteTrouble::ConnectionLost
            | WriteTrouble::Unavailable
            | WriteTrouble::TimedOut
            | WriteTrouble::Refused
            | WriteTrouble::Item => {
                "they were written one by one, and the server did not confirm them within `retry.budget`"
            }
        }
    }
}

impl Signal for WriteFailed<'_> {
    fn count(&self, counters: &Counters) {
        counters.writes_failed_total.add(self.trouble);
    }

    fn remember(&self, recent: &Recent) {
        let (collection, cause) = (self.collection, self.cause);
        match self.then {
            Then::Retry(_) => recent.error("write not confirmed", cause),
            Then::Leave => recent.error(
                "messages left in the queue",
                &format!("{collection}: {cause}; {}", self.why_left()),
            ),
            Then::LeaveDeadLetter(_) => {
                recent.error("dead letter refused", &format!("{collection}: {cause}"));
            }
        }
        if self.is_of_the_collection() {
            recent.writes_fail(collection, cause);
        }
    }

    fn kind(&self) -> Option<Kind<'_>> {
        let (what, tell): (_, fn(Kind<'_>, u64)) = match self.then {
            Then::LeaveDeadLetter(_) => ("dead letter refused", |kind, more| {
                tracing::error!(collection = kind.place, more, "dead letters refused");
            }),
            // A store that is sick says so once for each pause; a sender can make many items that it
            // does not confirm.
            _ if self.is_of_the_collection() => return None,
            Then::Retry(_) => ("write not confirmed", |kind, more| {
                let Kind { code: trouble, place: collection, .. } = kind;
                tracing::warn!(collection, trouble, more, "writes of single items not confirmed");
            }),
            Then::Leave => ("messages left", |kind, more| {
                let Kind { code: trouble, place: collection, .. } = kind;
                tracing::error!(collection, trouble, more, "more messages stay in the queue");
            }),
        };
        Some(Kind { what, code: self.trouble.name(), place: Some(self.collection), tell })
    }

    fn log(&self) {
        let Self { collection, documents, cause, .. } = *self;
        let trouble = self.trouble.name();
        match self.then {
            Then::Retry(retry_in) => tracing::warn!(
                collection,
                documents,
                trouble,
                cause,
                ?retry_in,
                "write not confirmed, trying again"
            ),
            Then::Leave => tracing::error!(
                collection,
                documents,
                trouble,
                cause,
                "messages stay in the queue, hidden for longer after each receive, and other messages go on: {}",
                self.why_left()
            ),
            Then::LeaveDeadLetter(message_id) => tracing::error!(
                collection,
                message_id,
                cause,
                "dead letter refused by its own collection: the message stays in the queue until its retention ends; remove the validator or unique index that refuses it"
            ),
        }
    }
}

/// The store is sick: nothing is received until it is well.
pub struct GateClosed<'a> {
    pub trouble: WriteTrouble,
    pub cause: &'a str,
}

impl Signal for GateClosed<'_> {
    fn count(&self, counters: &Counters) {
        counters.gate_closed_total.add(1);
    }

    fn remember(&self, recent: &Recent) {
        recent.gate_closed(self.trouble, self.cause);
    }

    fn log(&self) {
        tracing::error!(
            trouble = self.trouble.name(),
            cause = self.cause,
            "gate closed: the database takes no writes, receiving is paused"
        );
    }
}

/// The store is well again, or the next batch is to find out.
pub struct GateOpened {
    /// Whether a write was confirmed.
    pub proven: bool,
}

impl Signal for GateOpened {
    fn remember(&self, recent: &Recent) {
        recent.gate_opened();
    }

    fn log(&self) {
        if self.proven {
            tracing::info!("gate opened: the database takes writes, receiving again");
        } else {
            tracing::info!(
                "gate opened: the batch that was tried was given back to the queue, and the next one shows whether the database takes writes"
            );
        }
    }
}

/// A write command has ended, answered or not.
pub struct StoreCalled<'a> {
    pub collection: &'a CollectionLabel,
    /// The server's command: insert or update.
    pub operation: &'static str,
    pub documents: usize,
    pub bytes: usize,
    pub took: Duration,
    /// What was in the way, where nothing is confirmed.
    pub error: Option<WriteTrouble>,
}

impl Signal for StoreCalled<'_> {
    fn measure(&self, instruments: &Instruments) {
        instruments.batch(self.collection, self.documents, self.bytes);
        instruments.store_called(self.collection, self.operation, self.took, self.error);
    }
}

/// A batch has come to its end, tries included.
pub struct Processed {
    pub took: Duration,
}

impl Signal for Processed {
    fn measure(&self, instruments: &Instruments) {
        instruments.processed(self.took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_can_make_many_of_is_folded_in_the_log_and_what_the_store_says_is_not() {
        let retry = Then::Retry(Duration::from_secs(1));
        let is_folded = |trouble, then| {
            let failed =
                WriteFailed { collection: "events", documents: 1, trouble, cause: "odd", then };
            failed.kind().is_some_and(|kind| kind.place == Some("events"))
        };
        assert!(is_folded(WriteTrouble::Item, retry));
        assert!(is_folded(WriteTrouble::Item, Then::Leave));
        assert!(is_folded(WriteTrouble::NoAnswer, Then::Leave));
        assert!(is_folded(WriteTrouble::Item, Then::LeaveDeadLetter("m")));
        for trouble in [WriteTrouble::Unavailable, WriteTrouble::Denied, WriteTrouble::Collection] {
            assert!(!is_folded(trouble, retry) && !is_folded(trouble, Then::Leave), "{trouble:?}");
        }
        assert!(!is_folded(WriteTrouble::ConnectionLost, retry));
    }
}
