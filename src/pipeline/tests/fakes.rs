//! A queue and a store in memory, under tokio's time, for the tests beside the stages. They are
//! faithful where the stages depend on it (a message hides, comes back, and its old receipt handle
//! is stale), and scripted where a test wants a fault.

mod queue;
mod store;

use tokio::time::Instant;

use crate::clock::Clock;

pub use queue::{EPOCH_MS, FakeQueue, fifo_message, message};
pub use store::FakeStore;

/// Wall time that follows tokio's from [`EPOCH_MS`] on, and randomness that is always a half.
pub struct FakeClock {
    started: Instant,
    ahead_ms: i64,
}

impl FakeClock {
    /// One that is wrong by so much.
    pub fn ahead_by_ms(ahead_ms: i64) -> Self {
        Self { ahead_ms, ..Self::default() }
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self { started: Instant::now(), ahead_ms: 0 }
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> i64 {
        EPOCH_MS + crate::time::millis(self.started.elapsed()) + self.ahead_ms
    }

    fn random(&self) -> f64 {
        0.5
    }
}
