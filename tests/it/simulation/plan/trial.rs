//! Worlds in which one thing alone is wrong for a long time: what else there is must go on meanwhile.

use std::time::Duration;

use crate::simulation::dice::Dice;
use crate::simulation::fault::Fault;

use super::{OF_PRODUCERS, Outage, Plan};

/// What is tried, and in which share of the worlds. No worker stands any of them yet; once it does, its share is to be 0.02.
const TRIALS: &[(Fault, f64)] = &[
    // What was left in doubt, and comes back in a second spell after others were written, is taken for a bad message.
    (Fault::StoreDoubts, 0.0),
    // Dead letters that are refused close the gate to all collections.
    (Fault::DeadLettersDenied, 0.0),
    // Each such item closes the gate for ten minutes, again and again.
    (Fault::ItemUnconfirmed, 0.0),
    // An item that always breaks its connection keeps the gate closed for as long as it may be held.
    (Fault::ItemBreaksConnection, 0.0),
];

/// How long it lasts: several times what a worker may keep trying one message.
const LASTS: Duration = Duration::from_mins(45);

/// How long a message that is not concerned may stay in the queue meanwhile: what is concerned may have all attention for ten
/// minutes and the retry budget, and again when it comes back.
const OTHERS_STAY_MAX: Duration = Duration::from_mins(25);

/// The one thing that is wrong.
pub struct Trial {
    /// When the store has it, where it does not come with messages.
    pub spells: Vec<Outage>,
    /// How long a message may stay that is not concerned; `None` where all are.
    pub others_stay_max: Option<Duration>,
}

/// Whether any world has this fault. What the product does not stand yet is tried in none.
pub fn is_tried(fault: Fault) -> bool {
    TRIALS.iter().all(|(trial, share)| *trial != fault || *share > 0.0)
}

/// The world as it is, or one in which only producers and one trial do harm.
pub fn draw(dice: &Dice, mut plan: Plan) -> Plan {
    let Some((fault, _)) = TRIALS.iter().find(|(_, share)| dice.chance(*share)) else { return plan };
    let fault = *fault;
    let others = Fault::ALL.iter().filter(|fault| !OF_PRODUCERS.contains(fault));
    for fault in others {
        plan.rates[*fault as usize] = 0.0;
    }
    // A message that stays in the queue holds up its group, as it should.
    plan.fifo = false;
    plan.outages.clear();
    plan.is_flood = false;
    plan.sending = Duration::from_mins(20);
    let (until, from) = (LASTS, Duration::ZERO);
    let (mut spells, mut others_stay_max) = (Vec::new(), Some(OTHERS_STAY_MAX));
    match fault {
        Fault::StoreDoubts => {
            // Between the two, others are written, and what was left in the queue stays hidden.
            let between = u64::try_from(plan.visibility_timeout.as_millis()).expect("minutes");
            let mut from = dice.between_ms(1_000, 600_000);
            for _ in 0..2 {
                let until = from + plan.config.retry.budget * 2 + dice.between_ms(1_000, 60_000);
                spells.push(Outage { from, until, fault });
                from = until + dice.between_ms(1_000, between);
            }
            others_stay_max = None;
            plan.messages = 200;
        }
        Fault::DeadLettersDenied => {
            plan.rates[Fault::Poison as usize] = 0.2;
            spells.push(Outage { from, until, fault });
        }
        _ => plan.rates[fault as usize] = 0.1,
    }
    plan.faults_until = until;
    plan.trial = Some(Trial { spells, others_stay_max });
    plan
}
