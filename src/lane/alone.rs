//! Messages that are tried alone, beside the lane's batches, so that a bad one holds up nothing but
//! itself: those for which the store answered in a way that does not tell whose fault it is, and
//! those that were set aside. What becomes of each is decided in [`super::policy`].
//!
//! A message that is doubted again after other writes were confirmed is at fault itself. On a quiet
//! store nothing tells: then, after the retry budget, it stays in the queue for another visibility
//! timeout, and the gate stays open. That it was in doubt is remembered ([`super::evidence`]).

use tokio::time::{Instant, sleep};

use crate::gate::GateState;
use crate::message::Part;
use crate::store::{ItemOutcome, Store, StoreFaultKind, WriteOutcome, WriteTrouble};
use crate::telemetry::signals::Then;

use super::context::LaneContext;
use super::ending::{confirmed, done, reject, release};
use super::policy::{self, MessageDecision, Tally};

/// A message to be tried alone.
pub(super) struct Alone {
    pub part: Part,
    /// Since the store's answer left it in doubt by itself: not yet, where it was only unconfirmed,
    /// or part of a joined item.
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy)]
struct Doubt {
    since: Instant,
    /// How many writes had been confirmed.
    confirmed_then: u64,
    /// How often the message was in doubt, this time included.
    times: u32,
}

impl Alone {
    /// The message is in doubt from now on.
    pub fn in_doubt<S>(context: &LaneContext<S>, part: Part) -> Self {
        let doubt = Some(Doubt::now(context, &part));
        Self { part, doubt }
    }

    /// There is no doubt about the message yet.
    pub fn not_in_doubt(part: Part) -> Self {
        Self { part, doubt: None }
    }
}

impl Doubt {
    fn now<S>(context: &LaneContext<S>, part: &Part) -> Self {
        Self {
            since: Instant::now(),
            confirmed_then: context.evidence.confirmed(),
            times: context.evidence.note_doubt(&part.receipt.message.message_id),
        }
    }

    /// `confirmed_before`: how many writes had been confirmed before the store's last answer.
    fn is_proven<S>(self, context: &LaneContext<S>, confirmed_before: u64) -> bool {
        let doubt = policy::Doubt {
            age: self.since.elapsed(),
            were_others_confirmed: confirmed_before > self.confirmed_then,
            times: self.times,
        };
        policy::is_proven(doubt, context.flow.retry.budget)
    }
}

/// A message that is to be tried again.
struct Again {
    alone: Alone,
    trouble: WriteTrouble,
    cause: String,
}

/// Tries each message alone, with a pause before each round, until it has an end or the retry budget
/// is spent.
pub(super) async fn try_alone<S: Store>(context: &LaneContext<S>, mut todo: Vec<Alone>) {
    // What was in the way before may take all of the budget, and others shall have their turn.
    todo.sort_by_key(|alone| context.evidence.was_set_aside(std::iter::once(id(&alone.part))));
    let started = Instant::now();
    let is_spent = || started.elapsed() >= context.flow.retry.budget;
    let mut backoff = context.flow.backoff();
    let mut trouble = WriteTrouble::Item;
    let mut cause = "the store's answer left it in doubt".to_owned();
    while !todo.is_empty() {
        let retry_in = backoff.next_interval();
        context.failed(todo.len(), trouble, &cause, Then::Retry(retry_in));
        tokio::select! {
            biased;
            () = given_back(context) => {
                return release(context, todo.into_iter().map(|alone| alone.part));
            }
            () = sleep(retry_in) => {}
        }
        let (mut again, mut round) = (Vec::new(), todo.into_iter());
        for alone in round.by_ref() {
            if let Some(tried) = try_one(context, alone).await {
                (trouble, cause) = (tried.trouble, tried.cause);
                again.push(tried.alone);
                // The next one would meet the same.
                if policy::is_of_the_store(trouble) {
                    break;
                }
            }
            if is_spent() {
                break;
            }
        }
        // Those first that had no turn, or one that ends each round keeps the others from theirs.
        todo = round.chain(again).collect();
        if is_spent() && !todo.is_empty() {
            context.failed(todo.len(), trouble, &cause, Then::Leave);
            todo.drain(..).for_each(|alone| context.settle.leave(alone.part.receipt));
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

fn id(part: &Part) -> &str {
    &part.receipt.message.message_id
}

async fn try_one<S: Store>(
    context: &LaneContext<S>,
    Alone { part, doubt }: Alone,
) -> Option<Again> {
    let started = Instant::now();
    let confirmed_before = context.evidence.confirmed();
    let again =
        |part, doubt, trouble, cause| Some(Again { alone: Alone { part, doubt }, trouble, cause });
    // It was in the way before, perhaps because the server never returned from it.
    if context.evidence.was_set_aside(std::iter::once(id(&part))) && !context.is_store_well().await
    {
        let cause = "the store takes no other write either".to_owned();
        return again(part, doubt, WriteTrouble::Unavailable, cause);
    }
    let outcome = tokio::select! {
        biased;
        outcome = context.ask([&part.write]) => outcome,
        () = context.letting_go() => {
            let cause = "the worker lets go".to_owned();
            return again(part, doubt, WriteTrouble::Unavailable, cause);
        }
    };
    let (outcome, stale) = match outcome {
        WriteOutcome::Answered { items, stale } => {
            (items.into_iter().next().unwrap_or_else(ItemOutcome::no_answer), stale)
        }
        WriteOutcome::Unconfirmed(fault) if fault.kind == StoreFaultKind::NoAnswer => {
            // The server may be at it still, and one more try would be one more to be busy with. Where
            // the store is frozen, that is not this message's fault.
            if context.is_store_well().await {
                context.evidence.set_aside(std::iter::once(id(&part)));
            }
            context.failed(1, fault.kind.into(), &fault.text, Then::Leave);
            context.settle.leave(part.receipt);
            return None;
        }
        WriteOutcome::Unconfirmed(fault) => {
            return again(part, doubt, fault.kind.into(), fault.text);
        }
    };
    let doubt = match outcome {
        ItemOutcome::Doubtful(_) => Some(doubt.unwrap_or_else(|| Doubt::now(context, &part))),
        _ => doubt,
    };
    confirmed(context, &Tally::of(std::slice::from_ref(&outcome), stale), started);
    let is_proven = doubt.is_some_and(|doubt| doubt.is_proven(context, confirmed_before));
    match policy::of_message(outcome, is_proven) {
        MessageDecision::Done => done(context, part),
        MessageDecision::Reject(rejection) => reject(context, part, &rejection),
        MessageDecision::Again(cause) => return again(part, doubt, WriteTrouble::Item, cause),
    }
    None
}
