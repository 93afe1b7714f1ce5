//! Whether the worker is alive: its tasks take steps, and nothing is held longer than it may be.

use std::time::Duration;

use crate::held::Held;
use crate::queue::HIDDEN_MAX;
use crate::telemetry::signals::Signals;

/// Looks at what a restart would fix. A sick database or queue is none of it.
#[derive(Clone)]
pub struct Health {
    pub signals: Signals,
    pub held: Held,
    /// Inside one step a task may be so long: [`STEP_MAX`](crate::telemetry::watchdog::STEP_MAX),
    /// but in tests.
    pub step_max: Duration,
}

impl Health {
    /// What is stuck, in words; empty while all is well.
    #[must_use]
    pub fn stuck(&self) -> Vec<String> {
        let mut stuck: Vec<_> =
            self.signals.watchdog().stuck(self.step_max).iter().map(ToString::to_string).collect();
        // Its owner has given it back by then, or has lost it.
        if self.held.oldest().is_some_and(|since| since.elapsed() > HIDDEN_MAX) {
            stuck.push("a message that is held longer than the queue allows".to_owned());
        }
        stuck
    }
}
