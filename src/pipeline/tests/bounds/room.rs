//! Answers that turn out larger than what was reserved for them.

use super::*;
use crate::gauges::OldestAge;

/// Room for two of the largest answers and a little more, of a queue that tells the size of each; and
/// a backlog: small messages, of which receives learn to reserve little, and large ones behind them.
fn start_with_little_reserved() -> World {
    let queue = queue();
    queue.tell_size();
    for id in 0..100 {
        queue.send(&format!("small{id}"), &event(id));
    }
    for id in 100..200 {
        queue.send(&format!("large{id}"), &large(id, MESSAGE_MAX));
    }
    let traits = QueueTraits { message_bytes_max: MESSAGE_MAX, ..queue_traits() };
    World::start_as(queue, traits, two_answers)
}

fn two_answers(config: &mut Config) {
    tight(config, 2 * BATCH_MAX);
    config.in_flight.messages_max = 1_000;
}

fn two_answers_config() -> Config {
    let mut config = defaults();
    two_answers(&mut config);
    config
}

#[tokio::test(start_paused = true)]
async fn an_answer_larger_than_those_before_waits_for_room_before_it_is_read() {
    let world = start_with_little_reserved();
    world.store.take(Duration::from_secs(2));
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 200);
    let counts = world.end().await;
    assert_bounded(&counts, &two_answers_config());
    assert_eq!((counts.received_unread_total, counts.redelivered_total), (0, 0));
    let reserved_at_worst = Shares::of_answer(BATCH_MAX, MESSAGE_MAX) as u64;
    assert!(counts.in_flight_bytes_peak > reserved_at_worst, "several were read beside each other");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_finds_no_room_in_time_goes_back_unread() {
    let world = start_with_little_reserved();
    world.store.take(Duration::from_secs(25));
    world.until(|world| world.counts().received_unread_total > 0).await;
    let OldestAge { age, .. } = world.signals.gauges().receives.oldest_age(None);
    assert!(age < Duration::from_hours(1), "what is not read says nothing of its age: {age:?}");
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 200);
    let counts = world.end().await;
    assert_bounded(&counts, &two_answers_config());
    assert_eq!(counts.released_total, counts.received_unread_total, "and nothing else");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_goes_back_unread_when_the_gate_closes() {
    let world = start_with_little_reserved();
    world.store.fall_sick(unavailable);
    world.until(|world| world.counts().received_unread_total > 0).await;
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 200);
    let counts = world.end().await;
    assert_bounded(&counts, &two_answers_config());
}

#[tokio::test(start_paused = true)]
async fn in_a_small_budget_an_answer_that_went_back_is_not_asked_for_with_too_little_at_once() {
    let queue = queue();
    queue.tell_size_times(2);
    let traits = QueueTraits { message_bytes_max: MESSAGE_MAX, ..queue_traits() };
    let world = World::start_as(queue, traits, |config| {
        tight(config, 4);
        config.in_flight.messages_max = 6;
    });
    world.store.take(Duration::from_secs(50));
    world.queue.send("first", &large(0, MESSAGE_MAX));
    world.until(|world| world.counts().received_total > 0).await;
    for id in 1..=3 {
        world.queue.send(&format!("large{id}"), &large(id, MESSAGE_MAX));
    }
    let unread = async |seconds| {
        sleep(Duration::from_secs(seconds)).await;
        world.counts().received_unread_total
    };
    assert_eq!(unread(20).await, 3, "and then a receive waits until there is room for them");
    assert_eq!(unread(26).await, 6, "or until the gate would have closed");
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 4);
    assert_eq!(world.end().await.received_unread_total, 6);
}
