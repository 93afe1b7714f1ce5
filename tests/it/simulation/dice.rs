//! All chance of a world, from its seed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// Nothing is drawn where the answer is certain.
    pub fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.fraction() < probability
    }

    /// In `0.0..1.0`.
    pub fn fraction(&self) -> f64 {
        self.lock().f64()
    }

    /// In `0..bound`.
    pub fn below(&self, bound: usize) -> usize {
        self.lock().usize(..bound)
    }

    pub fn pick<T: Clone>(&self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Whole milliseconds, both ends included.
    pub fn between_ms(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.lock().u64(least..=most))
    }

    pub fn shuffle<T>(&self, items: &mut [T]) {
        self.lock().shuffle(items);
    }

    fn lock(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
