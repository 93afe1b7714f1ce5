//! How a worker must behave while the store takes nothing: it stops receiving, for each receive
//! burns a count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use longshore::store::{ItemOutcome, StoreFaultKind, WriteOutcome};
use tokio::time::Instant;

use crate::simulation::incarnation::Incarnation;
use crate::simulation::judge::{DEAD_LETTERS, Judge, Subject};
use crate::simulation::queue::{Delivery, parse};

use super::Book;
use super::receipt::Receipt;

/// What is known of the store's health since it last took something of this worker.
#[derive(Default)]
pub struct Sickness {
    /// Since when each document could not be written.
    failing: BTreeMap<Subject, Instant>,
    /// All documents that were tried and of which nothing is known.
    unconfirmed: BTreeSet<Subject>,
    /// A write has failed for longer than the retry budget: from then on nothing may be received.
    shut_since: Option<Instant>,
    /// Questions whether the store takes writes that have no answer yet: until then the worker need
    /// not stop receiving.
    asked: usize,
    /// Whether any write failed.
    failed: bool,
    /// Handles that came since the first of them.
    received: Vec<Arc<str>>,
    /// How often everything had to be given back meanwhile, because it may not be held any longer.
    holds: usize,
    /// When that was last seen by what was given back.
    hold_seen: Option<Instant>,
    /// How often each message, by its number, was given back during the present outage.
    given_back: BTreeMap<usize, usize>,
}

pub fn receive_starts(who: &Incarnation, book: &mut Book) {
    let surroundings = who.surroundings();
    book.sickness.holds = book.sickness.holds.max(surroundings.outage_holds());
    if let Some(since) = book.sickness.shut_since
        && book.sickness.holds == 0
        && book.sickness.asked == 0
    {
        let name = &who.name;
        surroundings.history.violation(|| {
            format!(
                "{name} still receives, {:?} after a write had failed for all of its retry budget",
                since.elapsed()
            )
        });
    }
}

pub fn received(who: &Incarnation, book: &mut Book, Delivery { message, regular, .. }: &Delivery) {
    let surroundings = who.surroundings();
    let sickness = &mut book.sickness;
    if sickness.failed {
        sickness.received.push(Arc::clone(&message.receipt_handle));
    }
    if *regular && surroundings.outage().is_some() {
        let number = parse(&message.receipt_handle).0;
        let times = sickness.given_back.get(&number).copied().unwrap_or_default();
        if times > surroundings.outage_holds() + 1 {
            let name = &who.name;
            surroundings.history.violation(|| {
                format!(
                    "{name} gave m{number} back {times} times in one outage, and receives it again"
                )
            });
        }
    }
}

/// Looks at how many receives were burnt since the store took nothing: no more than there is room
/// for, because what is not written frees none, and what was given back is not received again.
pub fn looks_at_received(who: &Incarnation, book: &mut Book) {
    let surroundings = who.surroundings();
    if surroundings.outage().is_none() {
        book.sickness.given_back.clear();
    }
    let limit = surroundings.plan.config.in_flight.messages_max * (1 + book.sickness.holds);
    let (receipts, tries_min) = (&book.receipts, usize::MAX);
    let is_burnt = |handle: &&Arc<str>| {
        receipts
            .get(handle)
            .is_some_and(|receipt| receipt.is_open(tries_min) || receipt.is_released())
    };
    let burnt = book.sickness.received.iter().filter(is_burnt).count();
    if burnt > limit {
        let name = &who.name;
        surroundings.history.violation(|| format!("{name} received {burnt} messages since the store took nothing, its limit is {limit}"));
    }
}

