//! `longshore demo`: a portal's load through `longshore dev`, and a look at what the database then
//! holds.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::config::left_out::LeftOut;
use crate::dev::local::Local;
use crate::dev::portal::{self, Load, PortalMessage};
use crate::dev::verify::{Verification, verify};
use crate::dev::worker_thread::{WorkerThread, cpu_seconds};
use crate::mongo_manager::MongoManager;
use crate::queue::BATCH_MAX;
use crate::queue::SendOutcome;
use crate::queue::sqs::{Credentials, SqsQueue};
use crate::stop::Stop;
use crate::telemetry::counters::Counts;
use crate::worker::{Ended, Observability, stop_on_signals};

use super::dev::ignored;
use super::exit::EXIT_FOUND;
use super::output::{print, say};

/// Send calls in flight.
const SENDS_MAX: usize = 8;

/// Between two looks at the counters.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore demo
  longshore demo --messages 200000 --seed 7")]
pub struct DemoArgs {
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    messages: u32,
    /// Makes another load
    #[arg(long, default_value_t = 81)]
    seed: u64,
}

/// # Errors
/// Where queue, database or worker cannot start, or stop answering.
pub async fn demo(config: Config, left_out: LeftOut, args: DemoArgs) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    say("Starting a private MongoDB and an SQS endpoint.");
    ignored::tell(&left_out);
    let Some(local) = Local::start(&stop).await? else { return Ok(interrupted()) };
    let shown = tokio::select! {
        shown = show(local.point(config), &args, &stop) => shown,
        () = stop.letting_go() => Ok(interrupted()),
    };
    local.stop().await;
    shown
}

/// As a shell reports a process that SIGINT ended.
fn interrupted() -> ExitCode {
    say("Interrupted: nothing is left behind.");
    ExitCode::from(130)
}

async fn show(config: Config, args: &DemoArgs, stop: &Stop) -> anyhow::Result<ExitCode> {
    let load = portal::load(args.seed, args.messages as usize);
    let (queue, _) = SqsQueue::connect(&config.queue, Credentials::Local).await?;
    if !send(&queue, &load, stop).await? {
        return Ok(interrupted());
    }
    let worker =
        WorkerThread::start(config.clone(), stop.clone(), Observability::default()).await?;
    let run = drain(&worker, load.messages.len(), stop).await;
    let (signals, calls) = (worker.signals.clone(), worker.calls.total());
    let was_interrupted = stop.is_draining();
    stop.drain();
    let ended = worker.ended().await?;
    if was_interrupted {
        return Ok(interrupted());
    }
    print(
        &table(load.messages.len() as u64, &run, &signals.counters().counts(), calls).to_string(),
    );
    let facts = queue.facts().await?;
    let left = facts.messages_in_all();
    let mut verification =
        verify(&MongoManager::connect(&config.db).await?, &load.expected).await?;
    if left > 0 {
        verification.problems.push(format!("{left} messages are left in the queue"));
    }
    if ended != Ended::Drained {
        verification.problems.push("the worker did not drain within its deadline".to_owned());
    }
    print(&judgement(&verification));
    Ok(if verification.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_FOUND)
    })
}

/// Sends the whole load. Returns whether it was not interrupted.
async fn send(queue: &SqsQueue, load: &Load, stop: &Stop) -> anyhow::Result<bool> {
    let bar = bar("sending", load.messages.len());
    let sends = load.messages.chunks(BATCH_MAX).map(|chunk| {
        let (entries, bar) = (chunk.iter().map(PortalMessage::outgoing).collect::<Vec<_>>(), &bar);
        async move {
            let outcomes = queue.send_batch(&entries).await.context("cannot send the load")?;
            if let Some(outcome) =
                outcomes.iter().find(|outcome| !matches!(outcome, SendOutcome::Sent { .. }))
            {
                bail!("cannot send the load: {outcome:?}");
            }
            bar.inc(outcomes.len() as u64);
            Ok(())
        }
    });
    let sends: Vec<_> = sends.collect();
    let sent = tokio::select! {
        sent = stream::iter(sends).buffer_unordered(SENDS_MAX).try_collect::<()>() => sent.map(|()| true),
        () = stop.draining() => Ok(false),
    };
    bar.finish_and_clear();
    sent
}

/// How long the worker took, and what it cost.
struct Run {
    took: Duration,
    cpu_seconds: Option<f64>,
}

