//! How long messages had waited in the queue, told without the wall clock of this machine, which
//! may be wrong by seconds or by days.
//!
//! The queue says when each message was sent, by a clock of its own. The time from then to now, by
//! any clock that runs evenly, is how long the message took plus how far the two clocks are apart.
//! The least of these that was seen lately is that of a message that hardly waited: what another
//! message took beyond it, it had waited for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::QueueMessage;
use crate::time::millis;

/// The least is that of this time and of as much before it. Clocks drift by up to a tenth of a
/// second within twice this time (100 ppm), which is little beside a second of waiting.
const LATELY: Duration = Duration::from_mins(10);

/// Shared by all receives of a worker.
#[derive(Debug)]
pub(super) struct Waits {
    started: Instant,
    least: Mutex<Least>,
}

/// The least time that a message took, in milliseconds, with the clocks' difference in it.
#[derive(Debug)]
struct Least {
    since: Instant,
    /// From `since` on.
    now_ms: Option<i64>,
    /// In the time before.
    before_ms: Option<i64>,
}

impl Waits {
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            least: Mutex::new(Least { since: now, now_ms: None, before_ms: None }),
        }
    }

    /// How long that of the messages had waited, in milliseconds, which waited longest. They have
    /// just been received.
    pub fn longest_ms(&self, messages: &[QueueMessage]) -> i64 {
        let now_ms = millis(self.started.elapsed());
        let took_ms = || messages.iter().map(|message| now_ms.saturating_sub(message.sent_ms));
        let (Some(least_ms), Some(most_ms)) = (took_ms().min(), took_ms().max()) else { return 0 };
        let mut least = self.least.lock().unwrap_or_else(PoisonError::into_inner);
        most_ms.saturating_sub(least.note(least_ms))
    }
}

impl Least {
    /// Takes note of what a message took, and returns the least of what was seen lately.
    fn note(&mut self, took_ms: i64) -> i64 {
        let passed = self.since.elapsed();
        if passed >= LATELY {
            let now_ms = self.now_ms.take();
            self.before_ms = now_ms.filter(|_| passed < 2 * LATELY);
            self.since = Instant::now();
        }
        let now_ms = self.now_ms.map_or(took_ms, |least| least.min(took_ms));
        self.now_ms = Some(now_ms);
        self.before_ms.map_or(now_ms, |before| before.min(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SENT_MS: i64 = 1_795_341_600_000;

    /// A message that was sent so long after the test began.
    fn sent_at(ms: i64) -> QueueMessage {
        QueueMessage { sent_ms: SENT_MS + ms, ..QueueMessage::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_message_took_beyond_the_quickest_it_had_waited() {
        let waits = Waits::new();
        assert_eq!(waits.longest_ms(&[]), 0);
        assert_eq!(waits.longest_ms(&[sent_at(0)]), 0, "whatever either clock says");
        advance(Duration::from_secs(100)).await;
        assert_eq!(waits.longest_ms(&[sent_at(99_995)]), 5, "it was on its way");
        assert_eq!(waits.longest_ms(&[sent_at(99_995), sent_at(93_000)]), 7_000);
        assert_eq!(waits.longest_ms(&[sent_at(93_000)]), 7_000, "alone too");
    }

    #[tokio::test(start_paused = true)]
    async fn a_backlog_is_told_by_the_times_of_its_messages_from_the_first_receive_on() {
        let waits = Waits::new();
        assert_eq!(waits.longest_ms(&[sent_at(-90_000), sent_at(-60_000)]), 30_000);
        advance(Duration::from_secs(2)).await;
        assert_eq!(waits.longest_ms(&[sent_at(-60_000)]), 2_000);
    }

    #[tokio::test(start_paused = true)]
    async fn clocks_that_drift_apart_make_no_backlog() {
        let waits = Waits::new();
        // A minute a day, which is worse than any crystal.
        for minute in 0..2 * 24 * 60 {
            let waited_ms = waits.longest_ms(&[sent_at(minute * 60_000 - minute * 60_000 / 1_440)]);
            assert!(waited_ms < 1_000, "{waited_ms} ms in minute {minute}");
            advance(Duration::from_mins(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_least_of_long_ago_does_not_count() {
        let waits = Waits::new();
        assert_eq!(waits.longest_ms(&[sent_at(0)]), 0);
        advance(LATELY + Duration::from_secs(1)).await;
        assert_eq!(waits.longest_ms(&[sent_at(597_000)]), 4_000, "it is the one before");
        advance(LATELY + Duration::from_secs(1)).await;
        assert_eq!(waits.longest_ms(&[sent_at(1_197_000)]), 1_000, "4 s were the least since");
        advance(3 * LATELY).await;
        assert_eq!(waits.longest_ms(&[sent_at(0)]), 0, "nothing is known any more");
    }
}
