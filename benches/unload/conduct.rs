//! One run after the other: fill a queue, let a process drain it, see what that cost, and look at
//! the result.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use longshore::config::load::defaults;
use longshore::config::{Config, DbConfig};
use longshore::dev::mongod::{self, Mongod};
use longshore::dev::portal::Load;
use longshore::dev::verify::verify;
use longshore::mongo_manager::MongoManager;
use longshore::queue::sqs::SqsQueue;
use mongodb::{Client, Database};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::Plan;
use crate::collector::{self, Collector};
use crate::idle::Idle;
use crate::latency::{self, Latency};
use crate::measure;
use crate::peers::Peer;
use crate::ramp::Ramp;
use crate::report::{Figures, Report};
use crate::rows::{self, Distance, Loads, Mix, ROWS, Row, Variant, What};
use crate::servers::{self, Servers, SqsServer};
use crate::subject::Subject;
use crate::ways::Ways;
use crate::wrong::Wrong;

/// How often the queue is asked whether it is empty.
const LOOK: Duration = Duration::from_millis(50);

/// After so long without a message the process is given up.
const STANDSTILL_MAX: Duration = Duration::from_mins(2);

/// Runs all that is planned and prints what came of it.
pub async fn conduct(plan: &Plan) -> Result<()> {
    let stage = Stage {
        servers: Servers {
            sqs: SqsServer::start().await?,
            mongod: Mongod::start(&mongod::Options::new(mongod::find().await?)).await?,
        },
        config: defaults(),
        collector: Collector::start().await?,
    };
    let report = stage.runs(plan).await;
    stage.servers.mongod.stop().await;
    let report = report?;
    println!("{}", if plan.json { report.json().to_string() } else { report.table() });
    if let Some(file) = &plan.results {
        let results = serde_json::to_string_pretty(&report.json())?;
        tokio::fs::write(file, results + "\n")
            .await
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    ensure!(report.failed.is_empty(), "rows without figures, see FAILED above");
    Ok(())
}

/// What all runs share.
struct Stage {
    servers: Servers,
    config: Config,
    collector: Collector,
}

impl Stage {
    async fn runs(&self, plan: &Plan) -> Result<Report> {
        // The whole name of a row is that row alone, though others hold it too.
        let is_of = |part: &str, name: &str| {
            part == name || name.contains(part) && ROWS.iter().all(|row| row.name != part)
        };
        let is_wanted =
            |name: &str| plan.only.is_empty() || plan.only.iter().any(|part| is_of(part, name));
        let mut rows: Vec<_> = ROWS
            .into_iter()
            .filter(|row| row.name != rows::WITH_TELEMETRY || plan.telemetry)
            .filter(|row| !matches!(row.what, What::Peer(..)) || plan.peers)
            .filter(|row| is_wanted(row.name))
            .collect();
        let mut report = Report::of(plan.messages as usize);
        rows.retain(|row| {
            let What::Peer(peer, _) = row.what else { return true };
            let missing = peer.missing();
            let is_here = missing.is_none();
            report.not_run.extend(missing.map(|why| (row.name, why)));
            is_here
        });
        if plan.warm_up > 0 {
            let loads = Loads::of(&rows, plan.warm_up as usize);
            for row in &rows {
                eprintln!("warming up with {} messages: {}", plan.warm_up, row.name);
                let name = format!("warm-up-{}", database_name(row.name));
                // Where it fails, it fails once more, and is told then.
                let _ = self.run(row, &name, loads.get(row.mix)?, None).await;
            }
        }
        let mut loads = Loads::of(&rows, plan.messages as usize);
        if plan.telemetry {
            loads.all_mut().for_each(collector::trace);
        }
        for run in 1..=plan.runs {
            // Each second one the other way round: a database that has grown, or a machine that has
            // warmed, is not always the same rows'.
            let mut in_turn: Vec<_> = rows.iter().collect();
            if run % 2 == 0 {
                in_turn.reverse();
            }
            for row in in_turn {
                eprintln!("run {run} of {}: {}", plan.runs, row.name);
                let is_profiled = row.name == rows::LONGSHORE && run == plan.runs;
                let perf = plan.perf.as_deref().filter(|_| is_profiled);
                let name = format!("run-{run}-{}", database_name(row.name));
                let load = loads.get(row.mix)?;
                match self.run(row, &name, load, perf).await {
                    Ok(figures) => report.add(row.name, figures),
                    Err(error) => {
                        eprintln!("FAILED: {error:#}");
                        report.failed.push((row.name, format!("{error:#}")));
                    }
                }
            }
        }
        if plan.telemetry && is_wanted(rows::WITH_TELEMETRY) {
            let requests = self.collector.requests.load(Ordering::Relaxed);
            ensure!(requests > 0, "nothing was sent to the collector");
        }
        if is_wanted("idle") {
            eprintln!("idle, for a minute and a half");
            report.idle = Some(self.idle().await.context("idle")?);
        }
        if is_wanted("latency") {
            report.latency = self.latencies(plan.runs).await.context("latency")?;
        }
        if is_wanted("ramp") {
            eprintln!("ramp, for three minutes");
            report.ramp = Some(self.ramp(plan.messages as usize).await.context("ramp")?);
        }
        Ok(report)
    }

    async fn run(
        &self,
        row: &Row,
        name: &str,
        load: &Load,
        perf: Option<&Path>,
    ) -> Result<Figures> {
        let queue = self.servers.sqs.filled_queue(name, load, &self.config).await?;
        let figures = match row.what {
            What::Loop(part) => self.bare(part, &queue, load).await,
            What::Worker(variant) => self.longshore(name, &queue, load, variant, perf).await,
            What::Peer(peer, distance) => self.peer(peer, distance, name, &queue, load).await,
        };
        // So that the next one does not meet it.
        self.servers.sqs.delete(&queue).await?;
        self.database(name).await?.drop().await?;
        figures
    }

    async fn database(&self, name: &str) -> Result<Database> {
        let uri = self.servers.mongod.uri(name);
        Ok(Client::with_uri_str(uri.expose()).await?.database(name))
    }

    /// One of the loops, by its subcommand.
    async fn bare(&self, part: &str, queue: &SqsQueue, load: &Load) -> Result<Figures> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([part, self.servers.sqs.endpoint(), queue.url()]);
        let (figures, _) = drain(command, queue, load.messages.len(), None).await?;
        Ok(figures)
    }

    /// What it does wrong is counted and shown.
    async fn peer(
        &self,
        peer: Peer,
        distance: Distance,
        name: &str,
        queue: &SqsQueue,
        load: &Load,
    ) -> Result<Figures> {
        let ways = Ways::of(Variant { distance, ..rows::DEFAULT }, &self.servers).await?;
        let command = ways.peer(peer, &self.servers, queue, name);
        let (figures, _) = drain(command, queue, load.messages.len(), None).await?;
        let wrong = Wrong::of(&self.database(name).await?, &load.expected).await?;
        Ok(Figures { wrong: Some(wrong), ..figures })
    }

    /// Lets a worker drain a queue into a database of its own, and refuses figures of one that did
    /// it wrongly.
    async fn longshore(
        &self,
        name: &str,
        queue: &SqsQueue,
        load: &Load,
        variant: Variant,
        perf: Option<&Path>,
    ) -> Result<Figures> {
        let ways = Ways::of(variant, &self.servers).await?;
        let mut command = ways.worker(&self.servers, queue, name);
        // A stop waits for the long poll.
        command.env("LONGSHORE__QUEUE__WAIT", "1s");
        if let Some(transport) = variant.transport {
            command.env("LONGSHORE__QUEUE__TRANSPORT", transport.name());
        }
        if variant.is_partial {
            command.env("LONGSHORE__ROUTES__SESSION__PARTIAL", "true");
        }
        if variant.has_telemetry {
            command.envs([
                ("OTEL_EXPORTER_OTLP_ENDPOINT", self.collector.endpoint.as_str()),
                ("LONGSHORE__ADMIN__LISTEN", "127.0.0.1:0"),
            ]);
        } else {
            command.env("LONGSHORE__ADMIN__LISTEN", "off");
        }
        let (figures, ended) = drain(command, queue, load.messages.len(), perf).await?;
        ensure!(ended["drained"] == true, "longshore did not drain: {ended}");
        let db = DbConfig { mongo_uri: Some(self.servers.mongod.uri(name)), ..DbConfig::default() };
        let verification = verify(&MongoManager::connect(&db).await?, &load.expected).await?;
        ensure!(
            verification.problems.is_empty(),
            "the database does not hold what was sent: {}",
            verification.problems.join("; ")
        );
        Ok(Figures { wrong: Some(Wrong::default()), ..figures })
    }

    async fn idle(&self) -> Result<Idle> {
        let queue = self.servers.sqs.queue("idle", &self.config).await?;
        let mut command = Ways::default().worker(&self.servers, &queue, "idle");
        command.env("LONGSHORE__ADMIN__LISTEN", "127.0.0.1:0");
        Idle::of(command).await
    }

    async fn ramp(&self, messages: usize) -> Result<Ramp> {
        let queue = self.servers.sqs.queue("ramp", &self.config).await?;
        let load = rows::load(Mix::Portal, messages);
        let variant = Variant { distance: rows::AWAY, ..rows::DEFAULT };
        let ways = Ways::of(variant, &self.servers).await?;
        let command = ways.worker(&self.servers, &queue, "ramp");
        let fill = servers::fill(&queue, &load);
        Ramp::of(command, &queue, load.messages.len() as u64, fill).await
    }

    async fn latencies(&self, runs: u32) -> Result<Option<Latency>> {
        let mut each = Vec::new();
        for run in 1..=runs {
            eprintln!("run {run} of {runs}: latency");
            each.push(self.latency(&format!("latency-{run}")).await?);
        }
        Ok(Latency::median(&each))
    }

    async fn latency(&self, name: &str) -> Result<Latency> {
        let client = |database: &str| {
            Client::with_uri_str(self.servers.mongod.uri(database).expose().to_owned())
        };
        let bare = format!("{name}-bare");
        let queue = self.servers.sqs.queue(&bare, &self.config).await?;
        let asking = self.servers.sqs.queue(&bare, &self.config).await?;
        let database = client(&bare).await?;
        let bare = tokio::select! {
            quantiles = latency::until_durable(&queue, &database, &bare) => quantiles?,
            ended = latency::bare(asking, &database, &bare) => {
                ended?;
                bail!("the bare calls ended");
            }
        };
        let worker = format!("{name}-worker");
        let queue = self.servers.sqs.queue(&worker, &self.config).await?;
        let mut command = Ways::default().worker(&self.servers, &queue, &worker);
        command.envs([("LONGSHORE__QUEUE__WAIT", "1s"), ("LONGSHORE__ADMIN__LISTEN", "off")]);
        let subject = Subject::start(command).await?;
        let database = client(&worker).await?;
        let worker = latency::until_durable(&queue, &database, &worker).await?;
        let ended = subject.end().await?;
        let receives = ended["calls.receive"].as_f64().context("it does not count its receives")?;
        let receives = receives / f64::from(latency::MESSAGES);
        Ok(Latency { worker, bare, receives })
    }
}

