//! The way into a lane.

use tokio::sync::mpsc;

use crate::dead_letter::{Home, Record};
use crate::message::{Ending, Part, Receipt, Write};

/// The way into a lane. Unbounded, because the in-flight budget bounds what there is to send. The
/// lane ends when all of its ways in are gone and everything was settled.
#[derive(Debug, Clone)]
pub struct Lane {
    parts: mpsc::UnboundedSender<Vec<Part>>,
}

/// The other end of a [`Lane`].
#[derive(Debug)]
pub struct Waiters {
    pub(super) parts: mpsc::UnboundedReceiver<Vec<Part>>,
}

impl Lane {
    #[must_use]
    pub fn new() -> (Self, Waiters) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { parts: sender }, Waiters { parts: receiver })
    }

    /// Whether both lead into one lane.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.parts.same_channel(&other.parts)
    }

    /// Hands parts over; from here on the lane settles them.
    pub fn send(&self, parts: Vec<Part>) {
        // A lane ends only after all of its senders, so this fails only in a teardown, where
        // dropping is what happens.
        let _ = self.parts.send(parts);
    }
}

/// The lane of the dead-letter collection keeps records as letters.
impl Home for Lane {
    fn keep(&self, receipt: Receipt, record: Record) {
        let write = Write::Letter(record.insert(&receipt.message));
        self.send(vec![Part { write, receipt, ending: Ending::DeadLettered(record.reason) }]);
    }
}
