//! What the store answers for in a way that does not tell whose fault it is, and items that are in
//! the way of others.

use super::others::assert_left;
use super::*;

fn doubtful() -> WriteOutcome {
    WriteOutcome::Answered { items: vec![ItemOutcome::Doubtful(rejection())], stale: 0 }
}

pub fn denied() -> WriteOutcome {
    WriteOutcome::Unconfirmed(StoreFault {
        kind: StoreFaultKind::Collection,
        text: "not authorised".to_owned(),
    })
}

pub fn key(id: usize) -> Key {
    Key::Text(format!("e{id}"))
}

#[tokio::test(start_paused = true)]
async fn a_doubted_message_does_not_hold_up_its_lane() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.answer(Key::Text("e0".to_owned()), ItemOutcome::Doubtful(rejection()));
    world.until(|world| !world.store.batches().is_empty()).await;
    world.queue.send("good", &event(1));
    let sent = Instant::now();
    world.until(|world| world.store.documents("events").len() == 1).await;
    assert!(
        sent.elapsed() < Duration::from_secs(1),
        "a neighbour of the same collection waits for nobody"
    );
    world.until(|world| world.queue.remaining().is_empty()).await;
    let counts = world.end().await;
    assert_eq!(
        (counts.dead_lettered.get(&Reason::StoreRejected), counts.redelivered_total),
        (Some(&1), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_doubted_join_is_taken_apart_before_anything_of_it_is_dead_lettered() {
    let queue = queue();
    (0..5).for_each(|second| queue.send(&format!("m{second}"), &session("s", second)));
    let world = World::start(queue, |_| {});
    world.store.answer(Key::Text("s".to_owned()), ItemOutcome::Doubtful(rejection()));
    let mut good = 0;
    while world.counts().dead_lettered.get(&Reason::StoreRejected) < Some(&5) {
        assert!(good < 100, "what is written meanwhile tells: {:?}", world.counts());
        world.queue.send(&format!("good{good}"), &event(good));
        good += 1;
        sleep(Duration::from_secs(1)).await;
    }
    world.until(|world| world.queue.remaining().is_empty()).await;
    let tries =
        world.store.batches().iter().filter(|(collection, _)| collection == "sessions").count();
    assert!(tries >= 7, "the join, the join alone, and each of its five parts: {tries}");
    let counts = world.end().await;
    assert_eq!(counts.dead_lettered.get(&Reason::StoreRejected), Some(&5));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_never_confirmed_does_not_stop_the_worker_for_hours() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world
        .store
        .answer(Key::Text("e0".to_owned()), ItemOutcome::Unconfirmed("a conflict".to_owned()));
    world.until(|world| world.counts().gate_closed_total == 1).await;
    world.queue.send("good", &event(1));
    world.until(|world| world.store.documents("events").len() == 1).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_its_own_collection_refuses_is_told_and_stays_in_the_queue() {
    let queue = queue();
    queue.send("bad", "no JSON");
    let world = World::start(queue, |_| {});
    let refused =
        || WriteOutcome::Answered { items: vec![ItemOutcome::Rejected(rejection())], stale: 0 };
    world.store.answer_for("dead_letters", Some(refused));
    world.until(|world| world.counts().writes_failed_total == 1).await;
    assert!(!world.queue.remaining().is_empty());
    let story = world.signals.recent().story();
    assert!(story.errors.iter().any(|error| error.what == "dead letter refused"), "{story:?}");
    assert!(story.writes_fail.contains_key("dead_letters"), "{story:?}");
    world.allow("dead_letters").await;
    assert_eq!(world.end().await.dead_lettered.get(&Reason::BadJson), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn dead_letters_that_are_denied_for_long_take_nobodys_place() {
    let queue = queue();
    (0..20).for_each(|number| queue.send(&format!("bad{number}"), "{"));
    // Room for so few that what waits for its dead letter is in the way of others.
    let world = World::start(queue, |config| config.in_flight.messages_max = 10);
    world.store.answer_for("dead_letters", Some(denied));
    world.until(|world| world.counts().released_total >= 20).await;
    let tries = || {
        world.store.batches().iter().filter(|(collection, _)| collection == "dead_letters").count()
    };
    let (first, sent) = (tries(), Instant::now());
    world.queue.send("bad", "{");
    world.queue.send("good", &event(1));
    world
        .until(|world| {
            let is_written = world.store.documents("events").len() == 1;
            world.counts().released_total >= 21 && is_written && tries() > first
        })
        .await;
    assert!(sent.elapsed() < defaults().retry.budget / 2, "it is tried once: {:?}", sent.elapsed());
    assert!(first > 1, "{first} tries");
    world.allow("dead_letters").await;
    assert_eq!(world.end().await.dead_lettered.get(&Reason::BadJson), Some(&21));
}

#[tokio::test(start_paused = true)]
async fn one_doubted_message_on_a_quiet_queue_does_not_close_the_gate() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.fall_sick(|| WriteOutcome::Answered {
        items: vec![ItemOutcome::Doubtful(rejection())],
        stale: 0,
    });
    world.until(|world| world.counts().released_total == 1).await;
    assert_eq!(world.counts().gate_closed_total, 0);
    assert_left(&world, "events", "document failed validation; they were written one by one");
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_is_counted_also_beside_what_is_not_confirmed() {
    let queue = queue();
    queue.send("again", &event(0));
    queue.send("new", &event(1));
    let world = World::start(queue, |config| config.batch.linger = Duration::from_secs(2));
    world.store.fall_sick(unavailable);
    world.until(|world| !world.signals.recent().story().writes_fail.is_empty()).await;
    // A store that cannot write answers where nothing is to be changed.
    world.store.then(|writes| {
        assert_eq!(writes.len(), 2);
        let unconfirmed = ItemOutcome::Unconfirmed("no primary".to_owned());
        WriteOutcome::Answered { items: vec![ItemOutcome::AlreadyThere, unconfirmed], stale: 0 }
    });
    world.until(|world| world.counts().deleted_total == 1).await;
    let counts = world.counts();
    assert_eq!((counts.already_there_total, counts.batches_written_total), (1, 1));
    let story = world.signals.recent().story();
    assert!(story.writes_fail.contains_key("events"), "that is no write: {story:?}");
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_written_alone_is_counted_as_any_other_write() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.then(|_| WriteOutcome::Answered {
        items: vec![ItemOutcome::Doubtful(rejection())],
        stale: 0,
    });
    world.until(|world| world.queue.remaining().is_empty()).await;
    let counts = world.end().await;
    assert_eq!(
        (counts.batches_written_total, counts.written_total, counts.deleted_total),
        (1, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn two_troubles_of_the_store_are_no_fault_of_a_message_that_met_both() {
    let queue = queue();
    queue.send("unlucky", &event(0));
    let world = World::start(queue, |_| {});
    for trouble in 1..=2 {
        world.store.answer_for("events", Some(doubtful));
        world.until(|world| world.counts().released_total == trouble).await;
        world.store.answer_for("events", None);
        // Others are confirmed in between, while it is hidden.
        let good = 100 + usize::try_from(trouble).expect("small");
        world.queue.send(&format!("good{trouble}"), &event(good));
        world.until(|world| world.store.documents("events").contains_key(&key(good))).await;
    }
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert!(world.store.documents("events").contains_key(&key(0)));
    assert!(world.end().await.dead_lettered.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_doubted_whenever_it_comes_is_dead_lettered_on_a_slow_queue_too() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.answer(key(0), ItemOutcome::Doubtful(rejection()));
    for hold in 1..=2 {
        world.until(|world| world.counts().released_total == hold).await;
        // Written while the odd one is hidden: of one hold alone nothing tells.
        world
            .queue
            .send(&format!("good{hold}"), &event(usize::try_from(hold).expect("small") + 100));
        world.until(|world| world.queue.remaining().len() == 1).await;
    }
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.end().await.dead_lettered.get(&Reason::StoreRejected), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn dead_letters_that_may_not_be_written_stay_in_the_queue_and_stop_nothing_else() {
    let queue = queue();
    queue.send("poison", "{");
    let world = World::start(queue, |_| {});
    world.store.answer_for("dead_letters", Some(denied));
    world.until(|world| world.counts().released_total == 2).await;
    assert_eq!(world.counts().gate_closed_total, 0);
    world.queue.send("good", &event(1));
    world.until(|world| world.store.documents("events").len() == 1).await;
    world.allow("dead_letters").await;
    assert_eq!(world.end().await.dead_lettered.get(&Reason::BadJson), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_doubted_message_goes_back_while_its_batch_probes_a_sick_store() {
    let queue = queue();
    queue.send("odd", &event(0));
    queue.send("good", &event(1));
    let world = World::start(queue, |_| {});
    world.store.then(|writes| {
        assert_eq!(writes.len(), 2);
        let conflict = ItemOutcome::Unconfirmed("a conflict".to_owned());
        WriteOutcome::Answered {
            items: vec![ItemOutcome::Doubtful(rejection()), conflict],
            stale: 0,
        }
    });
    world.store.fall_sick(|| {
        WriteOutcome::Unconfirmed(StoreFault {
            kind: StoreFaultKind::Unavailable,
            text: "no primary".to_owned(),
        })
    });
    world.until(|world| world.counts().released_total == 1).await;
    assert_eq!(world.counts().gate_closed_total, 1);
    assert!(world.store.documents("events").is_empty());
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.end().await.dead_lettered.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_never_confirmed_do_not_stop_the_worker_for_hours() {
    let queue = queue();
    (0..7).for_each(|id| queue.send(&format!("odd{id}"), &event(id)));
    let world = World::start(queue, |_| {});
    (0..7).for_each(|id| {
        world.store.answer(key(id), ItemOutcome::Unconfirmed("a conflict".to_owned()));
    });
    world.until(|world| world.counts().gate_closed_total == 1).await;
    world.queue.send("good", &event(100));
    world.until(|world| world.store.documents("events").len() == 1).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_under_which_the_connection_always_breaks_does_not_stop_the_worker_for_hours() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.break_on([key(0)]);
    world.until(|world| world.counts().gate_closed_total == 1).await;
    world.queue.send("good", &event(100));
    world.until(|world| world.store.documents("events").len() == 1).await;
    assert!(world.end().await.dead_lettered.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_in_the_way_once_is_not_so_again() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.break_on([key(0)]);
    world.until(|world| world.counts().released_total == 5).await;
    let counts = world.end().await;
    assert_eq!(
        (counts.gate_closed_total, counts.dead_lettered.len()),
        (1, 0),
        "it came back four times, and was tried alone"
    );
}

#[tokio::test(start_paused = true)]
async fn once_items_were_found_in_the_way_others_of_their_kind_are_for_the_retry_budget_alone() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.break_on([key(0)]);
    world.until(|world| world.counts().released_total == 1).await;
    world.store.break_on([key(1)]);
    let failed = world.counts().writes_failed_total;
    world.queue.send("odd too", &event(1));
    world.until(|world| world.counts().writes_failed_total > failed).await;
    let sent = Instant::now();
    world.queue.send("good", &event(100));
    world.until(|world| world.store.documents("events").contains_key(&key(100))).await;
    assert!(sent.elapsed() < Duration::from_mins(1), "not for ten minutes: {:?}", sent.elapsed());
    assert_eq!(world.end().await.gate_closed_total, 1, "the store was asked first");
}

#[tokio::test(start_paused = true)]
async fn looking_for_the_item_that_breaks_connections_gives_nothing_back() {
    let queue = queue();
    (0..64).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |config| config.retry.budget = Duration::from_secs(1));
    world.store.break_on([key(0)]);
    world.store.answer(key(0), ItemOutcome::Rejected(rejection()));
    world.until(|world| world.queue.remaining().is_empty()).await;
    let written = world.store.documents("events").len();
    let counts = world.end().await;
    assert_eq!((counts.redelivered_total, counts.gate_closed_total), (0, 0));
    assert_eq!((written, counts.dead_lettered.get(&Reason::StoreRejected)), (63, Some(&1)));
}

#[tokio::test(start_paused = true)]
async fn several_items_that_break_connections_close_the_gate_once() {
    let queue = queue();
    (0..64).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |config| {
        config.retry.budget = Duration::from_secs(1);
        config.batch.linger = Duration::from_secs(1);
    });
    world.store.break_on((0..64).step_by(9).map(key));
    world.until(|world| world.store.documents("events").len() == 56).await;
    assert_eq!(
        (world.counts().gate_closed_total, world.counts().released_total),
        (0, 0),
        "all are written that can be"
    );
    world.until(|world| world.counts().released_total == 8).await;
    assert_eq!(world.end().await.gate_closed_total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_trouble_that_passes_in_a_moment_is_nobodys_fault() {
    let queue = queue();
    (0..2).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |_| {});
    // A part of the store takes nothing for a moment, in which the rest confirms what it is asked
    // for.
    world.store.answer(key(0), ItemOutcome::Doubtful(rejection()));
    let met = Instant::now();
    while met.elapsed() < Duration::from_secs(3) {
        world.queue.send("good", &event(100 + world.store.batches().len()));
        sleep(Duration::from_millis(100)).await;
    }
    world.store.forget_answers();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert!(world.store.documents("events").contains_key(&key(0)));
    assert!(world.end().await.dead_lettered.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_left_again_and_again_is_left_for_longer_each_time() {
    let queue = queue();
    queue.send("poison", "{");
    let world = World::start(queue, |_| {});
    world.store.answer_for("dead_letters", Some(denied));
    let began = Instant::now();
    world.until(|world| world.counts().released_total == 7).await;
    assert!(began.elapsed() > Duration::from_mins(30), "seven receives in {:?}", began.elapsed());
    world.allow("dead_letters").await;
    assert_eq!(world.end().await.dead_lettered.get(&Reason::BadJson), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_loses_every_connection_for_an_hour_keeps_the_gate_closed() {
    let queue = queue();
    queue.send("m", &event(0));
    let world = World::start(queue, |_| {});
    world.store.fall_sick(connection_lost);
    sleep(Duration::from_hours(1)).await;
    assert_eq!(
        (world.counts().received_total, world.counts().gate_closed_total),
        (1, 1),
        "no receive is burned"
    );
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn where_few_may_be_held_one_in_doubt_leaves_room_for_others() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |config| config.in_flight.messages_max = 10);
    world.store.answer(key(0), ItemOutcome::Doubtful(rejection()));
    world.until(|world| !world.store.batches().is_empty()).await;
    let sent = Instant::now();
    (1..20).for_each(|id| world.queue.send(&format!("m{id}"), &event(id)));
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert!(sent.elapsed() < Duration::from_secs(15), "others are received meanwhile, and tell");
    assert_eq!(world.end().await.dead_lettered.get(&Reason::StoreRejected), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_doubt_is_given_back_when_the_store_falls_sick() {
    let queue = queue();
    queue.send("m", &event(0));
    let world = World::start(queue, |config| config.queue.wait = Duration::from_secs(1));
    world.store.answer_for("events", Some(unavailable));
    sleep(Duration::from_secs(20)).await;
    world.queue.send("odd", &session("s", 0));
    world.store.answer(Key::Text("s".to_owned()), ItemOutcome::Doubtful(rejection()));
    world.until(|world| world.counts().gate_closed_total == 1).await;
    assert_eq!(world.counts().released_total, 0, "it is still tried");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (world.held.len(), world.queue.visible()),
        (1, 1),
        "the probe alone is held, the other may be had elsewhere"
    );
    world.store.answer_for("events", None);
    world.until(|world| world.store.documents("events").len() == 1).await;
    world.end().await;
}
