//! Items that the store answered for in a way that does not tell whose fault it is. They are tried
//! alone, beside the lane's batches, so that one bad message holds up nothing but itself.
//!
//! An item that is doubted again after other writes were confirmed is at fault itself. On a quiet
//! store nothing tells: then, after the retry budget, its messages stay in the queue for another
//! visibility timeout, and the gate stays open. That they were in doubt is remembered
//! ([`super::doubts`]).

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::gate::GateState;
use crate::retry::Backoff;
use crate::store::{ItemOutcome, Store, StoreFaultKind, WriteOutcome};
use crate::telemetry::signals::{BatchWritten, WriteFailed, WriteTrouble};

use super::LaneContext;
use super::ending::{confirmed, done, refuse, release};
use super::item::Item;

/// A doubt must be this old, half of the retry budget at most, before what others have meanwhile
/// proves anything: a trouble of a part of the store may pass in a moment.
const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// An item to be tried alone.
pub(super) struct Doubted {
    pub item: Item,
    /// Since the store's answer left it in doubt by itself: not yet, where it was only unconfirmed,
    /// or part of a joined one.
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy)]
struct Doubt {
    since: Instant,
    /// How many writes had been confirmed.
    confirmed_then: u64,
    /// It was in doubt often enough before.
    is_proven: bool,
}

impl Doubted {
    /// The item is in doubt from now on.
    pub fn now<S>(context: &LaneContext<S>, item: Item) -> Self {
        let doubt = Some(Doubt::now(context, &item));
        Self { item, doubt }
    }

    /// The item is to be tried alone, with no doubt about it.
    pub fn not_yet(item: Item) -> Self {
        Self { item, doubt: None }
    }
}

impl Doubt {
    fn now<S>(context: &LaneContext<S>, item: &Item) -> Self {
        Self {
            since: Instant::now(),
            confirmed_then: context.doubts.confirmed(),
            is_proven: context.doubts.note(item),
        }
    }
}

/// What a try of one item alone has shown.
enum Shown {
    /// It has its end, or is refused and taken apart: what is left of it to try.
    Answer(Vec<Item>),
    Nothing {
        doubted: Box<Doubted>,
        cause: String,
        /// The next item would hear the same.
        of_the_store: bool,
    },
}

/// Tries each item alone, with a pause before each round, until it has an end or the retry budget
/// is spent.
pub(super) async fn try_alone<S: Store>(context: &LaneContext<S>, mut doubted: Vec<Doubted>) {
    let started = Instant::now();
    let is_spent = || started.elapsed() >= context.retry.budget;
    let mut backoff = Backoff::new(&context.retry, context.clock.clone());
    let mut cause = "the store's answer left it in doubt".to_owned();
    while !doubted.is_empty() {
        let retry_in = backoff.next_interval();
        let collection = &context.collection.name;
        context.signals.emit(&WriteFailed {
            collection,
            documents: doubted.len(),
            trouble: WriteTrouble::Item,
            cause: &cause,
            retry_in,
        });
        tokio::select! {
            biased;
            () = given_back(context) => return doubted.into_iter().for_each(|doubted| release(context, doubted.item)),
            () = sleep(retry_in) => {}
        }
        let (mut still, mut round) = (Vec::new(), doubted.into_iter());
        for one in round.by_ref() {
            match try_one(context, one).await {
                Shown::Answer(items) => still.extend(items.into_iter().map(Doubted::not_yet)),
                Shown::Nothing { doubted, cause: why, of_the_store } => {
                    cause = why;
                    still.push(*doubted);
                    if of_the_store {
                        break;
                    }
                }
            }
            if is_spent() {
                break;
            }
        }
        // Those first that had no turn, or one that ends each round keeps the others from theirs.
        doubted = round.chain(still).collect();
        if is_spent() {
            let parts = doubted.drain(..).flat_map(|doubted| doubted.item.into_parts());
            parts.for_each(|part| context.settle.leave(part.receipt));
        }
    }
}

/// Waits until what is not written is to be given back: the worker lets go, or the store is sick.
async fn given_back<S>(context: &LaneContext<S>) {
    let shut = async {
        let mut state = context.gate.state();
        while state != GateState::Shut {
            state = context.gate.left(state).await;
        }
    };
    tokio::select! {
        biased;
        () = context.letting_go() => {}
        () = shut => {}
    }
}

async fn try_one<S: Store>(context: &LaneContext<S>, Doubted { item, doubt }: Doubted) -> Shown {
    let started = Instant::now();
    let confirmed_before = context.doubts.confirmed();
    let writes = [item.write()];
    let nothing = |item, doubt, cause, of_the_store| Shown::Nothing {
        doubted: Box::new(Doubted { item, doubt }),
        cause,
        of_the_store,
    };
    let outcome = tokio::select! {
        biased;
        outcome = context.ask(&writes) => outcome,
        () = context.letting_go() => return nothing(item, doubt, "the worker lets go".to_owned(), true),
    };
    let (answer, stale) = match outcome {
        WriteOutcome::Answered { items, stale } => (items.into_iter().next(), stale),
        WriteOutcome::Unconfirmed(fault) => {
            let of_the_store =
                matches!(fault.kind, StoreFaultKind::Unavailable | StoreFaultKind::Denied);
            return nothing(item, doubt, fault.text, of_the_store);
        }
    };
    let written = |written, already_there| {
        let (collection, took) = (&context.label, started.elapsed());
        context.signals.emit(&BatchWritten { collection, written, already_there, stale, took });
        confirmed(context, written, stale);
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
        Some(ItemOutcome::Doubtful(_)) if item.parts_len() > 1 => {
            Shown::Answer(item.into_single_items())
        }
        Some(ItemOutcome::Doubtful(rejection)) => {
            let doubt = doubt.unwrap_or_else(|| Doubt::now(context, &item));
            let is_old = doubt.since.elapsed() >= PROVEN_AFTER.min(context.retry.budget / 2);
            if doubt.is_proven || is_old && confirmed_before > doubt.confirmed_then {
                Shown::Answer(refuse(context, item, &rejection))
            } else {
                nothing(item, Some(doubt), rejection.text, false)
            }
        }
        Some(ItemOutcome::Unconfirmed(cause)) => nothing(item, doubt, cause, false),
        None => nothing(item, doubt, "no answer for this item".to_owned(), false),
    }
}
