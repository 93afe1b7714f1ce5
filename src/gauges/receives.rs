//! How old the oldest message is that is known to wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two receives there may be as much, of a queue that is asked without a long poll.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What is held for no longer passes.
const PASSING_MAX: Duration = Duration::from_secs(2);

/// Receives as they are asked and answered.
#[derive(Debug, Default)]
pub struct Receives(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Receives that wait for the queue's answer.
    asked: usize,
    /// When the last of them had its answer, or was given up.
    idle_since: Option<Instant>,
    /// The last one that was answered, where it brought anything.
    last: Option<Last>,
    /// The last one failed: those that wait for an answer may wait in vain.
    is_failing: bool,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    answered: Instant,
    /// How long its oldest message had waited then.
    age: Duration,
}

/// A receive that waits for its answer; dropped without one, it was given up.
#[derive(Debug)]
pub struct Asked<'a>(&'a Receives);

/// How old the oldest message is that is known to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldestAge {
    pub age: Duration,
    pub of: Oldest,
}

/// Which message is the oldest that is known to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oldest {
    /// That of the last receive, when it was received.
    LastReceive,
    /// One that is held, since it was received.
    Held,
    /// That of the last receive, and the time since: nothing is received.
    NothingReceived,
}

impl Oldest {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastReceive => "last_receive",
            Self::Held => "held",
            Self::NothingReceived => "nothing_received",
        }
    }
}

impl Receives {
    /// A receive is asked now.
    pub fn ask(&self) -> Asked<'_> {
        self.lock().asked += 1;
        Asked(self)
    }

    /// While receives are asked, and answered, it is that of the last one; 0 after one that brought
    /// nothing. While none is, because the gate is closed, because all room is taken or because the
    /// queue does not answer, the time since is added: what waited then waits still, here or there.
    /// What has been held since `held_since` for longer than messages take to pass waits for as long
    /// at least.
    #[must_use]
    pub fn oldest_age(&self, held_since: Option<Instant>) -> OldestAge {
        let (state, now) = (self.lock(), Instant::now());
        let is_idle = state.asked == 0
            && state.idle_since.is_some_and(|idle_since| now - idle_since > PAUSE_MAX);
        let grows = is_idle || state.is_failing;
        let since = |last: Last| if grows { now - last.answered } else { Duration::ZERO };
        let seen = state.last.map_or(Duration::ZERO, |last| last.age + since(last));
        let held = held_since.map(|held_since| now - held_since).filter(|held| *held > PASSING_MAX);
        let age = seen.max(held.unwrap_or_default());
        let of = match (grows && !age.is_zero(), age > seen) {
            (true, _) => Oldest::NothingReceived,
            (false, true) => Oldest::Held,
            (false, false) => Oldest::LastReceive,
        };
        OldestAge { age, of }
    }

    /// How many wait for the queue's answer.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.lock().asked
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked<'_> {
    /// The queue answered; its oldest message had waited for `age`, 0 where there was none.
    pub fn answered(self, age: Duration) {
        let mut state = self.0.lock();
        state.last = (!age.is_zero()).then(|| Last { answered: Instant::now(), age });
        state.is_failing = false;
    }

    /// The queue did not answer, or refused.
    pub fn failed(self) {
        self.0.lock().is_failing = true;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.asked -= 1;
        state.idle_since = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_oldest_grows_older_while_nothing_is_received() {
        let receives = Receives::default();
        let told = |held_since| {
            let OldestAge { age, of } = receives.oldest_age(held_since);
            (age.as_secs(), of)
        };
        assert_eq!(told(None), (0, Oldest::LastReceive), "nothing was seen yet");
        receives.ask().answered(3 * SECOND);
        let next = receives.ask();
        advance(20 * SECOND).await;
        assert_eq!(
            told(None),
            (3, Oldest::LastReceive),
            "the queue has nothing else: a receive waits there"
        );
        next.answered(2 * SECOND);
        advance(60 * SECOND).await;
        assert_eq!(told(None), (62, Oldest::NothingReceived), "the gate is closed");
        receives.ask().failed();
        let hangs = receives.ask();
        advance(10 * SECOND).await;
        assert_eq!(
            told(None),
            (72, Oldest::NothingReceived),
            "asked, but the queue does not answer"
        );
        hangs.answered(Duration::ZERO);
        assert_eq!(told(None), (0, Oldest::LastReceive), "there is nothing");
        let held_since = Instant::now();
        advance(SECOND).await;
        assert_eq!(told(Some(held_since)), (0, Oldest::LastReceive), "it passes");
        let _asked = receives.ask();
        advance(89 * SECOND).await;
        assert_eq!(told(Some(held_since)), (90, Oldest::Held), "others are received");
    }

    #[tokio::test(start_paused = true)]
    async fn a_receive_that_is_given_up_waits_no_more() {
        let receives = Receives::default();
        receives.ask().answered(SECOND);
        drop(receives.ask());
        advance(SECOND).await;
        assert_eq!(
            receives.oldest_age(None),
            OldestAge { age: SECOND, of: Oldest::LastReceive },
            "a pause"
        );
        advance(9 * SECOND).await;
        assert_eq!(
            receives.oldest_age(None),
            OldestAge { age: 11 * SECOND, of: Oldest::NothingReceived }
        );
    }
}
