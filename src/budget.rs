//! The in-flight budget: how many messages, and how many bytes of them, this process holds at most. It is the
//! backpressure: a receive waits until there is room for what it may bring.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A counted budget of messages and bytes. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    messages_max: usize,
    bytes_max: usize,
    used: Mutex<Used>,
    freed: Notify,
}

/// What is taken of a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub messages: usize,
    pub bytes: usize,
}

impl Budget {
    #[must_use]
    pub fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self { shared: Arc::new(Shared { messages_max, bytes_max, used: Mutex::default(), freed: Notify::new() }) }
    }

    #[must_use]
    pub fn used(&self) -> Used {
        *self.lock()
    }

    /// Waits for room for `messages` and `bytes`, and takes it. A request larger than the whole budget is granted when
    /// nothing else is taken, so that it cannot wait for ever. Cancel safe: a dropped wait took nothing.
    pub async fn acquire(&self, messages: usize, bytes: usize) -> Permit {
        loop {
            let freed = self.shared.freed.notified();
            tokio::pin!(freed);
            // Registered before the look, or a release in between would be missed.
            freed.as_mut().enable();
            if let Some(permit) = self.try_acquire(messages, bytes) {
                // There may be room for the next in line too, whose wake-up this one took.
                self.shared.freed.notify_one();
                return permit;
            }
            freed.await;
        }
    }

    fn try_acquire(&self, messages: usize, bytes: usize) -> Option<Permit> {
        let mut used = self.lock();
        let fits = used.messages + messages <= self.shared.messages_max && used.bytes + bytes <= self.shared.bytes_max;
        if !fits && *used != Used::default() {
            return None;
        }
        used.messages += messages;
        used.bytes += bytes;
        Some(Permit { budget: self.clone(), messages, bytes })
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.shared.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    messages: usize,
    bytes: usize,
}

impl Permit {
    /// Splits one message of `bytes` off. What the reservation lacks is taken beyond it, over the budget if need be: the
    /// message is in memory already, and the next receive waits until the debt is paid.
    #[must_use]
    pub fn split_message(&mut self, bytes: usize) -> Permit {
        let from_messages = self.messages.min(1);
        let from_bytes = self.bytes.min(bytes);
        self.messages -= from_messages;
        self.bytes -= from_bytes;
        let mut used = self.budget.lock();
        used.messages += 1 - from_messages;
        used.bytes += bytes - from_bytes;
        Permit { budget: self.budget.clone(), messages: 1, bytes }
    }

    /// Corrects what this permit holds to `bytes`, up or down, over the budget if need be.
    pub fn resize(&mut self, bytes: usize) {
        let mut used = self.budget.lock();
        used.bytes = used.bytes - self.bytes + bytes;
        let shrunk = bytes < self.bytes;
        self.bytes = bytes;
        drop(used);
        if shrunk {
            self.budget.shared.freed.notify_one();
        }
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.messages == 0 && self.bytes == 0 {
            return;
        }
        let mut used = self.budget.lock();
        used.messages -= self.messages;
        used.bytes -= self.bytes;
        drop(used);
        self.budget.shared.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_receive_waits_until_there_is_room() {
        let budget = Budget::new(10, 1_000);
        let mut first = budget.acquire(10, 500).await;
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.acquire(1, 100).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let message = first.split_message(200);
        drop(first);
        let second = waiting.await.expect("no panic");
        assert_eq!(budget.used(), Used { messages: 2, bytes: 300 });
        drop((message, second));
        assert_eq!(budget.used(), Used::default());
    }

    #[tokio::test]
    async fn a_message_larger_than_reserved_is_a_debt_that_is_paid_back() {
        let budget = Budget::new(10, 1_000);
        let mut reserved = budget.acquire(1, 100).await;
        let mut message = reserved.split_message(5_000);
        drop(reserved);
        assert_eq!(budget.used(), Used { messages: 1, bytes: 5_000 });
        assert!(budget.try_acquire(1, 1).is_none());
        message.resize(10);
        assert!(budget.try_acquire(1, 1).is_some());
        drop(message);
        assert_eq!(budget.used(), Used::default());
    }

    #[tokio::test]
    async fn a_request_larger_than_the_budget_is_granted_alone() {
        let budget = Budget::new(1, 10);
        let large = budget.acquire(10, 10_000).await;
        assert_eq!(budget.used(), Used { messages: 10, bytes: 10_000 });
        drop(large);
        assert_eq!(budget.used(), Used::default());
    }
}
