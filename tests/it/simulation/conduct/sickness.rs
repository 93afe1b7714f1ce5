//! How a worker must behave while the store takes nothing: it stops receiving, for each receive
//! burns a count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use longshore::message::Write;
use longshore::store::{ItemOutcome, StoreFaultKind, WriteOutcome};
use tokio::time::Instant;

use crate::simulation::judge::{Judge, Subject};
use crate::simulation::life::Life;
use crate::simulation::queue::{Delivery, parse};

use super::Ledger;
use super::receipt::Receipt;

/// What is known of the store's health since it last took something of this worker.
#[derive(Default)]
pub struct Sickness {
    /// Since when each document could not be written.
    failing: BTreeMap<Subject, Instant>,
    /// All documents that were tried and of which nothing is known.
    unconfirmed: BTreeSet<Subject>,
    /// Those writes of them to which no answer came, until the store has taken another.
    unanswered: Vec<(Subject, Write)>,
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
    /// What was given back during the present outage, by the message's number.
    given_back: BTreeMap<usize, GivenBack>,
}

struct GivenBack {
    times: usize,
    /// When it first was.
    first: Instant,
}

pub fn receive_starts(who: &Life, ledger: &mut Ledger) {
    let conditions = who.conditions();
    ledger.sickness.holds = ledger.sickness.holds.max(conditions.outage_holds());
    if let Some(since) = ledger.sickness.shut_since
        && ledger.sickness.holds == 0
        && ledger.sickness.asked == 0
    {
        let name = &who.name;
        conditions.history.violation(|| {
            format!(
                "{name} still receives, {:?} after a write had failed for all of its retry budget",
                since.elapsed()
            )
        });
    }
}

pub fn received(
    who: &Life,
    ledger: &mut Ledger,
    judge: &Judge,
    Delivery { message, regular, .. }: &Delivery,
    asked_at: Instant,
) {
    let conditions = who.conditions();
    let sickness = &mut ledger.sickness;
    // What was left because no answer came is tried once when it comes back.
    for subject in judge.subjects(parse(&message.receipt_handle).0) {
        sickness.unanswered.retain(|(other, _)| *other != subject);
    }
    if sickness.failed {
        sickness.received.push(Arc::clone(&message.receipt_handle));
    }
    if *regular && conditions.outage().is_some() {
        let number = parse(&message.receipt_handle).0;
        // A receive that was in progress when it first went back can bring it whatever is known since.
        let given_back = sickness.given_back.get(&number);
        if let Some(&GivenBack { times, first }) = given_back
            && times > conditions.outage_holds() + 1
            && asked_at >= first
        {
            let name = &who.name;
            conditions.history.violation(|| {
                format!(
                    "{name} gave m{number} back {times} times in one outage, and receives it again"
                )
            });
        }
    }
}

/// Looks at how many receives were burnt since the store took nothing: no more than there is room
/// for, because what is not written frees none, and what was given back is not received again.
pub fn looks_at_received(who: &Life, ledger: &mut Ledger) {
    let conditions = who.conditions();
    if conditions.outage().is_none() {
        ledger.sickness.given_back.clear();
    }
    let limit = conditions.plan.config.in_flight.messages_max * (1 + ledger.sickness.holds);
    let (receipts, tries_min) = (&ledger.receipts, usize::MAX);
    let is_burnt = |handle: &&Arc<str>| {
        receipts
            .get(handle)
            .is_some_and(|receipt| receipt.is_open(tries_min) || receipt.is_released())
    };
    let burnt = ledger.sickness.received.iter().filter(is_burnt).count();
    if burnt > limit {
        let name = &who.name;
        conditions.history.violation(|| format!("{name} received {burnt} messages since the store took nothing, its limit is {limit}"));
    }
}

