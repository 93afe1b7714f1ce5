//! Many messages that are rejected, beside few good ones.

use super::doubts::{denied, key};
use super::*;
use crate::held::Stage;

/// `bad` messages that are rejected, a good one after every tenth.
fn flooded(bad: usize) -> FakeQueue {
    let queue = queue();
    for id in 0..bad {
        queue.send(&format!("bad{id}"), r#"{"type":"event","user_id":1}"#);
        if id % 10 == 9 {
            queue.send(&format!("good{id}"), &event(id));
        }
    }
    queue
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_rejected_messages_slows_nothing_down_and_is_told_until_it_is_over() {
    let world = World::start(flooded(3_000), |_| {});
    let started = Instant::now();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    assert_eq!(world.store.documents("events").len(), 300);
    let flood = world.signals.gauges().flood().expect("it is told");
    assert_eq!((flood.reason, flood.route.as_deref()), ("missing_field", Some("event")));
    // Whoever looks at an empty queue is not to be told of a flood for ever.
    sleep(Duration::from_mins(2)).await;
    assert_eq!(world.signals.gauges().flood(), None);
    let counts = world.end().await;
    assert_eq!(counts.floods.get(&Reason::MissingField), Some(&1));
    assert_eq!(counts.dead_lettered.get(&Reason::MissingField), Some(&3_000));
}

#[tokio::test(start_paused = true)]
async fn rejected_messages_that_cannot_be_kept_hold_half_of_the_room_and_good_ones_go_on() {
    let world = World::start(flooded(600), |config| config.in_flight.messages_max = 100);
    world.store.answer_for("dead_letters", Some(denied));
    world
        .until(|world| {
            let waiting = world.held.by_stage().find(|(stage, _)| *stage == Stage::DeadLetter);
            let waiting = waiting.map_or(0, |(_, count)| count);
            assert!(waiting <= 50, "{waiting} of 100 wait for their dead letters");
            world.store.documents("events").len() == 60
        })
        .await;
    let counts = world.counts();
    assert!(counts.rejected_left_total >= 500, "{} stay in the queue", counts.rejected_left_total);
    assert_eq!((counts.gate_closed_total, counts.dead_lettered_total), (0, 0));
    world.queue.send("good", &event(600));
    world.until(|world| world.store.documents("events").contains_key(&key(600))).await;
    world.allow("dead_letters").await;
    assert_eq!(world.end().await.dead_lettered.get(&Reason::MissingField), Some(&600));
}
