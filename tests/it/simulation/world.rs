//! One world: producers, a queue, a store, and workers that come and go, from a seed to a verdict.

mod again;
mod lives;
mod operator;
mod others;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, advance, sleep};

use super::conditions::Conditions;
use super::dice::Dice;
use super::fault::{Coverage, Fault};
use super::history::History;
use super::judge::Judge;
use super::letter_queue::Letters;
use super::plan::Plan;
use super::queue::Queue;
use super::store::Store;
use super::store::client::DENIED;
use super::traffic::{self, Mark, Meaning, Sent};

/// After the last fault everything is done within this time, or it is stuck: so many times over
/// what a message may have to wait for, and what is still on its way from before.
const WAITS: u32 = 4;
const ON_ITS_WAY: Duration = Duration::from_mins(5);

/// How long a message is hidden that was left in the queue again and again.
const LEFT_MAX: Duration = Duration::from_mins(15);

/// The same where messages are in doubt: some other has to be confirmed now and then, for one in
/// doubt to be told from a store in trouble. Less often as time goes by: what is stuck by a bug
/// stays so for days. What is in doubt is left for a quarter of an hour at a time, with another of
/// three workers each time, it may be, and each has to see it thrice where the retry budget is a
/// second. But once in that time at least: in a FIFO group others stand behind it.
const STUCK_IN_DOUBT_AFTER: Duration = Duration::from_hours(24);
const EVIDENCE_EVERY: Duration = Duration::from_secs(5);
const EVIDENCE_SHARE: u32 = 10;

/// Connections that are lost, on average, until the one item of a batch is found that breaks them.
const LOST_UNTIL_FOUND: u32 = 4;

/// Before the last deploy: whatever a worker still tries of copies of messages that others have
/// deleted comes to its end.
const QUIET: Duration = Duration::from_mins(3);

/// Messages around the last deploy, one at most this long after the other.
const DEPLOY_MESSAGES: usize = 30;
const DEPLOY_EVERY_MS: u64 = 200;

/// How long a world goes on in which a promise was broken: what else that breaks is told too, and a
/// worker that never comes to its end ends with it.
const BROKEN_MAX: Duration = Duration::from_mins(5);

/// What came of a world.
pub struct Report {
    pub seed: u64,
    pub messages: usize,
    pub violations: Vec<String>,
    pub coverage: Coverage,
    /// The history, where it was asked for.
    pub lines: Vec<String>,
}

/// Runs the world of `seed` to its end; `told` keeps its history.
pub fn run(seed: u64, told: bool) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let dice = Dice::new(seed);
        let plan = Plan::draw(&dice);
        let conditions = Arc::new(Conditions::new(dice, History::new(told), plan));
        let letters = Letters::of(seed, &conditions);
        let world = Arc::new(World::new(Arc::clone(&conditions), letters));
        let lives = async {
            let messages = world.live(seed).await;
            if conditions.history.is_clean() {
                world.again(seed).await;
            }
            messages
        };
        let broken_for_long = async {
            conditions.history.broken().await;
            sleep(BROKEN_MAX).await;
        };
        let messages = tokio::select! {
            biased;
            messages = lives => messages,
            () = broken_for_long => conditions.plan.messages,
        };
        let history = &conditions.history;
        Report {
            seed,
            messages,
            violations: history.violations(),
            coverage: history.coverage(),
            lines: history.lines(),
        }
    })
}

struct World {
    conditions: Arc<Conditions>,
    queue: Arc<Queue>,
    store: Arc<Store>,
    /// Where dead letters are sent, unless they are kept in the store.
    letters: Option<Arc<Letters>>,
    judge: Arc<Judge>,
    over: AtomicBool,
    /// Deploys so far, at each of which all workers are stopped and others started.
    deploys: AtomicUsize,
}

