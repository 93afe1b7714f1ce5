//! How many messages have their end, and waiting for that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::dev::sqs::Depth;
use crate::held::Held;
use crate::stop::Stop;
use crate::telemetry::signals::Signals;

/// Between two looks at what is counted in this process.
const LOOK: Duration = Duration::from_millis(10);

/// Messages that have left the queue, by how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Stored, or nothing to store: there already, older than what is stored, expired.
    pub good: u64,
    /// Refused: a dead letter is stored.
    pub bad: u64,
}

impl Counts {
    fn all(self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            good: self.good.saturating_sub(earlier.good),
            bad: self.bad.saturating_sub(earlier.bad),
        }
    }
}

/// Why what was waited for did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// It is not there in time.
    Late(Counts),
    /// So many messages are still in the queue, and so many in the worker, which the queue has too
    /// until they are deleted.
    Unsettled { in_queue: u64, held: usize },
    /// `longshore dev` was told to end.
    Ending,
    /// The queue does not answer.
    Failed(String),
}

/// What the worker and its queue tell of messages.
#[derive(Debug)]
pub struct Ends {
    signals: Signals,
    held: Held,
    depth: Depth,
    stop: Stop,
    /// What was counted when counting began anew.
    before: Mutex<Counts>,
}

impl Ends {
    pub fn new(signals: Signals, held: Held, depth: Depth, stop: Stop) -> Self {
        Self { signals, held, depth, stop, before: Mutex::default() }
    }

    fn before(&self) -> MutexGuard<'_, Counts> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the start of the worker.
    fn in_all(&self) -> Counts {
        let counters = self.signals.counters();
        // In this order: a dead letter is counted as one before it is counted as deleted, so no refused
        // message is ever taken for a good one.
        let deleted = counters.deleted_total.get();
        let bad = counters.dead_lettered_total.get();
        Counts { good: deleted.saturating_sub(bad), bad }
    }

    /// Since the last reset.
    pub fn counts(&self) -> Counts {
        self.in_all().since(*self.before())
    }

    /// Counts from here on.
    pub fn begin_anew(&self) {
        *self.before() = self.in_all();
    }

    /// What the queue holds.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn in_queue(&self) -> Result<u64, Unmet> {
        self.depth.messages().await.map_err(|error| Unmet::Failed(format!("{error:#}")))
    }

    /// Waits until so many messages have their end, or more.
    ///
    /// # Errors
    /// Where they do not within that time.
    pub async fn wait(&self, count: u64, within: Duration) -> Result<Counts, Unmet> {
        let until = Instant::now() + within;
        loop {
            let counts = self.counts();
            if counts.all() >= count {
                return Ok(counts);
            }
            self.look_again(until, Unmet::Late(counts)).await?;
        }
    }

    /// Waits until every message that was sent before has its end and is counted.
    ///
    /// # Errors
    /// Where they do not within that time.
    pub async fn settled(&self, within: Duration) -> Result<(), Unmet> {
        let until = Instant::now() + within;
        loop {
            // In this order: what is in the queue no more was deleted by the worker, which holds it until
            // it is counted.
            let in_queue = self.in_queue().await?;
            let held = self.held.len();
            if (in_queue, held) == (0, 0) {
                return Ok(());
            }
            self.look_again(until, Unmet::Unsettled { in_queue, held }).await?;
        }
    }

    async fn look_again(&self, until: Instant, unmet: Unmet) -> Result<(), Unmet> {
        if Instant::now() >= until {
            return Err(unmet);
        }
        tokio::select! {
            biased;
            () = self.stop.draining() => Err(Unmet::Ending),
            () = sleep(LOOK) => Ok(()),
        }
    }
}
