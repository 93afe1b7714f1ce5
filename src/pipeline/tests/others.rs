//! What is wrong with one message, one key or one collection does not stop the others.

use super::doubts::{denied, key};
use super::*;

pub fn no_answer() -> WriteOutcome {
    WriteOutcome::Unconfirmed(StoreFault {
        kind: StoreFaultKind::NoAnswer,
        text: "no reply within 25 s".to_owned(),
    })
}

/// How many writes to this collection were asked for.
pub fn writes(world: &World, collection: &str) -> usize {
    world.store.batches().iter().filter(|(name, _)| name == collection).count()
}

/// That messages were left is told so.
pub fn assert_left(world: &World, collection: &str, told: &str) {
    let story = world.signals.recent().story();
    let text = format!("{collection}: {told}");
    let is_told = story
        .errors
        .iter()
        .any(|error| error.what == "messages left in the queue" && error.text.starts_with(&text));
    assert!(is_told, "{text}: {:?}", story.errors);
}

/// Takes all but an update that holds the state of second 59.
fn takes_all_but_one(writes: &Writes<'_>) -> WriteOutcome {
    let is_bad = |update: &&Update| {
        let crate::version::Change::Whole { version, .. } = &update.change else {
            panic!("a whole state")
        };
        version.time.millis() % 60_000 == 59_000
    };
    let items = match writes {
        Writes::Inserts(inserts) | Writes::Letters(inserts) => {
            vec![ItemOutcome::Written; inserts.len()]
        }
        Writes::Updates(_, updates) => updates
            .iter()
            .map(|update| {
                if is_bad(update) {
                    ItemOutcome::Rejected(rejection())
                } else {
                    ItemOutcome::Written
                }
            })
            .collect(),
    };
    WriteOutcome::Answered { items, stale: 0 }
}

