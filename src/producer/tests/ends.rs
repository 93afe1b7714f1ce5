//! How a producer ends, and what is told where nobody waits.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing_subscriber::fmt::MakeWriter;

use super::super::{Counts, NotSent, SendError, TrySendError};
use super::fake::{Answer, FakeQueue, event, number};
use crate::queue::{QueueFaultKind, SendOutcome};

/// The log of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self, with: &str) -> Vec<String> {
        let text = self.0.lock().expect("no panic");
        let text = String::from_utf8_lossy(&text);
        text.lines().filter(|line| line.contains(with)).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn refuses_all() -> Arc<FakeQueue> {
    FakeQueue::new(|_, _| Answer::Each(|_| Some(SendOutcome::Refused("bad".to_owned()))))
}

#[tokio::test(start_paused = true)]
async fn what_fails_without_anybody_waiting_is_counted_and_logged_once_a_second() {
    let (log, _listening) = Log::listen();
    let queue = refuses_all();
    let producer = queue.producer(|_| {});
    for number in 0..300 {
        drop(producer.send(event(number)).await.expect("room"));
        sleep(Duration::from_millis(10)).await;
    }
    producer.drain(Duration::from_mins(1)).await.expect("all settled");
    let counts = Counts { failed: 300, untold: 300, ..Counts::default() };
    assert_eq!(producer.counts(), counts);
    let lines = log.lines("not sent");
    assert!((3..=5).contains(&lines.len()), "{lines:?}");
    let more: u64 = lines
        .iter()
        .filter_map(|line| line.split("messages=").nth(1)?.trim().parse::<u64>().ok())
        .sum();
    assert_eq!(more + 1, 300, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_is_dropped_unread_tells_the_log() {
    let (log, _listening) = Log::listen();
    let producer = refuses_all().producer(|_| {});
    let receipt = producer.send(event(1)).await.expect("room");
    sleep(Duration::from_secs(1)).await;
    assert_eq!((producer.counts().failed, producer.counts().untold), (1, 0));
    drop(receipt);
    assert_eq!(producer.counts().untold, 1);
    assert_eq!(log.lines("nobody waits").len(), 1);
    // One that was read is told.
    let receipt = producer.send(event(2)).await.expect("room");
    assert_eq!(receipt.await, Err(NotSent::Refused("bad".to_owned())));
    assert_eq!(producer.counts().untold, 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_sends_what_waits_and_takes_nothing_more() {
    let queue = FakeQueue::well();
    // Without the drain they would wait for more.
    let producer = queue.producer(|config| config.linger = Duration::from_secs(10));
    let receipt = producer.send(event(1)).await.expect("room");
    let begun = Instant::now();
    producer.drain(Duration::from_secs(5)).await.expect("all sent");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(receipt.await.is_ok());
    assert!(matches!(producer.send(event(2)).await, Err(SendError::Ended(_))));
    assert!(matches!(producer.try_send(event(2)), Err(TrySendError::Ended(_))));
    producer.drain(Duration::ZERO).await.expect("nothing is left");
}

#[tokio::test(start_paused = true)]
async fn a_drain_says_what_it_left() {
    let (log, _listening) = Log::listen();
    let queue = FakeQueue::new(|_, call| match call {
        1 => Answer::Took,
        2 => Answer::Hangs,
        _ => Answer::Fails(QueueFaultKind::Unavailable),
    });
    let producer = queue.producer(|config| config.retry.budget = Duration::from_mins(10));
    let receipts: Vec<_> =
        (0..100).map(|number| producer.try_send(event(number)).expect("room")).collect();
    let waits = producer.clone();
    let drained = tokio::spawn(async move { waits.drain(Duration::from_secs(3)).await });
    let left = drained.await.expect("no panic").expect_err("it cannot send all");
    assert_eq!((left.messages, left.within), (90, Duration::from_secs(3)));
    let outcomes = futures_util::future::join_all(receipts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == Err(NotSent::Ended)).count(),
        90,
        "those in flight too"
    );
    assert_eq!(log.lines("messages=90").len(), 1, "{:?}", log.lines(""));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_away_is_told_once_and_so_is_its_return() {
    let (log, _listening) = Log::listen();
    let queue = FakeQueue::new(|at, _| match at.as_secs() {
        0..60 => Answer::Fails(QueueFaultKind::Denied),
        _ => Answer::Took,
    });
    let producer = queue.producer(|_| {});
    for number in 0..100 {
        drop(producer.send(event(number)).await.expect("room"));
    }
    producer.drain(Duration::from_mins(2)).await.expect("all sent");
    assert_eq!(log.lines("WARN").len(), 1, "{:?}", log.lines(""));
    assert!(log.lines("WARN")[0].contains("denied"));
    assert_eq!(log.lines("takes messages again").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_waits_for_room_hears_of_the_drain() {
    let queue = FakeQueue::new(|_, _| Answer::Hangs);
    let producer = queue.producer(|config| config.waiting_max = 1);
    let first = producer.send(event(1)).await.expect("room");
    let waits = producer.clone();
    let second = tokio::spawn(async move { waits.send(event(2)).await.map(drop) });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(producer.drain(Duration::from_secs(1)).await.expect_err("one hangs").messages, 1);
    assert!(matches!(second.await.expect("no panic"), Err(SendError::Ended(_))));
    assert_eq!(first.await, Err(NotSent::Ended));
}

#[tokio::test(start_paused = true)]
async fn the_last_producer_that_is_dropped_still_sends_what_waits() {
    let queue = FakeQueue::new(|at, _| match at.as_secs() {
        0..5 => Answer::Fails(QueueFaultKind::Throttled),
        _ => Answer::Took,
    });
    let producer = queue.producer(|_| {});
    let clone = producer.clone();
    for number in 0..50 {
        drop(producer.send(event(number)).await.expect("room"));
    }
    drop(producer);
    drop(clone.send(event(50)).await.expect("a clone goes on"));
    drop(clone);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(queue.ids().len(), 51);
    // The task has ended with them.
    assert_eq!(Arc::strong_count(&queue), 1);
}

#[test]
fn a_runtime_that_ends_first_loses_nothing_silently() {
    let (log, _listening) = Log::listen();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime")
    };
    let first = runtime();
    let (producer, receipt) = first.block_on(async {
        let queue = FakeQueue::new(|_, _| Answer::Hangs);
        let producer = queue.producer(|_| {});
        let receipt = producer.send(event(1)).await.expect("room");
        drop(producer.send(event(2)).await.expect("room"));
        sleep(Duration::from_secs(1)).await;
        drop(producer.send(event(3)).await.expect("room"));
        (producer, receipt)
    });
    drop(first);
    let counts = Counts { failed: 3, untold: 2, abandoned: 3, ..Counts::default() };
    assert_eq!(producer.counts(), counts);
    assert_eq!(log.lines("messages=3").len(), 1, "{:?}", log.lines(""));
    assert_eq!(runtime().block_on(receipt), Err(NotSent::Ended));
    assert!(matches!(producer.try_send(event(4)), Err(TrySendError::Ended(_))));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_given_back_at_the_end_is_the_same() {
    let queue = FakeQueue::well();
    let producer = queue.producer(|_| {});
    producer.close();
    let Err(TrySendError::Ended(back)) = producer.try_send(event(7)) else {
        panic!("it is closed")
    };
    let other = queue.producer(|_| {});
    other.send(back).await.expect("room").await.expect("sent");
    assert_eq!(number(&queue.taken()[0].body), 7);
}
