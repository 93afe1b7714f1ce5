//! Items that the store answered for in a way that does not tell whose fault it is. They are tried alone, beside the lane's
//! batches, so that one bad message holds up nothing but itself.
//!
//! An item that is doubted again after other writes were confirmed is at fault itself. On a quiet store nothing tells: then,
//! after the retry budget, its messages stay in the queue for another visibility timeout, and the gate stays open. What was
//! known of them is remembered until they come back: what the worker writes meanwhile tells, too.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use tokio::time::{Instant, sleep};

use crate::retry::Backoff;
use crate::store::{ItemOutcome, Store, WriteOutcome};
use crate::telemetry::signals::{BatchWritten, WriteFailed};

use super::LaneContext;
use super::ending::{confirmed, done, refuse, release};
use super::item::Item;

/// An item to be tried alone, and how many writes had been confirmed when the store's answer first left it in doubt by itself:
/// not yet, where it was only unconfirmed, or part of a joined one.
pub(super) struct Doubted {
    pub item: Item,
    pub confirmed_then: Option<u64>,
}

/// Messages remembered at most. What is forgotten is in doubt for the first time again.
const REMEMBERED_MAX: usize = 1_000;

/// Messages that were in doubt and left in the queue: how many writes had been confirmed when each was doubted first.
#[derive(Debug, Default)]
pub struct Doubts {
    confirmed_then: Mutex<IndexMap<String, u64>>,
}

impl Doubts {
    /// How many writes had been confirmed when this item was doubted first. Nothing is known of a joined one: the fault may be
    /// that of one of its messages alone.
    pub(super) fn since(&self, item: &Item) -> Option<u64> {
        self.lock().get(item.only_message_id()?).copied()
    }

    fn remember(&self, message_id: &str, confirmed_then: u64) {
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.shift_remove_index(0);
        }
        remembered.entry(message_id.to_owned()).or_insert(confirmed_then);
    }

    fn lock(&self) -> MutexGuard<'_, IndexMap<String, u64>> {
        self.confirmed_then.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a try of one item alone has shown.
enum Shown {
    /// It has its end, or is refused and taken apart: what is left of it to try.
    Answer(Vec<Item>),
    Nothing {
        item: Item,
        cause: String,
        confirmed_then: Option<u64>,
    },
}

/// Tries each item alone, with a pause before each round, until it has an end or the retry budget is spent.
pub(super) async fn try_alone<S: Store>(context: &LaneContext<S>, mut doubted: Vec<Doubted>) {
    let started = Instant::now();
    let mut backoff = Backoff::new(&context.retry, context.clock.clone());
    let mut cause = "the store's answer left it in doubt".to_owned();
    while !doubted.is_empty() {
        let retry_in = backoff.next_interval();
        let collection = &context.collection.name;
        context.signals.emit(&WriteFailed { collection, documents: doubted.len(), cause: &cause, retry_in });
        tokio::select! {
            biased;
            () = context.letting_go() => return doubted.into_iter().for_each(|doubted| release(context, doubted.item)),
            () = sleep(retry_in) => {}
        }
        let mut still = Vec::new();
        for Doubted { item, confirmed_then } in doubted {
            match try_one(context, item, confirmed_then).await {
                Shown::Answer(items) => still.extend(items.into_iter().map(|item| not_doubted_yet(context, item))),
                Shown::Nothing { item, cause: why, confirmed_then } => {
                    cause = why;
                    still.push(Doubted { item, confirmed_then });
                }
            }
        }
        doubted = still;
        if started.elapsed() >= context.retry.budget {
            for Doubted { item, confirmed_then } in doubted.drain(..) {
                for part in item.into_parts() {
                    if let Some(confirmed_then) = confirmed_then {
                        context.doubts.remember(&part.receipt.message.message_id, confirmed_then);
                    }
                    context.settle.leave(part.receipt);
                }
            }
        }
    }
}

/// The item in doubt from now on, or from when it was doubted at an earlier receive.
pub(super) fn doubted_now<S>(context: &LaneContext<S>, item: Item) -> Doubted {
    let confirmed_then = context.doubts.since(&item).unwrap_or_else(|| context.confirmed.load(Ordering::Relaxed));
    Doubted { item, confirmed_then: Some(confirmed_then) }
}

/// The item to be tried alone, with no doubt about it but from an earlier receive.
pub(super) fn not_doubted_yet<S>(context: &LaneContext<S>, item: Item) -> Doubted {
    let confirmed_then = context.doubts.since(&item);
    Doubted { item, confirmed_then }
}

async fn try_one<S: Store>(context: &LaneContext<S>, item: Item, confirmed_then: Option<u64>) -> Shown {
    let started = Instant::now();
    let confirmed_before = context.confirmed.load(Ordering::Relaxed);
    let writes = [item.write()];
    let outcome = tokio::select! {
        biased;
        outcome = context.store.write(&context.collection, &writes) => outcome,
        () = context.letting_go() => return Shown::Nothing { item, cause: "the worker lets go".to_owned(), confirmed_then },
    };
    let (answer, stale) = match outcome {
        WriteOutcome::Answered { items, stale } => (items.into_iter().next(), stale),
        WriteOutcome::Unconfirmed(fault) => return Shown::Nothing { item, cause: fault.text, confirmed_then },
    };
    let written = |written, already_there| {
        let (collection, took) = (context.collection.name.as_str(), started.elapsed());
        context.signals.emit(&BatchWritten { collection, written, already_there, stale, took });
        confirmed(context, written + already_there);
    };
    match answer {
        Some(ItemOutcome::Written) => {
            written(1, 0);
            done(context, item);
            Shown::Answer(Vec::new())
        }
        Some(ItemOutcome::AlreadyThere) => {
            written(0, 1);
            done(context, item);
            Shown::Answer(Vec::new())
        }
        Some(ItemOutcome::Rejected(rejection)) => {
            written(0, 0);
            Shown::Answer(refuse(context, item, &rejection))
        }
        // The fault may be that of one of several messages alone.
        Some(ItemOutcome::Doubtful(_)) if item.parts_len() > 1 => Shown::Answer(item.into_single_items()),
        Some(ItemOutcome::Doubtful(rejection)) => match confirmed_then {
            Some(confirmed_then) if confirmed_before > confirmed_then => Shown::Answer(refuse(context, item, &rejection)),
            _ => {
                let confirmed_now = context.confirmed.load(Ordering::Relaxed);
                Shown::Nothing { item, cause: rejection.text, confirmed_then: confirmed_then.or(Some(confirmed_now)) }
            }
        },
        Some(ItemOutcome::Unconfirmed(cause)) => Shown::Nothing { item, cause, confirmed_then },
        None => Shown::Nothing { item, cause: "no answer for this item".to_owned(), confirmed_then },
    }
}
