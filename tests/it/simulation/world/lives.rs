//! How workers come and go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use longshore::clock::Clock;
use longshore::dead_letter::new_groups::NewGroups;
use longshore::flow::Flow;
use longshore::pipeline::Pipeline;
use longshore::queue::QueueTraits;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};

use crate::simulation::conduct;
use crate::simulation::fault::Fault;
use crate::simulation::judge::QUEUE_ARN;
use crate::simulation::letter_queue::Letters;
use crate::simulation::life::{Life, SimulatedClock};
use crate::simulation::queue::client::QueueClient;
use crate::simulation::queue::fate::PATIENCE;
use crate::simulation::store::client::StoreClient;
use crate::simulation::traffic::MESSAGE_BYTES_MAX;

use super::World;

/// How long a worker may drain before it lets go.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How long letting go may take where nothing fails, as `worker.drain_timeout` allows for it.
const LET_GO_MAX: Duration = Duration::from_secs(2);

/// Where calls to the queue fail, each release is tried twice, by so many calls at a time, for ten
/// messages each.
const LET_GO_TRIES: u32 = 2;
const LET_GO_CALLS: usize = 16;
const ENTRIES: usize = 10;

/// How far a wall clock jumps at most, either way: as it drifts where nothing sets it, as an NTP
/// client steps it, set to another time zone, or set by hand to another day.
const JUMPS_MAX: &[i64] = &[5_000, 30 * 60_000, 12 * 3_600_000, 5 * 24 * 3_600_000];

impl World {
    /// One place for a worker, in which one follows the other.
    pub async fn seat(self: Arc<Self>, seat: usize) {
        let mut life = 0;
        while !self.is_over() {
            let who = Arc::new(Life::new(format!("w{seat}.{life}"), Arc::clone(&self.conditions)));
            self.conditions.history.note(|| format!("{} starts", who.name));
            let clock = Arc::new(SimulatedClock::new(Arc::clone(&self.conditions)));
            let clocks_jump = self.conditions.plan.rate(Fault::ClockJumped) > 0.0;
            if clocks_jump && self.conditions.dice.chance(0.5) {
                // Wrong from the start, until somebody sets it right.
                self.jump(&clock);
            }
            let running = self.start(&who, &clock);
            who.runs(running.abort_handle());
            self.lead(&who, &clock, running).await;
            conduct::kept_its_limits(&who);
            sleep(self.conditions.dice.between_ms(0, 5_000)).await;
            life += 1;
        }
    }

    fn start(&self, who: &Arc<Life>, clock: &Arc<SimulatedClock>) -> JoinHandle<()> {
        let plan = &self.conditions.plan;
        let flow = Flow {
            clock: Arc::clone(clock) as Arc<dyn Clock>,
            stop: who.stop.clone(),
            signals: who.signals.clone(),
            retry: plan.config.retry.clone(),
        };
        let pipeline = Pipeline {
            config: Arc::clone(&plan.config),
            queue: Arc::new(QueueClient::new(
                Arc::clone(&self.queue),
                Arc::clone(&self.judge),
                Arc::clone(who),
                Arc::clone(&flow.clock),
            )),
            queue_traits: QueueTraits {
                arn: QUEUE_ARN.into(),
                visibility_timeout: plan.visibility_timeout,
                fifo: plan.fifo,
                message_bytes_max: MESSAGE_BYTES_MAX,
            },
            store: Arc::new(StoreClient { store: Arc::clone(&self.store), who: Arc::clone(who) }),
            flow,
            held: who.held.clone(),
            // What it asks and tells is off the way of messages, and not what worlds are about.
            new_groups: NewGroups::default(),
            letters: self.letters.as_ref().map(Letters::queue).into(),
        };
        tokio::spawn(pipeline.run())
    }

