//! Letters to the queue.

use super::letter::{Goes, Gone, Left, Ready, Why, clock};
use crate::config::Config;
use crate::producer::batches::{Batches, Numbered};
use crate::producer::delivery::deliver;
use crate::queue::BATCH_MAX;
use crate::queue::Outgoing;
use crate::queue::sqs::SqsQueue;
use crate::retry::RetryConfig;
use crate::stop::Stop;

pub(super) struct ToQueue {
    queue: SqsQueue,
    retry: RetryConfig,
}

impl ToQueue {
    pub(super) fn new(queue: SqsQueue, config: &Config) -> Self {
        Self { queue, retry: config.retry.clone() }
    }

    /// Sends them by as few calls as they need, each tried again until `retry.budget` is spent. Where the queue is
    /// gone, or does not let us send, `stop` drains.
    pub(super) async fn send(&self, ready: Vec<Ready>, stop: &Stop) -> Vec<Result<Gone, Left>> {
        let mut letters: Vec<_> = ready.into_iter().map(Some).collect();
        let mut batches = Batches::new(BATCH_MAX);
        let mut complete = Vec::new();
        for (line, ready) in (0..).zip(&mut letters) {
            let Some(Ready { goes: Goes::ToQueue(outgoing), .. }) = ready else { continue };
            let outgoing = std::mem::take(outgoing);
            complete.extend(batches.push(Numbered { line, line_bytes: 0, outgoing }));
        }
        complete.extend(batches.take());
        let send = async |messages: &[Outgoing]| self.queue.send_batch(messages).await;
        let mut gone = Vec::with_capacity(letters.len());
        let mut take = |line: u64| letters.get_mut(usize::try_from(line).ok()?)?.take();
        for batch in complete {
            let delivered = deliver(batch, &self.retry, clock(), send).await;
            for (line, message_id) in delivered.sent {
                gone.extend(
                    take(line).map(|ready| Ok(Gone { ready, message_id: Some(message_id) })),
                );
            }
            for (line, text) in delivered.failed {
                gone.extend(take(line).map(|Ready { message_id, .. }| {
                    Err(Left { message_id, why: Why::NotSent, text })
                }));
            }
            if delivered.is_hopeless {
                stop.drain();
            }
        }
        gone
    }
}
