//! What a lane does, as traces and metrics see it.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::held::Stage;
use crate::message::{Ending, Part, Reason, Write};
use crate::store::{Store, StoreFault, StoreFaultKind, WriteOutcome, WriteTrouble, Writes};
use crate::telemetry::labels::Label;
use crate::telemetry::signals::{Durable, Processed, StoreCalled, Then, WriteFailed};
use crate::telemetry::spans;

use super::context::LaneContext;

impl<S: Store> LaneContext<S> {
    /// One write command.
    pub(super) async fn ask<'a>(
        &'a self,
        writes: impl IntoIterator<Item = &'a Write>,
    ) -> WriteOutcome {
        let mut bytes = 0;
        let writes = writes.into_iter().inspect(|write| bytes += S::command_bytes(write));
        let Some(writes) = Writes::of(&self.collection.kind, writes) else {
            let text = "writes of another kind than their collection's: this is a bug in longshore";
            let kind = StoreFaultKind::Unavailable;
            return WriteOutcome::Unconfirmed(StoreFault { kind, text: text.to_owned() });
        };
        let (operation, documents) = (writes.operation(), writes.len());
        let span = self.flow.signals.spans().write(operation, self.label.name(), documents);
        let started = Instant::now();
        let outcome = self.store.write(&self.collection, writes).instrument(span.clone()).await;
        let error = match &outcome {
            WriteOutcome::Answered { .. } => None,
            WriteOutcome::Unconfirmed(fault) => {
                let trouble: WriteTrouble = fault.kind.into();
                spans::failed(&span, trouble.name(), &fault.text);
                Some(trouble)
            }
        };
        let took = started.elapsed();
        self.flow.signals.emit(&StoreCalled {
            collection: &self.label,
            operation,
            documents,
            bytes,
            took,
            error,
        });
        outcome
    }
}

impl<S> LaneContext<S> {
    /// Where a message stands that waits in this lane.
    pub(super) fn waiting(&self) -> Stage {
        if self.is_of_dead_letters() { Stage::DeadLetter } else { Stage::Waiting }
    }

    /// The span of a batch that is about to be written. Its messages know it from now on.
    pub(super) fn begin<'a>(&self, parts: impl Iterator<Item = &'a mut Part>) -> Span {
        let mut parts: Vec<_> = parts.collect();
        let span = self.flow.signals.spans().process(
            self.label.name(),
            parts.iter().map(|part| (&part.receipt.message, rejected(part))),
        );
        let recorded = spans::recorded(&span);
        for part in &mut parts {
            part.receipt.processed.clone_from(&recorded);
            part.receipt.enter(if self.is_of_dead_letters() {
                Stage::DeadLetter
            } else {
                Stage::Writing
            });
        }
        span
    }

    /// Documents were not confirmed, for this trouble and cause.
    pub(super) fn failed(
        &self,
        documents: usize,
        trouble: WriteTrouble,
        cause: &str,
        then: Then<'_>,
    ) {
        let collection = &self.collection.name;
        self.flow.signals.emit(&WriteFailed { collection, documents, trouble, cause, then });
    }

    /// A message is durable, as the clock here says; the queue's may differ.
    pub(super) fn durable(&self, part: &Part) {
        let after_ms = self.flow.clock.now_ms().saturating_sub(part.receipt.message.sent_ms);
        let after = Duration::from_millis(u64::try_from(after_ms).unwrap_or_default());
        self.flow.signals.emit(&Durable { collection: &self.label, after });
    }

    /// A batch has come to its end.
    pub(super) fn processed(&self, since: Instant) {
        self.flow.signals.emit(&Processed { took: since.elapsed() });
    }

    fn is_of_dead_letters(&self) -> bool {
        self.rejects.is_none()
    }
}

/// Why the message of a dead letter was rejected.
fn rejected(part: &Part) -> Option<Reason> {
    match part.ending {
        Ending::Written => None,
        Ending::DeadLettered(reason) => Some(reason),
    }
}
