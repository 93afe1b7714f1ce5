//! `longshore load`: the lines of a file into the database, by the way of a worker and without a queue.

mod alike;
mod bad_lines;
mod dry_run;
mod hashing;
mod input;
mod ledger;
mod progress;
mod queue;
mod recipe;
mod report;
mod running;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, nearest, shares};
use crate::hex::Hex;
use crate::queue::MESSAGE_BYTES_MAX;
use crate::queue::sqs::Credentials;
use crate::stop::Stop;
use crate::telemetry::signals::Signals;
use crate::time::{self, Time};
use crate::worker::database::{Database, connect_to_write};
use crate::worker::stop_on_signals;

use self::bad_lines::BadLines;
use self::input::Input;
use self::ledger::Mark;
use self::progress::{Keeper, Task};
use self::queue::{FileLines, FileQueue, lock};
use self::recipe::Recipe;
use self::report::{Ended, Report};
use self::running::Loading;
use super::exit::EXIT_FOUND;
use super::output::{Output, harmless, say};
use super::send::pace::Pace;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore load events.ndjson
  longshore load --dry-run events.ndjson
  longshore load --type event --bad bad.ndjson events.ndjson
  zcat old.ndjson.gz | longshore load --type session --time 2026-11-22T10:00:00Z -
  mongoexport --uri $URI -c events --jsonFormat canonical | longshore load --type event -

Each line is one message as a worker takes it from the queue, or one document of mongoexport. The command may run beside live traffic: what is newer in the database stays. No queue is needed. Routes with `senders` take lines too, because whoever has the credentials of the database may write.

A line without an id of its own gets one from the content of the whole file and its place in it. So loading a file again changes nothing, whatever its name. An edited file is another file: give events ids of their own before you edit it. Of two lines with one key and version (the value of the version field) the later one wins. A message that came through a queue wins over both.

A bad line is named by its number, and the rest is loaded. It does not become a dead letter. Of many bad lines with the same fault the first few are named and the others counted. The progress is kept in FILE.load until all is loaded: after a stop or a kill the same command continues there.

Exit status: 0 if all was loaded, 1 if some lines were bad or the load was stopped, 2 if it could not start or standard output cannot be written.")]
pub struct LoadArgs {
    /// NDJSON, or what mongoexport writes; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The route of lines that name none
    #[arg(long = "type", value_name = "NAME")]
    kind: Option<String>,
    /// The time of lines that lack one (an event without a timestamp, a document without its version field): RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<Time>,
    /// Also write bad lines to this file, as they stand
    #[arg(long, value_name = "FILE")]
    bad: Option<PathBuf>,
    /// Keep the progress here instead of in FILE.load. Without it no progress is kept for standard input
    #[arg(long, value_name = "FILE")]
    progress: Option<PathBuf>,
    /// Load all lines from the start, and forget earlier progress
    #[arg(long)]
    restart: bool,
    /// Say what would become of the lines, and write nothing. No database is needed
    #[arg(long, conflicts_with_all = ["progress", "restart", "rate"])]
    dry_run: bool,
    /// Lines per second at most
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// Print JSON lines, also on a terminal
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Time, String> {
    time::from_text(text).map_err(|error| error.to_string())
}

/// # Errors
/// Where the file cannot be read, its progress is of something else, or the database lacks what a worker
/// does not start without.
pub async fn load(mut config: Config, args: LoadArgs) -> Result<ExitCode> {
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    let bytes_max = line_bytes_max(&config)?;
    refuse_unknown(&config, args.kind.as_deref())?;
    // No queue says who sent a line: who may write to the database may load.
    config.routes.values_mut().for_each(|route| route.senders.clear());
    let path = args.file.clone();
    let now_ms = SystemClock::default().now_ms();
    if args.dry_run {
        let opened = tokio::task::spawn_blocking(move || Input::open(&path));
        let input = tokio::select! {
            opened = opened => opened??,
            () = stop.draining() => return Ok(ExitCode::from(EXIT_FOUND)),
        };
        let recipe = Recipe::new(input.hash, args.kind, args.time, now_ms, &config);
        let growth = shares::growth(&config, bytes_max);
        let limits = (&config, growth, bytes_max);
        // It keeps no progress, but the load that comes next would find bad lines where it keeps its own.
        let progress = input.is_file.then(|| input::beside(&args.file));
        refuse_same(&input, progress.as_deref(), args.bad.as_deref())?;
        let open = |path: PathBuf| {
            BadLines::open(&path, None, false).with_context(|| bad_lines::failed(&path))
        };
        let bad = args.bad.map(open).transpose()?;
        let is_good =
            dry_run::dry_run(&input, &recipe, limits, Output::json_if(args.json), bad, &stop).await;
        return Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) });
    }
    let opened = tokio::task::spawn_blocking(move || Input::open(&path));
    let credentials = Credentials::chain(&config.queue);
    // Dead letters are not written.
    let collections: Vec<_> = config.collections.values().cloned().collect();
    // A signal during the start ends it: nothing is loaded yet.
    let (input, Database { manager, store, .. }) = tokio::select! {
        started = async { anyhow::Ok((opened.await??, connect_to_write(&config, &credentials, &collections).await?)) } => started?,
        () = stop.draining() => return Ok(ExitCode::from(EXIT_FOUND)),
    };
    let task = Task {
        sha256: Hex::of(input.hash).to_string(),
        database: format!("{}/{}", manager.hosts(), manager.database().name()),
        route: args.kind.clone(),
        time: args.time.map(Time::rfc3339),
        routes: Hex::of(Sha256::digest(format!("{:?} {:?}", config.routes, config.message)))
            .to_string(),
    };
    let progress = args.progress.or_else(|| input.is_file.then(|| input::beside(&args.file)));
    refuse_same(&input, progress.as_deref(), args.bad.as_deref())?;
    let (keeper, from) = Keeper::start(task, progress, args.bad, args.restart)?;
    if from != Mark::default() {
        let Mark { line, loaded, bad, .. } = from;
        say(&format!(
            "longshore: going on after line {line}: {loaded} loaded and {bad} bad so far"
        ));
    }
    let recipe = Recipe::new(input.hash, args.kind, args.time, now_ms, &config);
    let report = Report::new(Output::json_if(args.json), input.bytes, from);
    let lines = FileLines::new(input, from, bytes_max, recipe, report, stop.clone())?;
    let lines = Arc::new(lines);
    let (keeper, signals) = (Arc::new(Mutex::new(keeper)), Signals::default());
    let (pace, entries_max) = (Pace::new(args.rate), Pace::entries_max(args.rate));
    let loading = Loading {
        config,
        store,
        queue: FileQueue::new(Arc::clone(&lines), pace, entries_max),
        lines: Arc::clone(&lines),
        keeper: Arc::clone(&keeper),
        bytes_max,
        signals: signals.clone(),
        stop,
    };
    let kept = Box::pin(loading.run()).await;
    Ok(end(&lines, &lock(&keeper), &signals, kept))
}

