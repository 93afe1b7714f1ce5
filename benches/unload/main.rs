//! What one message costs: a worker drains a queue into a database, three processes, by each of its
//! transports, and beside it, in the same run, the loops that any worker on such a transport has to
//! have.
//!
//! This program is several: without a subcommand it conducts, and starts itself again as the
//! queue's server and as the loops, so that each has a process of its own to be measured.

mod bare_loop;
mod collector;
mod conduct;
mod front;
mod idle;
mod latency;
mod measure;
mod median;
mod part;
mod peers;
mod ramp;
mod report;
mod rows;
mod servers;
mod signed_loop;
mod subject;
mod ways;
mod wrong;

use std::path::PathBuf;

use anyhow::Result;
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use tokio::runtime::Builder;

/// Runtime threads of the queue's server, and of this program while it fills the queues.
const THREADS: usize = 2;

#[derive(Debug, Parser)]
struct Unload {
    #[command(flatten)]
    plan: Plan,
    #[command(subcommand)]
    part: Option<Part>,
    /// `cargo bench` says so to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// Messages of a run
    #[arg(long, env = "MESSAGES", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    messages: u32,
    /// Messages of a first run that does not count; 0 for none
    #[arg(long, env = "WARM_UP", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    warm_up: u32,
    /// Runs; of several, medians are shown
    #[arg(long, env = "RUNS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Let `perf record` fill this file while the worker of the last run drains its queue
    #[arg(long, env = "PERF", value_name = "FILE")]
    perf: Option<PathBuf>,
    /// Give every message a producer's trace, of which 1 % are recorded, and run the worker once
    /// more with all telemetry on
    #[arg(long, env = "TELEMETRY", value_parser = FalseyValueParser::new())]
    telemetry: bool,
    /// Also run what people use today, where it could be fetched
    #[arg(long, env = "PEERS", value_parser = FalseyValueParser::new())]
    peers: bool,
    /// Only the rows whose names hold one of these parts, or `idle`, `latency` or `ramp`
    #[arg(long, env = "ONLY", value_delimiter = ',', value_name = "PART")]
    only: Vec<String>,
    /// Write all figures into this file too, as JSON
    #[arg(long, env = "RESULTS", value_name = "FILE")]
    results: Option<PathBuf>,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The queue's server, until stdin ends
    #[command(hide = true)]
    ServeSqs,
    /// What makes a server be further away, until stdin ends
    #[command(hide = true)]
    Front(front::Serve),
    /// Receive and delete, nothing else
    #[command(hide = true)]
    BareLoop(bare_loop::BareLoop),
    /// The same by the lean transport
    #[command(hide = true)]
    SignedLoop(signed_loop::SignedLoop),
}

fn main() -> Result<()> {
    match Unload::parse() {
        // As a worker by default.
        Unload { part: Some(Part::BareLoop(bare_loop)), .. } => {
            block_on(Builder::new_current_thread(), bare_loop.run())
        }
        Unload { part: Some(Part::SignedLoop(signed_loop)), .. } => {
            block_on(Builder::new_current_thread(), signed_loop.run())
        }
        Unload { part: Some(Part::Front(front)), .. } => {
            block_on(Builder::new_current_thread(), front.run())
        }
        Unload { part: Some(Part::ServeSqs), .. } => {
            block_on(Builder::new_multi_thread(), servers::serve_sqs())
        }
        Unload { part: None, plan, .. } => {
            block_on(Builder::new_multi_thread(), conduct::conduct(&plan))
        }
    }
}

fn block_on(mut runtime: Builder, work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = runtime.worker_threads(THREADS).enable_all().build()?;
    let ended = runtime.block_on(work);
    // A thread that waits for stdin, or a long poll, must not keep the process.
    runtime.shutdown_background();
    ended
}
