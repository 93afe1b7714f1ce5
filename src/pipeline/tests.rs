//! The whole pipeline on fakes, under paused time: what happens is what would happen in production,
//! only at once.

mod blame;
mod bounds;
mod doubts;
mod fakes;
mod floods;
mod hiding;
mod letter_queue;
mod naming;
mod others;
mod polling;
mod refusals;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::Pipeline;
use crate::config::Config;
use crate::config::load::defaults;
use crate::dead_letter::LetterQueue;
use crate::dead_letter::new_groups::NewGroups;
use crate::flow::Flow;
use crate::held::Held;
use crate::message::{Key, QueueMessage, Reason, Rejection, Update};
use crate::queue::{EntryOutcome, MESSAGE_BYTES_MAX, QueueTraits};
use crate::stop::Stop;
use crate::store::{ItemOutcome, StoreFault, StoreFaultKind, WriteOutcome, Writes};
use crate::telemetry::counters::Counts;
use crate::telemetry::signals::Signals;

use fakes::{FakeClock, FakeQueue, FakeStore, fifo_message};

struct World {
    queue: Arc<FakeQueue>,
    store: Arc<FakeStore>,
    stop: Stop,
    signals: Signals,
    held: Held,
    running: JoinHandle<()>,
}

impl World {
    fn start(queue: FakeQueue, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(queue, false, change)
    }

    fn start_on(queue: FakeQueue, fifo: bool, change: impl FnOnce(&mut Config)) -> Self {
        let queue_traits = QueueTraits { fifo, ..queue_traits() };
        Self::start_as(queue, queue_traits, change)
    }

    fn start_as(
        queue: FakeQueue,
        queue_traits: QueueTraits,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::start_by(FakeClock::default(), queue, queue_traits, change)
    }

    fn start_by(
        clock: FakeClock,
        queue: FakeQueue,
        queue_traits: QueueTraits,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::start_with(clock, queue, queue_traits, None, change)
    }

    fn start_with(
        clock: FakeClock,
        queue: FakeQueue,
        queue_traits: QueueTraits,
        letter_queue: Option<LetterQueue>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = defaults();
        change(&mut config);
        let (queue, store) = (Arc::new(queue), Arc::new(FakeStore::default()));
        let (stop, signals, held) = (Stop::default(), Signals::default(), Held::default());
        let flow = Flow {
            clock: Arc::new(clock),
            stop: stop.clone(),
            signals: signals.clone(),
            retry: config.retry.clone(),
        };
        let pipeline = Pipeline {
            config: Arc::new(config),
            queue: Arc::clone(&queue),
            queue_traits,
            store: Arc::clone(&store),
            flow,
            held: held.clone(),
            new_groups: NewGroups::default(),
            letters: letter_queue.into(),
        };
        let running = tokio::spawn(pipeline.run());
        Self { queue, store, stop, signals, held, running }
    }

