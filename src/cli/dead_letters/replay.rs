//! `longshore dead-letters replay`: puts them back.

mod chosen;
mod direct;
mod forecast;
mod letter;
pub(super) mod outgoing;
mod prepare;
mod queue;
mod report;

use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::Result;
use bson::{Bson, DateTime, doc};
use clap::Args;
use futures_util::{StreamExt, stream};

use crate::cli::exit::EXIT_FOUND;
use crate::cli::output::{Output, say};
use crate::cli::send::pace::Pace;
use crate::config::Config;
use crate::mongo_manager::{Documents, MongoManager};
use crate::queue::BATCH_MAX;
use crate::queue::sqs::{Credentials, SqsQueue};
use crate::stop::Stop;
use crate::store::mongo::letter::mark;
use crate::worker::stop_on_signals;

use self::chosen::Chosen;
use self::direct::Direct;
use self::forecast::Forecast;
use self::letter::{Ended, Gone, Left, Ready, Why};
use self::prepare::Prepare;
use self::queue::ToQueue;
use self::report::Report;
use super::asked;
use super::edit::Edit;
use super::which::Which;

/// What of a program of `--edit` a record keeps.
const EDIT_CHARS_MAX: usize = 4_096;

/// Letters in work at once are so many chunks of ten; of a FIFO queue one, so that none overtakes another.
const CHUNKS_MAX: usize = 8;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(after_help = "Examples:
  longshore dead-letters replay --group 5f2c91d07a3be846 --dry-run
  longshore dead-letters replay --group 5f2c91d07a3be846
  longshore dead-letters replay --group 5f2c91d07a3be846 --edit '.user_id |= tonumber' --dry-run
  longshore dead-letters replay 883ac385-1b21-4acb-8761-2b7f54c75a77 --direct
  longshore dead-letters replay --reason id_conflict --new-id --rate 100 --yes

Each letter is decoded and routed with the configuration in force. A message that would be rejected again is not sent, and the command says why. The others go to the queue of the configuration, or with --direct into the database. Each record is marked with when, by whom and as which message it was replayed. A message keeps its identity and its time: sent twice it counts once, and newer data in the database stays. So the command may be stopped and started again at any moment. If a message is rejected again, that is added to its record, and `list` shows it again.

--edit runs a jq program on the message inside its envelopes, and wraps the result as it came. A message that is not JSON comes to the program as a text. A place in `groups` is a path in jq: .items[].at for items[].at. Try it with --dry-run first.

Exit status: 0 if all were put back, or with --dry-run could be; 1 if some were not, or you answered no; 2 if the command could not start.")]
pub struct ReplayArgs {
    /// Only these letters, by the ids of their messages or records
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// All letters that were not replayed, where nothing else says which
    #[arg(long)]
    all: bool,
    /// Send nothing: say what would become of them
    #[arg(long)]
    dry_run: bool,
    /// Change each message by this jq program
    #[arg(long, value_name = "JQ")]
    edit: Option<String>,
    /// Give messages that were rejected as `id_conflict` another id, so that each becomes an event of its own
    #[arg(long)]
    new_id: bool,
    /// Write to the database from here, without the queue. Routes with `senders` need this: through the queue you would be the sender
    #[arg(long)]
    direct: bool,
    /// Also letters from other queues than the configured one
    #[arg(long)]
    any_queue: bool,
    /// Letters per second at most
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// Who replays, for the records
    #[arg(
        long,
        value_name = "NAME",
        env = "USER",
        default_value = "unknown",
        hide_env_values = true
    )]
    by: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print JSON lines, also on a terminal
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where nothing says which, or that it is meant; where a server cannot be reached, or does not allow it.
pub async fn replay(
    config: &Config,
    manager: &MongoManager,
    letters: &Documents,
    args: ReplayArgs,
) -> Result<ExitCode> {
    let output = Output::json_if(args.json);
    let edit = args.edit.as_deref().map(Edit::new).transpose()?;
    let chosen = Chosen::of(letters, args.ids, args.which, args.all).await?;
    let pace = (Pace::new(args.rate), Pace::entries_max(args.rate));
    let mut prepare = Prepare::new(config, edit, args.new_id, args.direct)?;
    if args.dry_run {
        // What the queue would not take is told too, where it can be asked.
        if !args.direct && config.queue.url.is_some() {
            match SqsQueue::connect(&config.queue, Credentials::chain(&config.queue)).await {
                Ok((_, facts)) => prepare.goes_to(&facts, args.any_queue),
                Err(fault) => say(&format!(
                    "longshore: cannot ask the queue what it would take, so only the letters themselves are judged: {fault}"
                )),
            }
        }
        return dry_run(letters, &chosen, &prepare, output).await;
    }
    let edit = args.edit.map(|edit| edit.chars().take(EDIT_CHARS_MAX).collect());
    let marks = Marks { letters, by: args.by, edit };
    let way = if args.direct {
        Way::Direct(Direct::new(config, manager))
    } else {
        let credentials = Credentials::chain(&config.queue);
        let (queue, facts) = SqsQueue::connect(&config.queue, credentials).await?;
        prepare.goes_to(&facts, args.any_queue);
        Way::Queue(Box::new(ToQueue::new(queue, config)))
    };
    if !args.yes {
        asked::check()?;
        let question = format!("Put {} dead letters back?", chosen.len());
        if !asked::is_meant(&question)? {
            return Ok(ExitCode::from(EXIT_FOUND));
        }
    }
    // Not before the question: there a signal just ends it.
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    let chunks_max = if prepare.is_for_fifo() { 1 } else { CHUNKS_MAX };
    let replay = Replay { letters, chosen: &chosen, prepare, way, marks, stop: &stop };
    replay.run(pace, chunks_max, Report::new(output, chosen.len())).await
}

