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

/// How full a batch is.
#[derive(Debug, Clone, Copy)]
pub struct Fill {
    /// 1 to [`BATCH_MAX`].
    entries_max: usize,
    entries: usize,
    bytes: usize,
}

impl Fill {
    pub fn new(entries_max: usize) -> Self {
        Self { entries_max: entries_max.clamp(1, BATCH_MAX), entries: 0, bytes: 0 }
    }

    /// Counts a message of so many bytes in, where it has room.
    pub fn takes(&mut self, bytes: usize) -> bool {
        let has_room = !self.is_complete() && self.bytes + bytes <= SEND_BYTES_MAX;
        if has_room {
            self.entries += 1;
            self.bytes += bytes;
        }
        has_room
    }

    /// Whether it has as many messages as it may have.
    pub fn is_complete(&self) -> bool {
        self.entries >= self.entries_max
    }
}

/// Collects messages into batches, in their order.
#[derive(Debug)]
pub struct Batches {
    entries_max: usize,
    waiting: Vec<Numbered>,
    fill: Fill,
}

impl Batches {
    pub fn new(entries_max: usize) -> Self {
        Self { entries_max, waiting: Vec::new(), fill: Fill::new(entries_max) }
    }

    /// Adds a message that is itself within [`SEND_BYTES_MAX`]. Returns the batch that is complete
    /// with it or without it.
    pub fn push(&mut self, message: Numbered) -> Option<Vec<Numbered>> {
        let bytes = message.outgoing.bytes();
        let complete = if self.fill.takes(bytes) {
            None
        } else {
            let complete = self.take();
            self.fill.takes(bytes);
            complete
        };
        self.waiting.push(message);
        // Not both: what began a new batch fills it only where a batch is one message, and then
        // none was waiting.
        if complete.is_none() && self.fill.is_complete() { self.take() } else { complete }
    }

    /// What is waiting, if anything is.
    pub fn take(&mut self) -> Option<Vec<Numbered>> {
        self.fill = Fill::new(self.entries_max);
        let waiting = std::mem::take(&mut self.waiting);
        (!waiting.is_empty()).then_some(waiting)
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
            prop_assert!(batches.take().is_none());
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
