//! One call that settles up to ten messages, tried until the queue has answered for each.

use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;
use tracing::{Instrument, Span};

use crate::message::Ending;
use crate::queue::{EntryOutcome, HOLD_MAX, Queue, QueueFault};
use crate::telemetry::signals::{DeadLettered, Deleted, Released, SettleFailed, StaleHandle};
use crate::telemetry::spans;

use super::context::SettleContext;
use super::overtaken::{self, Overtaken};
use super::settlement::{Asked, Settlement};

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

/// Settles all of them, of which the queue is asked for the same, at most
/// [`crate::queue::BATCH_MAX`]: asks, tries what failed again, and ends every receipt. The extensions
/// that an answer shows to be overtaken are handed over at once: a neighbour may be tried for long.
pub(super) async fn settle<Q: Queue>(
    context: &SettleContext<Q>,
    mut settlements: Vec<Settlement>,
    overtaken: &UnboundedSender<Overtaken>,
) {
    let mut backoff = context.flow.backoff();
    let mut tries = 0;
    while let Some(asked) = settlements.first().map(|first| first.asked) {
        if asked.hidden_for().is_some() {
            for settlement in &mut settlements {
                settlement.overtakes = settlement.receipt.unanswered_extensions();
            }
        }
        let span = span(context, asked, &settlements);
        let answer = ask(context, asked, &settlements).instrument(span.clone()).await;
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
                settlements = end_answered(context, asked, settlements, &outcomes, overtaken);
                cause.unwrap_or_else(|| "no answer for the entry".to_owned())
            }
            Err(fault) => {
                let is_kept = matches!(asked, Asked::Delete(_))
                    && !context.flow.stop.is_letting_go()
                    && !is_overdue(&settlements);
                tries += u32::from(!is_kept);
                fault.text
            }
        };
        if settlements.is_empty() {
            return;
        }
        let tries_max =
            if context.flow.stop.is_letting_go() { TRIES_LETTING_GO } else { TRIES_MAX };
        let abandoned = tries >= tries_max;
        context.flow.signals.emit(&SettleFailed {
            operation: asked.name(),
            messages: settlements.len(),
            cause: &cause,
            abandoned,
        });
        if abandoned {
            // Its effect is durable: when it comes back after its visibility timeout, that changes
            // nothing.
            for settlement in settlements {
                settlement.receipt.settled();
            }
            return;
        }
        tokio::select! {
            biased;
            () = sleep(backoff.next_interval()) => {}
            () = context.flow.stop.letting_go(), if !context.flow.stop.is_letting_go() => backoff.reset(),
        }
    }
}

/// The span of one call, under the batches that the messages were written in.
fn span<Q>(context: &SettleContext<Q>, asked: Asked, settlements: &[Settlement]) -> Span {
    let mut processed: Vec<&Arc<SpanContext>> = Vec::new();
    for batch in settlements.iter().filter_map(|settlement| settlement.receipt.processed.as_ref()) {
        if !processed.iter().any(|other| Arc::ptr_eq(other, batch)) {
            processed.push(batch);
        }
    }
    let call = match asked {
        Asked::Delete(_) => "delete",
        Asked::Release | Asked::Leave(_) => "change_visibility",
    };
    context.flow.signals.spans().settle(call, settlements.len(), &processed)
}

/// Whether one of them is held as long as the queue allows.
fn is_overdue(settlements: &[Settlement]) -> bool {
    settlements.iter().any(|settlement| settlement.receipt.received_at.elapsed() >= HOLD_MAX)
}

async fn ask<Q: Queue>(
    context: &SettleContext<Q>,
    asked: Asked,
    settlements: &[Settlement],
) -> Result<Vec<EntryOutcome>, QueueFault> {
    let handles: Vec<Arc<str>> = settlements
        .iter()
        .map(|settlement| Arc::clone(&settlement.receipt.message.receipt_handle))
        .collect();
    match asked.hidden_for() {
        None => context.queue.delete(&handles).await,
        Some(time) => context.queue.change_visibility(&handles, time).await,
    }
}

