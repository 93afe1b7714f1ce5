//! Keeping messages hidden and giving them back, at once: no call overtakes another.

use tokio::time::sleep_until;

use super::*;
use crate::budget::Budget;
use crate::held::COMPARED;
use crate::message::{Ending, Receipt};
use crate::queue::{Queue, visibility};
use crate::settle::{self, Settle, SettleContext};

/// A message, and what extends and settles it.
struct One {
    queue: Arc<FakeQueue>,
    settle: Settle,
    receipt: Receipt,
    stop: Stop,
}

/// The same of several messages of one receive.
struct Several {
    queue: Arc<FakeQueue>,
    settle: Settle,
    receipts: Vec<Receipt>,
    stop: Stop,
}

fn flow(stop: &Stop) -> Flow {
    Flow {
        clock: Arc::new(FakeClock::default()),
        stop: stop.clone(),
        signals: Signals::default(),
        retry: defaults().retry,
    }
}

/// Receives one message: see [`several`].
async fn one(late: Duration, receive_count: u32) -> One {
    let Several { queue, settle, mut receipts, stop } = several(1, late, receive_count).await;
    One { queue, settle, receipt: receipts.remove(0), stop }
}

/// Receives messages, of which this is the receive `receive_count`, from a queue that acts on
/// extensions `late`, and gives them 20.1 s later, when their first extension has just been sent.
async fn several(number: usize, late: Duration, receive_count: u32) -> Several {
    several_apart(number, Duration::ZERO, late, receive_count).await
}

/// The same of messages that are received one by one, so far `apart`.
async fn several_apart(
    number: usize,
    apart: Duration,
    late: Duration,
    receive_count: u32,
) -> Several {
    let queue = queue();
    let receive_count = receive_count - 1;
    for name in 0..number {
        let message = fakes::message(&name.to_string(), "");
        queue.send_message(QueueMessage { receive_count, ..message });
    }
    queue.hide_late(late);
    let (queue, stop, held) = (Arc::new(queue), Stop::default(), Held::default());
    let (settle, settlements) = Settle::new(VISIBILITY_TIMEOUT);
    let context =
        SettleContext { queue: Arc::clone(&queue), traits: queue_traits(), flow: flow(&stop) };
    tokio::spawn(settle::run(context, settlements));
    let extending =
        visibility::run(Arc::clone(&queue), held.clone(), VISIBILITY_TIMEOUT, flow(&stop));
    tokio::spawn(extending);
    let (began, mut receipts) = (Instant::now(), Vec::new());
    for _ in 0..number {
        let messages = queue.receive(1, Duration::ZERO, None).await.expect("it is well");
        let now = Instant::now();
        let due = visibility::due(now, VISIBILITY_TIMEOUT);
        for message in messages {
            let permit = Budget::new(1, 1, 0).acquire(1, 0).await;
            receipts.push(Receipt::new(message, now, due, permit, &held));
        }
        sleep(apart).await;
    }
    sleep_until(began + Duration::from_millis(20_100)).await;
    assert_eq!(queue.hiding_calls(), 1, "an extension is in flight");
    Several { queue, settle, receipts, stop }
}

