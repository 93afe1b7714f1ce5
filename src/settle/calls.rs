//! One call that settles up to ten messages, tried until the queue has answered for each.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::SpanContext;
use tokio::time::sleep;
use tracing::{Instrument, Span};

use crate::message::{Ending, Receipt};
use crate::queue::{EntryOutcome, HOLD_MAX, Queue, QueueFault};
use crate::retry::Backoff;
use crate::telemetry::signals::{DeadLettered, Deleted, Released, SettleFailed, StaleHandle};
use crate::telemetry::spans;

use super::context::SettleContext;

/// Delete calls in flight at most. At 10 ms a call this is 16,000 messages a second.
const CALLS_MAX: usize = 16;

/// The same once the worker lets go, which has about a second and a half for all that is held:
/// 100,000 messages, at 20 ms a call.
const CALLS_LETTING_GO: usize = 128;

/// Tries of one call. What still fails then comes back after its visibility timeout, and is found
/// to be there already.
///
/// A delete that fails as a whole is no try: the queue is sick, or denies it. Its messages are
/// kept, hidden, until the queue takes deletes again, for a message that comes back every
/// visibility timeout is soon received as often as the queue's redrive policy allows, and
/// dead-lettered for no fault of its own. What is kept counts against the in-flight budget, so
/// receiving ends too.
const TRIES_MAX: u32 = 8;

/// Tries once the worker has to let go.
const TRIES_LETTING_GO: u32 = 2;

/// A message on its last way.
#[derive(Debug)]
pub(super) struct Entry {
    pub receipt: Receipt,
    /// What is durable of it; `None` when it is given back.
    pub ending: Option<Ending>,
    /// How long it is to be hidden; zero unless it is left. The same for all entries of a call.
    pub hide: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Delete,
    Release,
    Leave,
}

/// In the order of the lots that they take from. What others could have now goes first: it must not
/// wait behind deletes when the worker lets go.
pub(super) const OPERATIONS: [Operation; 3] =
    [Operation::Release, Operation::Leave, Operation::Delete];

impl Operation {
    /// Calls in flight, of all operations, up to which another of this one may begin. Deletes that
    /// the queue refuses keep theirs, and must not stand in the way of what others could have now.
    pub(super) fn calls_max(self, is_letting_go: bool) -> usize {
        match self {
            Self::Release if is_letting_go => CALLS_LETTING_GO,
            Self::Delete => CALLS_MAX,
            Self::Release | Self::Leave => 2 * CALLS_MAX,
        }
    }

    /// What the queue is asked for.
    fn call(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Release | Self::Leave => "change_visibility",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Release | Self::Leave => "release",
        }
    }
}

/// Settles all entries: asks, tries what failed again, and ends every receipt.
pub(super) async fn settle<Q: Queue>(
    context: &SettleContext<Q>,
    operation: Operation,
    mut entries: Vec<Entry>,
) {
    let mut backoff = Backoff::new(&context.retry, context.clock.clone());
    let mut tries = 0;
    while !entries.is_empty() {
        let handles: Vec<Arc<str>> =
            entries.iter().map(|entry| Arc::clone(&entry.receipt.message.receipt_handle)).collect();
        let span = span(context, operation, &entries);
        let answer =
            ask(context, operation, &handles, entries[0].hide).instrument(span.clone()).await;
        if let Err(fault) = &answer {
            spans::failed(&span, fault.kind.name(), &fault.text);
        }
        drop(span);
        let cause = match answer {
            Ok(outcomes) => {
                tries += 1;
                let cause = outcomes.iter().find_map(|outcome| match outcome {
                    EntryOutcome::Failed(text) => Some(text.clone()),
                    EntryOutcome::Done | EntryOutcome::Stale => None,
                });
                entries = end_answered(context, operation, entries, &outcomes);
                cause.unwrap_or_else(|| "no answer for the entry".to_owned())
            }
            Err(fault) => {
                let is_kept = operation == Operation::Delete
                    && !context.stop.is_letting_go()
                    && !is_overdue(&entries);
                tries += u32::from(!is_kept);
                fault.text
            }
        };
        if entries.is_empty() {
            return;
        }
        let tries_max = if context.stop.is_letting_go() { TRIES_LETTING_GO } else { TRIES_MAX };
        let abandoned = tries >= tries_max;
        context.signals.emit(&SettleFailed {
            operation: operation.name(),
            messages: entries.len(),
            cause: &cause,
            abandoned,
        });
        if abandoned {
            // Its effect is durable: when it comes back after its visibility timeout, that changes
            // nothing.
            return entries.into_iter().for_each(|entry| entry.receipt.settled());
        }
        tokio::select! {
            biased;
            () = sleep(backoff.next_interval()) => {}
            () = context.stop.letting_go(), if !context.stop.is_letting_go() => backoff.reset(),
        }
    }
}

/// The span of one call, under the batches that the messages were written in.
fn span<Q>(context: &SettleContext<Q>, operation: Operation, entries: &[Entry]) -> Span {
    let mut processed: Vec<&Arc<SpanContext>> = Vec::new();
    for context in entries.iter().filter_map(|entry| entry.receipt.processed.as_ref()) {
        if !processed.iter().any(|other| Arc::ptr_eq(other, context)) {
            processed.push(context);
        }
    }
    context.signals.spans().settle(operation.call(), entries.len(), &processed)
}

/// Whether one of them is held as long as the queue allows.
fn is_overdue(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.receipt.received_at.elapsed() >= HOLD_MAX)
}

async fn ask<Q: Queue>(
    context: &SettleContext<Q>,
    operation: Operation,
    handles: &[Arc<str>],
    hide: Duration,
) -> Result<Vec<EntryOutcome>, QueueFault> {
    match operation {
        Operation::Delete => context.queue.delete(handles).await,
        Operation::Release | Operation::Leave => {
            context.queue.change_visibility(handles, hide).await
        }
    }
}

/// Ends what the queue has answered for, and returns what failed.
fn end_answered<Q>(
    context: &SettleContext<Q>,
    operation: Operation,
    entries: Vec<Entry>,
    outcomes: &[EntryOutcome],
) -> Vec<Entry> {
    let (mut done, mut stale, mut failed) = (0, 0, Vec::new());
    for (index, entry) in entries.into_iter().enumerate() {
        match outcomes.get(index) {
            Some(EntryOutcome::Done) => done += 1,
            Some(EntryOutcome::Stale) => stale += 1,
            Some(EntryOutcome::Failed(_)) | None => {
                failed.push(entry);
                continue;
            }
        }
        if let Some(Ending::DeadLettered(reason)) = entry.ending {
            context.signals.emit(&DeadLettered { reason });
        }
        entry.receipt.settled();
    }
    match operation {
        Operation::Delete if done > 0 => context.signals.emit(&Deleted { messages: done }),
        Operation::Release | Operation::Leave if done > 0 => {
            context.signals.emit(&Released { messages: done });
        }
        _ => {}
    }
    if stale > 0 {
        context.signals.emit(&StaleHandle { operation: operation.name(), messages: stale });
    }
    failed
}
