//! Refused messages of which no dead letter is kept, because they stay where they came from: in a file.

use std::sync::Arc;

use crate::message::{Ending, QueueMessage, Receipt};
use crate::settle::Settle;

use super::home::Home;
use super::record::Record;

/// Who is told of refused messages in place of a home that keeps them.
pub trait Told: Send + Sync {
    /// The message was refused, and will be at every delivery. Its delete follows.
    fn refused(&self, message: &QueueMessage, record: &Record);
}

/// A home that keeps nothing: it says what was refused, and the message has its end.
pub struct SourceHome {
    told: Arc<dyn Told>,
    settle: Settle,
}

impl SourceHome {
    #[must_use]
    pub fn new(told: Arc<dyn Told>, settle: Settle) -> Self {
        Self { told, settle }
    }
}

impl Home for SourceHome {
    fn keep(&self, receipt: Receipt, record: Record) {
        self.told.refused(&receipt.message, &record);
        self.settle.delete(receipt, Ending::DeadLettered(record.reason));
    }
}
