//! Composition root: builds the adapters, starts the pipeline, and drains it.

mod beside;
pub mod database;
pub mod drain;
pub mod index_watch;
pub mod letter_queue;
mod letters;
mod new_groups;
mod requirements;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::database::{Database, connect_to_write};
use self::index_watch::IndexWatch;
use self::letters::DatabaseLetters;
use self::new_groups::Telling;
use crate::admin::{self, Bound, Health, View};
use crate::budget::Shares;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::config::shares;
use crate::dead_letter::LetterQueue;
use crate::dead_letter::new_groups::NewGroups;
use crate::flow::Flow;
use crate::held::Held;
use crate::pipeline::Pipeline;
use crate::queue::QueueTraits;
use crate::queue::sqs::{Credentials, Operation, QueueFacts, SqsQueue};
use crate::stop::Stop;
use crate::store::Collection;
use crate::store::mongo::MongoStore;
use crate::store::mongo::indexes::IndexReport;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::otlp::Otlp;
use crate::telemetry::signals::{QueueCalls, Signals, WorkerEnded};
use crate::telemetry::spans::Spans;
use crate::telemetry::watchdog::STEP_MAX;

/// How long the last spans and metrics may take to be sent; less where the drain deadline is near.
const TELEMETRY_MAX: Duration = Duration::from_secs(2);
const TELEMETRY_MIN: Duration = Duration::from_millis(200);

/// Below this, messages come back while they are being written. As the bound of
/// `queue.visibility_timeout`.
pub const VISIBILITY_TIMEOUT_MIN: Duration = Duration::from_secs(5);

/// A worker whose queue and database answered.
pub struct Worker {
    config: Arc<Config>,
    queue: Arc<SqsQueue>,
    queue_traits: QueueTraits,
    letter_queue: Option<LetterQueue>,
    store: Arc<MongoStore>,
    /// Each collection with its indexes at the start.
    indexes: Vec<(Collection, IndexReport)>,
    held: Held,
    view: Option<Box<(Bound, View)>>,
    metrics: Arc<Metrics>,
    otlp: Otlp,
    pub signals: Signals,
}

/// How a worker is observed, besides its log. The default sends nothing anywhere.
#[derive(Default)]
pub struct Observability {
    pub otlp: Otlp,
    /// Every setting in force, for the status page: key, value with secrets as stars, and where it
    /// came from.
    pub settings: Vec<[String; 3]>,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All that was held was written and deleted.
    Drained,
    /// The deadline or a second signal came first; the rest was given back.
    LetGo,
}

impl Worker {
    /// Connects to the queue and the database, and makes or asks for the indexes that the routes
    /// need.
    ///
    /// # Errors
    /// Where one of them cannot be reached, refuses, or lacks what the worker cannot do without;
    /// where `admin.listen` or `admin.probes` is taken.
    pub async fn start(
        config: Config,
        credentials: Credentials,
        observability: Observability,
    ) -> anyhow::Result<Self> {
        requirements::refuse_unset(&config)?;
        let (queue, facts) =
            Box::pin(SqsQueue::connect(&config.queue, credentials.clone())).await?;
        let queue_traits = queue_traits(&config, &facts)?;
        let letter_queue = letter_queue::connect(&config, &facts, &credentials).await?;
        let collections = requirements::collections(&config);
        let Database { manager, store, indexes } =
            connect_to_write(&config, &credentials, &collections).await?;
        let held = Held::default();
        let Observability { mut otlp, settings } = observability;
        let metrics = Arc::new(Metrics::new(otlp.resource(), otlp.take_metrics())?);
        let destination = facts.name();
        let spans = Spans {
            destination: destination.into(),
            namespace: manager.database().name().into(),
            sampler: otlp.sampler(),
        };
        let signals = Signals::new(metrics.instruments(destination), spans);
        let health = Health { signals: signals.clone(), held: held.clone(), step_max: STEP_MAX };
        let sources = beside::sources(&facts, health, &queue, &manager, &otlp);
        signals.gauges().set_queue_messages(Some(beside::queue_messages(&facts)));
        signals.recent().show_bodies(config.admin.show_bodies);
        signals.counters().dead_lettered_total.show(config.routes.keys().map(String::as_str));
        metrics.observe(signals.counters(), signals.gauges(), &sources);
        manager.tell(signals.clone());
        let view_facts =
            beside::view_facts(&config, &queue_traits, manager.database().name(), settings);
        let letters = DatabaseLetters::new(&manager, &view_facts.dead_letters);
        // Last: a worker that cannot start has nothing to show.
        let view = Box::new((
            admin::bind(&config.admin)?,
            View {
                signals: signals.clone(),
                metrics: Arc::clone(&metrics),
                sources,
                held: held.clone(),
                stop: Stop::default(),
                facts: Arc::new(view_facts),
                step_max: STEP_MAX,
                letters: Some(Arc::new(letters)),
            },
        ));
        let queue = Arc::new(queue.told_to(signals.clone()));
        let letter_queue = letter_queue.map(|found| found.beside(&queue));
        Ok(Self {
            config: Arc::new(config),
            queue,
            queue_traits,
            letter_queue,
            store: Arc::new(store),
            indexes,
            held,
            view: Some(view),
            metrics,
            otlp,
            signals,
        })
    }

