//! A world to hurt: a replica set of three, an SQS server, workers as processes of their own behind
//! a proxy each, and a producer that sends before, while and after the fault.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore::config::{DbConfig, Secret};
use longshore::mongo_manager::MongoManager;
use longshore::queue::sqs::SqsQueue;
use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::child::{self, Child};
use crate::support::fault_proxy::{FaultProxy, SETTLING};
use crate::support::sqs::{Kind, SqsServer};
use crate::support::{answered, until};

use super::check::broken_promises;
use super::load::{Load, VISITS, visit};
use super::producer::{Filler, Producer, send};
use super::replica_set::ReplicaSet;
use super::table::Row;

/// Of the queue: short, so that what a killed worker held comes back soon.
const VISIBILITY_TIMEOUT: &str = "10";

/// Receives after which the queue itself gives a message up. An outage must not come near it.
pub const RECEIVES_MAX: u32 = 10;

/// In a line of a worker whose write was not confirmed: see
/// `longshore::telemetry::signals::WriteFailed`.
const WRITE_FAILED: &str = r#""message":"write not confirmed, trying again""#;

/// What a scenario chooses.
pub struct Setting {
    /// Of the load.
    pub seed: u64,
    /// Messages of the portal's load; a fifth more are visits.
    pub messages: usize,
    pub workers: usize,
    /// Settings of the workers beyond [`World::worker_settings`], as environment variables.
    pub worker_settings: Vec<(&'static str, String)>,
}

impl Default for Setting {
    fn default() -> Self {
        Self { seed: 81, messages: 900, workers: 2, worker_settings: Vec::new() }
    }
}

pub struct World {
    _server: SqsServer,
    /// Before the server, by the number of the worker that calls through it. It does nothing wrong
    /// unless a scenario tells it to, and counts what a worker that is killed cannot tell any more.
    pub proxies: Vec<Arc<FaultProxy>>,
    /// The queue, past every proxy.
    pub queue: Arc<SqsQueue>,
    /// Where the queue puts what was received too often.
    given_up: SqsQueue,
    /// The database as root.
    pub manager: MongoManager,
    /// What is sent. A scenario may add to it before [`World::endure`].
    pub load: Load,
    /// Settings of the workers, as environment variables; of two of one name the later holds. A
    /// scenario may add some before [`World::endure`], and start workers with others later.
    pub worker_settings: Vec<(&'static str, String)>,
    /// Sends on while a scenario wants it: see [`World::start_filling`].
    filler: Option<Filler>,
    /// By number; `None` where one was killed and not started again.
    workers: Vec<Option<Child>>,
    /// What workers printed that have ended.
    printed: Vec<String>,
}

impl World {
    /// A queue and a database of its own; the workers are started by [`World::endure`].
    pub async fn new(set: &ReplicaSet, setting: Setting) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let database = format!("chaos_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let server = SqsServer::start(Kind::Embedded).await;
        let given_up_url = server.create_queue(&json!({})).await;
        let given_up = server.connect(&given_up_url).await.0;
        let redrive = json!({ "deadLetterTargetArn": given_up.facts().await.expect("facts").arn, "maxReceiveCount": RECEIVES_MAX });
        let attributes: Value = json!({ "VisibilityTimeout": VISIBILITY_TIMEOUT, "RedrivePolicy": redrive.to_string() });
        let queue_url = server.create_queue(&attributes).await;
        let queue = Arc::new(server.connect(&queue_url).await.0);
        let uri = set.uri(&database);
        let config = DbConfig { mongo_uri: Some(Secret::new(&uri)), ..DbConfig::default() };
        let manager = answered("the database", async || MongoManager::connect(&config).await).await;
        let mut worker_settings = worker_settings(&queue_url, uri);
        worker_settings.extend(setting.worker_settings);
        let load = Load::new(setting.seed, setting.messages);
        let workers = (0..setting.workers).map(|_| None).collect();
        let mut proxies = Vec::new();
        for _ in 0..setting.workers {
            proxies.push(Arc::new(FaultProxy::start(server.endpoint(), setting.seed).await));
        }
        Self {
            _server: server,
            proxies,
            queue,
            given_up,
            manager,
            load,
            worker_settings,
            filler: None,
            workers,
            printed: Vec::new(),
        }
    }

