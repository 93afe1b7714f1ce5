//! `longshore dead-letters collect`: from the queue that dead letters are sent to into the collection.
//!
//! A queue cannot be searched, so the other commands read the collection alone.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::HumanCount;
use serde_json::json;

use crate::cli::exit::EXIT_FOUND;
use crate::cli::output::{Output, harmless};
use crate::config::Config;
use crate::dead_letter;
use crate::message::{Insert, Key, QueueMessage, Write};
use crate::mongo_manager::MongoManager;
use crate::queue::sqs::{Credentials, SqsQueue};
use crate::queue::{BATCH_MAX, EntryOutcome, Queue, QueueFault};
use crate::retry::RetryConfig;
use crate::stop::Stop;
use crate::store::Collection;
use crate::store::mongo::MongoStore;
use crate::worker::{letter_queue, stop_on_signals};

use super::asked;
use super::written::written;

/// The longest wait for a message: the queue is empty where none comes.
const WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters collect
  longshore dead-letters collect --limit 1000 --yes

With dead_letters.queue set, dead letters are sent to that queue. This moves them to the collection, where groups, list, show, replay, export and purge find them. One whose message is there already \
joins it. Each is deleted from the queue after it is durable in the collection, so the command may be stopped and started again at any moment. What is no dead letter of Longshore's stays, and is named.

Exit status: 0 if all were moved; 1 if some were not, or you said no; 2 if it could not start.")]
pub struct CollectArgs {
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// JSON lines also on a terminal
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

#[derive(Default)]
struct Collected {
    moved: usize,
    stay: usize,
    /// In the collection, and still in the queue: the next time they are found to be there.
    not_deleted: usize,
}

impl Collecting<'_> {
    async fn all(self, letters_max: usize) -> Result<ExitCode> {
        let mut counts = Collected::default();
        let mut seen = BTreeSet::new();
        let ended = loop {
            let max = BATCH_MAX.min(letters_max.saturating_sub(seen.len()));
            if max == 0 || self.stop.is_draining() {
                break Ok(());
            }
            match self.queue.receive(max, WAIT, None).await {
                Ok(mut messages) => {
                    // What stays comes back after its visibility timeout, and has been told.
                    messages.retain(|message| seen.insert(message.message_id.clone()));
                    if messages.is_empty() {
                        break Ok(());
                    }
                    if let Err(fault) = self.some(messages, &mut counts).await {
                        break Err(fault);
                    }
                }
                Err(fault) => break Err(fault),
            }
        };
        let Collected { moved, stay, not_deleted } = counts;
        let stopped = self.stop.is_draining();
        self.output.line(
            || {
                let rest = match not_deleted {
                    0 => String::new(),
                    left => format!("; {} of them could not be deleted there", HumanCount(left as u64)),
                };
                let (moved, stay) = (HumanCount(moved as u64), HumanCount(stay as u64));
                format!("{moved} dead letters collected, {stay} stay{rest}")
            },
            || json!({ "collected": moved, "stay": stay, "not_deleted": not_deleted, "stopped": stopped }),
        );
        ended?;
        let is_done = stay == 0 && not_deleted == 0 && !stopped;
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
    }

    /// Writes them, and deletes those that are durable.
    async fn some(
        &self,
        messages: Vec<QueueMessage>,
        counts: &mut Collected,
    ) -> Result<(), QueueFault> {
        let mut handles = Vec::with_capacity(messages.len());
        for message in messages {
            match self.one(&message).await {
                Ok(()) => handles.push(Arc::clone(&message.receipt_handle)),
                Err(text) => {
                    counts.stay += 1;
                    let id = &message.message_id;
                    self.output.line(
                        || format!("{} stays: {}", harmless(id), harmless(&text)),
                        || json!({ "message_id": id, "outcome": "stay", "text": text }),
                    );
                }
            }
        }
        counts.moved += handles.len();
        counts.not_deleted += handles.len();
        let outcomes = self.queue.delete(&handles).await?;
        let is_gone = |outcome: &&EntryOutcome| !matches!(outcome, EntryOutcome::Failed(_));
        counts.not_deleted -= outcomes.iter().filter(is_gone).count();
        Ok(())
    }

    async fn one(&self, message: &QueueMessage) -> Result<(), String> {
        if self.stop.is_draining() {
            return Err("the command was stopped".to_owned());
        }
        let record = dead_letter::read(&message.body)?;
        let id = record.get_str("_id").map_err(|error| error.to_string())?;
        let document = bson::serialize_to_vec(&record).map_err(|error| error.to_string())?;
        let letter = Write::Letter(Insert { id: Key::Text(id.to_owned()), document, hash: None });
        written(&self.store, &self.collection, &letter, self.retry, self.stop).await
    }
}