    /// Lets paused time run until `condition`; the test fails after an hour of it.
    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_hours(1);
        while !condition(self) {
            assert!(Instant::now() < deadline, "not reached within an hour: {:?}", self.counts());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Gives a collection back that was denied, and waits until nothing is left in the queue.
    async fn allow(&self, collection: &str) {
        self.store.answer_for(collection, None);
        self.until(|world| world.queue.remaining().is_empty()).await;
    }

    /// Drains, and holds the end against what must hold at every end.
    async fn end(self) -> Counts {
        self.stop.drain();
        self.running.await.expect("the pipeline ends");
        assert!(self.held.is_empty(), "something is still held");
        assert_eq!(self.held.forgotten(), 0, "a receipt was dropped unsettled");
        self.signals.counters().counts()
    }

    fn counts(&self) -> Counts {
        self.signals.counters().counts()
    }
}

const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

fn queue_traits() -> QueueTraits {
    QueueTraits {
        arn: "arn:aws:sqs:eu-west-1:1:q".into(),
        visibility_timeout: VISIBILITY_TIMEOUT,
        fifo: false,
        message_bytes_max: MESSAGE_BYTES_MAX,
    }
}

fn queue() -> FakeQueue {
    FakeQueue::new(VISIBILITY_TIMEOUT)
}

fn event(id: usize) -> String {
    format!(r#"{{"type":"event","id":"e{id}","user_id":{id},"event_type":"login"}}"#)
}

/// When a session of [`session`] was accessed, but for the second.
const SESSION_MS: i64 = fakes::EPOCH_MS - 3_600_000;

fn half_an_hour_of_sessions(config: &mut Config) {
    if let Some(sessions) = config.collections.get_mut("sessions") {
        sessions.ttl = Some(Duration::from_mins(30));
    }
}

fn session(id: &str, second: usize) -> String {
    format!(
        r#"{{"type":"session","session_id":"{id}","last_accessed":"2026-11-22T09:00:{second:02}Z","data":{{"step":{second}}}}}"#
    )
}

fn unavailable() -> WriteOutcome {
    WriteOutcome::Unconfirmed(StoreFault {
        kind: StoreFaultKind::Unavailable,
        text: "no primary".to_owned(),
    })
}

fn connection_lost() -> WriteOutcome {
    WriteOutcome::Unconfirmed(StoreFault {
        kind: StoreFaultKind::ConnectionLost,
        text: "connection reset".to_owned(),
    })
}

fn rejection() -> Rejection {
    Rejection::by_server("document failed validation", Some(121))
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_deleted_and_nothing_stays_held() {
    let queue = queue();
    (0..95).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |_| {});
    world.until(|world| world.queue.remaining().is_empty()).await;
    let documents = world.store.documents("events");
    assert_eq!(documents.len(), 95);
    assert!(documents.values().all(|count| *count == 1));
    let counts = world.end().await;
    assert_eq!((counts.received_total, counts.written_total, counts.deleted_total), (95, 95, 95));
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_does_not_hold_back_its_neighbours() {
    let queue = queue();
    (0..9).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    queue.send("poison", "{not json");
    let world = World::start(queue, |_| {});
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 9);
    assert_eq!(world.store.documents("dead_letters").len(), 1);
    let counts = world.end().await;
    assert_eq!(counts.dead_lettered.get(&Reason::BadJson), Some(&1));
    assert_eq!(counts.redelivered_total, 0, "dead-lettered at its first receive");
}

#[tokio::test(start_paused = true)]
async fn updates_of_one_key_that_wait_together_are_written_once() {
    let queue = queue();
    (0..10).for_each(|second| queue.send(&format!("m{second}"), &session("s", second)));
    let world = World::start(queue, |_| {});
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.batches(), [("sessions".to_owned(), vec![Key::Text("s".to_owned())])]);
    let counts = world.end().await;
    assert_eq!((counts.joined_total, counts.written_total, counts.deleted_total), (9, 1, 10));
}

#[tokio::test(start_paused = true)]
async fn a_rejected_join_is_taken_apart_and_only_the_bad_part_is_dead_lettered() {
    let queue = queue();
    (0..5).for_each(|second| queue.send(&format!("m{second}"), &session("s", second)));
    let world = World::start(queue, |_| {});
    // The join is rejected, then its newer half, and then the newest part, which is tried last.
    for is_taken in [false, true, false, true] {
        let item = if is_taken { ItemOutcome::Written } else { ItemOutcome::Rejected(rejection()) };
        world.store.then(|_| WriteOutcome::Answered { items: vec![item], stale: 0 });
    }
    world.store.then(|writes| {
        let Writes::Updates(_, updates) = writes else { panic!("an update") };
        let crate::version::Change::Whole { version, .. } = &updates[0].change else {
            panic!("a whole state")
        };
        assert_eq!(version.time.millis() % 60_000, 4_000, "oldest version first");
        WriteOutcome::Answered { items: vec![ItemOutcome::Rejected(rejection())], stale: 0 }
    });
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("dead_letters").len(), 1);
    let counts = world.end().await;
    assert_eq!(counts.dead_lettered.get(&Reason::StoreRejected), Some(&1));
    assert_eq!(counts.deleted_total, 5);
}

