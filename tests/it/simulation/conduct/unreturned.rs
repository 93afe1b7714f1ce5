//! That a write from which the server does not return is not sent again and again: the server may be
//! at each of them still.
//!
//! Two tries of it alone can be a bad moment. After them, and once the store has shown that it takes
//! others, the message belongs back in the queue for another visibility timeout.

use std::collections::BTreeMap;

use longshore::store::{StoreFaultKind, WriteOutcome};

use crate::simulation::judge::{Judge, Subject};
use crate::simulation::life::Life;
use crate::simulation::queue::{Delivery, parse};

use super::Ledger;

/// Tries of one document alone, of one receive.
const TRIES_MAX: usize = 2;

/// Tries of a document alone, by one message, since it came or had an answer.
#[derive(Default)]
struct Tries {
    number: usize,
    /// Whether the store took writes, each time that it was asked since the last of them.
    is_store_well: Option<bool>,
}

/// What was tried alone and had no answer.
#[derive(Default)]
pub struct Unreturned {
    tries: BTreeMap<Subject, Tries>,
}

pub fn received(ledger: &mut Ledger, judge: &Judge, delivery: &Delivery) {
    for subject in judge.subjects(parse(&delivery.message.receipt_handle).0) {
        ledger.unreturned.tries.remove(&subject);
    }
}

/// The worker has heard, or given up to hear, whether the store takes writes.
pub fn hears(ledger: &mut Ledger, is_well: bool) {
    for tries in ledger.unreturned.tries.values_mut() {
        tries.is_store_well = Some(is_well && tries.is_store_well.unwrap_or(true));
    }
}

/// Looks at a write before it is sent.
pub fn writes(who: &Life, ledger: &Ledger, subjects: &[Option<Subject>]) {
    let [Some(subject)] = subjects else { return };
    let Some(tries) = ledger.unreturned.tries.get(subject) else { return };
    if tries.number >= TRIES_MAX && tries.is_store_well == Some(true) && is_of_one(ledger, subject)
    {
        who.conditions().history.violation(|| {
            format!(
                "{} sends {subject:?} alone once more, to which no answer came {} times while the \
                 store took others",
                who.name, tries.number
            )
        });
    }
}

pub fn wrote(ledger: &mut Ledger, subjects: &[Option<Subject>], outcome: &WriteOutcome) {
    match (outcome, subjects) {
        (WriteOutcome::Answered { .. }, _) => {
            for subject in subjects.iter().flatten() {
                ledger.unreturned.tries.remove(subject);
            }
        }
        (WriteOutcome::Unconfirmed(fault), [Some(subject)])
            if fault.kind == StoreFaultKind::NoAnswer && is_of_one(ledger, subject) =>
        {
            let tries = ledger.unreturned.tries.entry(subject.clone()).or_default();
            *tries = Tries { number: tries.number + 1, is_store_well: None };
        }
        (WriteOutcome::Unconfirmed(_), _) => {}
    }
}

/// Of several messages that ask for one document, who knows which is tried.
fn is_of_one(ledger: &Ledger, subject: &Subject) -> bool {
    ledger.receipts.of_subject(subject).count() == 1
}
