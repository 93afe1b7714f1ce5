//! One life of a worker, from its start to its end, however that comes.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use longshore::clock::Clock;
use longshore::held::Held;
use longshore::stop::Stop;
use longshore::telemetry::signals::Signals;
use tokio::task::AbortHandle;

use super::conditions::Conditions;
use super::conduct::Ledger;
use super::traffic::EPOCH_MS;

pub struct Life {
    /// `w0.2` is the third life of the first worker.
    pub name: String,
    pub stop: Stop,
    pub held: Held,
    pub signals: Signals,
    pub ledger: Mutex<Ledger>,
    conditions: Arc<Conditions>,
    alive: AtomicBool,
    running: OnceLock<AbortHandle>,
}

impl Life {
    pub fn new(name: String, conditions: Arc<Conditions>) -> Self {
        Self {
            name,
            stop: Stop::default(),
            held: Held::default(),
            signals: Signals::default(),
            ledger: Mutex::default(),
            conditions,
            alive: AtomicBool::new(true),
            running: OnceLock::new(),
        }
    }

    pub fn conditions(&self) -> &Arc<Conditions> {
        &self.conditions
    }

    /// Hands over what [`Life::kill`] ends.
    pub fn runs(&self, running: AbortHandle) {
        self.running.set(running).expect("a life begins once");
    }

    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Ends it at once: nothing of it runs any more, and what it sent is on its way.
    pub fn kill(&self) {
        if self.alive.swap(false, Ordering::Relaxed) {
            self.conditions.history.note(|| format!("{} dies", self.name));
            self.running.get().expect("it runs").abort();
        }
    }

    pub fn ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A wall clock that follows tokio's time, but for what it jumped; and the world's chance.
pub struct SimulatedClock {
    conditions: Arc<Conditions>,
    offset_ms: AtomicI64,
}

impl SimulatedClock {
    pub fn new(conditions: Arc<Conditions>) -> Self {
        Self { conditions, offset_ms: AtomicI64::new(0) }
    }

    pub fn jump(&self, by_ms: i64) {
        self.offset_ms.store(by_ms, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn now_ms(&self) -> i64 {
        let age = i64::try_from(self.conditions.age().as_millis()).expect("worlds are short");
        EPOCH_MS + age + self.offset_ms.load(Ordering::Relaxed)
    }

    fn random(&self) -> f64 {
        self.conditions.dice.fraction()
    }
}
