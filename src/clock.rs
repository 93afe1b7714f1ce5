//! Wall clock and randomness behind a trait, so that a simulation can seed the one and jump the
//! other.
//!
//! Time that is waited for or measured is tokio's, never this.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

pub trait Clock: Send + Sync + 'static {
    /// The wall clock, milliseconds since the epoch. It may jump either way.
    fn now_ms(&self) -> i64;

    /// A number in `0.0..1.0`.
    fn random(&self) -> f64;
}

/// The machine's clock, and randomness seeded from the system.
#[derive(Debug, Default)]
pub struct SystemClock {
    random: Mutex<fastrand::Rng>,
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn random(&self) -> f64 {
        self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner).f64()
    }
}
