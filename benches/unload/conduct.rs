//! One run after the other: fill a queue, let a process drain it, see what that cost, and look at
//! the result.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use longshore::config::load::defaults;
use longshore::config::{Config, DbConfig};
use longshore::dev::mongod::{self, Mongod};
use longshore::dev::portal::{self, Load};
use longshore::dev::sqs::REGION;
use longshore::dev::verify::verify;
use longshore::mongo_manager::MongoManager;
use longshore::queue::Transport;
use longshore::queue::sqs::SqsQueue;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::Plan;
use crate::collector::{self, Collector};
use crate::measure;
use crate::report::{Figures, Report};
use crate::servers::SqsServer;
use crate::subject::Subject;

const SEED: u64 = 81;

/// How often the queue is asked whether it is empty.
const LOOK: Duration = Duration::from_millis(50);

/// Runs all that is planned and prints what came of it.
pub async fn conduct(plan: &Plan) -> Result<()> {
    let stage = Stage {
        sqs: SqsServer::start().await?,
        mongod: Mongod::start(&mongod::Options::new(mongod::find().await?)).await?,
        config: defaults(),
        collector: Collector::start().await?,
    };
    let report = stage.runs(plan).await;
    stage.mongod.stop().await;
    let report = report?;
    println!("{}", if plan.json { report.json().to_string() } else { report.table() });
    Ok(())
}

/// How a worker runs, where it is not as by default.
#[derive(Debug, Clone, Copy, Default)]
struct Variant<'a> {
    /// Otherwise what the settings say.
    transport: Option<Transport>,
    /// The file for what `perf record` finds.
    perf: Option<&'a Path>,
    telemetry: bool,
}

/// The servers, which all runs share.
struct Stage {
    sqs: SqsServer,
    mongod: Mongod,
    config: Config,
    collector: Collector,
}

impl Stage {
    async fn runs(&self, plan: &Plan) -> Result<Report> {
        if plan.warm_up > 0 {
            eprintln!("warming up with {} messages", plan.warm_up);
            let load = portal::load(SEED, plan.warm_up as usize);
            self.bare("bare-loop", "warm-up-bare", &load).await?;
            self.bare("signed-loop", "warm-up-signed", &load).await?;
            self.longshore("warm-up", &load, Variant::default()).await?;
        }
        let mut load = portal::load(SEED, plan.messages as usize);
        if plan.telemetry {
            collector::trace(&mut load);
        }
        let mut report = Report { messages: load.messages.len(), ..Report::default() };
        for run in 1..=plan.runs {
            let of = |what: &str| {
                eprintln!("run {run} of {}: {what}", plan.runs);
                format!("run-{run}-{}", what.replace(' ', "-"))
            };
            let name = of("bare loop");
            report.bare_loop.push(self.bare("bare-loop", &name, &load).await?);
            let name = of("signed loop");
            report.signed_loop.push(self.bare("signed-loop", &name, &load).await?);
            let by_sdk = Variant { transport: Some(Transport::Sdk), ..Variant::default() };
            report.by_sdk.push(self.longshore(&of("longshore by sdk"), &load, by_sdk).await?);
            let perf = plan.perf.as_deref().filter(|_| run == plan.runs);
            let default = Variant { perf, ..Variant::default() };
            report.longshore.push(self.longshore(&of("longshore"), &load, default).await?);
            if plan.telemetry {
                let told = Variant { telemetry: true, ..Variant::default() };
                let figures = self.longshore(&of("longshore with telemetry"), &load, told).await?;
                report.with_telemetry.push(figures);
                let requests = self.collector.requests.swap(0, Ordering::Relaxed);
                ensure!(requests > 0, "nothing was sent to the collector");
            }
        }
        Ok(report)
    }

    /// One of the loops, by its subcommand.
    async fn bare(&self, part: &str, name: &str, load: &Load) -> Result<Figures> {
        let queue = self.sqs.filled_queue(name, load, &self.config).await?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([part, &self.sqs.endpoint, queue.url()]);
        let drained = drain(command, &queue, load.messages.len(), None).await;
        let (figures, _) = drained.with_context(|| format!("the {part}"))?;
        Ok(figures)
    }

