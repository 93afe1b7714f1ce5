//! Tells a flood: most of the last messages were rejected for one reason. A bad deploy of a producer
//! looks like that, or a route that was changed on this side.
//!
//! It slows nothing down: good messages go on, and what is rejected is kept, within
//! [`its part of the budget`](crate::budget::Permit::reject).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::gauges::FloodNow;
use crate::message::Reason;
use crate::telemetry::signals::{FloodBegan, FloodEnded, Signals};

/// How many of the last messages are looked at.
const WINDOW: usize = 1_000;

/// A flood begins with more than so many of them that were rejected for one reason.
const MOST: usize = WINDOW / 2;

/// It goes on while so many are: if it ended under the half at which it begins, one at about a half
/// would begin and end each minute.
const FEW: usize = WINDOW / 4;

/// A flood is over when none was rejected for its reason for so long: on a queue that is empty then,
/// no good message would ever end it. It lasts as long at least, so that whoever asks for metrics
/// once a minute sees it.
const LASTS: Duration = Duration::from_mins(1);

/// Shared by those who reject messages and by those who route them: what was written would be told late
/// where the store stalls.
#[derive(Debug, Clone, Default)]
pub struct FloodWatch {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// Of each message whether it was rejected.
    last: VecDeque<Option<Rejected>>,
    by_reason: [usize; Reason::ALL.len()],
    flood: Option<Flood>,
}

/// Who rejects a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectedIn {
    /// The watch has not heard of it yet.
    Intake,
    /// The watch has counted it as routed.
    Lane,
}

#[derive(Debug)]
struct Rejected {
    reason: Reason,
    route: Option<Arc<str>>,
}

#[derive(Debug)]
struct Flood {
    reason: Reason,
    since: Instant,
    /// When a message was last rejected for this reason.
    last: Instant,
}

impl FloodWatch {
    /// So many messages were understood and have a route.
    pub fn routed(&self, messages: usize) {
        if messages == 0 {
            return;
        }
        let mut state = self.lock();
        let went_on = state.goes_on();
        (0..messages).for_each(|_| state.push(None));
        if went_on && !state.goes_on() {
            self.changed.notify_one();
        }
    }

    /// A message for this route was rejected.
    pub fn rejected(
        &self,
        by: RejectedIn,
        reason: Reason,
        route: Option<&Arc<str>>,
        signals: &Signals,
    ) {
        let began = self.lock().reject(by, Rejected { reason, route: route.cloned() });
        if let Some(flood) = began {
            signals.emit(&FloodBegan { reason, flood: &flood });
            signals.gauges().set_flood(Some(flood));
            self.changed.notify_one();
        }
    }

