//! How to ask again: intervals that grow, with jitter. The only user of the crate `backoff`.
//!
//! The crate gives the intervals only: its clock is the standard library's and its jitter unseeded,
//! which neither paused time nor a seeded simulation could reach. So its randomization is 0, and
//! jitter and budget are ours.

use std::sync::Arc;
use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

use crate::clock::Clock;

/// When to ask again, and for how long: the section `retry`.
#[derive(Debug, Clone)]
pub struct RetryConfig {
    /// 10 ms to 10 s.
    pub initial: Duration,
    /// `initial` to 5 min.
    pub max: Duration,
    /// 1.1 to 10.
    pub multiplier: f64,
    /// How long a write is tried before the gate closes: 0 to 10 min.
    pub budget: Duration,
}

/// A growing interval between tries, of which a random half is taken off so that many workers do
/// not ask in step.
pub struct Backoff {
    intervals: ExponentialBackoff,
    clock: Arc<dyn Clock>,
}

impl Backoff {
    #[must_use]
    pub fn new(config: &RetryConfig, clock: Arc<dyn Clock>) -> Self {
        let intervals = ExponentialBackoff {
            current_interval: config.initial,
            initial_interval: config.initial,
            randomization_factor: 0.0,
            multiplier: config.multiplier,
            max_interval: config.max,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { intervals, clock }
    }

    /// How long to wait before the next try: between half of the interval and all of it.
    pub fn next_interval(&mut self) -> Duration {
        let interval = self.intervals.next_backoff().unwrap_or(self.intervals.max_interval);
        interval.mul_f64(0.5 + self.clock.random() / 2.0)
    }

    /// Starts over: the last try succeeded.
    pub fn reset(&mut self) {
        self.intervals.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn intervals_grow_to_the_bound_and_stay_within_it() {
        let config = RetryConfig {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(2),
            multiplier: 2.0,
            budget: Duration::from_secs(30),
        };
        let mut backoff = Backoff::new(&config, Arc::new(SystemClock::default()));
        let mut bound = config.initial;
        for _ in 0..20 {
            let interval = backoff.next_interval();
            assert!(
                interval >= bound / 2 && interval <= bound,
                "{interval:?} is not within {:?} and {bound:?}",
                bound / 2
            );
            bound = (bound * 2).min(config.max);
        }
        backoff.reset();
        assert!(backoff.next_interval() <= config.initial);
    }
}
