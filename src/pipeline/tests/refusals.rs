//! A queue that refuses some calls for a time, and takes others.

use super::*;

/// Messages that are held meanwhile.
const HELD: usize = 1_000;

#[tokio::test(start_paused = true)]
async fn what_the_queue_does_not_let_delete_stays_hidden_and_is_not_received_again() {
    let queue = queue();
    (0..HELD).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    queue.refuse_deletes(true);
    let world = World::start(queue, |_| {});
    sleep(VISIBILITY_TIMEOUT * 20).await;
    assert_eq!(
        world.queue.remaining().iter().map(|(_, receives)| *receives).max(),
        Some(1),
        "the redrive policy counts receives"
    );
    world.queue.refuse_deletes(false);
    world.until(|world| world.queue.remaining().is_empty()).await;
    let counts = world.end().await;
    assert_eq!((counts.redelivered_total, counts.deletes_abandoned_total), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn receiving_ends_when_all_room_is_taken_by_what_cannot_be_deleted() {
    let queue = queue();
    (0..HELD).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    queue.refuse_deletes(true);
    let world = World::start(queue, |config| config.in_flight.messages_max = 100);
    sleep(VISIBILITY_TIMEOUT * 20).await;
    assert_eq!(world.counts().received_total, 100);
    world.queue.refuse_deletes(false);
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn deletes_that_are_refused_do_not_keep_a_stop_from_giving_back() {
    let queue = queue();
    (0..HELD).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    queue.refuse_deletes(true);
    let world = World::start(queue, |config| config.in_flight.messages_max = 100_000);
    world.until(|world| world.counts().written_total >= HELD as u64).await;
    world.stop.drain();
    world.queue.send("late", &event(HELD));
    world.until(|world| world.counts().released_total >= 1).await;
    assert!(!world.running.is_finished(), "what is written is still being deleted");
    world.stop.let_go();
    let counts = world.end().await;
    assert_eq!(counts.deletes_abandoned_total, HELD as u64);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_refuses_to_hide_longer_is_asked_by_few_calls_with_growing_pauses() {
    let queue = queue();
    (0..HELD).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |_| {});
    world.store.take(VISIBILITY_TIMEOUT * 3);
    world.queue.refuse_hiding(true);
    sleep(VISIBILITY_TIMEOUT).await;
    // A third of the timeout, in which the first pauses take 1.1 s and further ones 1.9 s each;
    // every pause ends with eight calls at most. One call for every ten messages would be 100 twice
    // a second.
    assert!(
        (8..=8 * 8).contains(&world.queue.hiding_calls()),
        "{} calls",
        world.queue.hiding_calls()
    );
    world.queue.refuse_hiding(false);
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert!(world.store.documents("events").len() == HELD);
    world.end().await;
}
