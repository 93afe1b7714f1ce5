//! Whose fault it is where the store does not say, and what the others are spared.

use super::doubts::key;
use super::others::{no_answer, writes};
use super::*;

fn fault(kind: StoreFaultKind, text: &str) -> WriteOutcome {
    WriteOutcome::Unconfirmed(StoreFault { kind, text: text.to_owned() })
}

/// Lets what is sent at once come in one batch.
fn lingering(config: &mut Config) {
    config.batch.linger = Duration::from_secs(2);
}

/// So many events, that come in one batch.
fn crowd(events: usize) -> World {
    let queue = queue();
    (0..events).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    World::start(queue, lingering)
}

/// The same, and the store's answer to the batch leaves each of them in doubt.
fn doubted(events: usize) -> World {
    let world = crowd(events);
    world.store.then(|writes| {
        let items = vec![ItemOutcome::Doubtful(rejection()); writes.len()];
        WriteOutcome::Answered { items, stale: 0 }
    });
    world
}

/// How often a message was received that is still in the queue.
fn receives(world: &World, id: &str) -> Option<u32> {
    world.queue.remaining().into_iter().find(|(name, _)| name == id).map(|(_, receives)| receives)
}

#[tokio::test(start_paused = true)]
async fn an_item_that_alone_of_its_batch_is_never_confirmed_keeps_nobody_waiting() {
    let world = crowd(3);
    world.store.answer(key(0), ItemOutcome::Unconfirmed("a conflict".to_owned()));
    world.until(|world| world.store.documents("events").len() == 2).await;
    let sent = Instant::now();
    world.queue.send("good", &event(100));
    world.until(|world| world.store.documents("events").contains_key(&key(100))).await;
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    world.until(|world| world.counts().released_total == 1).await;
    assert_eq!(receives(&world, "m0"), Some(1), "it is the one that was left");
    assert_eq!(world.counts().gate_closed_total, 0, "it is not the store's fault");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_item_for_which_whole_commands_are_refused_is_found_at_once() {
    let world = crowd(64);
    let refused = || fault(StoreFaultKind::Refused, "22 (InvalidBSON)");
    world.store.fail_on([key(0)], refused);
    // By itself it leaves open whose fault it is.
    world.store.answer(key(0), ItemOutcome::Doubtful(rejection()));
    let started = Instant::now();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert!(started.elapsed() < defaults().retry.budget, "{:?}", started.elapsed());
    let counts = world.end().await;
    assert_eq!((counts.gate_closed_total, counts.redelivered_total), (0, 0));
    assert_eq!(counts.dead_lettered.get(&Reason::StoreRejected), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn looking_for_the_item_that_takes_too_long_gives_nothing_back() {
    let world = crowd(64);
    // A server gives up after its `maxTimeMS`, so the retry budget is spent before the item is found.
    world.store.take(Duration::from_secs(10));
    world.store.fail_on([key(0)], || fault(StoreFaultKind::TimedOut, "50 (MaxTimeMSExpired)"));
    world.until(|world| world.store.documents("events").len() == 63).await;
    world.store.break_on([]);
    world.until(|world| world.queue.remaining().is_empty()).await;
    let counts = world.end().await;
    assert_eq!((counts.gate_closed_total, counts.redelivered_total), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_brings_the_server_down_each_time_does_not_stop_the_worker_for_hours() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    // Until the set has elected another primary.
    world.store.crash_on(key(0), Duration::from_secs(5));
    world.until(|world| world.counts().gate_closed_total == 1).await;
    world.queue.send("good", &event(100));
    world.until(|world| world.store.documents("events").contains_key(&key(100))).await;
    assert!(world.end().await.dead_lettered.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_brings_the_server_down_each_time_is_looked_for_after_the_rest_of_its_batch() {
    let (world, started) = (crowd(64), Instant::now());
    // The search takes longer than three minutes.
    world.store.crash_on(key(0), Duration::from_secs(10));
    world.until(|world| world.store.documents("events").len() >= 32).await;
    let took = started.elapsed();
    assert!(took < Duration::from_mins(2), "the half without it waits for the search: {took:?}");
    world.until(|world| world.store.documents("events").len() == 63).await;
    assert!(world.end().await.dead_lettered.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_had_no_answer_before_is_not_sent_again_before_the_server_takes_a_write() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.fail_on([key(0)], no_answer);
    world.until(|world| world.counts().released_total == 1).await;
    let tries = writes(&world, "events");
    world.store.fall_sick(no_answer);
    world.until(|world| world.counts().released_total == 2).await;
    assert_eq!(receives(&world, "odd"), Some(2), "it came back");
    assert_eq!(writes(&world, "events"), tries, "each try would be one more to be busy with");
    world.store.heal();
    world.store.break_on([]);
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_had_no_answer_before_does_not_take_its_turn_from_another_that_is_in_doubt() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, lingering);
    world.store.fail_on([key(0)], no_answer);
    world.until(|world| receives(world, "odd") == Some(2)).await;
    // One try takes all of the time there is.
    world.store.take(defaults().retry.budget);
    world.store.then(|writes| {
        assert_eq!(writes.len(), 1, "the other one is tried alone from the start");
        WriteOutcome::Answered { items: vec![ItemOutcome::Doubtful(rejection())], stale: 0 }
    });
    world.queue.send("good", &event(100));
    world.until(|world| world.store.documents("events").contains_key(&key(100))).await;
    assert_eq!(world.counts().redelivered_total, 1, "the odd one alone came twice");
    world.store.break_on([]);
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

fn no_primary() -> WriteOutcome {
    fault(StoreFaultKind::Unavailable, "no primary")
}

#[tokio::test(start_paused = true)]
async fn a_sick_store_is_not_asked_for_each_message_that_is_in_doubt() {
    let world = doubted(64);
    world.until(|world| writes(world, "events") == 1).await;
    world.store.fall_sick(no_primary);
    tokio::time::sleep(defaults().retry.budget / 2).await;
    let tries = writes(&world, "events");
    assert!((2..32).contains(&tries), "one try a round, with growing pauses between: {tries}");
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.end().await.redelivered_total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_sick_part_of_the_store_keeps_does_not_keep_others_from_their_turn() {
    let world = doubted(3);
    world.store.fail_on([key(0)], no_primary);
    let others = |world: &World| world.store.documents("events").len() == 2;
    world.until(others).await;
    assert_eq!(world.counts().released_total, 0, "within their first budget");
    world.store.break_on([]);
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.end().await.redelivered_total, 0);
}

#[tokio::test(start_paused = true)]
async fn the_search_for_an_item_ends_though_a_sick_part_of_the_store_keeps_another() {
    let (world, started) = (crowd(64), Instant::now());
    world.store.crash_on(key(0), Duration::ZERO);
    // It is in the half in which the other one is not, and is refused for the store's sake.
    world.store.fail_on([key(63)], no_primary);
    world.until(|world| world.store.documents("events").len() == 62).await;
    let took = started.elapsed();
    assert!(took < Duration::from_mins(15), "then each of the half is tried alone: {took:?}");
    world.end().await;
}
