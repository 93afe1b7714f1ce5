//! `longshore send`: NDJSON into the queue, as a producer that a worker can trust with identities.

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
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use futures_util::{StreamExt, stream};

use crate::config::Config;
use crate::producer::outbox::Delivery;
use crate::producer::settings::CALLS_MAX;
use crate::producer::{NotSent, Producer, ProducerConfig, SendError, SendReceipt};
use crate::queue::sqs::{Credentials, SqsQueue};
use crate::queue::{BATCH_MAX, SEND_BYTES_MAX};
use crate::stop::Stop;
use crate::worker::stop_on_signals;

use self::message::{Grouping, Recipe};
use self::pace::Pace;
use self::report::Report;
use self::source::{Piece, Source};
use super::attribute::attribute;
use super::exit::EXIT_FOUND;
use super::output::Output;

/// How long a batch that is not full waits for the next line: input may come from a program that is
/// still running.
const LINGER: Duration = Duration::from_millis(100);

/// Lines that may wait: as many again as are in flight, so that batches are full.
const WAITING_MAX: usize = 2 * CALLS_MAX * BATCH_MAX;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore send events.ndjson
  zcat old.ndjson.gz | longshore send --rate 500
  longshore send --attribute type=event --attribute source=import events.ndjson
  longshore send --group-by user_id events.ndjson

One JSON object a line. A bad line is named by its number, and the rest is sent. A message that the queue does not take within retry.budget is named in the same way. Each message gets the attributes longshore-id and longshore-time: if an answer is lost and the message is sent again, it still counts as one message. Sending the file again makes new messages, unless events have ids of their own.

Exit status: 0 if all was sent, 1 if some or all lines were not sent, 2 if the command could not start.")]
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
    /// Print JSON lines, also on a terminal
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
    let entries_max = Pace::entries_max(args.rate);
    let source = Source::new(input, recipe, (Pace::new(args.rate), entries_max), stop.clone());
    let producer = producer(queue, &config, facts.fifo, entries_max);
    let report = Report::new(Output::json_if(args.json), input_bytes);
    let all_sent = Sending { producer: &producer, stop: &stop }.run(source, report).await;
    Ok(if all_sent { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

fn producer(queue: SqsQueue, config: &Config, fifo: bool, entries_max: usize) -> Producer {
    let settings = ProducerConfig {
        waiting_max: WAITING_MAX,
        waiting_bytes_max: WAITING_MAX / BATCH_MAX * SEND_BYTES_MAX,
        ..ProducerConfig::new(queue.url())
    };
    let delivery = Delivery {
        retry: config.retry.clone(),
        entries_max,
        calls_max: if fifo { 1 } else { CALLS_MAX },
        linger: LINGER,
        fifo,
        ends_when_denied: true,
    };
    Producer::start(Arc::new(queue), &settings, delivery)
}

/// The input, and its length where it has one.
fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let failed = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let metadata = file.metadata().with_context(failed)?;
    if metadata.is_dir() {
        bail!("{} is a folder: give a file of NDJSON", path.display());
    }
    // A pipe has no length worth showing.
    Ok((Box::new(BufReader::new(file)), metadata.is_file().then_some(metadata.len())))
}

struct Sending<'a> {
    producer: &'a Producer,
    stop: &'a Stop,
}

/// A piece of the input on its way.
enum Taken {
    Message { line: u64, line_bytes: u64, receipt: Result<SendReceipt, SendError> },
    Bad { line: u64, line_bytes: u64, reason: String },
    Broken(io::Error),
}

/// What became of a piece of the input.
enum Settled {
    Message { line: u64, line_bytes: u64, outcome: Result<(), NotSent> },
    Bad { line: u64, line_bytes: u64, reason: String },
    Broken(io::Error),
}

impl Sending<'_> {
    /// Sends all that the source gives. Returns whether that was every line.
    async fn run(&self, source: Source, mut report: Report) -> bool {
        let taken = stream::unfold(source, async |mut source| {
            let taken = self.take(&mut source).await;
            if taken.is_none() {
                // Nothing more comes: no batch waits for it.
                self.producer.close();
            }
            Some((taken?, source))
        });
        let mut settled = std::pin::pin!(taken.map(settle).buffer_unordered(WAITING_MAX));
        let (mut last, mut is_broken, mut is_let_go) = (0, false, false);
        loop {
            let settled = tokio::select! {
                settled = settled.next() => settled,
                () = self.stop.letting_go(), if !is_let_go => {
                    // What is left is told with the rest.
                    is_let_go = true;
                    self.producer.let_go().await;
                    continue;
                }
            };
            match settled {
                None => break,
                Some(Settled::Bad { line, line_bytes, reason }) => {
                    report.bad(line, line_bytes, &reason);
                    last = last.max(line);
                }
                Some(Settled::Message { line, line_bytes, outcome }) => {
                    if matches!(outcome, Err(NotSent::Denied(_))) {
                        self.stop.drain();
                    }
                    report.message(line, line_bytes, outcome.map_err(|why| why.reason()));
                    last = last.max(line);
                }
                Some(Settled::Broken(error)) => {
                    report.broken(&error);
                    is_broken = true;
                }
            }
        }
        report.finish((is_broken || self.stop.is_draining()).then_some(last))
    }

    /// The next piece, which waits with the producer where it is a message.
    async fn take(&self, source: &mut Source) -> Option<Taken> {
        Some(match source.next().await? {
            Piece::Message { line, line_bytes, message } => {
                let receipt = self.producer.send(message).await;
                Taken::Message { line, line_bytes, receipt }
            }
            Piece::Bad { line, line_bytes, reason } => Taken::Bad { line, line_bytes, reason },
            Piece::Broken(error) => Taken::Broken(error),
        })
    }
}

async fn settle(taken: Taken) -> Settled {
    match taken {
        Taken::Bad { line, line_bytes, reason } => Settled::Bad { line, line_bytes, reason },
        Taken::Broken(error) => Settled::Broken(error),
        Taken::Message { line, line_bytes, receipt } => {
            let outcome = match receipt {
                Ok(receipt) => receipt.await.map(|_| ()),
                // It was checked when it was made, so the producer has ended.
                Err(_) => Err(NotSent::Ended),
            };
            Settled::Message { line, line_bytes, outcome }
        }
    }
}