/// Tells how it ended.
fn end(lines: &FileLines, keeper: &Keeper, signals: &Signals, kept: Result<()>) -> ExitCode {
    let (is_complete, mark) = {
        let ledger = lock(&lines.ledger);
        (ledger.is_complete(), ledger.mark())
    };
    let report = lock(&lines.report);
    let broken =
        lock(&lines.broken).take().map(|error| anyhow::anyhow!("cannot read further: {error}"));
    let changed = if is_complete { lines.input.unchanged().err() } else { None };
    let is_complete = is_complete && changed.is_none();
    let broken = broken.or_else(|| {
        changed.map(|error| {
            anyhow::anyhow!("{error}: lines without an id may have ids made of its earlier content")
        })
    });
    // Progress of a load that is over would only be in the way of the next one.
    let kept = if is_complete { kept.and_then(|()| keeper.forget()) } else { kept };
    let failures = [broken, kept.err()];
    let has_failed = failures.iter().any(Option::is_some);
    for failure in failures.into_iter().flatten() {
        report.broken(&format!("{failure:#}"));
    }
    let ended = if is_complete {
        Ended::Complete
    } else {
        let place = keeper.path().map(|path| harmless(&path.to_string_lossy()));
        Ended::Stopped(match place {
            Some(path) => format!("the same command goes on there (progress is in {path})"),
            None => "no progress is kept without --progress; loading all again changes nothing"
                .to_owned(),
        })
    };
    let is_clean = report.finish(mark, &signals.counters().counts(), &ended);
    if is_clean && !has_failed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) }
}

/// What a line may have: what a queue would deliver, and what that could unpack to.
fn line_bytes_max(config: &Config) -> Result<usize> {
    let bytes_max = config.message.decompressed_bytes_max.max(MESSAGE_BYTES_MAX);
    if shares::shares(config, bytes_max).is_none() {
        let bytes_min = shares::bytes_min(config, bytes_max);
        bail!(
            "a line may have {bytes_max} bytes (message.decompressed_bytes_max, 1 MiB at least): set in_flight.bytes_max to {bytes_min} or more to hold one"
        );
    }
    Ok(bytes_max)
}

/// Each is written over.
fn refuse_same(input: &Input, progress: Option<&Path>, bad: Option<&Path>) -> Result<()> {
    for (what, path) in [("--progress", progress), ("--bad", bad)] {
        if let Some(path) = path.filter(|path| input.is_at(path)) {
            bail!("{what} {} is the file that is loaded: give another one", path.display());
        }
    }
    let absolute = |path: Option<&Path>| path.and_then(|path| std::path::absolute(path).ok());
    if let (Some(progress), Some(bad)) = (absolute(progress), absolute(bad))
        && progress == bad
    {
        bail!("--bad {} is where the progress is kept: give another file", bad.display());
    }
    Ok(())
}

fn refuse_unknown(config: &Config, kind: Option<&str>) -> Result<()> {
    let Some(kind) = kind else { return Ok(()) };
    let route = config.message.types.get(kind).map_or(kind, String::as_str);
    if !config.routes.contains_key(route) {
        let routes: Vec<_> = config.routes.keys().map(String::as_str).collect();
        let meant = nearest::name(kind, routes.iter().copied());
        let meant = meant.map(|meant| format!(", did you mean {meant}?")).unwrap_or_default();
        bail!("--type {kind} names no route{meant} (routes: {})", routes.join(", "));
    }
    Ok(())
}