    #[must_use]
    pub fn queue(&self) -> &Arc<SqsQueue> {
        &self.queue
    }

    /// What it holds. What has left it is counted.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Where the status page is, once the worker runs.
    #[must_use]
    pub fn page(&self) -> Option<SocketAddr> {
        self.view.as_ref().and_then(|view| view.0.page())
    }

    /// Runs until `stop` and everything held is settled, and says in one log line what it did. At
    /// `worker.drain_timeout` after the stop what is left is given back, whatever hangs.
    ///
    /// Meanwhile systemd is told, where it listens, and the admin server answers, where it is
    /// configured.
    pub async fn run(mut self, stop: Stop) -> Ended {
        let (signals, calls, started) =
            (self.signals.clone(), Arc::clone(self.queue.calls()), Instant::now());
        let admin = self.view.take().map(|view| {
            let (bound, view) = *view;
            admin::serve(bound, View { stop: stop.clone(), ..view })
        });
        let _admin = match admin {
            Some(Ok(admin)) => Some(admin),
            Some(Err(error)) => {
                tracing::error!(cause = %format_args!("{error:#}"), "no status page and no probes");
                None
            }
            None => None,
        };
        if let Some(said) = self.otlp.said() {
            tracing::info!("telemetry: {said}");
        }
        let mut tasks = JoinSet::new();
        let (store, indexes) = (Arc::clone(&self.store), std::mem::take(&mut self.indexes));
        let watch = IndexWatch::new(store, indexes, &self.config.db, signals.clone(), stop.clone());
        tasks.spawn(signals.watchdog().watch("watch of the indexes", watch.run()));
        let letters = self.config.dead_letter_collection();
        let telling = Telling::start(&self.store, letters, &signals);
        tasks.spawn(beside::ask_for_depth(Arc::clone(&self.queue), signals.clone()));
        tasks.spawn(beside::tell_systemd(
            Health { signals: signals.clone(), held: self.held.clone(), step_max: STEP_MAX },
            stop.clone(),
        ));
        let (otlp, metrics) = (std::mem::take(&mut self.otlp), Arc::clone(&self.metrics));
        let drain_timeout = self.config.worker.drain_timeout;
        let (ended, since_stop) = self.run_pipeline(stop, telling.groups.clone()).await;
        telling.end(drain_timeout.saturating_sub(since_stop.elapsed())).await;
        let of = |operation| calls.of(operation);
        let (receive, delete, change_visibility) =
            (of(Operation::Receive), of(Operation::Delete), of(Operation::ChangeVisibility));
        signals.emit(&WorkerEnded {
            drained: ended == Ended::Drained,
            ran: started.elapsed(),
            counts: signals.counters().counts(),
            calls: QueueCalls {
                receive,
                delete,
                change_visibility,
                other: calls.total() - receive - delete - change_visibility,
            },
        });
        // The deadline holds for this too.
        let within =
            drain_timeout.saturating_sub(since_stop.elapsed()).clamp(TELEMETRY_MIN, TELEMETRY_MAX);
        let sent = tokio::task::spawn_blocking(move || {
            otlp.shut_down(within / 2);
            metrics.shut_down(within / 2);
        });
        if timeout(within, sent).await.is_err() {
            tracing::warn!("the collector does not answer: the last spans and metrics are lost");
        }
        ended
    }

