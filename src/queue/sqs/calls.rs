//! How many requests were made, by operation.

use std::sync::atomic::{AtomicU64, Ordering};

/// The operations of SQS that Longshore uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Receive,
    Delete,
    ChangeVisibility,
    Send,
    GetAttributes,
    ListSources,
}

impl Operation {
    pub const ALL: [Self; 6] = [
        Self::Receive,
        Self::Delete,
        Self::ChangeVisibility,
        Self::Send,
        Self::GetAttributes,
        Self::ListSources,
    ];

    /// One word for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Delete => "delete",
            Self::ChangeVisibility => "change_visibility",
            Self::Send => "send",
            Self::GetAttributes => "get_attributes",
            Self::ListSources => "list_sources",
        }
    }

    /// The IAM action that allows it. Batches have none of their own.
    #[must_use]
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Receive => "sqs:ReceiveMessage",
            Self::Delete => "sqs:DeleteMessage",
            Self::ChangeVisibility => "sqs:ChangeMessageVisibility",
            Self::Send => "sqs:SendMessage",
            Self::GetAttributes => "sqs:GetQueueAttributes",
            Self::ListSources => "sqs:ListDeadLetterSourceQueues",
        }
    }

    /// What cannot be done when it fails, before the name of the queue.
    pub(super) const fn aim(self) -> &'static str {
        match self {
            Self::Receive => "receive from",
            Self::Delete => "delete messages of",
            Self::ChangeVisibility => "change how long messages are hidden in",
            Self::Send => "send to",
            Self::GetAttributes => "read the attributes of",
            Self::ListSources => "list the queues that move messages to",
        }
    }
}

/// Requests made since the start, failed ones included.
#[derive(Debug, Default)]
pub struct ApiCalls([AtomicU64; Operation::ALL.len()]);

impl ApiCalls {
    pub(super) fn count(&self, operation: Operation) {
        self.0[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    #[must_use]
    pub fn of(&self, operation: Operation) -> u64 {
        self.0[operation as usize].load(Ordering::Relaxed)
    }

    /// All operations together.
    #[must_use]
    pub fn total(&self) -> u64 {
        Operation::ALL.into_iter().map(|operation| self.of(operation)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_a_counter_of_its_own() {
        let calls = ApiCalls::default();
        for (times, operation) in Operation::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| calls.count(operation));
        }
        assert_eq!(Operation::ALL.map(|operation| calls.of(operation)), [1, 2, 3, 4, 5, 6]);
        assert_eq!(calls.total(), 21);
    }
}
