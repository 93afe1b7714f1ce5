//! What happened in a world, for people who look at a seed that failed.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::{Coverage, Fault};

/// Violations that are kept: the first ones tell.
const VIOLATIONS_MAX: usize = 20;

pub struct History {
    started: Instant,
    /// Whether lines are kept. Off in the thousands of worlds that nobody reads.
    told: bool,
    state: Mutex<State>,
    /// Told with each violation.
    broken: Notify,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    violations: Vec<String>,
    coverage: Coverage,
    calls: u64,
    deliveries: u64,
}

impl History {
    /// Within a runtime, whose time begins now.
    pub fn new(told: bool) -> Self {
        Self { started: Instant::now(), told, state: Mutex::default(), broken: Notify::new() }
    }

    /// Milliseconds since the world began.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).expect("worlds are short")
    }

    pub fn note(&self, line: impl FnOnce() -> String) {
        if self.told {
            let line = format!("{} {}", self.time(), line());
            self.lock().lines.push(line);
        }
    }

    pub fn saw(&self, fault: Fault) {
        self.lock().coverage.saw(fault);
    }

    /// Something that must never happen has happened.
    pub fn violation(&self, what: impl FnOnce() -> String) {
        let what = format!("{} VIOLATION {}", self.time(), what());
        let mut state = self.lock();
        if self.told {
            state.lines.push(what.clone());
        }
        if state.violations.len() < VIOLATIONS_MAX {
            state.violations.push(what);
        }
        drop(state);
        self.broken.notify_waiters();
    }

    /// Counts one call of a worker, and says how many there were, and how many messages they have
    /// brought.
    pub fn called(&self) -> (u64, u64) {
        let mut state = self.lock();
        state.calls += 1;
        (state.calls, state.deliveries)
    }

    pub fn delivered(&self, messages: usize) {
        self.lock().deliveries += messages as u64;
    }

    pub fn is_clean(&self) -> bool {
        self.lock().violations.is_empty()
    }

    /// Comes back once something has happened that must never happen.
    pub async fn broken(&self) {
        let broken = self.broken.notified();
        if self.is_clean() {
            broken.await;
        }
    }

    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    pub fn coverage(&self) -> Coverage {
        self.lock().coverage.clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    fn time(&self) -> String {
        let ms = self.now_ms();
        let mut time = String::new();
        let _ = write!(time, "{:>6}.{:03}", ms / 1_000, ms % 1_000);
        time
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