pub fn gives_back(who: &Life, ledger: &mut Ledger, judge: &Judge, handle: &str) {
    let (sickness, is_overdue) =
        (&mut ledger.sickness, ledger.receipts.get(handle).is_some_and(Receipt::is_overdue));
    // All that is held goes back within minutes.
    if is_overdue
        && sickness.failed
        && sickness.hold_seen.is_none_or(|seen| seen.elapsed() > Duration::from_hours(1))
    {
        sickness.hold_seen = Some(Instant::now());
        sickness.holds += usize::from(who.conditions().outage_holds() <= sickness.holds);
    }
    for subject in judge.subjects(parse(handle).0) {
        ledger.sickness.failing.remove(&subject);
        // Unless another message that asks for the same is held on.
        let is_held =
            |receipt: &Receipt| receipt.may_be_held(usize::MAX) && !receipt.is_given_back();
        if !ledger.receipts.of_subject(&subject).any(is_held) {
            ledger.sickness.unconfirmed.remove(&subject);
        }
        // Another message may ask for the same.
        ledger.sickness.unanswered.retain(|(other, _)| *other != subject);
    }
    if who.conditions().outage().is_none() {
        ledger.sickness.given_back.clear();
    }
}

pub fn gave_back(who: &Life, ledger: &mut Ledger, handle: &str) {
    if who.conditions().outage().is_some() {
        let given_back = &mut ledger.sickness.given_back;
        let first = Instant::now();
        given_back.entry(parse(handle).0).or_insert(GivenBack { times: 0, first }).times += 1;
    }
}

/// Looks at a write before it is sent: where no answer came the server may be at it still.
pub fn writes(who: &Life, ledger: &Ledger, writes: &[Write], subjects: &[Option<Subject>]) {
    let is_same = |write: &Write, other: &Write| match (write, other) {
        (Write::Update(update), Write::Update(other)) => update == other,
        // The subject is its id.
        _ => true,
    };
    let is_unanswered = |(subject, write): &(&Subject, &Write)| {
        // Of two messages that ask for the same, one may have been left.
        let is_alone = ledger.receipts.of_subject(subject).count() == 1;
        let mut unanswered = ledger.sickness.unanswered.iter();
        is_alone && unanswered.any(|(other, sent)| other == *subject && is_same(write, sent))
    };
    let mut named =
        subjects.iter().zip(writes).filter_map(|(of, write)| Some((of.as_ref()?, write)));
    if let Some((subject, _)) = named.find(is_unanswered) {
        who.conditions().history.violation(|| {
            format!(
                "{} sends {subject:?} again, to which no answer came, and has not asked whether the \
                 store takes writes",
                who.name
            )
        });
    }
}

/// Takes note of what came of a write.
pub fn wrote(
    who: &Life,
    ledger: &mut Ledger,
    writes: &[Write],
    subjects: &[Option<Subject>],
    outcome: &WriteOutcome,
) {
    let sickness = &mut ledger.sickness;
    if matches!(outcome, WriteOutcome::Unconfirmed(fault) if fault.kind == StoreFaultKind::NoAnswer)
    {
        let named = subjects.iter().zip(writes);
        let named = named.filter_map(|(of, write)| Some((of.clone()?, write.clone())));
        sickness.unanswered.extend(named);
    }
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
        WriteOutcome::Unconfirmed(fault)
            if matches!(fault.kind, StoreFaultKind::Refused | StoreFaultKind::TimedOut) =>
        {
            sickness.unconfirmed.extend(subjects.iter().flatten().cloned());
        }
        // A collection may be denied alone: that is no reason to write nothing else, or to wait for
        // it any longer.
        WriteOutcome::Unconfirmed(fault) if fault.kind == StoreFaultKind::Collection => {
            sickness.failing.retain(|subject, _| !subjects.contains(&Some(subject.clone())));
            let budget = who.conditions().plan.config.retry.budget;
            if !sickness.failing.values().any(|since| since.elapsed() >= budget) {
                sickness.shut_since = None;
            }
        }
        WriteOutcome::Unconfirmed(_) => {
            sickness.failed = true;
            sickness.unconfirmed.extend(subjects.iter().flatten().cloned());
            let budget = who.conditions().plan.config.retry.budget;
            for subject in subjects.iter().flatten() {
                let receipts = || ledger.receipts.of_subject(subject);
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
pub fn asks(ledger: &mut Ledger) {
    ledger.sickness.asked += 1;
}

/// It has its answer, or gave up. If the store does, what was tried for long and is not confirmed
/// has a trouble of its own, and may be left in the queue.
pub fn hears(ledger: &mut Ledger, is_well: bool) {
    ledger.sickness.asked -= 1;
    if !is_well {
        return;
    }
    let Sickness { unconfirmed, asked, .. } = std::mem::take(&mut ledger.sickness);
    ledger.sickness.asked = asked;
    for subject in &unconfirmed {
        ledger.receipts.sets_aside(subject);
    }
}
