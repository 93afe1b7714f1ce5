//! A message that is being settled, and what the queue is asked to do with it.

use std::sync::Arc;
use std::time::Duration;

use crate::held::Extension;
use crate::message::{Ending, Receipt};
use crate::queue::HIDDEN_MAX;

/// The longest that a message is left hidden, unless the visibility timeout is longer.
const LEFT_MAX: Duration = Duration::from_mins(15);

/// Doublings up to there: even a second has grown past [`LEFT_MAX`] by then.
const LEFT_DOUBLED_MAX: u32 = 10;

/// A message that is being settled. The same from its handing over to its end.
#[derive(Debug)]
pub(super) struct Settlement {
    pub receipt: Receipt,
    pub asked: Asked,
    /// Extensions that had no answer when the queue was asked for this.
    pub overtakes: Vec<Arc<Extension>>,
}

/// What the queue is asked to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Delete it: what the ending says is durable.
    Delete(Ending),
    /// Give it back at once.
    Release,
    /// Give it back after this time: see [`Asked::leave`].
    Leave(Duration),
}

impl Asked {
    /// Leaves a message hidden for twice as long at each receive, so that a trouble of hours does
    /// not use up the receives that the queue's redrive policy allows.
    pub fn leave(receipt: &Receipt, visibility_timeout: Duration) -> Self {
        let doubled = receipt.message.receive_count.saturating_sub(1).min(LEFT_DOUBLED_MAX);
        let grown =
            visibility_timeout.saturating_mul(1 << doubled).min(LEFT_MAX.max(visibility_timeout));
        let hidden_max = HIDDEN_MAX.saturating_sub(receipt.received_at.elapsed());
        Self::Leave(grown.min(hidden_max).max(Duration::from_secs(1)))
    }

    /// How long the queue is asked to hide the message; `None` where it is asked to delete it. One
    /// call can ask for one such time only.
    pub fn hidden_for(self) -> Option<Duration> {
        match self {
            Self::Delete(_) => None,
            Self::Release => Some(Duration::ZERO),
            Self::Leave(time) => Some(time),
        }
    }

    /// What becomes of the message, in logs. A message that is left is released too, only later.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete(_) => "delete",
            Self::Release | Self::Leave(_) => "release",
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::budget::Budget;
    use crate::held::Held;
    use crate::message::QueueMessage;

    async fn left_for(receive_count: u32, held_for: Duration, visibility_timeout: u64) -> u64 {
        let now = Instant::now();
        let message = QueueMessage { receive_count, ..QueueMessage::default() };
        let permit = Budget::new(1, 1, 0).acquire(1, 0).await;
        let receipt = Receipt::new(message, now, now, permit, &Held::default());
        advance(held_for).await;
        let asked = Asked::leave(&receipt, Duration::from_secs(visibility_timeout));
        receipt.settled();
        asked.hidden_for().expect("it is not deleted").as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_hidden_for_twice_as_long_at_each_receive() {
        let zero = Duration::ZERO;
        for (receive_count, seconds) in [(0, 30), (1, 30), (2, 60), (5, 480), (6, 900), (9, 900)] {
            assert_eq!(left_for(receive_count, zero, 30).await, seconds, "receive {receive_count}");
        }
        assert_eq!(left_for(u32::MAX, zero, 1).await, 900, "however often it was received");
        assert_eq!(
            left_for(3, zero, 7_200).await,
            7_200,
            "a visibility timeout of more than 15 min"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_not_hidden_for_longer_than_the_queue_allows() {
        let almost = HIDDEN_MAX.saturating_sub(Duration::from_secs(20));
        assert_eq!(left_for(1, almost, 30).await, 20);
        assert_eq!(left_for(1, HIDDEN_MAX, 30).await, 1, "zero would give it back at once");
    }
}