    /// Also says when it was asked to stop.
    async fn run_pipeline(self, stop: Stop, new_groups: NewGroups) -> (Ended, Instant) {
        let drain_timeout = self.config.worker.drain_timeout;
        let queue_traits = self.queue_traits;
        let held = self.held;
        let (signals, wait) = (self.signals.clone(), self.config.queue.wait);
        tracing::info!(queue.arn = %queue_traits.arn, visibility_timeout = ?queue_traits.visibility_timeout, "started");
        let flow = Flow {
            clock: Arc::new(SystemClock::default()),
            stop: stop.clone(),
            signals: self.signals,
            retry: self.config.retry.clone(),
        };
        let pipeline = Pipeline {
            config: self.config,
            queue: self.queue,
            queue_traits,
            store: self.store,
            flow,
            held: held.clone(),
            new_groups,
            letters: self.letter_queue.into(),
        };
        let mut running = std::pin::pin!(pipeline.run());
        tokio::select! {
            () = &mut running => return (Ended::Drained, Instant::now()),
            () = stop.draining() => {}
        }
        let asked = Instant::now();
        tracing::info!(held = held.len(), deadline = ?drain_timeout, "draining: nothing more is received");
        beside::say_what_a_stop_waits_for(&signals, wait);
        tokio::select! {
            () = &mut running => return (Ended::Drained, asked),
            () = drain::is_late(&stop, drain_timeout) => {}
        }
        tracing::error!(held = held.len(), "giving back what is not settled");
        if !drain::let_go(&stop, running).await {
            tracing::error!(
                held = held.len(),
                "not all could be given back: the rest comes back after its visibility timeout"
            );
        }
        (Ended::LetGo, asked)
    }
}

/// How the in-flight bytes are shared out for this queue.
///
/// # Errors
/// Where not even one of its messages has room.
pub fn shares_for(config: &Config, facts: &QueueFacts) -> anyhow::Result<Shares> {
    let message_bytes_max = facts.message_bytes_max;
    let Some(shares) = shares::shares(config, message_bytes_max) else {
        let bytes_min = shares::bytes_min(config, message_bytes_max);
        bail!(
            "the queue takes messages of up to {message_bytes_max} bytes (MaximumMessageSize): set in_flight.bytes_max to {bytes_min} or \
             more to hold one"
        );
    };
    Ok(shares)
}

fn queue_traits(config: &Config, facts: &QueueFacts) -> anyhow::Result<QueueTraits> {
    let visibility_timeout = config.queue.visibility_timeout.unwrap_or(facts.visibility_timeout);
    if visibility_timeout < VISIBILITY_TIMEOUT_MIN {
        bail!(
            "the queue's visibility timeout is {visibility_timeout:?}, too short to write anything in: set queue.visibility_timeout to \
             {VISIBILITY_TIMEOUT_MIN:?} or more"
        );
    }
    shares_for(config, facts)?;
    Ok(QueueTraits {
        arn: facts.arn.as_str().into(),
        visibility_timeout,
        fifo: facts.fifo,
        message_bytes_max: facts.message_bytes_max,
    })
}

/// Turns SIGTERM and SIGINT into a drain, and a second one into letting go.
///
/// # Errors
/// Where the process cannot listen for signals.
pub fn stop_on_signals(stop: Stop) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::spawn(async move {
        for asked in 1.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if asked == 1 { stop.drain() } else { stop.let_go() }
        }
    });
    Ok(())
}