impl World {
    fn new(conditions: Arc<Conditions>, letters: Option<Arc<Letters>>) -> Self {
        let plan = &conditions.plan;
        let queue =
            Arc::new(Queue::new(Arc::clone(&conditions), plan.visibility_timeout, plan.fifo));
        let store = Arc::new(Store::new(Arc::clone(&conditions)));
        let judge = Arc::new(Judge::new(Arc::clone(&store), letters.clone()));
        Self {
            conditions,
            queue,
            store,
            letters,
            judge,
            over: AtomicBool::new(false),
            deploys: AtomicUsize::new(0),
        }
    }

    /// Gives the number of messages.
    async fn live(self: &Arc<Self>, seed: u64) -> usize {
        let plan = &self.conditions.plan;
        if plan.workers > 1 {
            self.conditions.history.saw(Fault::ManyWorkers);
        }
        let seats: Vec<_> =
            (0..plan.workers).map(|seat| tokio::spawn(Arc::clone(self).seat(seat))).collect();
        tokio::spawn(Arc::clone(self).others());
        tokio::spawn(Arc::clone(self).operator(seed));
        if let Some(letters) = &self.letters {
            tokio::spawn(Arc::clone(letters).collected_from(Arc::clone(&self.store)));
        }
        let trial = tokio::spawn(Arc::clone(self).trial());
        let machine = tokio::spawn(Arc::clone(self).machine());
        if plan.small_first > 0 {
            let small = plan.small_first;
            self.conditions.history.note(|| format!("{small} small messages come first"));
        }
        let messages = traffic::draw(plan, &self.conditions.dice, &self.conditions.history);
        for message in messages {
            sleep(Duration::from_millis(message.at_ms).saturating_sub(self.conditions.age())).await;
            self.send(message);
        }
        sleep(plan.faults_until.saturating_sub(self.conditions.age())).await;
        self.conditions.calm_down();
        self.conditions.history.note(|| "nothing fails any more".to_owned());
        let mut messages = plan.messages;
        self.until_empty(&mut messages).await;
        if plan.is_faultless() {
            self.judge.each_came_once(&self.conditions, &self.queue.receive_counts());
        }
        self.look_at_receives();
        self.deploy(&mut messages).await;
        self.over.store(true, Ordering::Relaxed);
        for seat in seats {
            if let Err(error) = seat.await {
                self.violation(|| format!("a worker panicked: {error}"));
            }
        }
        machine.abort();
        trial.abort();
        if let Some(letters) = &self.letters {
            letters.collect(&self.store, 1.0);
        }
        if self.conditions.history.is_clean() {
            self.judge.judge(&self.conditions.history);
        }
        messages
    }

    fn send(&self, message: Sent) {
        self.conditions
            .history
            .note(|| format!("sent {}: {:?} {:?}", message.body, message.meaning, message.mark));
        self.judge.sent(message.clone());
        self.queue.send(message);
    }