#[tokio::test(start_paused = true)]
async fn one_bad_update_of_a_hot_key_is_found_by_halves() {
    let queue = queue();
    (0..60).for_each(|second| queue.send(&format!("m{second}"), &session("s", second)));
    let world = World::start(queue, |config| config.batch.linger = Duration::from_secs(5));
    (0..200).for_each(|_| world.store.then(takes_all_but_one));
    world.until(|world| world.queue.remaining().is_empty()).await;
    // All at once, then both halves of each that is rejected, of which the newer have 30, 15, 7, 3, 1.
    assert_eq!(writes(&world, "sessions"), 1 + 2 * 5);
    let counts = world.end().await;
    assert_eq!(counts.dead_lettered.get(&Reason::StoreRejected), Some(&1));
    assert_eq!(counts.deleted_total, 60);
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_which_one_item_is_looked_for_leaves_its_writer_to_others() {
    let queue = queue();
    (0..64).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |config| {
        config.batch.writers_max = 1;
        config.batch.linger = Duration::from_secs(2);
    });
    world.store.break_on([key(0)]);
    world.until(|world| writes(world, "events") == 3).await;
    world.queue.send("good", &event(100));
    world.until(|world| world.store.documents("events").contains_key(&key(100))).await;
    let remaining = world.queue.remaining().len();
    assert!(remaining > 16, "the search has not ended: {remaining} of its messages are left");
    world.store.break_on([]);
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

/// An event that takes more than half a megabyte, so that it is large.
fn large(id: usize) -> String {
    let filler = "x".repeat(900 * 1024);
    event(id).replace('}', &format!(r#","filler":"{filler}"}}"#))
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_which_one_item_is_looked_for_leaves_no_writer_to_items_of_another_size() {
    let queue = queue();
    (0..64).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |config| {
        config.batch.writers_max = 1;
        config.batch.linger = Duration::from_secs(2);
    });
    world.store.break_on([key(0)]);
    world.until(|world| writes(world, "events") == 3).await;
    world.store.take_for_large(Duration::from_mins(1));
    (100..108).for_each(|id| world.queue.send(&format!("m{id}"), &large(id)));
    let is_written =
        |world: &World| (100..108).all(|id| world.store.documents("events").contains_key(&key(id)));
    let started = Instant::now();
    world.until(is_written).await;
    // Four in a command.
    let took = started.elapsed();
    assert!(took >= Duration::from_mins(2), "one large write at a time: {took:?}");
    world.store.break_on([]);
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_fills_a_batch_of_one_size_ends_the_linger_of_that_size_alone() {
    let queue = queue();
    queue.send("large", &large(100));
    (0..10).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |config| {
        config.batch.docs_max = 10;
        config.batch.linger = Duration::from_secs(2);
    });
    let started = Instant::now();
    world.until(|world| writes(world, "events") == 1).await;
    assert!(started.elapsed() < Duration::from_secs(1), "it is full");
    assert_eq!(world.store.batches()[0].1.len(), 10);
    world.until(|world| writes(world, "events") == 2).await;
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_confirmed_does_not_wait_for_another_item_of_its_batch() {
    let queue = queue();
    let name = |id: usize| format!("s{id}");
    (0..64).for_each(|id| queue.send(&format!("m{id}"), &session(&name(id), 1)));
    let world = World::start(queue, |config| config.batch.linger = Duration::from_secs(2));
    world.store.break_on([Key::Text(name(63))]);
    let times = |world: &World, id: usize| {
        world.store.documents("sessions").get(&Key::Text(name(id))).copied().unwrap_or_default()
    };
    world.until(|world| times(world, 0) == 1).await;
    let sent = Instant::now();
    world.queue.send("next", &session(&name(0), 2));
    world.until(|world| times(world, 0) == 2).await;
    let took = sent.elapsed();
    assert!(took < defaults().retry.budget, "the search takes ten minutes: {took:?}");
    world.store.break_on([]);
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_join_that_was_taken_apart_waits_for_all_of_its_parts() {
    let queue = queue();
    (0..4).for_each(|second| queue.send(&format!("m{second}"), &session("s", second)));
    let world = World::start(queue, |config| config.batch.linger = Duration::from_secs(2));
    world.store.take(Duration::from_secs(5));
    let rejected =
        || WriteOutcome::Answered { items: vec![ItemOutcome::Rejected(rejection())], stale: 0 };
    world.store.then(move |_| rejected());
    world.until(|world| writes(world, "sessions") == 1).await;
    world.queue.send("next", &session("s", 30));
    world.until(|world| world.queue.remaining().is_empty()).await;
    let sessions = world.store.batches().iter().map(|(_, keys)| keys.len()).sum::<usize>();
    assert_eq!(sessions, 1 + 2 + 1, "all at once, both halves, and then the next");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_takes_no_writes_stops_no_other() {
    let queue = queue();
    queue.send("session", &session("s", 1));
    let world = World::start(queue, |_| {});
    world.store.answer_for("sessions", Some(denied));
    world.until(|world| world.counts().released_total == 1).await;
    assert_left(&world, "sessions", "not authorised; their collection takes no writes");
    assert!(world.signals.recent().story().writes_fail.contains_key("sessions"));
    // From now on each is tried once, and nobody waits for the retry budget again.
    let before = writes(&world, "sessions");
    for id in 0..10 {
        world.queue.send(&format!("session{id}"), &session(&format!("s{id}"), 1));
        world.queue.send(&format!("event{id}"), &event(id));
        world.until(|world| world.store.documents("events").contains_key(&key(id))).await;
    }
    world.until(|world| world.counts().released_total >= 11).await;
    assert!(writes(&world, "sessions") <= before + 11 + 4, "each once, and again when it returns");
    assert_eq!(world.counts().gate_closed_total, 0);
    world.allow("sessions").await;
    assert!(world.end().await.dead_lettered.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_trouble_of_every_collection_closes_the_gate() {
    let queue = queue();
    queue.send("session", &session("s", 1));
    queue.send("event", &event(1));
    let world = World::start(queue, |_| {});
    for collection in ["events", "sessions", "user_cache"] {
        world.store.answer_for(collection, Some(denied));
    }
    world.until(|world| world.counts().gate_closed_total == 1).await;
    let received = world.counts().received_total;
    sleep(Duration::from_mins(30)).await;
    assert_eq!(world.counts().received_total, received, "no receive count is burnt");
    world.store.answer_for("events", None);
    world.allow("sessions").await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_hangs_does_not_hide_that_another_is_well() {
    let queue = queue();
    queue.send("poison", "{");
    let world = World::start(queue, |_| {});
    // In the order in which they are listed, but for that of the dead letters.
    world.store.hang("events");
    world.store.answer_for("sessions", Some(denied));
    world.store.answer_for("dead_letters", Some(denied));
    world.until(|world| world.counts().released_total == 1).await;
    assert_eq!(world.counts().gate_closed_total, 0, "user_cache is well");
    world.allow("dead_letters").await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_other_collection_its_trouble_closes_the_gate() {
    let queue = queue();
    queue.send("event", &event(1));
    let world = World::start(queue, |config| {
        config.routes.retain(|name, _| name == "event");
        config.collections.retain(|name, _| name == "events");
    });
    world.store.answer_for("events", Some(denied));
    world.until(|world| world.counts().gate_closed_total == 1).await;
    sleep(Duration::from_mins(10)).await;
    assert_eq!(world.counts().released_total, 0, "no receive count is burnt");
    world.allow("events").await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_an_answer_is_not_sent_again_before_the_server_takes_a_write() {
    let queue = queue();
    (0..3).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |_| {});
    world.store.then(|_| no_answer());
    world.store.fall_sick(unavailable);
    world.until(|world| writes(world, "events") == 1).await;
    sleep(Duration::from_mins(5)).await;
    assert_eq!(writes(&world, "events"), 1, "each try would be one more to be busy with");
    assert_eq!(world.counts().gate_closed_total, 1, "and the store is sick");
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 3);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_item_on_which_the_server_never_returns_is_found_by_halves_and_left() {
    let queue = queue();
    (0..64).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |config| config.batch.linger = Duration::from_secs(2));
    world.store.fail_on([key(0)], no_answer);
    world.until(|world| world.store.documents("events").len() == 63).await;
    world.until(|world| world.queue.remaining().len() == 1).await;
    world.until(|world| world.counts().released_total > 0).await;
    let (gates, tries) = (world.counts().gate_closed_total, writes(&world, "events"));
    world.queue.send("good", &event(100));
    world.until(|world| world.store.documents("events").contains_key(&key(100))).await;
    assert!(gates <= 1, "closed {gates} times");
    assert!(tries < 64, "by halves: {tries} writes");
    assert_left(&world, "events", "no reply within 25 s; the server does not answer their writes");
    world.store.break_on([]);
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_has_no_answer_when_it_is_tried_alone_is_told() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.then(|_| WriteOutcome::Answered {
        items: vec![ItemOutcome::Doubtful(rejection())],
        stale: 0,
    });
    world.store.then(|_| no_answer());
    world.until(|world| world.counts().released_total == 1).await;
    assert_left(&world, "events", "no reply within 25 s; the server does not answer their writes");
    let failed = world.counts().writes_failed_total;
    assert_eq!(failed, 2, "what left it in doubt, and what had no answer");
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_update_from_which_the_server_never_returns_is_told_from_those_that_were_joined_with_it()
{
    let queue = queue();
    (0..4).for_each(|second| queue.send(&format!("m{second}"), &session("s", 56 + second)));
    let world = World::start(queue, |config| config.batch.linger = Duration::from_secs(2));
    // The newest has none, so the join of all has none.
    let hangs = |writes: &Writes<'_>| match takes_all_but_one(writes) {
        WriteOutcome::Answered { items, .. } if items != [ItemOutcome::Written] => no_answer(),
        answered => answered,
    };
    (0..100).for_each(|_| world.store.then(hangs));
    world.until(|world| world.queue.remaining().len() == 1).await;
    assert_eq!(world.queue.remaining()[0].0, "m3");
    assert_eq!(world.counts().gate_closed_total, 0);
    world.store.forget_script();
    world.until(|world| world.queue.remaining().is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_server_gives_up_for_taking_too_long_is_halved_at_once() {
    fn timed_out() -> WriteOutcome {
        WriteOutcome::Unconfirmed(StoreFault {
            kind: StoreFaultKind::TimedOut,
            text: "50 (MaxTimeMSExpired)".to_owned(),
        })
    }
    let queue = queue();
    (0..8).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |config| config.batch.linger = Duration::from_secs(2));
    world.store.then(|writes| {
        assert_eq!(writes.len(), 8);
        timed_out()
    });
    world.until(|world| world.queue.remaining().is_empty()).await;
    let sizes: Vec<_> = world.store.batches().iter().map(|(_, keys)| keys.len()).collect();
    assert_eq!(sizes, [8, 4, 4]);
    world.end().await;
}
