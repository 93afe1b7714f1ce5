//! Tells a group of dead letters that is new: something fails as nothing that is kept has failed before.
//!
//! The worker remembers the groups that it has met, each for an hour. Of one that it has not met it asks,
//! off the way of messages, whether an older letter is kept. Nothing waits for the answer. Where none
//! can be had, it asks again later, and what is to be asked about waits in a bounded list.
//!
//! Of several workers whose first letters of a group come at the same time, the one with the older letter
//! finds none. The other one does not find the older letter either where it is not durable yet, or where
//! the clocks differ: then both tell. So a group is told twice rather than not at all.

mod met;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use self::met::{Meeting, Met};
use super::group::Alike;
use super::record::Record;
use crate::clock::Clock;
use crate::gauges::NewGroup;
use crate::message::{Key, Place, QueueMessage, Reason};
use crate::retry::{Backoff, RetryConfig};
use crate::telemetry::signals::{GroupNew, GroupUnasked, GroupsNotAsked, Signals};

/// Between two questions at least: a sender that makes groups without end costs the database ten small
/// questions a second.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Between two questions of which the first had no answer: from a second, growing to a minute.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// A letter of a group that the worker has not met, or not lately.
#[derive(Debug, Clone)]
pub struct Newcomer {
    pub alike: Alike,
    pub reason: Reason,
    /// The `_id` of its record.
    pub id: Key,
    pub message_id: String,
    pub dead_lettered_ms: i64,
}

/// The letters that are kept.
pub trait Kept: Send + Sync {
    /// Whether another letter of the newcomer's group is kept that was dead-lettered earlier. The
    /// newcomer itself may be kept already, and is never meant. Answers within a bounded time.
    ///
    /// # Errors
    /// Why that is not known. Asked again, it may be.
    fn holds_older(&self, newcomer: &Newcomer)
    -> impl Future<Output = Result<bool, String>> + Send;
}

/// The way to tell which groups are met. Clones are one way. The default one tells nobody.
#[derive(Clone, Default)]
pub struct NewGroups {
    shared: Option<Arc<Shared>>,
}

#[derive(Default)]
struct Shared {
    met: Mutex<Met<Newcomer>>,
    came: Notify,
    /// No more will come.
    is_closed: AtomicBool,
}

impl NewGroups {
    /// One that remembers, for [`NewGroups::run`].
    #[must_use]
    pub fn remembered() -> Self {
        Self { shared: Some(Arc::default()) }
    }

    /// A record of this message is on its way to be kept.
    pub fn refused(&self, record: &Record, message: &QueueMessage, signals: &Signals) {
        let Some(shared) = &self.shared else { return };
        let alike = alike(record, message);
        let group = alike.id();
        let newcomer = || Newcomer {
            alike,
            reason: record.reason,
            id: Key::Text(record.id(message)),
            message_id: message.message_id.clone(),
            dead_lettered_ms: record.dead_lettered_ms,
        };
        let meeting = shared.lock().meet(&group, Instant::now(), newcomer);
        match meeting {
            Meeting::Known => {}
            Meeting::ToAsk => shared.came.notify_one(),
            Meeting::NoRoom => signals.emit(&GroupUnasked { reason: record.reason }),
        }
    }

    /// No more will be refused: what asks ends once nothing waits.
    pub fn close(&self) {
        if let Some(shared) = &self.shared {
            shared.is_closed.store(true, Ordering::Relaxed);
            shared.came.notify_one();
        }
    }

    /// Asks about the groups that are met, one after the other, and tells those that are new, until it is
    /// closed and none waits.
    pub async fn run(self, kept: impl Kept, signals: Signals, clock: Arc<dyn Clock>) {
        let Some(shared) = self.shared else { return };
        let pauses = RetryConfig {
            initial: PAUSE_MIN,
            max: PAUSE_MAX,
            multiplier: 2.0,
            budget: Duration::ZERO,
        };
        let mut backoff = Backoff::new(&pauses, Arc::clone(&clock));
        let mut is_unanswered = false;
        while let Some(newcomer) = shared.next().await {
            match kept.holds_older(&newcomer).await {
                Ok(holds_older) => {
                    if !holds_older {
                        tell(&newcomer, &signals, clock.now_ms());
                    }
                    is_unanswered = false;
                    backoff.reset();
                    sleep(ASK_EVERY).await;
                }
                Err(cause) => {
                    // Told once, not for each try.
                    if !std::mem::replace(&mut is_unanswered, true) {
                        signals.emit(&GroupsNotAsked { cause: &cause });
                    }
                    // Behind the others: it may be about this one alone.
                    shared.lock().ask_again(newcomer);
                    sleep(backoff.next_interval()).await;
                }
            }
        }
    }
}

impl Shared {
    /// The next one that waits; `None` once none does and no more will come.
    async fn next(&self) -> Option<Newcomer> {
        loop {
            let next = self.lock().next();
            if next.is_some() || self.is_closed.load(Ordering::Relaxed) {
                return next;
            }
            self.came.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Met<Newcomer>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(newcomer: &Newcomer, signals: &Signals, now_ms: i64) {
    let (group, reason) = (newcomer.alike.id(), newcomer.reason);
    signals.emit(&GroupNew {
        group: &group,
        reason,
        place: newcomer.alike.place.as_deref(),
        message_id: &newcomer.message_id,
    });
    let at_s = u64::try_from(now_ms / 1_000).unwrap_or_default();
    signals.gauges().add_new_group(NewGroup { group, reason: reason.code(), at_s });
}

/// What the letter of this message has in common with others, as its record says it.
fn alike(record: &Record, message: &QueueMessage) -> Alike {
    let place = record.place.as_deref().map(Place::pattern);
    Alike {
        reason: record.reason.code().to_owned(),
        place: place.filter(|place| !place.is_empty()),
        kind: record.glimpse.kind.clone(),
        sender: message.sender.as_deref().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;
