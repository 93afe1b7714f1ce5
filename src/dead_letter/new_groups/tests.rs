use std::sync::atomic::AtomicUsize;

use tokio::task::JoinHandle;

use super::*;
use crate::clock::SystemClock;
use crate::dead_letter::Glimpse;
use crate::message::Origin;

/// A collection in memory. It answers by what stands in it at that moment, as a server does.
#[derive(Clone, Default)]
struct Letters {
    kept: Arc<Mutex<Vec<Newcomer>>>,
    is_sick: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Kept for Letters {
    async fn holds_older(&self, newcomer: &Newcomer) -> Result<bool, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        // An answer takes a while.
        sleep(Duration::from_millis(1)).await;
        if self.is_sick.load(Ordering::Relaxed) {
            return Err("no primary".to_owned());
        }
        let is_older = |kept: &Newcomer| {
            kept.alike == newcomer.alike
                && kept.id != newcomer.id
                && kept.dead_lettered_ms < newcomer.dead_lettered_ms
        };
        Ok(self.kept.lock().expect("no panic").iter().any(is_older))
    }
}

/// A worker that rejects, and what it writes its letters to.
struct Worker {
    groups: NewGroups,
    signals: Signals,
    letters: Letters,
    running: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Worker {
    fn on(letters: &Letters) -> Self {
        let (groups, signals) = (NewGroups::remembered(), Signals::default());
        let clock = Arc::new(SystemClock::default());
        let running = groups.clone().run(letters.clone(), signals.clone(), clock);
        let (running, letters) = (tokio::spawn(running), letters.clone());
        Self { groups, signals, letters, running }
    }

    fn rejects_without_keeping(&self, number: i64, kind: &str) -> Newcomer {
        let (record, message) = letter(number, kind);
        self.groups.refused(&record, &message, &self.signals);
        Newcomer {
            alike: alike(&record, &message),
            reason: record.reason,
            id: record.insert(&message).id,
            message_id: message.message_id,
            dead_lettered_ms: number,
        }
    }

    /// A letter of the group `kind` that was rejected at millisecond `number`.
    fn rejects(&self, number: i64, kind: &str) {
        let kept = self.rejects_without_keeping(number, kind);
        self.letters.kept.lock().expect("no panic").push(kept);
    }

    /// The groups that it has told once it has nothing more to ask.
    async fn told(&self) -> Vec<String> {
        sleep(Duration::from_mins(10)).await;
        self.signals.gauges().new_groups().into_iter().map(|new| new.group).collect()
    }
}

fn letter(number: i64, kind: &str) -> (Record, QueueMessage) {
    let message = QueueMessage {
        message_id: format!("m-{number}"),
        body: "{".to_owned(),
        sender: Some("AIDASOMEBODY".into()),
        ..QueueMessage::default()
    };
    let record = Record {
        queue_arn: "arn:aws:sqs:eu-west-1:1:portal".into(),
        reason: Reason::BadTime,
        text: "a time".to_owned(),
        place: Some(Box::new(Place::value("at"))),
        server_code: None,
        route: Some("event".into()),
        glimpse: Glimpse::of_kind(kind),
        origin: Origin::of_queue(&message),
        dead_lettered_ms: number,
    };
    (record, message)
}

fn group(kind: &str) -> String {
    let (record, message) = letter(0, kind);
    alike(&record, &message).id()
}

#[tokio::test(start_paused = true)]
async fn the_first_letter_of_a_group_makes_it_new_and_no_other_does() {
    let letters = Letters::default();
    let worker = Worker::on(&letters);
    for number in 0..50 {
        worker.rejects(number, "event");
    }
    assert_eq!(worker.told().await, [group("event")]);
    worker.rejects(50, "cache");
    assert_eq!(worker.told().await, [group("event"), group("cache")]);
    assert_eq!(worker.signals.gauges().new_groups().len(), 2);
    assert_eq!(letters.asked.load(Ordering::Relaxed), 2, "once for each group");
    // A worker that has met none of them.
    let restarted = Worker::on(&letters);
    restarted.rejects(51, "event");
    restarted.rejects(52, "cache");
    assert_eq!(restarted.told().await, [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn of_two_workers_the_one_with_the_older_letter_tells() {
    let letters = Letters::default();
    let (one, other) = (Worker::on(&letters), Worker::on(&letters));
    other.rejects(2, "event");
    one.rejects(1, "event");
    assert_eq!(one.told().await, [group("event")]);
    assert_eq!(other.told().await, [] as [String; 0]);
}

/// A worker dies after its record is kept and before it has told.
#[tokio::test(start_paused = true)]
async fn the_letter_of_an_earlier_delivery_does_not_hide_that_its_group_is_new() {
    let letters = Letters::default();
    let worker = Worker::on(&letters);
    let kept = worker.rejects_without_keeping(1, "event");
    drop(worker);
    letters.kept.lock().expect("no panic").push(kept.clone());
    let next = Worker::on(&letters);
    let again = Newcomer { dead_lettered_ms: 5, ..kept };
    let (mut record, message) = letter(1, "event");
    record.dead_lettered_ms = again.dead_lettered_ms;
    next.groups.refused(&record, &message, &next.signals);
    assert_eq!(next.told().await, [group("event")]);
}

#[tokio::test(start_paused = true)]
async fn a_sick_database_is_asked_again_later_and_says_so_once() {
    let letters = Letters::default();
    letters.is_sick.store(true, Ordering::Relaxed);
    let worker = Worker::on(&letters);
    worker.rejects_without_keeping(1, "event");
    worker.rejects_without_keeping(2, "cache");
    assert_eq!(worker.told().await, [] as [String; 0]);
    let asked = letters.asked.load(Ordering::Relaxed);
    assert!((10..40).contains(&asked), "in ten minutes {asked} times: the pauses grow to a minute");
    assert_eq!(worker.signals.recent().story().errors.len(), 1);
    letters.is_sick.store(false, Ordering::Relaxed);
    let mut told = worker.told().await;
    let mut expected = [group("event"), group("cache")];
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    let at_s = worker.signals.gauges().new_groups()[0].at_s;
    assert!(at_s > 1_700_000_000, "when it was found, not when the letter came: {at_s}");
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_letters_were_purged_is_new_when_it_comes_again() {
    let letters = Letters::default();
    let worker = Worker::on(&letters);
    worker.rejects(1, "event");
    assert_eq!(worker.told().await.len(), 1);
    letters.kept.lock().expect("no panic").clear();
    worker.rejects(2, "event");
    worker.told().await;
    assert_eq!(letters.asked.load(Ordering::Relaxed), 1, "it is remembered");
    letters.kept.lock().expect("no panic").clear();
    sleep(met::REMEMBERED).await;
    worker.rejects(3, "event");
    assert_eq!(worker.told().await, [group("event")], "one series");
    assert_eq!(letters.asked.load(Ordering::Relaxed), 2);
    assert_eq!(worker.signals.gauges().new_groups().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn groups_without_end_are_bounded_in_memory_questions_and_series() {
    const GROUPS: i64 = 3_000;
    let letters = Letters::default();
    let worker = Worker::on(&letters);
    let began = Instant::now();
    for number in 0..GROUPS {
        worker.rejects(number, &format!("kind{number}"));
    }
    let counters = worker.signals.counters();
    let unasked = counters.dead_letter_groups_unasked_total.get();
    assert_eq!(unasked, GROUPS as u64 - met::WAITING_MAX as u64);
    let told = worker.told().await;
    let last: Vec<_> = (900..1_000).map(|number| group(&format!("kind{number}"))).collect();
    assert_eq!(told, last, "the last hundred");
    let asked = letters.asked.load(Ordering::Relaxed);
    assert_eq!(asked, met::WAITING_MAX);
    assert!(asked as u128 <= began.elapsed().as_millis() / ASK_EVERY.as_millis());
    // There is room again.
    worker.rejects(GROUPS, "event");
    assert_eq!(worker.told().await.last(), Some(&group("event")));
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_a_worker_ends_is_told_first() {
    let letters = Letters::default();
    let mut worker = Worker::on(&letters);
    for number in 0..5 {
        worker.rejects(number, &format!("kind{number}"));
    }
    worker.groups.close();
    (&mut worker.running).await.expect("it ends by itself");
    assert_eq!(worker.signals.gauges().new_groups().len(), 5);
    // Where nothing waits it ends at once.
    let mut worker = Worker::on(&letters);
    sleep(Duration::from_secs(1)).await;
    worker.groups.close();
    (&mut worker.running).await.expect("it ends by itself");
}

#[tokio::test]
async fn who_tells_nobody_remembers_nothing() {
    let (groups, signals) = (NewGroups::default(), Signals::default());
    let (record, message) = letter(1, "event");
    groups.refused(&record, &message, &signals);
    groups.run(Letters::default(), signals.clone(), Arc::new(SystemClock::default())).await;
    assert_eq!(signals.gauges().new_groups(), []);
}