#[tokio::test(start_paused = true)]
async fn a_sick_database_costs_nothing_but_time() {
    let queue = queue();
    (0..200).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |config| config.batch.docs_max = 10);
    world.store.fall_sick(unavailable);
    world.until(|world| world.counts().gate_closed_total == 1).await;
    let receives = world.queue.receives();
    sleep(Duration::from_mins(10)).await;
    assert_eq!(world.queue.receives(), receives, "nothing is received while the gate is closed");
    assert!(
        world.queue.remaining().iter().all(|(_, count)| *count <= 1),
        "no receive count is burned"
    );
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 200);
    let counts = world.end().await;
    assert!(counts.dead_lettered.is_empty(), "no dead letter for the database's fault");
    assert_eq!(counts.deleted_total, 200);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_breaks_its_connection_twice_is_halved() {
    let queue = queue();
    (0..8).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |_| {});
    (0..2).for_each(|_| world.store.then(|_| connection_lost()));
    world.until(|world| world.queue.remaining().is_empty()).await;
    let sizes: Vec<_> = world.store.batches().iter().map(|(_, keys)| keys.len()).collect();
    assert_eq!(sizes, [8, 8, 4, 4]);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_doubted_item_is_dead_lettered_only_when_others_are_written_meanwhile() {
    let queue = queue();
    queue.send("odd", &event(0));
    let world = World::start(queue, |_| {});
    world.store.answer(Key::Text("e0".to_owned()), ItemOutcome::Doubtful(rejection()));
    world.until(|world| world.store.batches().len() == 4).await;
    assert!(
        world.store.documents("dead_letters").is_empty(),
        "nothing else was written: it may be the server's fault"
    );
    world.queue.send("good", &session("s", 1));
    world.until(|world| !world.store.documents("sessions").is_empty()).await;
    world.until(|world| world.queue.remaining().is_empty()).await;
    let counts = world.end().await;
    assert_eq!(counts.dead_lettered.get(&Reason::StoreRejected), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_delete_entry_is_tried_again_and_a_stale_handle_is_only_counted() {
    let queue = queue();
    (0..10).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    queue.fail_deletes([EntryOutcome::Failed("InternalError".to_owned()), EntryOutcome::Stale]);
    let world = World::start(queue, |_| {});
    world.until(|world| world.counts().deleted_total >= 9).await;
    let counts = world.counts();
    assert_eq!((counts.deletes_failed_total, counts.stale_handles_total), (1, 1));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_write_longer_than_the_visibility_timeout_is_kept_hidden_and_written_once() {
    let queue = queue();
    (0..10).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |_| {});
    world.store.take(Duration::from_mins(5));
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert!(world.store.documents("events").values().all(|count| *count == 1));
    let counts = world.end().await;
    assert_eq!((counts.received_total, counts.redelivered_total), (10, 0));
    assert!(
        counts.extended_total >= 100,
        "10 messages, extended every 20 s of 300: {}",
        counts.extended_total
    );
}

#[tokio::test(start_paused = true)]
async fn a_held_message_is_given_back_before_the_queue_would_take_it() {
    let queue = queue();
    queue.send("m", &event(0));
    let world = World::start(queue, |_| {});
    world.store.fall_sick(unavailable);
    sleep(Duration::from_hours(12)).await;
    assert_eq!(
        world.queue.remaining(),
        [("m".to_owned(), 2)],
        "released after 11 h, and received once more"
    );
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    let counts = world.end().await;
    assert_eq!(counts.released_total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_writes_what_is_held_and_gives_back_what_a_receive_still_brings() {
    let world = World::start(queue(), |_| {});
    sleep(Duration::from_secs(1)).await;
    world.stop.drain();
    world.queue.send("late", &event(0));
    world.until(|world| world.running.is_finished()).await;
    assert_eq!(world.queue.visible(), 1, "visible at once");
    assert!(world.store.batches().is_empty());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn letting_go_releases_at_once_what_a_hanging_database_holds() {
    let queue = queue();
    (0..25).for_each(|id| queue.send(&format!("m{id}"), &event(id)));
    let world = World::start(queue, |_| {});
    world.store.take(Duration::from_hours(1));
    world.until(|world| world.counts().received_total == 25).await;
    world.stop.let_go();
    let asked = Instant::now();
    world.until(|world| world.queue.visible() == 25).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "they arrive elsewhere within a second");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_fifo_group_is_written_and_deleted_in_order_of_its_receives() {
    let queue = queue();
    for (index, id) in (0_u128..).zip(["m0", "m1", "m2", "m3"]) {
        queue.send_message(fifo_message(
            id,
            "g",
            index,
            &session("s", usize::try_from(index).expect("small")),
        ));
    }
    let (world, started) = (World::start_on(queue, true, |_| {}), Instant::now());
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.queue.deleted(), ["m0", "m1", "m2", "m3"]);
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "deletes that hold up their group do not wait for company"
    );
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn idling_costs_one_receive_per_wait() {
    let world = World::start(queue(), |_| {});
    sleep(Duration::from_secs(200)).await;
    let receives = world.queue.receives();
    assert!((10..=11).contains(&receives), "{receives} receives in ten waits");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn late_updates_past_their_ttl_are_not_written() {
    let queue = queue();
    let sent_ms = SESSION_MS + 31 * 60_000;
    queue.send_message(QueueMessage { sent_ms, ..fakes::message("late", &session("s", 0)) });
    let world = World::start(queue, half_an_hour_of_sessions);
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert!(world.store.batches().is_empty());
    let counts = world.end().await;
    assert_eq!((counts.stale_total, counts.deleted_total), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_ahead_expires_nothing() {
    let queue = queue();
    // The clock of this worker stands at ten, half an hour later.
    let sent_ms = SESSION_MS + 29 * 60_000;
    queue.send_message(QueueMessage { sent_ms, ..fakes::message("fresh", &session("s", 0)) });
    let world = World::start(queue, half_an_hour_of_sessions);
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("sessions").len(), 1);
    world.end().await;
}
