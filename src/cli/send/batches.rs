//! Messages by tens, and at most as many bytes as one call takes.

use crate::queue::BATCH_MAX;
use crate::queue::{Outgoing, SEND_BYTES_MAX};

/// A message and the line that it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    pub line: u64,
    /// What the line took of the input.
    pub line_bytes: u64,
    pub outgoing: Outgoing,
}

/// Collects messages into batches, in their order.
#[derive(Debug)]
pub struct Batches {
    /// 1 to [`BATCH_MAX`].
    entries_max: usize,
    waiting: Vec<Numbered>,
    bytes: usize,
}

impl Batches {
    pub fn new(entries_max: usize) -> Self {
        Self { entries_max: entries_max.clamp(1, BATCH_MAX), waiting: Vec::new(), bytes: 0 }
    }

    /// Adds a message that is itself within [`SEND_BYTES_MAX`]. Returns the batch that is complete
    /// with it or without it.
    pub fn push(&mut self, message: Numbered) -> Option<Vec<Numbered>> {
        let bytes = message.outgoing.bytes();
        let complete = if self.bytes + bytes > SEND_BYTES_MAX { self.take() } else { None };
        self.bytes += bytes;
        self.waiting.push(message);
        // Not both: what began a new batch fills it only where a batch is one message, and then
        // none was waiting.
        if complete.is_none() && self.waiting.len() >= self.entries_max {
            self.take()
        } else {
            complete
        }
    }

    /// What is waiting, if anything is.
    pub fn take(&mut self) -> Option<Vec<Numbered>> {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        (!waiting.is_empty()).then_some(waiting)
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(line: u64, bytes: usize) -> Numbered {
        Numbered {
            line,
            line_bytes: bytes as u64,
            outgoing: Outgoing { body: "x".repeat(bytes), ..Outgoing::default() },
        }
    }

    fn bytes(batch: &[Numbered]) -> usize {
        batch.iter().map(|message| message.outgoing.bytes()).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn batches_are_within_both_bounds_in_order_and_never_smaller_than_need_be(
            sizes in proptest::collection::vec(prop_oneof![4 => 1_usize..2_000, 1 => 100_000..=SEND_BYTES_MAX], 0..60),
            entries_max in 1_usize..=10,
        ) {
            let mut batches = Batches::new(entries_max);
            let mut complete = Vec::new();
            for (line, size) in (1..).zip(&sizes) {
                complete.extend(batches.push(message(line, *size)));
            }
            complete.extend(batches.take());
            prop_assert!(batches.is_empty());
            for batch in &complete {
                prop_assert!((1..=entries_max).contains(&batch.len()) && bytes(batch) <= SEND_BYTES_MAX);
            }
            for pair in complete.windows(2) {
                prop_assert!(pair[0].len() == entries_max || bytes(&pair[0]) + bytes(&pair[1][..1]) > SEND_BYTES_MAX);
            }
            let lines: Vec<u64> = complete.iter().flatten().map(|message| message.line).collect();
            prop_assert_eq!(lines, (1..=sizes.len() as u64).collect::<Vec<_>>());
        }
    }
}
