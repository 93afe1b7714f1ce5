//! `longshore dev`: the worker's real code, with a queue and a database on this machine.

pub(super) mod ignored;
mod instructions;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::config::left_out::LeftOut;
use crate::dev::double::Double;
use crate::dev::double::addresses::Addresses;
use crate::dev::local::{Local, QUEUE};
use crate::dev::ports::{Ports, Silent};
use crate::dev::worker_thread::WorkerThread;
use crate::stop::Stop;
use crate::worker::{Ended, Observability, stop_on_signals};

use super::exit::EXIT_FOUND;
use super::output::{print, say};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dev
  longshore --set log.level=debug dev
  longshore --config /etc/longshore.toml dev --port 8787 --env /tmp/longshore.env

The queue and the database are private, and nothing in them is kept at the end. Settings of the configuration or the environment that name real ones are ignored, and listed at the start: nothing real is touched. A queue.url that ends in .fifo makes the private queue a FIFO queue.

It serves as a test double for producers: once it is ready, it answers over HTTP on 127.0.0.1. GET / has the addresses, GET /good the stored documents, GET /bad the rejected messages and why. GET /wait?count=N waits until N messages are stored or rejected (&timeout=SECONDS, 10 by default, 300 at most). POST /reset empties all. A request that fails is an HTTP error, so curl --fail-with-body ends a script and shows why:

  curl -fsS --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:8787/
  curl --fail-with-body -sS 'http://127.0.0.1:8787/wait?count=3'
  curl --fail-with-body -sS 'http://127.0.0.1:8787/good?collection=events'
  curl --fail-with-body -sS -X POST http://127.0.0.1:8787/reset")]
pub struct DevArgs {
    /// Fixed ports of 127.0.0.1: PORT for the test double's answers, PORT+1 for SQS, PORT+2 for
    /// MongoDB; without it free ones
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=i64::from(Ports::FIRST_MAX)))]
    port: Option<u16>,
    /// Once it is ready, write the addresses to FILE as variables that a shell reads with `.`
    #[arg(long, value_name = "FILE")]
    env: Option<PathBuf>,
}

/// # Errors
/// Where a port is taken, or queue, database or worker cannot start.
pub async fn dev(
    config: Config,
    left_out: LeftOut,
    args: DevArgs,
    observability: Observability,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    if let Some(file) = &args.env {
        Addresses::check(file)?;
    }
    say("Starting a private MongoDB and an SQS endpoint.");
    ignored::tell(&left_out);
    let ports = args.port.map_or_else(Ports::default, Ports::from);
    if args.port.is_some() {
        ports.refuse_taken()?;
    }
    let silent = Silent::take(ports.double)?;
    let queue = left_out.queue_name.as_deref().unwrap_or(QUEUE);
    let Some(local) = Local::start_at(ports, queue, &stop).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let observability = Observability {
        settings: replaced(observability.settings, &local.settings()),
        ..observability
    };
    let config = local.point(config);
    let worker = WorkerThread::start(config.clone(), stop.clone(), observability).await;
    let ended = match worker {
        Ok(worker) => {
            let answering = answer(&local, &config, &worker, &stop, silent, &args).await;
            if let Ok(answering) = &answering {
                stop.draining().await;
                answering.abort();
                say("Draining. Press Ctrl-C once more to stop without waiting.");
            }
            stop.drain();
            worker.ended().await.and_then(|ended| answering.map(|_| ended))
        }
        Err(error) => Err(error),
    };
    local.stop().await;
    Ok(if ended? == Ended::Drained { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

/// Answers from now on, and says where and how.
async fn answer(
    local: &Local,
    config: &Config,
    worker: &WorkerThread,
    stop: &Stop,
    silent: Silent,
    args: &DevArgs,
) -> anyhow::Result<JoinHandle<()>> {
    let address = silent.address()?;
    let double = Double::new(local, config, worker, stop.clone(), address).await?;
    let addresses = double.addresses().clone();
    // Before anybody is answered: who is answered finds it there.
    if let Some(file) = &args.env {
        addresses.write(file)?;
    }
    let answering = tokio::spawn(double.serve(silent.listen()?, config.admin.hosts.clone()));
    print(&instructions::instructions(&addresses));
    Ok(answering)
}

/// `settings` with those of `ours` in their places.
fn replaced(settings: Vec<[String; 3]>, ours: &[[String; 3]]) -> Vec<[String; 3]> {
    let own = |setting: [String; 3]| {
        ours.iter().find(|[key, ..]| *key == setting[0]).cloned().unwrap_or(setting)
    };
    settings.into_iter().map(own).collect()
}
