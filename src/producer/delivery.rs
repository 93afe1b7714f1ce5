//! One batch to the queue: what fails for now is tried again, what SQS refuses is not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::queue::{BATCH_MAX, Outgoing, QueueFault, SendOutcome};
use crate::retry::RetryConfig;

use super::batches::Numbered;
use super::outbox::{Delivery, Next, Outbox, Unsent};

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Line of each message that was sent, and the id that the queue gave it.
    pub sent: Vec<(u64, String)>,
    /// Line and reason of each message that could not be sent.
    pub failed: Vec<(u64, String)>,
    /// No further batch would fare better: the queue is gone, or does not let us send.
    pub is_hopeless: bool,
}

/// Sends a batch, and what is left of it again, until `retry.budget` is spent.
///
/// A message whose answer was lost may be sent twice; its `longshore-id` then tells that it is one.
pub async fn deliver(
    batch: Vec<Numbered>,
    retry: &RetryConfig,
    clock: Arc<dyn Clock>,
    send: impl AsyncFn(&[Outgoing]) -> Result<Vec<SendOutcome>, QueueFault>,
) -> Delivered {
    let delivery = Delivery {
        retry: retry.clone(),
        entries_max: BATCH_MAX,
        calls_max: 1,
        linger: Duration::ZERO,
        fifo: false,
        ends_when_denied: true,
    };
    let mut outbox = Outbox::new(delivery, clock);
    for Numbered { line, outgoing, .. } in batch {
        outbox.push(outgoing, line, Instant::now());
    }
    let mut delivered = Delivered::default();
    loop {
        let batch = match outbox.next(Instant::now(), true) {
            Next::Send(batch) => batch,
            Next::Wait(until) => {
                sleep_until(until).await;
                continue;
            }
            // One call at a time: none is in flight here.
            Next::Idle | Next::Over => break,
        };
        let answer = send(&batch.messages).await;
        for (line, outcome) in outbox.answered(batch, answer, Instant::now()) {
            match outcome {
                Ok(message_id) => delivered.sent.push((line, message_id)),
                Err(Unsent::Refused(text) | Unsent::Late(text) | Unsent::Denied(text)) => {
                    delivered.failed.push((line, text));
                }
            }
        }
    }
    delivered.failed.sort();
    delivered.is_hopeless = outbox.is_denied();
    delivered
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemClock;
    use crate::config;
    use crate::queue::QueueFaultKind;

    fn batch(count: u64) -> Vec<Numbered> {
        (1..=count)
            .map(|line| Numbered {
                line,
                line_bytes: 1,
                outgoing: Outgoing { body: line.to_string(), ..Outgoing::default() },
            })
            .collect()
    }

    fn sent() -> SendOutcome {
        SendOutcome::Sent { message_id: "m".to_owned() }
    }

    async fn deliver_by(
        count: u64,
        send: impl AsyncFn(&[Outgoing]) -> Result<Vec<SendOutcome>, QueueFault>,
    ) -> Delivered {
        deliver(batch(count), &config::defaults().retry, Arc::new(SystemClock::default()), send)
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_failed_is_sent_again() {
        let calls = RefCell::new(Vec::new());
        let delivered = deliver_by(3, async |messages: &[Outgoing]| {
            let bodies: Vec<String> = messages.iter().map(|message| message.body.clone()).collect();
            calls.borrow_mut().push(bodies.join(","));
            Ok(messages
                .iter()
                .map(|message| match (message.body.as_str(), calls.borrow().len()) {
                    ("2", 1 | 2) => SendOutcome::Failed("InternalError".to_owned()),
                    ("3", _) => SendOutcome::Refused("InvalidMessageContents".to_owned()),
                    _ => sent(),
                })
                .collect())
        })
        .await;
        assert_eq!(*calls.borrow(), ["1,2,3", "2", "2"]);
        let failed = vec![(3, "InvalidMessageContents".to_owned())];
        let sent = vec![(1, "m".to_owned()), (2, "m".to_owned())];
        assert_eq!(delivered, Delivered { sent, failed, is_hopeless: false });
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_for_the_whole_budget_is_named_by_its_line() {
        let begun = Instant::now();
        let fault = |kind| QueueFault { kind, text: "no answer".to_owned() };
        let delivered =
            deliver_by(2, async |_: &[Outgoing]| Err(fault(QueueFaultKind::Unavailable))).await;
        assert_eq!((delivered.sent.len(), delivered.is_hopeless), (0, false));
        assert_eq!(delivered.failed, [(1, "no answer".to_owned()), (2, "no answer".to_owned())]);
        let budget = config::defaults().retry.budget;
        assert!(begun.elapsed() <= budget && begun.elapsed() > budget / 2, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_refuses_us_is_not_asked_again() {
        for kind in [QueueFaultKind::Denied, QueueFaultKind::Missing] {
            let begun = Instant::now();
            let delivered = deliver_by(2, async |_: &[Outgoing]| {
                Err(QueueFault { kind, text: "no".to_owned() })
            })
            .await;
            assert!(delivered.is_hopeless && delivered.failed.len() == 2);
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
    }
}
