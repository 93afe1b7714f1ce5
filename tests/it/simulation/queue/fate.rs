//! What becomes of a call to the queue, by either transport.

use std::time::Duration;

use longshore::queue::QueueFaultKind;

use crate::simulation::conditions::Conditions;
use crate::simulation::conduct::Request;
use crate::simulation::fault::Fault;
use crate::simulation::wire::{Fate, Kill};

/// How long a worker waits for an answer, beside the long poll.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Faults that keep the queue from acting.
const REFUSALS: [(Fault, QueueFaultKind); 4] = [
    (Fault::Throttled, QueueFaultKind::Throttled),
    (Fault::QueueUnavailable, QueueFaultKind::Unavailable),
    (Fault::QueueDenied, QueueFaultKind::Denied),
    (Fault::QueueMissing, QueueFaultKind::Missing),
];

/// What becomes of the next call, a receive or one about handles, and the fault to report where it
/// has no answer.
pub fn draw(conditions: &Conditions, request: Option<Request>) -> (Fate, QueueFaultKind) {
    let strikes = |fault| conditions.strikes(fault);
    let dice = &conditions.dice;
    let mut fate = Fate {
        before: dice.between_ms(0, 20),
        after: dice.between_ms(0, 20),
        acts: true,
        answers: true,
        kill: None,
    };
    let mut kind = QueueFaultKind::Unavailable;
    if request == Some(Request::Delete) && conditions.spell(Fault::DeletesDenied) {
        (fate.acts, kind) = (false, QueueFaultKind::Denied);
    } else if let Some((_, refusal)) = REFUSALS.iter().find(|(fault, _)| strikes(*fault)) {
        fate.acts = false;
        kind = *refusal;
    } else if strikes(Fault::QueueAnswerLost) {
        fate.answers = false;
    } else if request.is_some() && conditions.draws(Fault::AppliedOutOfOrder) {
        fate.before = dice.between_ms(20, 1_500);
    } else if request == Some(Request::Hide) && conditions.draws(Fault::AppliedAfterGivenUp) {
        // Mostly answered before the worker gives up too, and applied before the handle is stale.
        let timeout_ms =
            u64::try_from(conditions.plan.visibility_timeout.as_millis()).expect("minutes");
        fate.before = dice.between_ms(timeout_ms / 10, timeout_ms / 3);
    } else if strikes(Fault::QueueSlow) {
        fate.before = dice.between_ms(500, 4_000);
    } else if strikes(Fault::QueueHangs) {
        fate.before = PATIENCE + dice.between_ms(20_001, 60_000);
    } else if strikes(Fault::KilledBeforeAct) {
        fate.kill = Some(Kill::BeforeAct);
    } else if strikes(Fault::KilledAfterAct) {
        fate.kill = Some(Kill::AfterAct);
    }
    (fate, kind)
}