    /// Sends the load, lets `fault` happen in the middle of it, and waits until all is unloaded.
    ///
    /// A third is sent first, and some of that is unloaded before the fault begins. The second
    /// third is sent while `fault` runs, which returns when the fault was over. The last third is
    /// sent after it. Extra receives are those that brought a message again, as the proxies have
    /// counted them.
    pub async fn endure(
        mut self,
        fault: &str,
        strike: impl AsyncFnOnce(&mut Self) -> Instant,
    ) -> Row {
        for number in 0..self.workers.len() {
            self.start_worker(number);
        }
        for number in 0..self.workers.len() {
            self.started(number).await;
        }
        let (third, planned) = (self.load.messages.len() / 3, self.load.expected.visits.len());
        let producer = Producer::start(Arc::clone(&self.queue), self.load.messages.clone(), third);
        until("the first messages are unloaded", async || {
            producer.sent() >= third && self.left().await < third * 3 / 4
        })
        .await;
        producer.allow(2 * third);
        let over = strike(&mut self).await;
        self.stop_filling().await;
        producer.allow(self.load.messages.len());
        let written_after = self.first_write_after(over).await;
        producer.finished().await;
        until("the queue is empty", async || {
            self.assert_running();
            self.left().await == 0
        })
        .await;
        let emptied_after = over.elapsed();
        self.stop_workers().await;
        let mut broken = broken_promises(&self.manager, &self.load.expected).await;
        let given_up = messages_in(&self.given_up).await;
        broken.dead_lettered_wrongly.extend(
            (0..given_up)
                .map(|_| format!("received {RECEIVES_MAX} times and given up by the queue")),
        );
        answered("the database is dropped", async || self.manager.database().drop().await).await;
        let receives = self.receives();
        Row {
            fault: fault.to_owned(),
            repetitions: 1,
            messages: self.load.messages.len() + self.load.expected.visits.len() - planned,
            broken,
            extra_receives: receives.values().map(|times| times - 1).sum(),
            extra_receives_max: receives.values().max().map_or(0, |times| times - 1),
            gate_closed: self.counted("gate_closed_total"),
            writes_failed: self.counted("writes_failed_total"),
            written_after,
            emptied_after,
        }
    }

    /// By message: how often the queue gave it out, to whichever worker.
    fn receives(&self) -> BTreeMap<String, u64> {
        let mut receives = BTreeMap::new();
        for (message, times) in self.proxies.iter().flat_map(|proxy| proxy.observed().received) {
            *receives.entry(message).or_default() += times;
        }
        receives
    }

    /// Sends visits beyond the load until [`World::stop_filling`], so that a fault finds workers
    /// that write. Does nothing where it is sending already.
    pub fn start_filling(&mut self) {
        let first = self.load.expected.visits.last().copied().unwrap_or_default() + 1;
        self.filler.get_or_insert_with(|| Filler::start(Arc::clone(&self.queue), first));
    }

    /// Ends that. What was sent is expected as the rest is.
    pub async fn stop_filling(&mut self) {
        if let Some(filler) = self.filler.take() {
            self.load.expected.visits.extend(filler.stopped().await);
        }
    }

    /// Waits until workers hold messages and write: visits become more.
    pub async fn under_load(&mut self) {
        let mut before = None;
        until("workers hold messages and write", async || {
            self.assert_running();
            let visits = self.manager.database().collection::<Document>(VISITS);
            // The test's own client may still have to find a new primary.
            let Ok(count) = visits.estimated_document_count().await else { return false };
            count > *before.get_or_insert(count)
                && self.proxies.iter().any(|proxy| !proxy.observed().hidden.is_empty())
        })
        .await;
    }

    /// Writes that were not confirmed so far, as the workers that run have said.
    pub fn writes_failed(&self) -> usize {
        let failed = |worker: &Child| {
            worker.printed().lines().filter(|line| line.contains(WRITE_FAILED)).count()
        };
        self.workers.iter().flatten().map(failed).sum()
    }

    /// The sum of a counter over all workers that ended by themselves.
    fn counted(&self, counter: &str) -> u64 {
        self.printed
            .iter()
            .map(|printed| ended(printed)[counter].as_u64().expect("a counter"))
            .sum()
    }

    /// Waits for a message that is sent now.
    async fn first_write_after(&mut self, over: Instant) -> Duration {
        let number = self.load.expected.visits.last().copied().unwrap_or_default() + 1;
        self.load.expected.visits.insert(number);
        send(&self.queue, &[visit(number)]).await;
        let visits = self.manager.database().collection::<Document>(VISITS);
        until("a message sent after the fault is written", async || {
            self.assert_running();
            // The test's own client may still have to find the new primary.
            visits.find_one(doc! { "number": number }).await.is_ok_and(|found| found.is_some())
        })
        .await;
        over.elapsed()
    }

    /// Messages in the queue, whatever their state.
    pub async fn left(&self) -> usize {
        messages_in(&self.queue).await
    }

    /// Starts the worker of this number, which must not run.
    pub fn start_worker(&mut self, number: usize) {
        let mut command = child::longshore();
        command.arg("run").env("LONGSHORE__QUEUE__ENDPOINT_URL", self.proxies[number].endpoint());
        command.envs(self.worker_settings.iter().map(|(name, value)| (name, value)));
        assert!(
            self.workers[number].replace(Child::start(command)).is_none(),
            "worker {number} runs already"
        );
    }

