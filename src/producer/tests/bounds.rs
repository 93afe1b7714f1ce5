//! What waits is bounded, and each call has its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, interval};

use super::super::{Counts, NotSent, TrySendError};
use super::fake::{Answer, FakeQueue, event};
use crate::queue::QueueFaultKind;
use crate::queue::SEND_BYTES_MAX;

/// Calls a second.
const RATE: u64 = 200;
const OUTAGE: Duration = Duration::from_mins(1);
const CALLS: u64 = 12_000;

/// The queue is away for a minute.
fn away(at: Duration, _: usize) -> Answer {
    if at < OUTAGE { Answer::Fails(QueueFaultKind::Unavailable) } else { Answer::Took }
}

#[tokio::test(start_paused = true)]
async fn a_minute_without_the_queue_loses_nothing_that_fits() {
    let queue = FakeQueue::new(away);
    let producer = queue.producer(|config| config.waiting_max = 5_000);
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(RATE).expect("a rate"));
    let (mut receipts, mut full, mut waiting_max) = (Vec::new(), 0, 0);
    for number in 0..12_000 {
        ticks.tick().await;
        match producer.try_send(event(number)) {
            Ok(receipt) => receipts.push(receipt),
            Err(TrySendError::Full(_)) => full += 1,
            Err(other) => panic!("{other}"),
        }
        waiting_max = waiting_max.max(producer.counts().waiting);
    }
    assert_eq!((waiting_max, full > 0), (5_000, true));
    let outcomes = join_all(receipts).await;
    let sent = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    let told = outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64 + full;
    assert_eq!((sent + told, told), (CALLS, full), "all that fit were sent");
    assert_eq!(queue.ids().len() as u64, sent);
    assert_eq!(producer.counts(), Counts { sent, ..Counts::default() });
    // While it was away one call at a time asked, with pauses that grow: no hot loop.
    let asked = queue.call_times().iter().filter(|at| **at < OUTAGE).count();
    assert!((5..30).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_waits_for_room_loses_nothing_and_passes_no_bound() {
    let queue = FakeQueue::new(away);
    let producer = queue.producer(|config| config.waiting_max = 100);
    let waiting_max = Arc::new(AtomicU64::new(0));
    let senders = (0..40).map(|sender| {
        let (producer, waiting_max) = (producer.clone(), Arc::clone(&waiting_max));
        async move {
            for number in 0..300 {
                let receipt = producer.send(event(sender * 300 + number)).await.expect("room");
                waiting_max.fetch_max(producer.counts().waiting, Ordering::Relaxed);
                drop(receipt);
            }
        }
    });
    join_all(senders).await;
    producer.drain(Duration::from_mins(10)).await.expect("all sent");
    assert_eq!(waiting_max.load(Ordering::Relaxed), 100);
    assert_eq!(producer.counts(), Counts { sent: CALLS, ..Counts::default() });
    assert_eq!(queue.ids().len() as u64, CALLS);
}

#[tokio::test(start_paused = true)]
async fn an_outage_beyond_the_budget_is_told_to_every_caller() {
    for hangs in [false, true] {
        let queue = FakeQueue::new(move |_, _| {
            if hangs { Answer::Hangs } else { Answer::Fails(QueueFaultKind::Unavailable) }
        });
        let producer = queue.producer(|config| config.retry.budget = Duration::from_secs(30));
        let begun = Instant::now();
        let receipts: Vec<_> =
            (0..2_000).map(|number| producer.try_send(event(number)).expect("room")).collect();
        for outcome in join_all(receipts).await {
            assert!(matches!(outcome, Err(NotSent::Late(_))), "{outcome:?}");
        }
        // The budget, and a call that began within it.
        assert!(begun.elapsed() <= Duration::from_secs(45), "{:?}", begun.elapsed());
        assert_eq!(producer.counts(), Counts { failed: 2_000, ..Counts::default() });
        assert_eq!(queue.ids().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too() {
    let queue = FakeQueue::new(|at, _| match at.as_secs() {
        0..10 => Answer::Fails(QueueFaultKind::Throttled),
        _ => Answer::Took,
    });
    let producer = queue.producer(|config| {
        config.waiting_bytes_max = SEND_BYTES_MAX;
        config.compression = super::super::Compression::Off;
    });
    let large = |number: u32| event(number).metadata(&"x".repeat(400_000));
    let receipts = [1, 2].map(|number| producer.try_send(large(number)).expect("room"));
    let Err(TrySendError::Full(back)) = producer.try_send(large(3)) else { panic!("no room") };
    // A small one has room.
    let small = producer.try_send(event(4)).expect("room");
    // Given back as it is, it goes when there is room again.
    let (_, third) = tokio::join!(join_all(receipts), producer.send(back));
    let (third, small) = (third.expect("taken").await, small.await);
    assert!(third.is_ok() && small.is_ok());
    assert_eq!(queue.ids().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_slow_but_well_takes_all_however_long_they_wait() {
    let queue = FakeQueue::well();
    let producer = queue.producer(|config| config.retry.budget = Duration::ZERO);
    let receipts: Vec<_> =
        (0..2_000).map(|number| producer.try_send(event(number)).expect("room")).collect();
    assert!(join_all(receipts).await.iter().all(Result::is_ok));
    assert_eq!(queue.in_flight_max(), 8);
}