/// Names of databases and queues have few characters.
fn database_name(row: &str) -> String {
    let name = row.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    name.chars().take(40).collect()
}

/// Starts the process and measures it from the moment that it says that it has started until the
/// queue is empty. Gives its last words, too.
async fn drain(
    command: Command,
    queue: &SqsQueue,
    messages: usize,
    perf: Option<&Path>,
) -> Result<(Figures, Value)> {
    let mut subject = Subject::start(command).await?;
    let (started, before) = (Instant::now(), measure::of(subject.process_id)?);
    let profiler = perf.map(|file| profile(subject.process_id, file)).transpose()?;
    let (mut left, mut moved) = (u64::MAX, Instant::now());
    loop {
        let now_left = queue.facts().await?.messages_in_all();
        if now_left == 0 {
            break;
        }
        if now_left < left {
            (left, moved) = (now_left, Instant::now());
        }
        ensure!(moved.elapsed() < STANDSTILL_MAX, "{left} messages are left, and it does nothing");
        ensure!(subject.is_running()?, "it ended before the queue was empty");
        sleep(LOOK).await;
    }
    let took = started.elapsed();
    let usage = measure::of(subject.process_id)?;
    let ended = subject.end().await?;
    if let Some(mut profiler) = profiler {
        let status = profiler.wait().await?;
        ensure!(status.success(), "perf ended with {status}: see benches/README.md for its rights");
    }
    #[expect(clippy::cast_precision_loss, reason = "at most ten million")]
    let messages = messages as f64;
    let each = |name: &str| ended[name].as_f64().map(|count| count / messages);
    let figures = Figures {
        cpu_seconds_per_million: (usage.cpu_seconds - before.cpu_seconds) / messages * 1e6,
        messages_per_second: messages / took.as_secs_f64(),
        peak_rss_mib: usage.peak_rss_mib,
        receives_per_message: each("calls.receive"),
        deletes_per_message: each("calls.delete"),
        visibility_changes_per_message: each("calls.change_visibility"),
        commands_per_message: each("batches_written_total"),
        wrong: None,
    };
    Ok((figures, ended))
}

/// Samples the process until it ends. The rate is a prime, so that it beats with nothing.
fn profile(process_id: u32, file: &Path) -> Result<Child> {
    let mut perf = Command::new("perf");
    // Stacks by the tables that unwinding needs anyway: frame pointers would make another program of it.
    // A clock is there where counters of the processor are not, as in most virtual machines.
    perf.args(["record", "--quiet", "--event=cpu-clock", "--freq=997"])
        .args(["--call-graph=dwarf,32768", "--pid"])
        .arg(process_id.to_string())
        .arg("--output")
        .arg(file);
    perf.kill_on_drop(true)
        .spawn()
        .context("cannot run perf: install it (Debian: linux-perf), or unset PERF")
}