    /// Waits until it receives. Before that, a fault would end it: a worker that cannot start says
    /// why and exits.
    pub async fn started(&mut self, number: usize) {
        let worker = self.workers[number].as_mut().expect("a running worker");
        until("the worker has started", async || {
            worker.assert_running();
            worker.printed().lines().any(|line| line.contains(r#""message":"started""#))
        })
        .await;
    }

    /// Ends it without a word, at a moment when it holds messages. Its counts are lost.
    ///
    /// It is halted first, which is all that it notices; the look at what it holds then takes no
    /// time of its own.
    pub async fn kill_worker(&mut self, number: usize) {
        let (worker, proxy) =
            (self.workers[number].take().expect("a running worker"), &self.proxies[number]);
        until("the worker holds messages", async || {
            worker.signal("STOP").await;
            // What it asked for still happens.
            until("its calls have acted", async || {
                SETTLING.iter().all(|operation| proxy.observed().in_progress(*operation) == 0)
            })
            .await;
            let holds = !proxy.observed().hidden.is_empty();
            if !holds {
                worker.signal("CONT").await;
            }
            holds
        })
        .await;
        worker.signal("KILL").await;
        worker.ended().await;
    }

    /// Asks it to stop, as a deploy does, and waits until it has drained.
    pub async fn stop_worker(&mut self, number: usize) {
        self.workers[number].as_ref().expect("a running worker").signal("TERM").await;
        self.has_drained(number).await;
    }

    /// Asks it to stop while it cannot settle what it holds, and waits until its deadline made it
    /// let go.
    pub async fn let_go_worker(&mut self, number: usize) {
        let worker = self.workers[number].take().expect("a running worker");
        worker.signal("TERM").await;
        let (status, printed) = worker.ended().await;
        assert_eq!(status.code(), Some(1), "worker {number} ended with {status}:\n{printed}");
        self.printed.push(printed);
    }

    /// Stops all that run, at once.
    pub async fn stop_workers(&mut self) {
        let running: Vec<_> =
            (0..self.workers.len()).filter(|number| self.workers[*number].is_some()).collect();
        for number in &running {
            self.workers[*number].as_ref().expect("it runs").signal("TERM").await;
        }
        for number in running {
            self.has_drained(number).await;
        }
    }

    async fn has_drained(&mut self, number: usize) {
        let (status, printed) =
            self.workers[number].take().expect("a running worker").ended().await;
        assert!(status.success(), "worker {number} ended with {status}:\n{printed}");
        self.printed.push(printed);
    }

    /// Fails where a worker has ended by itself.
    pub fn assert_running(&mut self) {
        self.workers.iter_mut().flatten().for_each(Child::assert_running);
    }
}

/// What the workers said last is what explains a scenario that does not end.
impl Drop for World {
    fn drop(&mut self) {
        const LINES: usize = 15;
        if std::thread::panicking() {
            for (number, worker) in self
                .workers
                .iter()
                .enumerate()
                .filter_map(|(number, worker)| Some((number, worker.as_ref()?)))
            {
                let printed = worker.printed();
                let lines: Vec<_> = printed.lines().collect();
                eprintln!(
                    "worker {number} said last:\n{}",
                    lines[lines.len().saturating_sub(LINES)..].join("\n")
                );
            }
        }
    }
}

/// The last line of a worker that ended by itself: see
/// `longshore::telemetry::signals::WorkerEnded`.
fn ended(printed: &str) -> Value {
    let lines = printed.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .into_iter()
        .find(|line| line["message"] == "ended")
        .unwrap_or_else(|| panic!("no last line:\n{printed}"))
}

/// Defaults are for networks and machines that take their time; here a fault is to be over in
/// seconds.
fn worker_settings(queue_url: &str, uri: String) -> Vec<(&'static str, String)> {
    let own = [("LONGSHORE__QUEUE__URL", queue_url.to_owned()), ("MONGO_CACHE_URI", uri)];
    let fixed = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("LONGSHORE__QUEUE__WAIT", "1s"),
        ("LONGSHORE__DB__WRITE_CONCERN__TIMEOUT", "1s"),
        ("LONGSHORE__RETRY__BUDGET", "2s"),
        ("LONGSHORE__RETRY__MAX", "500ms"),
        // Far less than the load, so that a worker dies with messages in its hands and others in
        // the queue.
        ("LONGSHORE__IN_FLIGHT__MESSAGES_MAX", "300"),
        ("LONGSHORE__ROUTES__VISIT__COLLECTION", VISITS),
        ("LONGSHORE__ROUTES__VISIT__WRITE", "insert"),
    ];
    own.into_iter().chain(fixed.map(|(name, value)| (name, value.to_owned()))).collect()
}

async fn messages_in(queue: &SqsQueue) -> usize {
    let facts = queue.facts().await.expect("facts of the queue");
    usize::try_from(facts.messages_in_all()).expect("a few")
}
