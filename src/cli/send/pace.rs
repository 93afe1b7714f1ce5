//! Not more than so many messages a second.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::queue::BATCH_MAX;

/// Calls a second at least, where the rate allows: a rate of five sends single messages, not ten
/// every two seconds.
const CALLS_PER_SECOND: usize = 10;

/// Spaces what is sent. What was not used is not saved up: after a pause there is no burst.
#[derive(Debug)]
pub struct Pace {
    /// None where there is no limit.
    per_message: Option<Duration>,
    next: Instant,
}

impl Pace {
    pub fn new(rate: Option<NonZeroU32>) -> Self {
        Self {
            per_message: rate.map(|rate| Duration::from_secs(1) / rate.get()),
            next: Instant::now(),
        }
    }

    /// The largest batch that keeps the sending even.
    pub fn entries_max(rate: Option<NonZeroU32>) -> usize {
        rate.map_or(BATCH_MAX, |rate| (rate.get() as usize / CALLS_PER_SECOND).clamp(1, BATCH_MAX))
    }

    /// Waits until `messages` more may be sent.
    pub async fn wait_for(&mut self, messages: usize) {
        let Some(per_message) = self.per_message else { return };
        let at = self.next.max(Instant::now());
        sleep_until(at).await;
        self.next = at + per_message * u32::try_from(messages).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: u32) -> Pace {
        Pace::new(NonZeroU32::new(rate))
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_to_the_message() {
        let mut pace = pace(50);
        let begun = Instant::now();
        for batch in 0..20 {
            pace.wait_for(5).await;
            assert_eq!(begun.elapsed().as_millis(), batch * 100);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let mut pace = pace(10);
        pace.wait_for(1).await;
        tokio::time::advance(Duration::from_mins(1)).await;
        let begun = Instant::now();
        for _ in 0..11 {
            pace.wait_for(1).await;
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let mut pace = pace(0);
        let begun = Instant::now();
        for _ in 0..1_000 {
            pace.wait_for(10).await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[test]
    fn batches_are_as_large_as_ten_calls_a_second_make_them() {
        for (rate, entries) in [(0, 10), (1, 1), (19, 1), (20, 2), (99, 9), (100, 10), (5_000, 10)]
        {
            assert_eq!(Pace::entries_max(NonZeroU32::new(rate)), entries, "{rate}");
        }
    }
}
