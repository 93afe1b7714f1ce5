//! `longshore send`: NDJSON into the queue, as a producer that a worker can trust with identities.

pub(super) mod batches;
pub(super) mod delivery;
mod identity;
pub(super) mod lines;
mod message;
pub(super) mod pace;
mod report;
mod source;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use futures_util::{StreamExt, stream};

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::queue::Outgoing;
use crate::queue::sqs::{Credentials, SqsQueue};
use crate::retry::RetryConfig;
use crate::stop::Stop;
use crate::worker::stop_on_signals;

use self::delivery::{Delivered, deliver};
use self::message::{Grouping, Recipe};
use self::pace::Pace;
use self::report::Report;
use self::source::{Piece, Source};
use super::attribute::attribute;
use super::exit::EXIT_FOUND;
use super::output::Output;

/// Calls in flight to a standard queue. To a FIFO queue it is one, so that no batch overtakes
/// another.
const CALLS_MAX: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore send events.ndjson
  zcat old.ndjson.gz | longshore send --rate 500
  longshore send --attribute type=event --attribute source=import events.ndjson
  longshore send --group-by user_id events.ndjson

One JSON object a line. A bad line is named by its number and the rest is sent; so is a message that the queue did not take \
within retry.budget. Each message gets the attributes longshore-id and longshore-time, so that one that is sent again after a \
lost answer stays one message; sending the file again makes new ones, unless events bring ids of their own.

Exit status: 0 if all was sent, 1 if some or all lines were not, 2 if it could not start.")]
pub struct SendArgs {
    /// NDJSON; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Messages per second at most
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// A text attribute of every message; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,
    /// The message group of all (FIFO queues, fair queues)
    #[arg(long, value_name = "TEXT", conflicts_with = "group_by")]
    group_id: Option<String>,
    /// The field whose value is a message's group
    #[arg(long, value_name = "FIELD")]
    group_by: Option<String>,
    /// Leave out the attributes longshore-id and longshore-time, and the deduplication id of a FIFO
    /// queue
    #[arg(long)]
    no_identity: bool,
    /// JSON lines also on a terminal
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where the input cannot be opened, the queue does not answer, or the arguments do not fit it.
pub async fn send(config: Config, args: SendArgs) -> Result<ExitCode> {
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    let (input, input_bytes) = open(&args.file)?;
    let (queue, facts) =
        SqsQueue::connect(&config.queue, Credentials::chain(&config.queue)).await?;
    let grouping = match (args.group_id, args.group_by) {
        (Some(id), _) => Grouping::Id(id),
        (None, Some(field)) => Grouping::Field(field),
        (None, None) => Grouping::None,
    };
    let recipe = Recipe::new(args.attribute, grouping, !args.no_identity, facts.fifo)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let pace = (Pace::new(args.rate), Pace::entries_max(args.rate));
    let source = Source::new(input, recipe, pace, Arc::clone(&clock), stop.clone());
    let sending = Sending {
        queue: &queue,
        retry: &config.retry,
        clock,
        calls_max: if facts.fifo { 1 } else { CALLS_MAX },
        stop: &stop,
    };
    let report = Report::new(Output::json_if(args.json), input_bytes);
    let all_sent = sending.run(source, report).await;
    Ok(if all_sent { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

/// The input, and its length where it has one.
fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let failed = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let metadata = file.metadata().with_context(failed)?;
    // A pipe has no length worth showing.
    Ok((Box::new(BufReader::new(file)), metadata.is_file().then_some(metadata.len())))
}

struct Sending<'a> {
    queue: &'a SqsQueue,
    retry: &'a RetryConfig,
    clock: Arc<dyn Clock>,
    calls_max: usize,
    stop: &'a Stop,
}

/// What became of a piece of the input.
enum Settled {
    Batch { delivered: Delivered, last_line: u64, line_bytes: u64 },
    Bad { line: u64, line_bytes: u64, reason: String },
    Broken(io::Error),
}

impl Sending<'_> {
    /// Sends all that the source gives. Returns whether that was every line.
    async fn run(&self, source: Source, mut report: Report) -> bool {
        let pieces =
            stream::unfold(source, async |mut source| Some((source.next().await?, source)));
        let mut settled =
            std::pin::pin!(pieces.map(|piece| self.settle(piece)).buffer_unordered(self.calls_max));
        let (mut last, mut is_broken) = (0, false);
        loop {
            let settled = tokio::select! {
                settled = settled.next() => settled,
                () = self.stop.letting_go() => None,
            };
            match settled {
                None => break,
                Some(Settled::Bad { line, line_bytes, reason }) => {
                    report.bad(line, line_bytes, &reason);
                    last = last.max(line);
                }
                Some(Settled::Batch { delivered, last_line, line_bytes }) => {
                    report.delivered(&delivered, line_bytes);
                    last = last.max(last_line);
                    if delivered.is_hopeless {
                        self.stop.drain();
                    }
                }
                Some(Settled::Broken(error)) => {
                    report.broken(&error);
                    is_broken = true;
                }
            }
        }
        report.finish((is_broken || self.stop.is_draining()).then_some(last))
    }

    async fn settle(&self, piece: Piece) -> Settled {
        match piece {
            Piece::Bad { line, line_bytes, reason } => Settled::Bad { line, line_bytes, reason },
            Piece::Broken(error) => Settled::Broken(error),
            Piece::Batch(batch) => {
                let last_line = batch.iter().map(|message| message.line).max().unwrap_or(0);
                let line_bytes = batch.iter().map(|message| message.line_bytes).sum();
                let send = async |messages: &[Outgoing]| self.queue.send_batch(messages).await;
                Settled::Batch {
                    delivered: deliver(batch, self.retry, Arc::clone(&self.clock), send).await,
                    last_line,
                    line_bytes,
                }
            }
        }
    }
}
