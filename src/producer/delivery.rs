//! A few messages to the queue: what fails for now is tried again, what SQS refuses is not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::queue::{BATCH_MAX, Outgoing, QueueFault, SendOutcome};
use crate::retry::RetryConfig;

use super::outbox::{Delivery, Next, Outbox, Unsent};

/// What became of messages, each by the number that it came with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Those that were sent, and the id that the queue gave each.
    pub sent: Vec<(usize, String)>,
    /// Those that could not be sent, and why.
    pub failed: Vec<(usize, String)>,
    /// No further message would fare better: the queue is gone, or does not let us send.
    pub is_hopeless: bool,
}

/// Sends messages, each within [`SEND_BYTES_MAX`](crate::queue::SEND_BYTES_MAX), by as few calls as they
/// need, and what is left of them again, until `retry.budget` is spent. Messages of one group keep their
/// order, in whichever of these calls they go.
///
/// A message whose answer was lost may be sent twice; its `longshore-id` then tells that it is one.
pub async fn deliver(
    messages: impl IntoIterator<Item = (usize, Outgoing)>,
    retry: &RetryConfig,
    clock: Arc<dyn Clock>,
    send: impl AsyncFn(&[Outgoing]) -> Result<Vec<SendOutcome>, QueueFault>,
) -> Delivered {
    let delivery = Delivery {
        retry: retry.clone(),
        entries_max: BATCH_MAX,
        calls_max: 1,
        linger: Duration::ZERO,
        // What has no group waits for nobody. The fair queues of SQS have groups without order: there it
        // costs the rest of a group the pause of one that failed, and a call is in flight alone anyway.
        fifo: true,
        ends_when_denied: true,
    };
    let mut outbox = Outbox::new(delivery, clock);
    for (number, outgoing) in messages {
        outbox.push(outgoing, number, Instant::now());
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
        for (number, outcome) in outbox.answered(batch, answer, Instant::now()) {
            match outcome {
                Ok(message_id) => delivered.sent.push((number, message_id)),
                Err(Unsent::Refused(text) | Unsent::Late(text) | Unsent::Denied(text)) => {
                    delivered.failed.push((number, text));
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

    use proptest::prelude::*;

    use super::*;
    use crate::clock::SystemClock;
    use crate::config;
    use crate::queue::{QueueFaultKind, SEND_BYTES_MAX};

    fn message(body: impl Into<String>) -> Outgoing {
        Outgoing { body: body.into(), ..Outgoing::default() }
    }

    fn sent() -> SendOutcome {
        SendOutcome::Sent { message_id: "m".to_owned() }
    }

    async fn deliver_by(
        count: usize,
        send: impl AsyncFn(&[Outgoing]) -> Result<Vec<SendOutcome>, QueueFault>,
    ) -> Delivered {
        let messages = (1..=count).map(|number| (number, message(number.to_string())));
        deliver(messages, &config::defaults().retry, Arc::new(SystemClock::default()), send).await
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
    async fn what_fails_for_the_whole_budget_is_named_by_its_number() {
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

    #[tokio::test(start_paused = true)]
    async fn messages_of_a_group_go_in_order_whatever_call_fails() {
        let large = |group: &str| Outgoing {
            group: Some(group.to_owned()),
            ..message("x".repeat(600 << 10))
        };
        for fails_as_a_whole in [true, false] {
            let calls = RefCell::new(0);
            // No two of them have room in one call.
            let messages = [(1, large("a")), (2, large("a")), (3, large("b"))];
            let delivered = deliver(
                messages,
                &config::defaults().retry,
                Arc::new(SystemClock::default()),
                async |messages: &[Outgoing]| {
                    *calls.borrow_mut() += 1;
                    let text = "InternalError".to_owned();
                    match (*calls.borrow(), fails_as_a_whole) {
                        (1, true) => Err(QueueFault { kind: QueueFaultKind::Unavailable, text }),
                        (1, false) => Ok(vec![SendOutcome::Failed(text)]),
                        _ => Ok(messages.iter().map(|_| sent()).collect()),
                    }
                },
            )
            .await;
            let sent: Vec<_> = delivered.sent.iter().map(|(number, _)| *number).collect();
            let place = |number| sent.iter().position(|sent| *sent == number);
            assert!(sent.len() == 3 && place(1) < place(2), "{sent:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn calls_are_within_both_bounds_in_order_and_never_smaller_than_need_be(
            sizes in proptest::collection::vec(prop_oneof![4 => 1_usize..2_000, 1 => 100_000..=SEND_BYTES_MAX], 0..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let calls = RefCell::new(Vec::<Vec<usize>>::new());
            let messages = sizes.iter().map(|size| message("x".repeat(*size))).enumerate();
            let delivered = runtime.expect("a runtime").block_on(deliver(
                messages,
                &config::defaults().retry,
                Arc::new(SystemClock::default()),
                async |messages: &[Outgoing]| {
                    calls.borrow_mut().push(messages.iter().map(Outgoing::bytes).collect());
                    Ok(messages.iter().map(|_| sent()).collect())
                },
            ));
            let calls = calls.into_inner();
            let bytes = |call: &[usize]| call.iter().sum::<usize>();
            for call in &calls {
                prop_assert!((1..=BATCH_MAX).contains(&call.len()) && bytes(call) <= SEND_BYTES_MAX);
            }
            for pair in calls.windows(2) {
                prop_assert!(pair[0].len() == BATCH_MAX || bytes(&pair[0]) + pair[1][0] > SEND_BYTES_MAX);
            }
            prop_assert_eq!(calls.concat(), &sizes[..]);
            let numbers: Vec<_> = delivered.sent.iter().map(|(number, _)| *number).collect();
            prop_assert_eq!(numbers, (0..sizes.len()).collect::<Vec<_>>());
        }
    }
}
