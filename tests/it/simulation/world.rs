//! One world: producers, a queue, a store, and workers that come and go, from a seed to a verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longshore::pipeline::{Pipeline, QueueTraits};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep, timeout};

use super::conduct;
use super::dice::Dice;
use super::fault::{Coverage, Fault};
use super::history::History;
use super::incarnation::{Incarnation, SimulatedClock};
use super::judge::{Judge, QUEUE_ARN};
use super::plan::Plan;
use super::queue::Queue;
use super::queue::client::QueueClient;
use super::store::Store;
use super::store::client::StoreClient;
use super::surroundings::Surroundings;
use super::traffic::{self, MESSAGE_BYTES_MAX, Meaning, Sent};

/// How long a worker may drain before it lets go.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How long letting go may take: a receive in progress runs out, and calls are tried twice.
const LET_GO_MAX: Duration = Duration::from_mins(2);

const LET_GO_PARTS: u32 = 6;

/// After the last fault everything is done within this time, or it is stuck.
const STUCK_AFTER: Duration = Duration::from_hours(2);

/// Some message has to be confirmed now and then, for one in doubt to be told from a store in trouble. Less often as time goes
/// by: what is stuck by a bug stays so for hours.
const EVIDENCE_EVERY: Duration = Duration::from_secs(5);
const EVIDENCE_SHARE: u32 = 10;

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let dice = Dice::new(seed);
        let plan = Plan::draw(&dice);
        let surroundings = Arc::new(Surroundings::new(dice, History::new(told), plan));
        let world = Arc::new(World::new(Arc::clone(&surroundings)));
        let messages = world.live().await;
        let history = &surroundings.history;
        Report { seed, messages, violations: history.violations(), coverage: history.coverage(), lines: history.lines() }
    })
}

struct World {
    surroundings: Arc<Surroundings>,
    queue: Arc<Queue>,
    store: Arc<Store>,
    judge: Arc<Judge>,
    over: AtomicBool,
}

impl World {
    fn new(surroundings: Arc<Surroundings>) -> Self {
        let plan = &surroundings.plan;
        let queue = Arc::new(Queue::new(Arc::clone(&surroundings), plan.visibility_timeout, plan.fifo));
        let store = Arc::new(Store::new(Arc::clone(&surroundings)));
        let judge = Arc::new(Judge::new(Arc::clone(&store)));
        Self { surroundings, queue, store, judge, over: AtomicBool::new(false) }
    }

    /// Gives the number of messages.
    async fn live(self: Arc<Self>) -> usize {
        let plan = &self.surroundings.plan;
        if plan.workers > 1 {
            self.surroundings.history.saw(Fault::ManyWorkers);
        }
        let seats: Vec<_> = (0..plan.workers).map(|seat| tokio::spawn(Arc::clone(&self).seat(seat))).collect();
        let machine = tokio::spawn(Arc::clone(&self).machine());
        let messages = traffic::draw(plan, &self.surroundings.dice, &self.surroundings.history);
        for message in messages {
            sleep(Duration::from_millis(message.at_ms).saturating_sub(self.surroundings.age())).await;
            self.send(message);
        }
        sleep(plan.faults_until.saturating_sub(self.surroundings.age())).await;
        self.surroundings.calm_down();
        self.surroundings.history.note(|| "nothing fails any more".to_owned());
        let messages = self.until_empty().await;
        self.over.store(true, Ordering::Relaxed);
        for seat in seats {
            if let Err(error) = seat.await {
                self.violation(|| format!("a worker panicked: {error}"));
            }
        }
        machine.abort();
        if self.surroundings.history.is_clean() {
            self.judge.judge(&self.surroundings.history);
        }
        messages
    }

    fn send(&self, message: Sent) {
        self.surroundings.history.note(|| format!("sent {}: {:?} {:?}", message.body, message.meaning, message.mark));
        self.judge.sent(message.clone());
        self.queue.send(message);
    }

    /// Waits until the queue is empty and nothing is under way. Gives the number of messages sent.
    async fn until_empty(&self) -> usize {
        let calm = Instant::now();
        let mut evidence_at = calm;
        let mut sent = self.surroundings.plan.messages;
        while !self.queue.left().is_empty() || self.surroundings.is_under_way() && self.is_writing() {
            if calm.elapsed() > STUCK_AFTER {
                self.violation(|| format!("stuck in the queue: {:?}", self.queue.left()));
                break;
            }
            if evidence_at <= Instant::now() && !self.queue.left().is_empty() {
                evidence_at = Instant::now() + EVIDENCE_EVERY.max(calm.elapsed() / EVIDENCE_SHARE);
                self.send(self.evidence(sent));
                sent += 1;
            }
            sleep(Duration::from_millis(250)).await;
        }
        sent
    }

    /// Long polls are always under way; all else ends within the longest of delays.
    fn is_writing(&self) -> bool {
        self.surroundings.age() < self.surroundings.plan.faults_until + Duration::from_mins(3)
    }