    /// Stops all workers while messages come, and nothing fails.
    async fn deploy(&self, sent: &mut usize) {
        sleep(QUIET).await;
        for number in 0..DEPLOY_MESSAGES {
            sleep(self.conditions.dice.between_ms(0, DEPLOY_EVERY_MS)).await;
            self.send_event(sent);
            if number == DEPLOY_MESSAGES / 3 {
                self.conditions.history.note(|| "a deploy begins".to_owned());
                self.deploys.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.until_empty(sent).await;
    }

    /// Waits until the queue is empty and nothing is under way. Counts what is sent meanwhile.
    async fn until_empty(&self, sent: &mut usize) {
        let calm = Instant::now();
        let mut evidence_at = calm;
        let (is_doubted, stuck_after) = self.stuck_after();
        while !self.queue.left().is_empty() || self.conditions.is_under_way() && self.is_writing() {
            if calm.elapsed() > stuck_after {
                self.violation(|| format!("stuck in the queue: {:?}", self.queue.left()));
                break;
            }
            if is_doubted && evidence_at <= Instant::now() && !self.queue.left().is_empty() {
                let every = (calm.elapsed() / EVIDENCE_SHARE).clamp(EVIDENCE_EVERY, LEFT_MAX);
                evidence_at = Instant::now() + every;
                self.send_event(sent);
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Whether any message stays in doubt until others are written, and how long everything may
    /// take.
    fn stuck_after(&self) -> (bool, Duration) {
        let plan = &self.conditions.plan;
        let is_doubted = self.judge.marked(&[Mark::UnknownCode, Mark::CommandRefused]) > 0;
        let waits = plan.visibility_timeout + plan.config.retry.budget + plan.config.retry.max;
        // Each is looked for by halves, and breaks connections until it is found.
        let breaking = u32::try_from(self.judge.marked(&[Mark::ReplyTooLarge])).expect("few");
        let looked_for = breaking * LOST_UNTIL_FOUND * plan.config.retry.max;
        (
            is_doubted,
            if is_doubted {
                STUCK_IN_DOUBT_AFTER
            } else {
                ON_ITS_WAY + LEFT_MAX + WAITS * waits + looked_for
            },
        )
    }

    /// Long polls are always under way; all else ends within the longest of delays.
    fn is_writing(&self) -> bool {
        self.conditions.age() < self.conditions.plan.faults_until + Duration::from_mins(3)
    }

    /// A good message, of which `sent` is the number.
    fn send_event(&self, sent: &mut usize) {
        let number = *sent;
        *sent += 1;
        let body = format!(
            r#"{{"type":"event","user_id":1,"event_type":"evidence","metadata":{{"n":{number}}}}}"#
        );
        let at_ms = self.conditions.history.now_ms();
        let meaning = Meaning::Event { content: number, identity: None };
        self.send(Sent::plain(body, format!("late{}", number % 3), at_ms, meaning));
    }

    /// While one thing is wrong, whatever is not concerned goes on.
    async fn trial(self: Arc<Self>) {
        let Some(trial) = &self.conditions.plan.trial else { return };
        let Some(longest) = trial.others_stay_max else { return };
        let is_denied = trial.spells.iter().any(|spell| spell.fault == Fault::CollectionDenied);
        let denied = is_denied.then_some(DENIED);
        let longest_ms = u64::try_from(longest.as_millis()).expect("minutes");
        while !self.conditions.is_calm() {
            sleep(Duration::from_secs(10)).await;
            let Some(at_ms) = self.conditions.history.now_ms().checked_sub(longest_ms) else {
                continue;
            };
            let (due, left) = (self.judge.unconcerned(at_ms, denied), self.queue.left());
            if let Some(number) = due.into_iter().find(|number| left.contains(number)) {
                return self.violation(|| {
                    format!("m{number} is not concerned, and yet in the queue since {longest:?}")
                });
            }
        }
    }

    /// How often messages were received in a trial that says how often they may.
    fn look_at_receives(&self) {
        let Some(trial) = self.conditions.plan.trial.as_ref() else { return };
        let now_ms = self.conditions.history.now_ms();
        for (number, (times, sent_ms)) in
            self.queue.receive_counts().into_iter().zip(self.judge.sent_at()).enumerate()
        {
            let Some(most) = trial.receives_max(Duration::from_millis(now_ms - sent_ms)) else {
                return;
            };
            if times > most + self.conditions.may_have_left(number) {
                self.violation(|| {
                    format!("m{number} was received {times} times, and may be so {most} times")
                });
            }
        }
    }

    /// The whole machine stands still now and then.
    async fn machine(self: Arc<Self>) {
        loop {
            sleep(Duration::from_secs(1)).await;
            if self.conditions.strikes(Fault::Frozen) {
                let length = self.conditions.dice.between_ms(1_000, 200_000);
                self.conditions.history.note(|| format!("stands still for {length:?}"));
                self.conditions.freeze(length);
                advance(length).await;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn violation(&self, what: impl FnOnce() -> String) {
        self.conditions.history.violation(what);
    }
}
