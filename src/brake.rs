//! The brake: when most of the last messages were rejected for one reason, receiving slows down.
//!
//! A bad deploy of a producer should not drain the queue into dead letters before anyone has
//! looked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::message::{Ending, Reason};
use crate::telemetry::signals::{Signals, SlowedDown, SpedUp};

/// How many of the last messages are looked at.
const WINDOW: usize = 1_000;

/// The pause between receives while slowed.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Shared by settling, which feeds it, and the pollers, which ask it.
#[derive(Debug, Clone, Default)]
pub struct Brake {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    last: VecDeque<Option<Reason>>,
    by_reason: [usize; Reason::ALL.len()],
    slowed: Option<Reason>,
}

impl Brake {
    /// Takes note of how a message ended.
    pub fn settled(&self, ending: Ending, signals: &Signals) {
        let reason = match ending {
            Ending::Written => None,
            Ending::DeadLettered(reason) => Some(reason),
        };
        let change = self.state.lock().unwrap_or_else(PoisonError::into_inner).note(reason);
        match change {
            Some(Change::Slows(reason)) => signals.emit(&SlowedDown { reason }),
            Some(Change::Frees) => signals.emit(&SpedUp),
            None => {}
        }
    }

    /// How long to pause before the next receive.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).slowed.map(|_| PAUSE)
    }
}

/// What begins with the message that was noted.
enum Change {
    /// For this reason.
    Slows(Reason),
    Frees,
}

impl State {
    fn note(&mut self, reason: Option<Reason>) -> Option<Change> {
        self.last.push_back(reason);
        if let Some(reason) = reason {
            self.by_reason[reason as usize] += 1;
        }
        if self.last.len() > WINDOW
            && let Some(Some(gone)) = self.last.pop_front()
        {
            self.by_reason[gone as usize] -= 1;
        }
        let worst = Reason::ALL
            .iter()
            .copied()
            .find(|reason| self.by_reason[*reason as usize] > WINDOW / 2);
        let before = std::mem::replace(&mut self.slowed, worst);
        match (before, worst) {
            (None, Some(reason)) => Some(Change::Slows(reason)),
            (Some(_), None) => Some(Change::Frees),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_deploy_slows_receiving_and_a_good_one_frees_it() {
        let (brake, signals) = (Brake::default(), Signals::default());
        for _ in 0..500 {
            brake.settled(Ending::DeadLettered(Reason::BadJson), &signals);
        }
        assert_eq!(brake.pause(), None, "half is not over half");
        brake.settled(Ending::DeadLettered(Reason::BadJson), &signals);
        assert_eq!(brake.pause(), Some(PAUSE));
        assert_eq!(signals.counters().slowed_total.get(), 1);
        assert_eq!(
            signals.recent().story().slowed.map(|slowed| slowed.text),
            Some("bad_json".to_owned())
        );
        for _ in 0..1_000 {
            brake.settled(Ending::Written, &signals);
        }
        assert_eq!(brake.pause(), None);
        assert_eq!(signals.recent().story().slowed, None);
    }

    #[test]
    fn different_faults_do_not_slow_receiving() {
        let (brake, signals) = (Brake::default(), Signals::default());
        for index in 0..2_000 {
            let reason = if index % 2 == 0 { Reason::BadJson } else { Reason::BadKey };
            brake.settled(Ending::DeadLettered(reason), &signals);
        }
        assert_eq!(brake.pause(), None);
    }
}
