//! Worlds in which one thing alone is wrong for a long time: what else there is must go on
//! meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crate::simulation::dice::Dice;
use crate::simulation::fault::Fault;

use super::{MIB, OF_PRODUCERS, Outage, Plan};

/// What is tried. In the first, what was left in doubt comes back in a second spell, after others
/// were written: it is no bad message for that.
const TRIALS: &[Fault] = &[
    Fault::StoreDoubts,
    Fault::DeadLettersDenied,
    Fault::CollectionDenied,
    Fault::ItemUnconfirmed,
    Fault::ItemBreaksConnection,
    Fault::ItemHangs,
    Fault::DeletesDenied,
    Fault::LargeTimesOut,
    Fault::CommandRefused,
];

/// The share of worlds in which each is tried.
const SHARE: f64 = 0.006;

/// How long it lasts: several times what a worker may keep trying one message.
const LASTS: Duration = Duration::from_mins(45);

/// How long a message that is not concerned may stay in the queue meanwhile: what is concerned may
/// have all attention for ten minutes and the retry budget, and again when it comes back.
const OTHERS_STAY_MAX: Duration = Duration::from_mins(25);

/// The same where what is concerned is found at once, by halves.
const OTHERS_STAY_MAX_BY_HALVES: Duration = Duration::from_mins(5);

/// The longest that a message is left in the queue at a time.
const LEFT_MAX: Duration = Duration::from_mins(15);

/// The one thing that is wrong.
pub struct Trial {
    /// When the store has it, where it does not come with messages.
    pub spells: Vec<Outage>,
    /// How long a message may stay that is not concerned; `None` where all are.
    pub others_stay_max: Option<Duration>,
    /// How long a message is tried and how long it is left at first; `None` where one may be that
    /// something broke under.
    tried_and_left: Option<(Duration, Duration)>,
}

impl Trial {
    /// How often a message may have been received that was sent so long ago. It is left for twice
    /// as long each time, up to a quarter of an hour.
    pub fn receives_max(&self, ago: Duration) -> Option<u32> {
        let (tried, mut left) = self.tried_and_left?;
        let (mut most, mut at) = (1, tried.saturating_add(left));
        while at <= ago {
            most += 1;
            left = (left * 2).min(LEFT_MAX.max(left));
            at += tried + left;
        }
        Some(most)
    }
}

/// The world as it is, or one in which only producers and one trial do harm.
pub fn draw(dice: &Dice, mut plan: Plan) -> Plan {
    let Some(fault) = TRIALS.iter().copied().find(|_| dice.chance(SHARE)) else { return plan };
    let others = Fault::ALL.iter().filter(|fault| !OF_PRODUCERS.contains(fault));
    for fault in others {
        plan.rates[*fault as usize] = 0.0;
    }
    // A message that stays in the queue holds up its group, as it should.
    plan.fifo = false;
    plan.outages.clear();
    (plan.is_flood, plan.small_first, plan.keys) = (false, 0, plan.keys.min(6));
    plan.sending = Duration::from_mins(20);
    let (until, from) = (LASTS, Duration::ZERO);
    let (mut spells, mut others_stay_max, mut tried_and_left) =
        (Vec::new(), Some(OTHERS_STAY_MAX), None);
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
            tried_and_left = Some((plan.config.retry.budget, plan.visibility_timeout));
            plan.messages = 200;
        }
        Fault::DeadLettersDenied => {
            plan.rates[Fault::Poison as usize] = 0.2;
            spells.push(Outage { from, until, fault });
        }
        Fault::CollectionDenied => spells.push(Outage { from, until, fault }),
        Fault::LargeTimesOut => {
            // So many that most commands have several.
            (plan.messages, plan.sending) = (200, Duration::from_mins(1));
            others_stay_max = Some(OTHERS_STAY_MAX_BY_HALVES);
            spells.push(Outage { from, until, fault });
        }
        Fault::DeletesDenied => {
            spells.push(Outage { from, until, fault });
            // What is written is kept until it can be deleted: every receive of it would bring it
            // nearer to the redrive limit.
            (others_stay_max, tried_and_left) = (None, Some((Duration::MAX, Duration::ZERO)));
        }
        _ => {
            plan.rates[fault as usize] = 0.1;
            // With room for one message alone, each that is tried takes the place of all others,
            // for two retry budgets.
            let config = Arc::make_mut(&mut plan.config);
            config.in_flight.bytes_max = config.in_flight.bytes_max.max(MIB);
            if fault == Fault::CommandRefused {
                others_stay_max = Some(OTHERS_STAY_MAX_BY_HALVES);
            }
        }
    }
    plan.faults_until = until;
    plan.trial = Some(Trial { spells, others_stay_max, tried_and_left });
    plan
}
