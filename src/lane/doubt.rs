//! Items that the store answered for in a way that does not tell whose fault it is. They are tried alone, beside the lane's
//! batches, so that one bad message holds up nothing but itself.
//!
//! An item that is doubted again while other writes succeed is at fault itself. On a quiet store nothing tells: then, after
//! the retry budget, its messages stay in the queue for another visibility timeout, and the gate stays open.

use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep};

use crate::retry::Backoff;
use crate::store::{ItemOutcome, Store, WriteOutcome};
use crate::telemetry::signals::{BatchWritten, WriteFailed};

use super::LaneContext;
use super::ending::{confirmed, done, refuse, release};
use super::item::Item;

/// An item in doubt, and how many writes had been confirmed when it was doubted first.
pub(super) struct Doubted {
    pub item: Item,
    pub confirmed_then: u64,
}

/// What a try of one item alone has shown.
enum Shown {
    /// It has its end, or is refused and taken apart: what is left of it to try.
    Answer(Vec<Item>),
    Nothing {
        item: Item,
        cause: String,
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
            () = context.stop.letting_go() => return doubted.into_iter().for_each(|doubted| release(context, doubted.item)),
            () = sleep(retry_in) => {}
        }
        let mut still = Vec::new();
        for Doubted { item, confirmed_then } in doubted {
            match try_one(context, item, confirmed_then).await {
                Shown::Answer(items) => still.extend(items.into_iter().map(|item| Doubted { item, confirmed_then })),
                Shown::Nothing { item, cause: why } => {
                    cause = why;
                    still.push(Doubted { item, confirmed_then });
                }
            }
        }
        doubted = still;
        if started.elapsed() >= context.retry.budget {
            for part in doubted.drain(..).flat_map(|doubted| doubted.item.into_parts()) {
                context.settle.leave(part.receipt);
            }
        }
    }
}

async fn try_one<S: Store>(context: &LaneContext<S>, item: Item, confirmed_then: u64) -> Shown {
    let started = Instant::now();
    let confirmed_before = context.confirmed.load(Ordering::Relaxed);
    let writes = [item.write()];
    let outcome = tokio::select! {
        biased;
        outcome = context.store.write(&context.collection, &writes) => outcome,
        () = context.stop.letting_go() => return Shown::Nothing { item, cause: "the worker lets go".to_owned() },
    };
    let (answer, stale) = match outcome {
        WriteOutcome::Answered { items, stale } => (items.into_iter().next(), stale),
        WriteOutcome::Unconfirmed(fault) => return Shown::Nothing { item, cause: fault.text },
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
        Some(ItemOutcome::Doubtful(rejection)) if confirmed_before > confirmed_then => Shown::Answer(refuse(context, item, &rejection)),
        Some(ItemOutcome::Doubtful(rejection)) => Shown::Nothing { item, cause: rejection.text },
        Some(ItemOutcome::Unconfirmed(cause)) => Shown::Nothing { item, cause },
        None => Shown::Nothing { item, cause: "no answer for this item".to_owned() },
    }
}