    /// Tells when a flood is over. Never ends by itself.
    pub async fn run(self, signals: Signals) {
        loop {
            let ends_at = self.lock().ends_at();
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = sleep_until(ends_at.unwrap_or_else(Instant::now)), if ends_at.is_some() => {
                    if self.lock().end() {
                        signals.gauges().set_flood(None);
                        signals.emit(&FloodEnded);
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, rejected: Option<Rejected>) {
        self.last.push_back(rejected);
        if self.last.len() > WINDOW
            && let Some(Some(gone)) = self.last.pop_front()
        {
            self.by_reason[gone.reason as usize] -= 1;
        }
    }

    /// Returns the flood that begins with it.
    fn reject(&mut self, by: RejectedIn, rejected: Rejected) -> Option<FloodNow> {
        let (reason, now) = (rejected.reason, Instant::now());
        self.by_reason[reason as usize] += 1;
        let routed = match by {
            RejectedIn::Intake => None,
            // This one, or one like it: a message is counted once.
            RejectedIn::Lane => self.last.iter_mut().rfind(|last| last.is_none()),
        };
        match routed {
            Some(routed) => *routed = Some(rejected),
            None => self.push(Some(rejected)),
        }
        if let Some(flood) = self.flood.as_mut().filter(|flood| flood.reason == reason) {
            flood.last = now;
            return None;
        }
        if self.by_reason[reason as usize] <= MOST {
            return None;
        }
        self.flood = Some(Flood { reason, since: now, last: now });
        Some(FloodNow::new(reason.code(), self.route_of(reason)))
    }

    /// Whether enough of the last messages were rejected for the reason of the flood.
    fn goes_on(&self) -> bool {
        self.flood.as_ref().is_some_and(|flood| self.by_reason[flood.reason as usize] >= FEW)
    }

    /// The route that most of those were for that were rejected for this reason.
    fn route_of(&self, reason: Reason) -> Option<Arc<str>> {
        let mut counts = BTreeMap::<_, usize>::new();
        for rejected in self.last.iter().flatten().filter(|rejected| rejected.reason == reason) {
            *counts.entry(rejected.route.as_ref()).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).and_then(|(route, _)| route.cloned())
    }

    fn ends_at(&self) -> Option<Instant> {
        let flood = self.flood.as_ref()?;
        let from = if self.goes_on() { flood.last } else { flood.since };
        Some(from + LASTS)
    }

    /// Ends the flood where it is over by now.
    fn end(&mut self) -> bool {
        if self.ends_at().is_none_or(|ends_at| ends_at > Instant::now()) {
            return false;
        }
        if self.goes_on() {
            // The next one that is rejected is not to be a flood again for those long ago.
            self.last.clear();
            self.by_reason = Default::default();
        }
        self.flood.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep};

    use super::*;

    /// Rejects `count` messages for a route.
    fn reject(watch: &FloodWatch, signals: &Signals, count: usize, reason: Reason, route: &str) {
        let route = Arc::from(route);
        for _ in 0..count {
            watch.rejected(RejectedIn::Intake, reason, Some(&route), signals);
        }
    }

    fn told(signals: &Signals) -> Option<(&'static str, Option<String>)> {
        let flood = signals.gauges().flood()?;
        assert!(flood.text().contains(flood.reason));
        Some((flood.reason, flood.route.as_deref().map(str::to_owned)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_at_once_with_its_reason_and_the_route_of_most() {
        let (watch, signals) = (FloodWatch::default(), Signals::default());
        reject(&watch, &signals, 200, Reason::BadJson, "session");
        reject(&watch, &signals, 300, Reason::BadJson, "event");
        assert_eq!(told(&signals), None, "half is not over half");
        reject(&watch, &signals, 1, Reason::BadJson, "event");
        assert_eq!(told(&signals), Some(("bad_json", Some("event".to_owned()))));
        reject(&watch, &signals, 2_000, Reason::BadJson, "event");
        assert_eq!(signals.counters().floods_total.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn different_faults_are_no_flood() {
        let (watch, signals) = (FloodWatch::default(), Signals::default());
        for _ in 0..1_000 {
            reject(&watch, &signals, 1, Reason::BadJson, "event");
            reject(&watch, &signals, 1, Reason::BadKey, "event");
        }
        assert_eq!(told(&signals), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_none_came_for_a_minute_and_the_next_one_is_no_flood() {
        let (watch, signals) = (FloodWatch::default(), Signals::default());
        let _watching = tokio::spawn(watch.clone().run(signals.clone()));
        reject(&watch, &signals, 600, Reason::BadJson, "event");
        sleep(LASTS / 2).await;
        reject(&watch, &signals, 1, Reason::BadJson, "event");
        sleep(LASTS * 3 / 4).await;
        assert_eq!(
            told(&signals),
            Some(("bad_json", Some("event".to_owned()))),
            "one came in between"
        );
        sleep(LASTS / 2).await;
        assert_eq!(told(&signals), None);
        reject(&watch, &signals, 1, Reason::BadJson, "event");
        assert_eq!(told(&signals), None);
    }

    #[tokio::test(start_paused = true)]
    async fn good_messages_end_it_after_a_minute_at_least() {
        let (watch, signals) = (FloodWatch::default(), Signals::default());
        let _watching = tokio::spawn(watch.clone().run(signals.clone()));
        reject(&watch, &signals, 600, Reason::BadJson, "event");
        watch.routed(WINDOW);
        sleep(LASTS / 2).await;
        assert_eq!(
            told(&signals),
            Some(("bad_json", Some("event".to_owned()))),
            "who asks once a minute is to see it"
        );
        sleep(LASTS).await;
        assert_eq!(told(&signals), None);
        advance(LASTS).await;
        reject(&watch, &signals, 501, Reason::BadKey, "event");
        assert_eq!(signals.counters().floods_total.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_at_about_a_half_is_one_flood_and_over_when_it_is_less_than_a_quarter() {
        let (watch, signals) = (FloodWatch::default(), Signals::default());
        let _watching = tokio::spawn(watch.clone().run(signals.clone()));
        let at = async |rejected: usize| {
            for _ in 0..10 {
                reject(&watch, &signals, rejected, Reason::BadJson, "event");
                watch.routed(WINDOW - rejected);
                sleep(LASTS / 2).await;
            }
        };
        at(510).await;
        at(490).await;
        at(FEW).await;
        assert_eq!(told(&signals), Some(("bad_json", Some("event".to_owned()))));
        at(510).await;
        assert_eq!(signals.counters().floods_total.get(), 1);
        at(FEW - 1).await;
        assert_eq!(told(&signals), None);
        at(490).await;
        assert_eq!(told(&signals), None, "it begins over half");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_lane_rejects_is_counted_once() {
        for reason in [Reason::StoreRejected, Reason::IdConflict, Reason::TooLarge] {
            let (watch, signals) = (FloodWatch::default(), Signals::default());
            let route = Arc::from("event");
            watch.routed(10);
            for _ in 0..WINDOW {
                watch.routed(1);
                watch.rejected(RejectedIn::Lane, reason, Some(&route), &signals);
            }
            assert_eq!(told(&signals), Some((reason.code(), Some("event".to_owned()))));
            assert_eq!(watch.lock().last.len(), WINDOW);
            // What was routed longer ago than the last thousand is as good as not counted.
            watch.rejected(RejectedIn::Lane, reason, Some(&route), &signals);
            assert_eq!(watch.lock().by_reason[reason as usize], WINDOW);
        }
    }
}
