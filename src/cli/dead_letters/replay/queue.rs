//! Letters to the queue.

use super::letter::{Goes, Gone, Left, Ready, Why, clock};
use crate::config::Config;
use crate::producer::delivery::deliver;
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
        let outgoing = letters.iter_mut().enumerate().filter_map(|(number, ready)| match ready {
            Some(Ready { goes: Goes::ToQueue(outgoing), .. }) => {
                Some((number, std::mem::take(outgoing)))
            }
            _ => None,
        });
        let send = async |messages: &[Outgoing]| self.queue.send_batch(messages).await;
        let delivered = deliver(outgoing, &self.retry, clock(), send).await;
        let mut gone = Vec::with_capacity(letters.len());
        for (number, message_id) in delivered.sent {
            let ready = letters[number].take();
            gone.extend(ready.map(|ready| Ok(Gone { ready, message_id: Some(message_id) })));
        }
        for (number, text) in delivered.failed {
            gone.extend(
                letters[number].take().map(|Ready { message_id, .. }| {
                    Err(Left { message_id, why: Why::NotSent, text })
                }),
            );
        }
        if delivered.is_hopeless {
            stop.drain();
        }
        gone
    }
}
