//! One life of a worker, from its start to its end, however that comes.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use longshore::clock::Clock;
use longshore::held::Held;
use longshore::stop::Stop;
use longshore::telemetry::signals::Signals;
use tokio::task::AbortHandle;

use super::conduct::Book;
use super::surroundings::Surroundings;
use super::traffic::EPOCH_MS;

pub struct Incarnation {
    /// `w0.2` is the third life of the first worker.
    pub name: String,
    pub stop: Stop,
    pub held: Held,
    pub signals: Signals,
    pub book: Mutex<Book>,
    surroundings: Arc<Surroundings>,
    alive: AtomicBool,
    running: OnceLock<AbortHandle>,
}

impl Incarnation {
    pub fn new(name: String, surroundings: Arc<Surroundings>) -> Self {
        Self {
            name,
            stop: Stop::default(),
            held: Held::default(),
            signals: Signals::default(),
            book: Mutex::default(),
            surroundings,
            alive: AtomicBool::new(true),
            running: OnceLock::new(),
        }
    }

    pub fn surroundings(&self) -> &Arc<Surroundings> {
        &self.surroundings
    }

    /// Hands over what [`Incarnation::kill`] ends.
    pub fn runs(&self, running: AbortHandle) {
        self.running.set(running).expect("a life begins once");
    }

    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Ends it at once: nothing of it runs any more, and what it sent is on its way.
    pub fn kill(&self) {
        if self.alive.swap(false, Ordering::Relaxed) {
            self.surroundings.history.note(|| format!("{} dies", self.name));
            self.running.get().expect("it runs").abort();
        }
    }

    pub fn book<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A wall clock that follows tokio's time, but for what it jumped; and the world's chance.
pub struct SimulatedClock {
    surroundings: Arc<Surroundings>,
    offset_ms: AtomicI64,
}

impl SimulatedClock {
    pub fn new(surroundings: Arc<Surroundings>) -> Self {
        Self { surroundings, offset_ms: AtomicI64::new(0) }
    }

    pub fn jump(&self, by_ms: i64) {
        self.offset_ms.store(by_ms, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn now_ms(&self) -> i64 {
        let age = i64::try_from(self.surroundings.age().as_millis()).expect("worlds are short");
        EPOCH_MS + age + self.offset_ms.load(Ordering::Relaxed)
    }

    fn random(&self) -> f64 {
        self.surroundings.dice.fraction()
    }
}
