//! Which faults strike in a world, and how often.

use crate::simulation::dice::Dice;
use crate::simulation::fault::Fault;

/// Faults that strike single calls and items.
const OF_CALLS: &[Fault] = &[
    Fault::Throttled,
    Fault::QueueUnavailable,
    Fault::QueueAnswerLost,
    Fault::QueueDenied,
    Fault::QueueMissing,
    Fault::QueueSlow,
    Fault::QueueHangs,
    Fault::EntryFailed,
    Fault::EntryFailedDone,
    Fault::HandleRefused,
    Fault::DeleteForgotten,
    Fault::DeletedByOldHandle,
    Fault::DeliveredWhileHidden,
    Fault::DeliveredAfterDelete,
    Fault::ShortAnswer,
    Fault::AppliedOutOfOrder,
    Fault::AppliedAfterGivenUp,
    Fault::HiddenWhileVisible,
    Fault::StoreUnavailable,
    Fault::WriteAnswerLost,
    Fault::HalfApplied,
    Fault::ConnectionLost,
    Fault::WriteConcernUnmet,
    Fault::SteppedDown,
    Fault::AppliedLate,
    Fault::CommandTimedOut,
    Fault::ItemDoubted,
    Fault::UpsertRaced,
    Fault::StoreSlow,
    Fault::KilledBeforeAct,
    Fault::KilledAfterAct,
];

/// Faults of the network to the queue, by request and answer, where the real adapter runs.
const OF_NETWORK: &[Fault] = &[
    Fault::QueueUnreachable,
    Fault::IdleClosed,
    Fault::KeysReplaced,
    Fault::AnswerReplaced,
    Fault::AnswerHalf,
    Fault::AnswerUntold,
    Fault::AnswerMisstated,
    Fault::AnswerCut,
    Fault::AnswerStalls,
    Fault::AnswerSlow,
    Fault::AnswerInPieces,
];

/// Faults of what producers send, by message.
const OF_MESSAGES: &[Fault] = &[
    Fault::ItemRefused,
    Fault::ItemUnknownCode,
    Fault::ReplyTooLarge,
    Fault::CommandRefused,
    Fault::SentTwice,
    Fault::SentOutOfOrder,
    Fault::IdConflict,
    Fault::IdentityTwice,
    Fault::Replayed,
    Fault::Poison,
    Fault::SentTooLate,
    Fault::Large,
];

/// Rules of the store that look at more than one document or field, by message of their
/// collections.
const OF_RULES: &[Fault] = &[Fault::SecondIndex, Fault::SecondIndexRaced, Fault::Validated];

/// What other programs do at the store, by the second.
pub const OF_OTHERS: &[Fault] = &[
    Fault::OthersWrote,
    Fault::OthersWroteBeyond,
    Fault::OthersChanged,
    Fault::OthersDeleted,
    Fault::OthersMadeAnew,
    Fault::OthersRenamed,
    Fault::Expired,
];

/// Faults of workers and machines, by the second.
pub const OF_TIME: &[Fault] =
    &[Fault::KilledAnytime, Fault::Drained, Fault::LetGo, Fault::ClockJumped, Fault::Frozen];

/// Faults of producers that cost no message a second receive.
pub const OF_PRODUCERS: &[Fault] = &[
    Fault::SentTwice,
    Fault::SentOutOfOrder,
    Fault::IdConflict,
    Fault::IdentityTwice,
    Fault::Replayed,
    Fault::Poison,
    Fault::SentTooLate,
    Fault::Large,
    Fault::ItemRefused,
];

/// Faults that disturb no worker in what it does. Large messages do: at a stop those go back that
/// outgrew their share.
pub const HARMLESS: &[Fault] = &[
    Fault::SentTwice,
    Fault::SentOutOfOrder,
    Fault::IdConflict,
    Fault::IdentityTwice,
    Fault::Replayed,
    Fault::Poison,
    Fault::SentTooLate,
    Fault::Drained,
    Fault::LetGo,
];

/// Whether no other faults than these can strike.
pub fn holds_only(rates: &[f64], faults: &[Fault]) -> bool {
    Fault::ALL.iter().all(|fault| rates[*fault as usize] <= 0.0 || faults.contains(fault))
}

pub fn rates(dice: &Dice) -> [f64; Fault::ALL.len()] {
    let mut rates = [0.0; Fault::ALL.len()];
    // A world without faults must do well, too.
    if dice.chance(0.05) {
        return rates;
    }
    let mut draw = |faults: &[Fault], share: f64, least: f64, most: f64| {
        for fault in faults {
            if dice.chance(share) {
                rates[*fault as usize] = least + (most - least) * dice.fraction();
            }
        }
    };
    if dice.chance(0.05) {
        // Bad producers alone.
        draw(OF_PRODUCERS, 0.5, 0.02, 0.2);
        return rates;
    }
    if dice.chance(0.08) {
        // Deploys: then whatever was received is written.
        draw(HARMLESS, 0.5, 0.02, 0.2);
        return rates;
    }
    draw(OF_CALLS, 0.25, 0.01, 0.25);
    draw(OF_NETWORK, 0.15, 0.01, 0.2);
    draw(OF_MESSAGES, 0.35, 0.02, 0.3);
    draw(OF_TIME, 0.25, 0.01, 0.1);
    draw(OF_RULES, 0.15, 0.05, 0.3);
    // Few programs at most share a database with us, and those that do are busy.
    if dice.chance(0.15) {
        draw(OF_OTHERS, 0.6, 0.05, 0.3);
    }
    rates
}