async fn dry_run(
    letters: &Documents,
    chosen: &Chosen,
    prepare: &Prepare<'_>,
    output: Output,
) -> Result<ExitCode> {
    let mut forecast = Forecast::default();
    for chunk in chosen.chunks(BATCH_MAX) {
        for record in chosen.read(letters, chunk).await? {
            match prepare.of(&record) {
                Ok(ready) => forecast.would_go(&ready),
                Err(left) => forecast.would_stay(&left),
            }
        }
    }
    Ok(if forecast.tell(output) { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

/// How letters go back.
enum Way {
    Queue(Box<ToQueue>),
    Direct(Direct),
}

struct Replay<'a> {
    letters: &'a Documents,
    chosen: &'a Chosen,
    prepare: Prepare<'a>,
    way: Way,
    marks: Marks<'a>,
    stop: &'a Stop,
}

impl Replay<'_> {
    async fn run(
        self,
        (pace, entries_max): (Pace, usize),
        chunks_max: usize,
        mut report: Report,
    ) -> Result<ExitCode> {
        let pace = tokio::sync::Mutex::new(pace);
        let chunks = stream::iter(self.chosen.chunks(entries_max));
        let mut ended =
            std::pin::pin!(chunks.map(|chunk| self.chunk(chunk, &pace)).buffered(chunks_max));
        let mut failed = None;
        while let Some(ended) = ended.next().await {
            match ended {
                Ok(ended) => ended.iter().for_each(|ended| report.tell(ended)),
                Err(error) => {
                    // What is under way is ended.
                    self.stop.drain();
                    failed.get_or_insert(error);
                }
            }
        }
        let all = report.finish();
        failed.map_or(Ok(()), Err)?;
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
    }

    /// Nothing once it is to stop.
    async fn chunk(&self, ids: &[Bson], pace: &tokio::sync::Mutex<Pace>) -> Result<Vec<Ended>> {
        pace.lock().await.wait_for(ids.len()).await;
        if self.stop.is_draining() {
            return Ok(Vec::new());
        }
        let mut ended = Vec::new();
        let mut all_ready = Vec::new();
        for record in self.chosen.read(self.letters, ids).await? {
            match self.prepare.of(&record) {
                Ok(ready) => all_ready.push(ready),
                Err(left) => ended.push(Ended::Left(left)),
            }
        }
        let gone = match &self.way {
            Way::Queue(queue) => queue.send(all_ready, self.stop).await,
            Way::Direct(direct) => direct.write(all_ready, self.stop).await,
        };
        for gone in gone {
            ended.push(match gone {
                Ok(Gone { ready, message_id }) => self.marks.mark(ready, message_id).await,
                Err(left) => Ended::Left(left),
            });
        }
        Ok(ended)
    }
}

/// How records are marked.
struct Marks<'a> {
    letters: &'a Documents,
    by: String,
    edit: Option<String>,
}

impl Marks<'_> {
    /// After the sending: if this never comes, the letter is sent once more, and is the same message.
    async fn mark(&self, ready: Ready, message_id: Option<String>) -> Ended {
        let mut replay = doc! { "at": DateTime::now(), "by": &self.by, "message_id": message_id };
        replay.extend(self.edit.as_deref().map(|edit| ("edit".to_owned(), Bson::from(edit))));
        match self.letters.change(&ready.id, mark(&replay)).await {
            Ok(_) => Ended::PutBack,
            Err(error) => Ended::Left(Left {
                message_id: ready.message_id,
                why: Why::NotMarked,
                text: error.to_string(),
            }),
        }
    }
}
