//! What all parts of a world share: its chance, its history, and whether anything fails at present.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::dice::Dice;
use super::fault::Fault;
use super::history::History;
use super::plan::{Outage, Plan};
use super::queue::parse;

/// How long a message may be held (SQS: 12 h; it is given back at 11 h).
const HOLD: Duration = Duration::from_hours(11);

pub struct Conditions {
    pub dice: Dice,
    pub history: History,
    pub plan: Plan,
    started: Instant,
    calm: AtomicBool,
    under_way: Arc<()>,
    /// When the machine last went on after it had stood still.
    thawed: Mutex<Instant>,
    /// Of messages, the receives that a worker may have left to the queue though nothing failed, by
    /// their handles.
    left: Mutex<BTreeMap<usize, BTreeSet<Arc<str>>>>,
}

impl Conditions {
    pub fn new(dice: Dice, history: History, plan: Plan) -> Self {
        Self {
            dice,
            history,
            plan,
            started: Instant::now(),
            calm: AtomicBool::new(false),
            under_way: Arc::new(()),
            thawed: Mutex::new(Instant::now()),
            left: Mutex::default(),
        }
    }

    /// Whether `fault` is to strike here and now. Whoever lets it says so to the history when it
    /// does.
    pub fn draws(&self, fault: Fault) -> bool {
        !self.is_calm() && self.dice.chance(self.plan.rate(fault))
    }

    /// Whether `fault` strikes here and now.
    pub fn strikes(&self, fault: Fault) -> bool {
        let strikes = self.draws(fault);
        if strikes {
            self.history.saw(fault);
        }
        strikes
    }

    /// From now on nothing fails.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// How long the world has been there.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Held by each request from its sending to its end.
    pub fn under_way(&self) -> Arc<()> {
        Arc::clone(&self.under_way)
    }

    /// Whether a request is still on its way, or at work in a server.
    pub fn is_under_way(&self) -> bool {
        Arc::strong_count(&self.under_way) > 1
    }

    /// A worker may leave what it received so in the queue, or give it back, though nothing fails:
    /// there is no room for it, or those that wait for their dead letters hold half of what it may
    /// hold. It comes once more for that.
    pub fn may_leave(&self, handle: &Arc<str>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.entry(parse(handle).0).or_default().insert(Arc::clone(handle));
    }

    /// How often a worker may have left it.
    pub fn may_have_left(&self, number: usize) -> u32 {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let times = left.get(&number).map_or(0, BTreeSet::len);
        u32::try_from(times).unwrap_or(u32::MAX)
    }

    /// The machine stands still from now on for this long.
    pub fn freeze(&self, length: Duration) {
        *self.thawed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + length;
    }

    /// How long since `then` anybody could do anything.
    pub fn awake_since(&self, then: Instant) -> Duration {
        then.max(*self.thawed.lock().unwrap_or_else(PoisonError::into_inner)).elapsed()
    }

    /// How often a message had to be given back in the present outage, because it may not be held
    /// any longer: some were held when it began.
    pub fn outage_holds(&self) -> usize {
        let held_before = Duration::from_mins(10);
        let lasted = self
            .outage()
            .map_or(Duration::ZERO, |outage| self.age().saturating_sub(outage.from) + held_before);
        usize::try_from(lasted.as_secs() / HOLD.as_secs()).expect("a few")
    }

    /// Whether a spell of this fault lasts at present.
    pub fn spell(&self, fault: Fault) -> bool {
        let age = self.age();
        let is_now =
            |spell: &&Outage| spell.fault == fault && spell.from <= age && age < spell.until;
        let lasts = self
            .plan
            .trial
            .as_ref()
            .is_some_and(|trial| trial.spells.iter().any(|spell| is_now(&spell)));
        if lasts {
            self.history.saw(fault);
        }
        lasts
    }

    /// The outage that lasts at present.
    pub fn outage(&self) -> Option<&Outage> {
        let age = self.age();
        self.plan.outages.iter().find(|outage| outage.from <= age && age < outage.until)
    }
}