async fn seconds(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_release_waits_for_the_extension_in_flight_and_is_the_last_word() {
    let One { queue, settle, receipt, .. } = one(Duration::from_secs(1), 1).await;
    settle.release(receipt);
    seconds(0.5).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (1, 0), "it waits");
    seconds(0.5).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (2, 1));
    seconds(60.0).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (2, 1), "nothing touches it any more");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_an_extension_undid_is_sent_once_more() {
    let One { queue, settle, receipt, .. } = one(Duration::from_secs(4), 1).await;
    settle.release(receipt);
    seconds(1.9).await;
    assert_eq!(queue.visible(), 0, "it waits");
    seconds(0.2).await;
    assert_eq!(queue.visible(), 1, "it waited for two seconds");
    seconds(1.9).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (3, 1), "hidden, and given back again");
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_whose_release_fails_keeps_no_message_hidden() {
    let Several { queue, settle, receipts, .. } = several(2, Duration::from_secs(4), 1).await;
    queue.refuse_release("1", 7);
    for receipt in receipts {
        settle.release(receipt);
    }
    seconds(2.05).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (2, 1), "they go back by one call");
    seconds(2.0).await;
    assert_eq!(queue.visible(), 1, "hidden by its extension, and given back again");
    let tries = queue.hiding_calls();
    seconds(60.0).await;
    assert!(queue.hiding_calls() > tries, "the neighbour was still asked for");
    assert_eq!(queue.visible(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_keeps_no_message_hidden_that_it_is_not_about() {
    // Far enough apart that the first extension is about one alone.
    let (apart, late) = (Duration::from_millis(6_500), Duration::from_secs(10));
    let Several { queue, settle, receipts, .. } = several_apart(2, apart, late, 1).await;
    seconds(3.9).await;
    assert_eq!(queue.hiding_calls(), 2, "the first was given up, the second is about both");
    for receipt in receipts {
        settle.release(receipt);
    }
    seconds(2.1).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (3, 2), "they waited for two seconds");
    queue.hang_release("0", Duration::from_secs(20));
    seconds(4.4).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (4, 1), "one is hidden, its call hangs");
    seconds(3.5).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (5, 1), "the other is given back alone");
    seconds(20.0).await;
    assert_eq!(queue.visible(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_extensions_that_were_overtaken_are_undone_by_one_call() {
    let One { queue, settle, receipt, .. } = one(Duration::from_secs(10), 1).await;
    // The extender gives the first one up after 3 s, and asks once more half a second later. The
    // queue acts on both at once.
    queue.hide_late(Duration::from_millis(6_500));
    seconds(4.0).await;
    assert_eq!(queue.hiding_calls(), 2, "two extensions are in flight");
    settle.release(receipt);
    seconds(4.0).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (3, 1), "it waited for two seconds");
    seconds(60.0).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (4, 1), "given back again, once");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_in_the_queue_does_not_come_back_early_for_an_extension() {
    let One { queue, settle, receipt, .. } = one(Duration::from_secs(4), 6).await;
    settle.leave(receipt);
    seconds(890.0).await;
    assert_eq!((queue.hiding_calls(), queue.visible()), (3, 0), "left for a quarter of an hour");
    seconds(15.0).await;
    assert_eq!(queue.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delete_waits_for_no_extension() {
    let One { queue, settle, receipt, .. } = one(Duration::from_secs(4), 1).await;
    settle.delete(receipt, Ending::Written);
    seconds(1.1).await;
    assert!(queue.remaining().is_empty(), "it lingers for others, not for the extension");
}

#[tokio::test(start_paused = true)]
async fn a_release_waits_for_no_extension_once_the_worker_lets_go() {
    let One { queue, settle, receipt, stop } = one(Duration::from_secs(4), 1).await;
    settle.release(receipt);
    seconds(0.1).await;
    assert_eq!(queue.visible(), 0, "it waits");
    stop.let_go();
    seconds(0.1).await;
    assert_eq!(queue.visible(), 1);
}

/// Comparisons in the schedule of so many messages while the queue refuses every extension.
async fn compared_while_refused(messages: usize) -> usize {
    let (queue, held) = (Arc::new(queue()), Held::default());
    queue.refuse_hiding(true);
    let now = Instant::now();
    for number in 0..messages {
        let received_at = now + Duration::from_millis((number / 10) as u64);
        let due = visibility::due(received_at, VISIBILITY_TIMEOUT);
        let _ = held.enter("r".into(), received_at, due);
    }
    COMPARED.set(0);
    let extending = visibility::run(
        Arc::clone(&queue),
        held.clone(),
        VISIBILITY_TIMEOUT,
        flow(&Stop::default()),
    );
    assert!(tokio::time::timeout(Duration::from_secs(40), extending).await.is_err());
    assert!(queue.hiding_calls() > 8, "it is asked again and again");
    COMPARED.get()
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_refuses_a_hundred_thousand_extensions_costs_no_more_for_each_than_for_few() {
    let mut each = compared_while_refused(500).await / 500;
    // The first step alone shows what grows with the square, in seconds.
    for messages in [5_000, 100_000] {
        let more = compared_while_refused(messages).await / messages;
        assert!(more < 2 * each, "{more} comparisons for each of {messages}, {each} before");
        each = more;
    }
}
