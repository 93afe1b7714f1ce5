//! Batches, order, and what is tried again.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::super::{Counts, Message, NotSent};
use super::fake::{Answer, FakeQueue, event, id, number, numbers};
use crate::message::attribute_text;
use crate::message::origin::TIME_ATTRIBUTE;
use crate::queue::{QueueFaultKind, SendOutcome};

#[tokio::test(start_paused = true)]
async fn batches_are_full_where_there_is_enough_and_wait_for_little_else() {
    let queue = FakeQueue::well();
    let producer = queue.producer(|_| {});
    let begun = Instant::now();
    let receipts: Vec<_> =
        (0..25).map(|number| producer.try_send(event(number)).expect("room")).collect();
    assert!(join_all(receipts).await.iter().all(Result::is_ok));
    let sizes: Vec<_> = queue.calls().iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(begun.elapsed().as_millis(), 25, "the linger and a call");
}

/// What goes into a queue after something is greater: by the queue's order, by `longshore-id`, and
/// by `longshore-time`.
#[tokio::test(start_paused = true)]
async fn the_order_of_the_calls_is_the_order_of_the_identities() {
    let queue = FakeQueue::well();
    let producer = queue.producer(|config| config.waiting_max = 7);
    let senders = (0..20).map(|sender| {
        let producer = producer.clone();
        async move {
            for number in 0..10 {
                let receipt = producer.send(event(sender * 10 + number)).await.expect("room");
                drop(receipt);
            }
        }
    });
    join_all(senders).await;
    producer.drain(Duration::from_mins(1)).await.expect("all sent");
    let taken = queue.taken();
    assert_eq!(taken.len(), 200);
    assert!(taken.is_sorted_by(|a, b| id(a) < id(b)));
    for sender in 0..20 {
        let of_sender = taken.iter().map(|message| number(&message.body));
        assert!(of_sender.filter(|number| number / 10 == sender).is_sorted());
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_failed_is_sent_again_and_stays_the_same_message() {
    let queue = FakeQueue::new(|_, call| match call {
        1 => Answer::Each(|message| match number(&message.body) {
            2 => Some(SendOutcome::Failed("InternalError".to_owned())),
            3 => Some(SendOutcome::Refused("InvalidMessageContents".to_owned())),
            _ => None,
        }),
        2 => Answer::Lost,
        _ => Answer::Took,
    });
    let producer = queue.producer(|_| {});
    let receipts: Vec<_> =
        (1..=4).map(|number| producer.try_send(event(number)).expect("room")).collect();
    let given: Vec<String> = receipts.iter().map(|receipt| receipt.id().to_owned()).collect();
    let outcomes = join_all(receipts).await;
    assert_eq!(numbers(&queue.calls()), [vec![1, 2, 3, 4], vec![2], vec![2]]);
    assert_eq!(outcomes[2], Err(NotSent::Refused("InvalidMessageContents".to_owned())));
    for (place, id) in given.iter().enumerate().filter(|(place, _)| *place != 2) {
        assert_eq!(outcomes[place].as_ref().map(|sent| &sent.id), Ok(id));
    }
    // The answer to the second call was lost: sent twice, and one message.
    let twice: Vec<_> =
        queue.taken().into_iter().filter(|message| number(&message.body) == 2).collect();
    assert_eq!(twice.len(), 2);
    assert_eq!(twice[0], twice[1]);
    assert_eq!(producer.counts(), Counts { sent: 3, failed: 1, ..Counts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_for_ever_holds_up_no_other() {
    let queue = FakeQueue::new(|_, _| {
        Answer::Each(|message| {
            (number(&message.body) == 0).then(|| SendOutcome::Failed("InternalError".to_owned()))
        })
    });
    let producer = queue.producer(|_| {});
    let begun = Instant::now();
    let bad = producer.try_send(event(0)).expect("room");
    for number in 1..100 {
        sleep(Duration::from_secs(2)).await;
        let asked = Instant::now();
        producer.send(event(number)).await.expect("room").await.expect("sent");
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    assert!(matches!(bad.await, Err(NotSent::Late(text)) if text == "InternalError"));
    assert!(begun.elapsed() <= Duration::from_mins(5), "{:?}", begun.elapsed());
    // Pauses grow to ten seconds: some forty tries in five minutes.
    let tries =
        queue.calls().into_iter().filter(|bodies| bodies.iter().any(|body| number(body) == 0));
    let tries = tries.count();
    assert!((20..80).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_spoils_its_calls_keeps_no_other_out() {
    let queue = FakeQueue::new(|_, _| Answer::FailsWith(|message| number(&message.body) == 3));
    let producer = queue.producer(|_| {});
    let receipts: Vec<_> =
        (0..40).map(|number| producer.try_send(event(number)).expect("room")).collect();
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    for (number, receipt) in receipts.into_iter().enumerate() {
        if number != 3 {
            outcomes.push(receipt.await.is_ok());
        }
    }
    assert_eq!(outcomes, [true; 39]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Nor later ones.
    for number in 40..60 {
        let asked = Instant::now();
        producer.send(event(number)).await.expect("room").await.expect("sent");
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        sleep(Duration::from_secs(1)).await;
    }
    producer.drain(Duration::from_mins(6)).await.expect("nothing was given up");
    assert_eq!(producer.counts(), Counts { sent: 59, failed: 1, untold: 1, ..Counts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_denied_for_as_long_as_it_may_be_is_told_so() {
    let queue = FakeQueue::new(|_, _| Answer::Fails(QueueFaultKind::Denied));
    let producer = queue.producer(|_| {});
    let receipt = producer.send(event(1)).await.expect("room");
    assert_eq!(receipt.await, Err(NotSent::Denied("denied".to_owned())));
}

#[test]
fn settings_that_no_clock_can_count_are_refused() {
    let mut config = super::super::ProducerConfig::new(super::fake::URL);
    assert_eq!(config.check(), Ok(()));
    config.retry.budget = Duration::MAX;
    assert!(config.check().is_err_and(|text| text.contains("retry.budget")));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_comes_back_within_the_budget_loses_nothing() {
    for kind in [QueueFaultKind::Denied, QueueFaultKind::Missing] {
        let queue = FakeQueue::new(move |at, _| match at.as_secs() {
            0..120 => Answer::Fails(kind),
            _ => Answer::Took,
        });
        let producer = queue.producer(|_| {});
        let receipt = producer.send(event(1)).await.expect("room");
        assert!(receipt.await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fifo_group_keeps_its_order_over_failures() {
    let queue = FakeQueue::fifo(|_, call| match call {
        1 => Answer::Each(|message| {
            (number(&message.body) == 1).then(|| SendOutcome::Failed("InternalError".to_owned()))
        }),
        3 => Answer::Fails(QueueFaultKind::Throttled),
        _ => Answer::Took,
    });
    let producer = queue.producer(|_| {});
    let mut receipts = Vec::new();
    for user in 1..=20 {
        receipts.push(producer.try_send(event(user)).expect("room"));
    }
    for state in 0..2 {
        let later = event(1).metadata(&format!("later {state}"));
        receipts.push(producer.try_send(later).expect("room"));
    }
    assert!(join_all(receipts).await.iter().all(Result::is_ok));
    assert_eq!(queue.in_flight_max(), 1);
    let taken = queue.taken();
    let of_first: Vec<_> =
        taken.iter().filter(|message| message.group.as_deref() == Some("1")).collect();
    assert_eq!(of_first.len(), 3);
    assert!(of_first.is_sorted_by(|a, b| id(a) < id(b)), "{of_first:?}");
    for message in &taken {
        assert_eq!(message.deduplication.as_deref(), Some(id(message)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fifo_queue_takes_own_groups_and_no_message_without_one() {
    let queue = FakeQueue::fifo(|_, _| Answer::Took);
    let producer = queue.producer(|_| {});
    let own = || Message::new("order", &serde_json::json!({ "n": 1 }));
    let refused = producer.send(own()).await.expect_err("no group").to_string();
    assert!(refused.contains("Message::group"), "{refused}");
    producer.send(own().group("orders")).await.expect("room").await.expect("sent");
    let session = super::super::Session::new("a b", &1);
    producer.send(session).await.expect("room").await.expect("sent");
    let groups: Vec<_> = queue.taken().into_iter().filter_map(|message| message.group).collect();
    assert_eq!((groups[0].as_str(), groups[1].len()), ("orders", 64));
}

#[tokio::test(start_paused = true)]
async fn an_identity_has_its_time() {
    let queue = FakeQueue::well();
    let producer = queue.producer(|_| {});
    producer.send(event(1)).await.expect("room").await.expect("sent");
    let taken = queue.taken();
    let time = attribute_text(&taken[0].attributes, TIME_ATTRIBUTE).expect("a time");
    assert_eq!((time.len(), id(&taken[0]).len()), (13, 36));
}
