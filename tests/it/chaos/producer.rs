//! Sends the load while the fault happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use longshore::queue::BATCH_MAX;
use longshore::queue::sqs::{Outgoing, SendOutcome, SqsQueue};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Between two sends of ten messages, so that a load lasts.
const PACE: Duration = Duration::from_millis(5);

/// Sends in the order of the load, as far as it is allowed.
pub struct Producer {
    allowed: watch::Sender<usize>,
    sent: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Producer {
    /// May send the `first` messages at once.
    pub fn start(queue: Arc<SqsQueue>, messages: Vec<Outgoing>, first: usize) -> Self {
        let (allowed, mut allowance) = watch::channel(first);
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        let task = tokio::spawn(async move {
            for chunk in messages.chunks(BATCH_MAX) {
                let already = counter.load(Ordering::Relaxed);
                allowance.wait_for(|allowed| *allowed > already).await.expect("the world is there until all is sent");
                send(&queue, chunk).await;
                counter.fetch_add(chunk.len(), Ordering::Relaxed);
                tokio::time::sleep(PACE).await;
            }
        });
        Self { allowed, sent, task }
    }

    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Up to so many in all.
    pub fn allow(&self, messages: usize) {
        self.allowed.send_replace(messages);
    }

    /// Waits until all is sent.
    pub async fn finished(self) {
        self.task.await.expect("all is sent");
    }
}

pub async fn send(queue: &SqsQueue, messages: &[Outgoing]) {
    for outcome in queue.send_batch(messages).await.expect("an answer") {
        assert!(matches!(outcome, SendOutcome::Sent { .. }), "{outcome:?}");
    }
}