pub fn gives_back(who: &Incarnation, book: &mut Book, judge: &Judge, handle: &str) {
    let (sickness, is_overdue) =
        (&mut book.sickness, book.receipts.get(handle).is_some_and(Receipt::is_overdue));
    // All that is held goes back within minutes.
    if is_overdue
        && sickness.failed
        && sickness.hold_seen.is_none_or(|seen| seen.elapsed() > Duration::from_hours(1))
    {
        sickness.hold_seen = Some(Instant::now());
        sickness.holds += usize::from(who.surroundings().outage_holds() <= sickness.holds);
    }
    for subject in judge.subjects(parse(handle).0) {
        book.sickness.failing.remove(&subject);
        book.sickness.unconfirmed.remove(&subject);
    }
    if who.surroundings().outage().is_none() {
        book.sickness.given_back.clear();
    }
}

pub fn gave_back(who: &Incarnation, book: &mut Book, handle: &str) {
    if who.surroundings().outage().is_some() {
        *book.sickness.given_back.entry(parse(handle).0).or_default() += 1;
    }
}

/// Takes note of what came of a write.
pub fn wrote(
    who: &Incarnation,
    book: &mut Book,
    collection: &str,
    subjects: &[Option<Subject>],
    outcome: &WriteOutcome,
) {
    let sickness = &mut book.sickness;
    match outcome {
        WriteOutcome::Answered { items, .. } => {
            for (subject, item) in subjects.iter().zip(items) {
                let Some(subject) = subject else { continue };
                if matches!(item, ItemOutcome::Unconfirmed(_)) {
                    sickness.unconfirmed.insert(subject.clone());
                } else {
                    sickness.unconfirmed.remove(subject);
                }
            }
            // Even one that refuses an item with a code that tells nothing is there, and may take
            // the next.
            sickness.failed = items.iter().all(|item| matches!(item, ItemOutcome::Unconfirmed(_)));
            if !sickness.failed {
                sickness.failing.clear();
                sickness.shut_since = None;
                sickness.received.clear();
                sickness.holds = 0;
            }
        }
        // What the command is refused for is in it: less of it is tried at once.
        WriteOutcome::Unconfirmed(fault) if fault.kind == StoreFaultKind::Refused => {}
        // Dead letters may be denied alone: that is no reason to write nothing else, or to wait for
        // these any longer.
        WriteOutcome::Unconfirmed(fault)
            if fault.kind == StoreFaultKind::Denied && collection == DEAD_LETTERS =>
        {
            sickness.failing.retain(|subject, _| !subjects.contains(&Some(subject.clone())));
            let budget = who.surroundings().plan.config.retry.budget;
            if !sickness.failing.values().any(|since| since.elapsed() >= budget) {
                sickness.shut_since = None;
            }
        }
        WriteOutcome::Unconfirmed(_) => {
            sickness.failed = true;
            sickness.unconfirmed.extend(subjects.iter().flatten().cloned());
            let budget = who.surroundings().plan.config.retry.budget;
            for subject in subjects.iter().flatten() {
                let receipts = || book.receipts.of_subject(subject);
                // Of two batches with one document each has a budget of its own, and what is in
                // doubt is tried beside the batches.
                if receipts().count() > 1 || receipts().any(Receipt::is_doubted) {
                    continue;
                }
                let since = *sickness.failing.entry(subject.clone()).or_insert_with(Instant::now);
                if since.elapsed() >= budget {
                    sickness.shut_since.get_or_insert_with(Instant::now);
                }
            }
        }
    }
}

/// The worker asks whether the store takes writes.
pub fn asks(book: &mut Book) {
    book.sickness.asked += 1;
}

/// It has its answer, or gave up. If the store does, what was tried for long and is not confirmed
/// has a trouble of its own, and may be left in the queue.
pub fn hears(book: &mut Book, is_well: bool) {
    book.sickness.asked -= 1;
    if !is_well {
        return;
    }
    let Sickness { unconfirmed, asked, .. } = std::mem::take(&mut book.sickness);
    book.sickness.asked = asked;
    for subject in &unconfirmed {
        book.receipts.sets_aside(subject);
    }
}