/// Watches until every message has left the queue, or a stop.
async fn drain(worker: &WorkerThread, messages: usize, stop: &Stop) -> Run {
    let bar = bar("unloading", messages);
    let (started, cpu_before) = (Instant::now(), cpu_seconds());
    loop {
        let deleted = worker.signals.counters().deleted_total.get();
        bar.set_position(deleted);
        if deleted >= messages as u64 || stop.is_draining() || worker.is_finished() {
            break;
        }
        sleep(LOOK).await;
    }
    bar.finish_and_clear();
    let cpu_seconds = cpu_before.and_then(|before| Some(cpu_seconds()? - before));
    Run { took: started.elapsed(), cpu_seconds }
}

fn bar(what: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>10} {bar:40} {human_pos}/{human_len}  {rate}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{:.0}/s", state.per_sec());
    });
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}

/// How many messages came to which end. The parts add up to those that were sent, and to those of
/// them that the queue delivered twice.
fn ends(sent: u64, counts: &Counts) -> Vec<(String, u64)> {
    let row = |name: &str, count: u64| (name.to_owned(), count);
    let others = [
        row("joined before writing", counts.joined_total),
        row("already there", counts.already_there_total),
        row("stale", counts.stale_total),
    ];
    let rejected = counts
        .dead_lettered
        .iter()
        .map(|(reason, count)| (format!("dead-lettered: {reason}"), *count));
    let others: Vec<_> = others.into_iter().chain(rejected).collect();
    let of_others = others.iter().map(|(_, count)| count).sum();
    let again = counts.deleted_total.saturating_sub(sent);
    [row("sent", sent)]
        .into_iter()
        .chain((again > 0).then(|| row("and delivered again", again)))
        // Each that was deleted came to one of these ends. What the store took has those in it that
        // turned out stale.
        .chain([row("written", counts.deleted_total.saturating_sub(of_others))])
        .chain(others)
        .collect()
}

fn table(sent: u64, run: &Run, counts: &Counts, calls: u64) -> comfy_table::Table {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (messages, calls) = (counts.received_total as f64, calls as f64);
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    let mut row = |name: &str, value: String| {
        table.add_row([
            comfy_table::Cell::new(name),
            comfy_table::Cell::new(value).set_alignment(comfy_table::CellAlignment::Right),
        ]);
    };
    for (end, count) in ends(sent, counts) {
        row(&end, count.to_string());
    }
    row("messages per second", format!("{:.0}", messages / run.took.as_secs_f64()));
    row("API calls per message", format!("{:.3}", calls / messages));
    if let Some(seconds) = run.cpu_seconds {
        // `make demo` builds to start soon; `make bench` measures what is built to run.
        let build = if cfg!(debug_assertions) { " (hardly optimized build)" } else { "" };
        row(
            &format!("worker CPU seconds per million{build}"),
            format!("{:.0}", seconds / messages * 1e6),
        );
    }
    table
}

fn judgement(verification: &Verification) -> String {
    let dead_letters: u64 = verification.dead_letters.values().sum();
    if verification.problems.is_empty() {
        return format!(
            "The database holds what was sent: {} events, each once; {} sessions and {} cache entries, each at its newest version; \
             {dead_letters} dead letters with {} different reasons. The queue is empty.",
            verification.events,
            verification.sessions,
            verification.cache,
            verification.dead_letters.len()
        );
    }
    format!("The database does not hold what was sent:\n  {}", verification.problems.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Reason;

    #[test]
    fn the_ends_of_messages_add_up_to_what_was_sent() {
        let counts = Counts {
            received_total: 120,
            deleted_total: 104,
            // Stale updates are among what the store took, expired ones are not.
            written_total: 83,
            joined_total: 10,
            already_there_total: 4,
            stale_total: 7,
            dead_lettered_total: 3,
            dead_lettered: [(Reason::BadJson, 2), (Reason::BadKey, 1)].into(),
            ..Counts::default()
        };
        let ends = ends(100, &counts);
        let of = |name: &str| {
            ends.iter().find(|(end, _)| end == name).map(|(_, count)| *count).expect(name)
        };
        assert_eq!([of("sent"), of("and delivered again"), of("written")], [100, 4, 80]);
        let (given, come): (Vec<_>, Vec<_>) =
            ends.iter().partition(|(end, _)| ["sent", "and delivered again"].contains(&&**end));
        let sum = |rows: Vec<&(String, u64)>| rows.iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!(sum(given), sum(come));
    }
}
