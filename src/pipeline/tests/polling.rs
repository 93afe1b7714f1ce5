//! How many receives are in progress, whatever this machine's wall clock says.

use super::*;

/// How far a wall clock is ahead, in milliseconds: right, a second and some, minutes, hours.
const AHEAD_MS: [i64; 7] =
    [0, 1_500, -1_500, 5 * 60_000, -5 * 60_000, 12 * 3_600_000, -12 * 3_600_000];

fn start(ahead_ms: i64, queue: FakeQueue) -> World {
    World::start_by(FakeClock::ahead_by_ms(ahead_ms), queue, queue_traits(), |_| {})
}

/// Sends a message as of now.
fn send(world: &World, started: Instant, id: usize) {
    let sent_ms = fakes::EPOCH_MS + crate::time::millis(started.elapsed());
    world
        .queue
        .send_message(QueueMessage { sent_ms, ..fakes::message(&format!("m{id}"), &event(id)) });
}

#[tokio::test(start_paused = true)]
async fn a_trickle_costs_one_long_poll_whatever_the_wall_clock_says() {
    for ahead_ms in AHEAD_MS {
        let (world, started) = (start(ahead_ms, queue()), Instant::now());
        let mut most = 0;
        for id in 0..100 {
            send(&world, started, id);
            sleep(Duration::from_millis(700)).await;
            most = most.max(world.signals.gauges().pollers.get());
        }
        assert_eq!(most, 1, "receives in progress with a clock that is {ahead_ms} ms ahead");
        world.end().await;
    }
}

/// A world and its start, with an empty queue and as many receives as 400 messages made.
async fn after_a_backlog() -> (World, Instant) {
    let queue = queue();
    (0..400).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let (world, started) = (start(0, queue), Instant::now());
    world.until(|world| world.signals.gauges().pollers.get() > 3).await;
    world.until(|world| world.queue.remaining().is_empty()).await;
    (world, started)
}

/// What a worker receives costs money by the request.
#[tokio::test(start_paused = true)]
async fn after_a_backlog_a_trickle_goes_back_to_one_receive_that_brings_several() {
    let (world, started) = after_a_backlog().await;
    // None of them is ever empty.
    for id in 400..1_000 {
        send(&world, started, id);
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.signals.gauges().pollers.get(), 1, "receives in progress");
    world.end().await;
}

/// A queue gives the first message of a batch to a receive that waits for it, and the rest to the next one.
#[tokio::test(start_paused = true)]
async fn batches_with_pauses_between_them_are_no_backlog() {
    let (world, started) = after_a_backlog().await;
    for batch in 40..200 {
        send(&world, started, 10 * batch);
        sleep(Duration::from_millis(1)).await;
        (1..10).for_each(|index| send(&world, started, 10 * batch + index));
        sleep(Duration::from_millis(60)).await;
    }
    assert_eq!(world.signals.gauges().pollers.get(), 1, "receives in progress");
    world.end().await;
}

/// A queue that gives a few although it has more is asked by many.
#[tokio::test(start_paused = true)]
async fn where_few_messages_come_that_have_waited_no_receive_ends() {
    let (world, started) = after_a_backlog().await;
    let before = world.signals.gauges().pollers.get();
    for id in 400..500 {
        let sent_ms = fakes::EPOCH_MS + crate::time::millis(started.elapsed()) - 500;
        world.queue.send_message(QueueMessage {
            sent_ms,
            ..fakes::message(&format!("m{id}"), &event(id))
        });
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.signals.gauges().pollers.get(), before, "receives in progress");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_starts_more_receives_whatever_the_wall_clock_says() {
    for ahead_ms in AHEAD_MS {
        let queue = queue();
        (0..400).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
        let world = start(ahead_ms, queue);
        world.store.take(Duration::from_secs(1));
        world.until(|world| world.signals.gauges().pollers.get() > 3).await;
        world.until(|world| world.queue.remaining().is_empty()).await;
        world.end().await;
    }
}