    /// Leads a worker through its life, to its end.
    async fn lead(&self, who: &Arc<Life>, clock: &SimulatedClock, mut running: JoinHandle<()>) {
        let strikes = |fault| self.conditions.strikes(fault);
        let dice = &self.conditions.dice;
        let deploys = self.deploys.load(Ordering::Relaxed);
        while !self.is_over() && deploys == self.deploys.load(Ordering::Relaxed) {
            if let Ok(ended) = timeout(dice.between_ms(500, 1_500), &mut running).await {
                return self.look_at_death(who, ended);
            }
            if strikes(Fault::KilledAnytime) {
                who.kill();
            } else if strikes(Fault::ClockJumped) {
                self.jump(clock);
            } else if self.conditions.draws(Fault::LetGo) {
                return self.stop(who, running, dice.between_ms(0, 10_000)).await;
            } else if strikes(Fault::Drained) {
                return self.stop(who, running, DRAIN_TIMEOUT).await;
            }
        }
        self.stop(who, running, DRAIN_TIMEOUT).await;
    }

    /// Sets a wall clock wrong.
    fn jump(&self, clock: &SimulatedClock) {
        let dice = &self.conditions.dice;
        let most = dice.pick(JUMPS_MAX);
        let by_ms = dice.between_ms(0, 2 * u64::try_from(most).expect("days"));
        clock.jump(i64::try_from(by_ms.as_millis()).expect("days") - most);
    }

    async fn stop(&self, who: &Arc<Life>, mut running: JoinHandle<()>, drain_timeout: Duration) {
        let history = &self.conditions.history;
        history.note(|| format!("{} is told to stop", who.name));
        let must_drain = drain_timeout == DRAIN_TIMEOUT && self.is_undisturbed();
        if must_drain {
            conduct::drains_in_calm(who);
        }
        who.stop.drain();
        let ended = match timeout(drain_timeout, &mut running).await {
            Ok(ended) => Some(ended),
            Err(_) if must_drain => {
                self.violation(|| {
                    format!(
                        "{} does not drain within {DRAIN_TIMEOUT:?}, though nothing fails",
                        who.name
                    )
                });
                None
            }
            Err(_) => {
                history.note(|| format!("{} is told to let go", who.name));
                history.saw(Fault::LetGo);
                who.stop.let_go();
                self.let_go(who, &mut running).await
            }
        };
        match ended {
            Some(Ok(())) => conduct::ended(who),
            Some(ended) => self.look_at_death(who, ended),
            None => {
                self.violation(|| format!("{} does not end", who.name));
                who.kill();
            }
        }
    }

    /// Waits for the end of a worker that lets go. `None` where it takes longer than all its calls
    /// may.
    async fn let_go(
        &self,
        who: &Life,
        running: &mut JoinHandle<()>,
    ) -> Option<Result<(), JoinError>> {
        let each = PATIENCE + self.conditions.plan.config.retry.initial;
        let rounds =
            u32::try_from(1 + conduct::held(who).div_ceil(ENTRIES * LET_GO_CALLS)).expect("a few");
        // Not in a calm that has just begun: a call of before may still hang.
        let longest = if self.conditions.plan.is_undisturbed() {
            LET_GO_MAX
        } else {
            LET_GO_MAX + rounds * LET_GO_TRIES * each
        };
        // In parts, because while the machine stands still no time is any worker's own.
        for _ in 0..longest.as_secs() {
            if let Ok(ended) = timeout(Duration::from_secs(1), &mut *running).await {
                return Some(ended);
            }
        }
        self.violation(|| format!("{} does not let go within {longest:?}", who.name));
        None
    }

    /// Whether nothing keeps a worker from writing and deleting what it holds.
    fn is_undisturbed(&self) -> bool {
        self.conditions.is_calm() || self.conditions.plan.is_undisturbed()
    }

    /// A worker that ended unasked was killed, or it is a bug.
    fn look_at_death(&self, who: &Life, ended: Result<(), JoinError>) {
        match ended {
            Err(error) if error.is_panic() => {
                self.violation(|| format!("{} panicked: {error}", who.name));
            }
            Err(_) if !who.is_alive() => {}
            _ => self.violation(|| format!("{} ended without being told to", who.name)),
        }
    }
}
