//! Sends the load while the fault happens, and more where the fault lasts longer.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use longshore::queue::BATCH_MAX;
use longshore::queue::sqs::SqsQueue;
use longshore::queue::{Outgoing, SendOutcome};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::load::visit;

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
                allowance
                    .wait_for(|allowed| *allowed > already)
                    .await
                    .expect("the world is there until all is sent");
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

/// Between two sends of ten visits beyond the load: enough to keep workers busy, and little to
/// unload where the fault lasts.
const FILLING_PACE: Duration = Duration::from_millis(20);

/// Sends visits until it is stopped.
pub struct Filler {
    stop: CancellationToken,
    task: JoinHandle<Range<i64>>,
}

impl Filler {
    /// The visits are numbered from `first` on.
    pub fn start(queue: Arc<SqsQueue>, first: i64) -> Self {
        const TEN: i64 = 10;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut next = first;
            while !stopped.is_cancelled() {
                send(&queue, &(next..next + TEN).map(visit).collect::<Vec<_>>()).await;
                next += TEN;
                tokio::time::sleep(FILLING_PACE).await;
            }
            first..next
        });
        Self { stop, task }
    }

    /// Ends it. Gives the numbers of what was sent.
    pub async fn stopped(self) -> Range<i64> {
        self.stop.cancel();
        self.task.await.expect("all is sent")
    }
}

pub async fn send(queue: &SqsQueue, messages: &[Outgoing]) {
    for outcome in queue.send_batch(messages).await.expect("an answer") {
        assert!(matches!(outcome, SendOutcome::Sent { .. }), "{outcome:?}");
    }
}
