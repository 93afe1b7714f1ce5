//! FIFO groups: nothing is settled past a message that was released.
//!
//! When a message of a group goes back to the queue, those behind it that are held now go back too,
//! or the queue would deliver the group out of order. Nothing is remembered of a group of which
//! nothing is held.

use std::collections::HashMap;

use crate::message::Receipt;

use super::settlement::Asked;

/// The groups in which something was released while more of them may be held. Only asked, never
/// iterated.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Oldest release first, and each of a higher sequence number than the one before.
    released: HashMap<String, Vec<PastRelease>>,
}

#[derive(Debug)]
struct PastRelease {
    /// The lowest sequence number that went back.
    sequence: u128,
    /// Receipts numbered above this were received after the release, in order again.
    at_number: u64,
}

impl PastRelease {
    fn holds_back(&self, number: u64, sequence: u128) -> bool {
        number <= self.at_number && sequence > self.sequence
    }
}

/// Groups remembered at most. Beyond that the oldest knowledge is dropped: order is then as at a
/// crash, and since order does not matter to what is written, nothing is lost.
const GROUPS_MAX: usize = 100_000;

impl Groups {
    /// What may be done with the message in the light of its group.
    pub(super) fn permit(&mut self, receipt: &Receipt, asked: Asked) -> Asked {
        let Some(fifo) = &receipt.message.fifo else { return asked };
        if matches!(asked, Asked::Release | Asked::Leave(_)) {
            self.releases(receipt, &fifo.group, fifo.sequence);
            return asked;
        }
        let Some(released) = self.released.get_mut(&fifo.group) else { return asked };
        if released.iter().any(|released| released.holds_back(receipt.number, fifo.sequence)) {
            return Asked::Release;
        }
        forget(released, receipt);
        if released.is_empty() {
            self.released.remove(&fifo.group);
        }
        asked
    }

    fn releases(&mut self, receipt: &Receipt, group: &str, sequence: u128) {
        if self.released.len() >= GROUPS_MAX {
            self.released.clear();
        }
        let at_number = receipt.latest_number();
        let released = self.released.entry(group.to_owned()).or_default();
        forget(released, receipt);
        // This one says all that those say which went back before it and stand behind it.
        released.retain(|released| released.sequence < sequence);
        // Nor does it add to one before it that went back when the same was held.
        if released.last().is_none_or(|last| last.at_number < at_number) {
            released.push(PastRelease { sequence, at_number });
        }
    }
}

/// A release is forgotten when nothing is held any more that was there at the time.
fn forget(released: &mut Vec<PastRelease>, receipt: &Receipt) {
    let oldest = receipt.oldest_number();
    released.retain(|released| released.at_number >= oldest);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::budget::Budget;
    use crate::held::Held;
    use crate::message::{Ending, Fifo, QueueMessage};

    const DELETE: Asked = Asked::Delete(Ending::Written);

    async fn receive(held: &Held, sequence: u128) -> Receipt {
        let message = QueueMessage {
            fifo: Some(Fifo { group: "g".to_owned(), sequence }),
            ..QueueMessage::default()
        };
        let now = Instant::now();
        Receipt::new(
            message,
            now,
            now + Duration::from_secs(20),
            Budget::new(10, 10_000, 0).acquire(1, 0).await,
            held,
        )
    }

    #[tokio::test]
    async fn in_a_fifo_group_nothing_is_settled_past_a_message_that_was_released() {
        let (held, mut groups) = (Held::default(), Groups::default());
        let (first, second, third) =
            (receive(&held, 1).await, receive(&held, 2).await, receive(&held, 3).await);
        assert_eq!(groups.permit(&second, Asked::Release), Asked::Release);
        assert_eq!(
            groups.permit(&third, DELETE),
            Asked::Release,
            "it stands behind the released one"
        );
        assert_eq!(groups.permit(&first, DELETE), DELETE, "it stands before the released one");
        let (second_again, third_again) = (receive(&held, 2).await, receive(&held, 3).await);
        assert_eq!(
            groups.permit(&second_again, DELETE),
            DELETE,
            "the queue delivered the group anew, in order"
        );
        assert_eq!(groups.permit(&third_again, DELETE), DELETE);
        for receipt in [first, second, third, second_again, third_again] {
            receipt.settled();
        }
    }

    #[tokio::test]
    async fn a_message_of_before_the_release_goes_back_even_when_later_ones_are_settled_first() {
        let (held, mut groups) = (Held::default(), Groups::default());
        let (first, third) = (receive(&held, 1).await, receive(&held, 3).await);
        assert_eq!(groups.permit(&first, Asked::Release), Asked::Release);
        first.settled();
        let (first_again, second_again) = (receive(&held, 1).await, receive(&held, 2).await);
        assert_eq!(groups.permit(&first_again, DELETE), DELETE);
        first_again.settled();
        assert_eq!(
            groups.permit(&second_again, Asked::Release),
            Asked::Release,
            "it alone, and what is behind it"
        );
        assert_eq!(
            groups.permit(&third, DELETE),
            Asked::Release,
            "it stands behind the first release"
        );
        third.settled();
        second_again.settled();
        let next = receive(&held, 2).await;
        assert_eq!(groups.permit(&next, DELETE), DELETE);
        assert!(groups.released.is_empty(), "of what is over nothing is remembered");
        next.settled();
    }

    #[tokio::test]
    async fn releases_are_remembered_as_long_as_something_is_held_from_before() {
        let (held, mut groups) = (Held::default(), Groups::default());
        for sequence in 0..100 {
            let receipt = receive(&held, sequence).await;
            assert_eq!(groups.permit(&receipt, Asked::Release), Asked::Release);
            receipt.settled();
        }
        assert_eq!(groups.released["g"].len(), 1, "the one that went back last was there itself");
    }
}
