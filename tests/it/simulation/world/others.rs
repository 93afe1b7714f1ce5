//! Other programs at the same database, and its TTL index.

use std::sync::Arc;
use std::time::Duration;

use longshore::message::Key;
use tokio::time::sleep;

use crate::simulation::fault::Fault;
use crate::simulation::judge::{DESKS, Deed};
use crate::simulation::plan::OF_OTHERS;
use crate::simulation::store::Theirs;
use crate::simulation::traffic::EPOCH_MS;

use super::World;

/// The year 2612, as somebody stored it who took a text of digits for milliseconds.
const BEYOND_MS: i64 = 20_261_122_100_005;

/// The TTL of the desks.
const TTL_MS: i64 = 2 * 24 * 3_600_000;

/// They are at it for so long at most.
const BUSY_FOR: Duration = Duration::from_mins(10);

impl World {
    pub async fn others(self: Arc<Self>) {
        let mut number = 0;
        while self.conditions.plan.has_others()
            && !self.conditions.is_calm()
            && self.conditions.age() < BUSY_FOR
        {
            sleep(self.conditions.dice.between_ms(500, 1_500)).await;
            for fault in OF_OTHERS
                .iter()
                .copied()
                .filter(|fault| self.conditions.draws(*fault))
                .collect::<Vec<_>>()
            {
                number += 1;
                self.other_acts(fault, number);
            }
        }
    }

    fn other_acts(&self, fault: Fault, number: usize) {
        let (dice, store) = (&self.conditions.dice, &self.store);
        let key = format!("k{}", dice.below(self.conditions.plan.keys));
        let name = (DESKS.to_owned(), Key::Text(key.clone()));
        let now_ms = EPOCH_MS + i64::try_from(self.conditions.history.now_ms()).expect("days");
        // Now and then a date that the TTL index has forgotten.
        let lag_ms = if dice.chance(0.3) {
            3 * 24 * 3_600_000
        } else {
            dice.between_ms(0, 60_000).as_millis().try_into().expect("seconds")
        };
        let theirs = Theirs {
            at_ms: if fault == Fault::OthersWroteBeyond { BEYOND_MS } else { now_ms - lag_ms },
            number,
        };
        let (has_acted, deed) = match fault {
            Fault::OthersChanged if !store.is_there(&name) => (false, Deed::Removed),
            Fault::OthersWrote | Fault::OthersWroteBeyond | Fault::OthersChanged => {
                store.they_write(&name, theirs);
                (true, Deed::Wrote(theirs))
            }
            Fault::OthersMadeAnew => (store.they_make_anew(&name, theirs), Deed::MadeAnew(theirs)),
            Fault::OthersRenamed => {
                (store.they_rename(&name, &format!("gone-{number}")), Deed::Removed)
            }
            Fault::Expired => (store.they_expire(&name, now_ms - TTL_MS), Deed::Removed),
            _ => (store.they_delete(&name), Deed::Removed),
        };
        if has_acted {
            self.judge.others_did(&key, deed);
            self.conditions.history.saw(fault);
            self.conditions.history.note(|| {
                format!("another program, at the desk {key}: {deed:?} ({})", fault.what())
            });
        }
    }
}
