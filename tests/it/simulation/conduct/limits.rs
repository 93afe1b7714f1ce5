//! That a worker holds no more than it may, and does not ask in a hot loop.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use longshore::bson::Fields;
use longshore::message::{Update, Write};
use longshore::version::Change;

use crate::simulation::fault::Fault;
use crate::simulation::judge::Subject;
use crate::simulation::life::Life;

use super::Ledger;

/// Calls of one world, and for each second and worker of it: more of them are a hot loop. Deletes
/// that are denied are asked for most often: 16 at a time, with pauses that grow to a second at
/// least, of which a half may be taken off. Beside them each message that is held may be hidden
/// longer by a call of its own, every few seconds where the visibility timeout is five.
const CALLS_MAX: u64 = 20_000;
const CALLS_PER_SECOND_MAX: u64 = 80;

/// Calls for each time that a message is delivered, some by the hundred: it is received, written,
/// hidden on and settled.
const CALLS_PER_DELIVERY_MAX: u64 = 4;

/// A call of the SDK or the driver.
pub fn counts_call(who: &Life) {
    let conditions = who.conditions();
    let (calls, deliveries) = conditions.history.called();
    let seconds = conditions.age().as_secs() * conditions.plan.workers as u64;
    let for_deliveries = CALLS_PER_DELIVERY_MAX * deliveries;
    if calls > CALLS_MAX + CALLS_PER_SECOND_MAX * seconds + for_deliveries {
        conditions.history.violation(|| {
            format!("{} makes the call {calls}: something asks in a hot loop", who.name)
        });
        who.kill();
    }
}

/// Moments at which the worker may have held too much, of which the last ones are kept.
#[derive(Default)]
pub struct Limits {
    moments: VecDeque<Moment>,
}

const MOMENTS_MAX: usize = 20;

struct Moment {
    /// Messages that it held, or had asked for.
    held: usize,
    /// Handles that it held as well, or had left to the queue.
    perhaps: BTreeSet<Arc<str>>,
}

/// Looks at how many messages the worker would hold if all came for which it asks.
pub fn looks_at_messages(who: &Life, ledger: &mut Ledger) {
    let limit = who.conditions().plan.config.in_flight.messages_max;
    let held = ledger.receipts.open(who).count() + ledger.asked_for;
    is_within(who, held, limit);
    if held + ledger.receipts.perhaps_held(who).count() > limit {
        let moments = &mut ledger.limits.moments;
        moments.push_back(Moment {
            held,
            perhaps: ledger.receipts.perhaps_held(who).cloned().collect(),
        });
        moments.drain(..moments.len().saturating_sub(MOMENTS_MAX));
    }
}

/// The worker settles it: so it has held it until now.
pub fn was_held(who: &Life, ledger: &mut Ledger, handle: &str) {
    let limit = who.conditions().plan.config.in_flight.messages_max;
    for moment in &mut ledger.limits.moments {
        moment.held += usize::from(moment.perhaps.remove(handle));
        is_within(who, moment.held, limit);
    }
}

fn is_within(who: &Life, held: usize, limit: usize) {
    if held > limit {
        who.conditions()
            .history
            .violation(|| format!("{} may hold {held} messages, its limit is {limit}", who.name));
    }
}

/// Looks at the memory that the worker certainly needs: for each message as it came, for the
/// documents that it has shown to have made of them, and for the updates that it writes just now.
/// Updates are joined, so more is not known of them.
pub fn looks_at_bytes(who: &Life, ledger: &Ledger, writing: usize) {
    let limit = who.conditions().plan.config.in_flight.bytes_max;
    let held: usize =
        ledger.receipts.open(who).map(|(_, receipt)| receipt.bytes() + receipt.made_bytes).sum();
    let bytes = held + writing;
    if bytes > limit {
        who.conditions().history.violation(|| {
            format!("{} holds {bytes} bytes of messages, its limit is {limit}", who.name)
        });
    }
}

/// Looks at a write before it is sent.
pub fn looks_at_write(
    who: &Life,
    ledger: &mut Ledger,
    writes: &[Write],
    subjects: &[Option<Subject>],
) {
    let mut updates = 0;
    for (write, subject) in writes.iter().zip(subjects) {
        match (write, subject) {
            (Write::Update(update), _) => updates += update_bytes(update),
            // The record is about as large as the message, which has room for it.
            (Write::Insert(insert), Some(subject)) => {
                ledger.receipts.made(subject, insert.document.len());
            }
            (Write::Letter(_), _) | (Write::Insert(_), None) => {}
        }
    }
    looks_at_bytes(who, ledger, updates);
}

/// Bytes of all values of an update, with their names.
fn update_bytes(update: &Update) -> usize {
    let of = |fields: &Fields| fields.iter().map(|field| field.element.len()).sum::<usize>();
    match &update.change {
        Change::Whole { fields, .. } => of(fields),
        Change::Partial { fields } => fields.iter().map(|(_, _, value)| of(value)).sum(),
    }
}

/// At any end: what was in flight by the worker's own account, with all that was reserved and made
/// of it, never passed its limits either.
pub fn kept_its_limits(who: &Life) {
    let limits = &who.conditions().plan.config.in_flight;
    let counts = who.signals.counters().counts();
    let peaks = [
        (counts.in_flight_messages_peak, limits.messages_max),
        (counts.in_flight_bytes_peak, limits.bytes_max),
    ];
    if peaks.iter().any(|(peak, limit)| *peak > *limit as u64) || counts.overdrawn_total > 0 {
        let history = &who.conditions().history;
        history.violation(|| {
            format!("{} had in flight (messages, bytes; with limits): {peaks:?}", who.name)
        });
    }
    if counts.outgrown_total > 0 {
        who.conditions().history.saw(Fault::Outgrown);
    }
}