    fn evidence(&self, number: usize) -> Sent {
        let body = format!(r#"{{"type":"event","user_id":1,"event_type":"evidence","metadata":{{"n":{number}}}}}"#);
        let at_ms = self.surroundings.history.now_ms();
        let meaning = Meaning::Event { content: number, id: None };
        Sent { body, attributes: Vec::new(), group: "evidence".to_owned(), at_ms, meaning, mark: None }
    }

    /// The whole machine stands still now and then.
    async fn machine(self: Arc<Self>) {
        loop {
            sleep(Duration::from_secs(1)).await;
            if self.surroundings.strikes(Fault::Frozen) {
                let length = self.surroundings.dice.between_ms(1_000, 200_000);
                self.surroundings.history.note(|| format!("stands still for {length:?}"));
                self.surroundings.freeze(length);
                advance(length).await;
            }
        }
    }

    /// One place for a worker, in which one follows the other.
    async fn seat(self: Arc<Self>, seat: usize) {
        let mut life = 0;
        while !self.over.load(Ordering::Relaxed) {
            let who = Arc::new(Incarnation::new(format!("w{seat}.{life}"), Arc::clone(&self.surroundings)));
            self.surroundings.history.note(|| format!("{} starts", who.name));
            let clock = Arc::new(SimulatedClock::new(Arc::clone(&self.surroundings)));
            let running = self.start(&who, &clock);
            who.runs(running.abort_handle());
            self.lead(&who, &clock, running).await;
            conduct::kept_its_limits(&who);
            sleep(self.surroundings.dice.between_ms(0, 5_000)).await;
            life += 1;
        }
    }

    fn start(&self, who: &Arc<Incarnation>, clock: &Arc<SimulatedClock>) -> JoinHandle<()> {
        let plan = &self.surroundings.plan;
        let pipeline = Pipeline {
            config: Arc::clone(&plan.config),
            queue: Arc::new(QueueClient { queue: Arc::clone(&self.queue), judge: Arc::clone(&self.judge), who: Arc::clone(who) }),
            queue_traits: QueueTraits {
                arn: QUEUE_ARN.into(),
                visibility_timeout: plan.visibility_timeout,
                fifo: plan.fifo,
                message_bytes_max: MESSAGE_BYTES_MAX,
            },
            store: Arc::new(StoreClient { store: Arc::clone(&self.store), who: Arc::clone(who) }),
            clock: Arc::clone(clock) as Arc<dyn longshore::clock::Clock>,
            stop: who.stop.clone(),
            signals: who.signals.clone(),
            held: who.held.clone(),
        };
        tokio::spawn(pipeline.run())
    }

    /// Leads a worker through its life, to its end.
    async fn lead(&self, who: &Arc<Incarnation>, clock: &SimulatedClock, mut running: JoinHandle<()>) {
        let strikes = |fault| self.surroundings.strikes(fault);
        let dice = &self.surroundings.dice;
        while !self.over.load(Ordering::Relaxed) {
            if let Ok(ended) = timeout(dice.between_ms(500, 1_500), &mut running).await {
                return self.look_at_death(who, ended);
            }
            if strikes(Fault::KilledAnytime) {
                who.kill();
            } else if strikes(Fault::ClockJumped) {
                let by_ms = i64::try_from(dice.between_ms(0, 3_600_000).as_millis()).expect("an hour") - 1_800_000;
                clock.jump(by_ms);
            } else if strikes(Fault::LetGo) {
                return self.stop(who, running, dice.between_ms(0, 10_000)).await;
            } else if strikes(Fault::Drained) {
                return self.stop(who, running, DRAIN_TIMEOUT).await;
            }
        }
        self.stop(who, running, DRAIN_TIMEOUT).await;
    }

    async fn stop(&self, who: &Arc<Incarnation>, mut running: JoinHandle<()>, drain_timeout: Duration) {
        self.surroundings.history.note(|| format!("{} is told to stop", who.name));
        who.stop.drain();
        let mut ended = timeout(drain_timeout, &mut running).await;
        if ended.is_err() {
            self.surroundings.history.note(|| format!("{} is told to let go", who.name));
            who.stop.let_go();
            // In parts, because while the machine stands still no time is any worker's own.
            for _ in 0..LET_GO_PARTS {
                ended = timeout(LET_GO_MAX / LET_GO_PARTS, &mut running).await;
                if ended.is_ok() {
                    break;
                }
            }
        }
        match ended {
            Ok(Ok(())) => {
                conduct::ended(who);
                let held = &who.held;
                if !held.is_empty() || held.forgotten() > 0 {
                    self.violation(|| format!("{} ended and still holds {}, forgot {}", who.name, held.len(), held.forgotten()));
                }
            }
            Ok(ended) => self.look_at_death(who, ended),
            Err(_) => {
                self.violation(|| format!("{} does not end within {LET_GO_MAX:?} after it was told to let go", who.name));
                who.kill();
            }
        }
    }

    /// A worker that ended unasked was killed, or it is a bug.
    fn look_at_death(&self, who: &Incarnation, ended: Result<(), tokio::task::JoinError>) {
        match ended {
            Err(error) if error.is_panic() => self.violation(|| format!("{} panicked: {error}", who.name)),
            Err(_) if !who.is_alive() => {}
            _ => self.violation(|| format!("{} ended without being told to", who.name)),
        }
    }

    fn violation(&self, what: impl FnOnce() -> String) {
        self.surroundings.history.violation(what);
    }
}
