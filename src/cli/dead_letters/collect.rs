//! `longshore dead-letters collect`: from the queue that dead letters are sent to into the collection.
//!
//! A queue cannot be searched, so the other commands read the collection alone.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::HumanCount;
use serde_json::json;

use crate::cli::exit::EXIT_FOUND;
use crate::cli::output::{Output, harmless};
use crate::cli::send::pace::Pace;
use crate::config::Config;
use crate::dead_letter;
use crate::message::{Insert, Key, KnownBy, QueueMessage, Write};
use crate::mongo_manager::MongoManager;
use crate::queue::BATCH_MAX;
use crate::queue::sqs::{Credentials, SqsQueue};
use crate::retry::RetryConfig;
use crate::stop::Stop;
use crate::store::Collection;
use crate::store::mongo::MongoStore;
use crate::worker::{letter_queue, stop_on_signals};

use super::asked;
use super::emptying::{Counts, Emptied, Emptying};
use super::written::{Unwritten, written};

/// What is told of why one stays: its text is whoever's who sent it.
const TEXT_CHARS_MAX: usize = 300;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters collect
  longshore dead-letters collect --limit 1000 --yes

With dead_letters.queue set, dead letters are sent to that queue. This moves them to the collection, where groups, list, show, replay, export and purge find them. If the collection has a letter of the same message already, the two become one record. A letter is deleted from the queue only after it is durable in the collection, so the command may be stopped and started again at any moment. Messages that are not dead letters of Longshore stay in the queue, and are named. Letters that were received and not moved are visible again after the visibility timeout of that queue.

Exit status: 0 if all were moved; 1 if some were not, or you answered no; 2 if the command could not start, or the queue or the database stopped answering.")]
pub struct CollectArgs {
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print JSON lines, also on a terminal
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where no such queue is configured, it does not answer, or nobody says that it is meant.
pub async fn collect(
    config: &Config,
    manager: &MongoManager,
    args: CollectArgs,
) -> Result<ExitCode> {
    let Some(settings) = letter_queue::settings(config) else {
        bail!(
            "dead_letters.queue is not set, so dead letters are in the collection already: look at `longshore dead-letters groups`"
        );
    };
    let (queue, facts) =
        SqsQueue::connect_named(letter_queue::SETTING, &settings, Credentials::chain(&settings))
            .await?;
    let collection = config.dead_letter_collection();
    if !args.yes {
        asked::check()?;
        let (name, to) = (facts.name(), &collection.name);
        let question = format!("Move about {} dead letters of {name} to {to}?", facts.messages);
        if !asked::is_meant(&question)? {
            return Ok(ExitCode::from(EXIT_FOUND));
        }
    }
    // Not before the question: there a signal just ends it.
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    let timeout = config.db.server_selection_timeout;
    let store = MongoStore::new(manager.database().clone(), timeout, Box::new(|| None));
    let output = Output::json_if(args.json);
    let (retry, stop) = (&config.retry, &stop);
    let collecting = Collecting { queue, store, collection, retry, output, stop };
    collecting.all(usize::try_from(args.limit).unwrap_or(usize::MAX)).await
}

struct Collecting<'a> {
    queue: SqsQueue,
    store: MongoStore,
    collection: Collection,
    retry: &'a RetryConfig,
    output: Output,
    stop: &'a Stop,
}

impl Collecting<'_> {
    async fn all(self, letters_max: usize) -> Result<ExitCode> {
        let emptying = Emptying {
            queue: &self.queue,
            messages_max: letters_max,
            pace: Pace::new(None),
            entries_max: BATCH_MAX,
            stop: self.stop,
        };
        let (emptied, ended) = emptying
            .run(async |messages: &[QueueMessage], emptied: &mut Emptied| {
                self.some(messages, emptied).await
            })
            .await;
        let Counts { moved, stay, not_deleted } = emptied.counts();
        let stopped = self.stop.is_draining();
        self.output.line(
            || {
                let rest = emptied.rest();
                let (moved, stay) = (HumanCount(moved as u64), HumanCount(stay as u64));
                format!("{moved} dead letters collected, {stay} stay in the queue{rest}")
            },
            || json!({ "collected": moved, "stay": stay, "not_deleted": not_deleted, "stopped": stopped }),
        );
        ended?;
        let is_done = stay == 0 && not_deleted == 0 && !stopped;
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
    }

    /// Writes them. What is behind one that the database did not take comes back after its visibility timeout.
    async fn some(&self, messages: &[QueueMessage], emptied: &mut Emptied) -> Result<()> {
        for message in messages {
            if self.stop.is_draining() {
                break;
            }
            match self.one(message).await {
                Ok(()) => emptied.moved(message),
                Err(Unwritten::Refused(text)) => {
                    self.stays(&message.message_id, &text);
                    emptied.stays(message);
                }
                Err(Unwritten::Unconfirmed(text)) => {
                    bail!("the database does not take dead letters: {text}");
                }
            }
        }
        Ok(())
    }

    fn stays(&self, id: &str, text: &str) {
        let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
        self.output.line(
            || format!("{} stays: {}", harmless(id), harmless(&text)),
            || json!({ "message_id": id, "outcome": "stay", "text": text }),
        );
    }

    async fn one(&self, message: &QueueMessage) -> Result<(), Unwritten> {
        let record = dead_letter::read(&message.body).map_err(Unwritten::Refused)?;
        let refused = |error: String| Unwritten::Refused(error);
        let id = record.get_str("_id").map_err(|error| refused(error.to_string()))?;
        let document =
            bson::serialize_to_vec(&record).map_err(|error| refused(error.to_string()))?;
        let letter =
            Write::Letter(Insert { id: Key::Text(id.to_owned()), document, known_by: KnownBy::Id });
        written(&self.store, &self.collection, &letter, self.retry, self.stop).await
    }
}