/// Ends what the queue has answered for, hands over what it has overtaken, and returns what failed.
fn end_answered<Q>(
    context: &SettleContext<Q>,
    asked: Asked,
    settlements: Vec<Settlement>,
    outcomes: &[EntryOutcome],
    overtaken: &UnboundedSender<Overtaken>,
) -> Vec<Settlement> {
    // First, so that whoever finds the table of what is held empty finds all that was in it counted.
    count_answered(context, asked, &settlements, outcomes);
    let (mut noted, mut failed) = (Vec::new(), Vec::new());
    for (index, settlement) in settlements.into_iter().enumerate() {
        match outcomes.get(index) {
            Some(EntryOutcome::Done) => overtaken::note(&mut noted, &settlement),
            Some(EntryOutcome::Stale) => {}
            Some(EntryOutcome::Failed(_)) | None => {
                failed.push(settlement);
                continue;
            }
        }
        settlement.receipt.settled();
    }
    for one in noted {
        // Whoever listens is there for as long as there are calls.
        let _ = overtaken.send(one);
    }
    failed
}

/// Counts what the queue has answered for. A dead letter counts as such before it counts as deleted:
/// what was deleted and is no dead letter was written.
fn count_answered<Q>(
    context: &SettleContext<Q>,
    asked: Asked,
    settlements: &[Settlement],
    outcomes: &[EntryOutcome],
) {
    let (mut done, mut stale) = (0, 0);
    for (settlement, outcome) in settlements.iter().zip(outcomes) {
        match outcome {
            EntryOutcome::Done => done += 1,
            EntryOutcome::Stale => stale += 1,
            EntryOutcome::Failed(_) => continue,
        }
        if let Asked::Delete(Ending::DeadLettered(reason)) = settlement.asked {
            let receipt = &settlement.receipt;
            let (route, sender) = (receipt.route.as_deref(), receipt.message.sender.as_deref());
            context.flow.signals.emit(&DeadLettered { reason, route, sender });
        }
    }
    match asked {
        Asked::Delete(_) if done > 0 => context.flow.signals.emit(&Deleted { messages: done }),
        Asked::Release | Asked::Leave(_) if done > 0 => {
            context.flow.signals.emit(&Released { messages: done });
        }
        _ => {}
    }
    if stale > 0 {
        context.flow.signals.emit(&StaleHandle { operation: asked.name(), messages: stale });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::sync::mpsc::unbounded_channel;
    use tokio::time::Instant;

    use super::*;
    use crate::budget::Budget;
    use crate::clock::SystemClock;
    use crate::config::defaults;
    use crate::flow::Flow;
    use crate::held::Held;
    use crate::message::{QueueMessage, Reason, Receipt};
    use crate::queue::QueueTraits;
    use crate::stop::Stop;
    use crate::telemetry::signals::Signals;

    fn context(signals: &Signals) -> SettleContext<()> {
        SettleContext {
            queue: Arc::new(()),
            traits: QueueTraits {
                arn: "arn".into(),
                visibility_timeout: Duration::from_secs(30),
                fifo: false,
                message_bytes_max: 1,
            },
            flow: Flow {
                clock: Arc::new(SystemClock::default()),
                stop: Stop::default(),
                signals: signals.clone(),
                retry: defaults().retry,
            },
        }
    }

    #[tokio::test]
    async fn a_message_is_counted_before_it_leaves_the_table_of_what_is_held() {
        for (ending, counts) in
            [(Ending::Written, (1, 0)), (Ending::DeadLettered(Reason::BadJson), (1, 1))]
        {
            let (held, signals, now) = (Held::default(), Signals::default(), Instant::now());
            let permit = Budget::new(1, 1, 0).acquire(1, 0).await;
            let receipt = Receipt::new(QueueMessage::default(), now, now, permit, &held);
            let asked = Asked::Delete(ending);
            let settlements = vec![Settlement { receipt, asked, overtakes: Vec::new() }];
            // Each signal is logged as it is counted: so many are held at that moment.
            let held_then = Arc::new(Mutex::new(Vec::new()));
            let (seen, table) = (Arc::clone(&held_then), held.clone());
            let look = move || {
                seen.lock().expect("no panic").push(table.len());
                std::io::sink()
            };
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(look)
                .finish();
            let (sender, _receiver) = unbounded_channel();
            tracing::subscriber::with_default(subscriber, || {
                end_answered(
                    &context(&signals),
                    asked,
                    settlements,
                    &[EntryOutcome::Done],
                    &sender,
                );
            });
            let held_then = held_then.lock().expect("no panic");
            assert!(!held_then.is_empty() && held_then.iter().all(|held| *held == 1));
            let counters = signals.counters();
            let counted = (counters.deleted_total.get(), counters.dead_lettered_total.get());
            assert_eq!((counted, held.len()), (counts, 0));
        }
    }
}