    /// Lets a worker drain a queue into a database of its own, and refuses figures of one that did
    /// it wrongly.
    async fn longshore(&self, name: &str, load: &Load, variant: Variant<'_>) -> Result<Figures> {
        let queue = self.sqs.filled_queue(name, load, &self.config).await?;
        let uri = self.mongod.uri(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.arg("run").env_clear();
        // To try settings and allocators. Nothing else of the environment: what is real must not be
        // touched.
        let is_passed_on = |name: &str| {
            name.starts_with("LONGSHORE__") || ["LD_PRELOAD", "GLIBC_TUNABLES"].contains(&name)
        };
        command.envs(std::env::vars().filter(|(name, _)| is_passed_on(name)));
        command.envs([
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", REGION),
        ]);
        command.envs([
            ("LONGSHORE__QUEUE__URL", queue.url()),
            ("LONGSHORE__QUEUE__ENDPOINT_URL", &self.sqs.endpoint),
        ]);
        // A stop waits for the long poll.
        command.envs([("LONGSHORE__QUEUE__WAIT", "1s"), ("MONGO_CACHE_URI", uri.expose())]);
        if let Some(transport) = variant.transport {
            command.env("LONGSHORE__QUEUE__TRANSPORT", transport.name());
        }
        if variant.telemetry {
            command.envs([
                ("OTEL_EXPORTER_OTLP_ENDPOINT", self.collector.endpoint.as_str()),
                ("LONGSHORE__ADMIN__LISTEN", "127.0.0.1:0"),
            ]);
        } else {
            command.env("LONGSHORE__ADMIN__LISTEN", "off");
        }
        let (figures, ended) =
            drain(command, &queue, load.messages.len(), variant.perf).await.context("longshore")?;
        ensure!(ended["drained"] == true, "longshore did not drain: {ended}");
        let manager =
            MongoManager::connect(&DbConfig { mongo_uri: Some(uri), ..DbConfig::default() })
                .await?;
        let verification = verify(&manager, &load.expected).await?;
        ensure!(
            verification.problems.is_empty(),
            "the database does not hold what was sent: {}",
            verification.problems.join("; ")
        );
        Ok(figures)
    }
}

/// Starts the process and measures it from its start until the queue is empty; the rate counts from
/// the moment that it says that it has started. Gives its last words, too.
async fn drain(
    command: Command,
    queue: &SqsQueue,
    messages: usize,
    perf: Option<&Path>,
) -> Result<(Figures, Value)> {
    let mut subject = Subject::start(command).await?;
    let started = Instant::now();
    let profiler = perf.map(|file| profile(subject.process_id, file)).transpose()?;
    loop {
        let facts = queue.facts().await?;
        if facts.messages + facts.messages_in_flight + facts.messages_delayed == 0 {
            break;
        }
        if !subject.is_running()? {
            bail!("it ended before the queue was empty");
        }
        sleep(LOOK).await;
    }
    let took = started.elapsed();
    let usage = measure::of(subject.process_id)?;
    let ended = subject.end().await?;
    if let Some(mut profiler) = profiler {
        profiler.wait().await?;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most ten million")]
    let messages = messages as f64;
    let each = |name: &str| ended[name].as_f64().unwrap_or_default() / messages;
    let figures = Figures {
        cpu_seconds_per_million: usage.cpu_seconds / messages * 1e6,
        messages_per_second: messages / took.as_secs_f64(),
        peak_rss_mib: usage.peak_rss_mib,
        receives_per_message: each("calls.receive"),
        deletes_per_message: each("calls.delete"),
        visibility_changes_per_message: each("calls.change_visibility"),
        commands_per_message: each("batches_written_total"),
    };
    Ok((figures, ended))
}

/// Samples the process until it ends. The rate is a prime, so that it beats with nothing.
fn profile(process_id: u32, file: &Path) -> Result<Child> {
    let mut perf = Command::new("perf");
    perf.args(["record", "--quiet", "--freq=997", "--pid"])
        .arg(process_id.to_string())
        .arg("--output")
        .arg(file);
    perf.kill_on_drop(true)
        .spawn()
        .context("cannot run perf: install it (Debian: linux-perf), or unset PERF")
}
