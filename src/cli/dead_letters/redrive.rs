//! `longshore dead-letters redrive`: what SQS itself has moved to the queue's own dead-letter queue, because it was
//! received too often, goes back as the message that it was.
//!
//! A move by SQS makes another message of it, under another id and with another time: an event without an id of its
//! own would be a second one, and an old update would be the newest.

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use indicatif::HumanCount;
use serde_json::json;

use crate::cli::exit::EXIT_FOUND;
use crate::cli::output::{Output, harmless};
use crate::cli::run::{print, print_report};
use crate::cli::send::pace::Pace;
use crate::clock::SystemClock;
use crate::config::{Config, shares};
use crate::dead_letter::identify;
use crate::message::{Identity, Origin, QueueMessage, Update, Write};
use crate::pipeline::dry_run::{self, Looking};
use crate::pipeline::trial::{Outcome, Trial, Tried};
use crate::producer::delivery::deliver;
use crate::queue::Outgoing;
use crate::queue::name::of_url;
use crate::queue::sqs::{Credentials, QueueFacts, SqsQueue};
use crate::queue::{MESSAGE_BYTES_MAX, QueueConfig};
use crate::stop::Stop;
use crate::store::mongo::check_write;
use crate::version::{Change, Version};
use crate::worker::stop_on_signals;

use super::asked;
use super::emptying::{Counts, Emptied, Emptying};
use super::replay::outgoing::within_limits;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(after_help = "Examples:
  longshore dead-letters redrive --dry-run
  longshore dead-letters redrive
  longshore dead-letters redrive --rate 50 --yes

SQS moves a message to the dead-letter queue of the redrive policy when it was received too often, for example because workers crashed on it or the database took no writes for a long time. SQS keeps no reason. --dry-run decodes and routes each message with the configuration in force, says what would become of it, and gives it back. Otherwise each message is sent to the queue with the identity and time that it has, and then deleted from the dead-letter queue. Sent twice it counts once, so the command may be stopped and started again at any moment. A message that Longshore would reject goes back too, and becomes a dead letter with its reason.

Exit status: 0 if all went back, or with --dry-run would be written; 1 if some would not, or you answered no; 2 if the command could not start, or a queue stopped answering.")]
pub struct RedriveArgs {
    /// The URL of the dead-letter queue, where the redrive policy of the queue does not name it
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Also if other queues use the same dead-letter queue: their messages come to this queue too
    #[arg(long)]
    any_queue: bool,
    /// From a FIFO queue: also updates that have neither a version field nor the time of sending. SQS gave them a new time when it moved them, so an old update may win over a newer one
    #[arg(long)]
    as_new: bool,
    /// Send nothing: say what would become of them
    #[arg(long)]
    dry_run: bool,
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Messages per second at most
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print JSON lines, also on a terminal
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where the queue has no dead-letter queue, one of them does not answer, or nobody says that it is meant.
pub async fn redrive(config: &Config, args: RedriveArgs) -> Result<ExitCode> {
    let output = Output::json_if(args.json);
    let credentials = || Credentials::chain(&config.queue);
    let (queue, facts) = SqsQueue::connect(&config.queue, credentials()).await?;
    let url = match args.from {
        Some(url) => url,
        None => dead_letter_url(queue.url(), &facts)?,
    };
    let from = QueueConfig { url: Some(url), ..config.queue.clone() };
    let (from, from_facts) = SqsQueue::connect_named("--from", &from, credentials()).await?;
    if from_facts.arn == facts.arn {
        bail!("--from names the queue itself: name the one that SQS moves its messages to");
    }
    if !args.any_queue {
        of_this_queue_alone(&from, &from_facts, &facts).await?;
    }
    let growth = shares::growth(config, MESSAGE_BYTES_MAX);
    let messages_max = usize::try_from(args.limit).unwrap_or(usize::MAX);
    if args.dry_run {
        let stop = Stop::default();
        stop_on_signals(stop.clone())?;
        let looking = Looking { queue: &from, config, growth, messages_max, check: check_write };
        let report = dry_run::run(looking, &stop, |forecast| print(output, &forecast)).await?;
        print_report(output, &report);
        let is_clean = report.rejected == 0 && report.not_given_back == 0;
        return Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) });
    }
    if !args.yes {
        asked::check()?;
        let (name, to) = (from_facts.name(), facts.name());
        let question =
            format!("Put about {} messages of {name} back to {to}?", from_facts.messages);
        if !asked::is_meant(&question)? {
            return Ok(ExitCode::from(EXIT_FOUND));
        }
    }
    // Not before the question: there a signal just ends it.
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    let moving = Moving {
        from,
        queue,
        fifo: facts.fifo,
        retimed: from_facts.fifo && !args.as_new,
        config,
        trial: Trial::new(config, growth, check_write),
        output,
        stop: &stop,
    };
    moving.all(messages_max, args.rate).await
}

/// Beside the queue, as SQS demands of it: of the same region, account and server.
fn dead_letter_url(url: &str, facts: &QueueFacts) -> Result<String> {
    let policy = facts.redrive.as_ref().ok_or_else(|| {
        anyhow!(
            "{} has no redrive policy, so SQS moves nothing from it: name the dead-letter queue with --from, or look at `longshore dead-letters groups`",
            facts.name()
        )
    })?;
    let name = policy.dead_letter_arn.rsplit(':').next().unwrap_or_default();
    let (before, _) = url.trim_end_matches('/').rsplit_once('/').unwrap_or_default();
    Ok(format!("{before}/{name}"))
}

/// # Errors
/// Where other queues move messages there too, or nobody may say so.
async fn of_this_queue_alone(
    from: &SqsQueue,
    from_facts: &QueueFacts,
    facts: &QueueFacts,
) -> Result<()> {
    let sources = from.dead_letter_sources().await.map_err(|fault| {
        anyhow!("cannot tell whether other queues move messages there too: {fault}; --any-queue takes all messages")
    })?;
    let others: Vec<_> =
        sources.iter().map(|url| of_url(url)).filter(|name| *name != facts.name()).collect();
    if !others.is_empty() {
        bail!(
            "{} has messages of other queues too ({}), and they would come to {}: --any-queue takes all",
            from_facts.name(),
            others.join(", "),
            facts.name()
        );
    }
    Ok(())
}

struct Moving<'a> {
    from: SqsQueue,
    queue: SqsQueue,
    fifo: bool,
    /// Whether what the dead-letter queue says of the time of a message is when SQS moved it there (AWS: "Using
    /// dead-letter queues in Amazon SQS").
    retimed: bool,
    config: &'a Config,
    trial: Trial<'a>,
    output: Output,
    stop: &'a Stop,
}

impl Moving<'_> {
    async fn all(self, messages_max: usize, rate: Option<NonZeroU32>) -> Result<ExitCode> {
        let emptying = Emptying {
            queue: &self.from,
            messages_max,
            pace: Pace::new(rate),
            entries_max: Pace::entries_max(rate),
            stop: self.stop,
        };
        let (emptied, ended) = emptying
            .run(async |messages: &[QueueMessage], emptied: &mut Emptied| {
                self.some(messages, emptied).await;
                Ok(())
            })
            .await;
        let Counts { moved: put_back, stay, not_deleted } = emptied.counts();
        self.output.line(
            || {
                let rest = emptied.rest();
                format!("{} messages put back, {} stay{rest}", HumanCount(put_back as u64), HumanCount(stay as u64))
            },
            || json!({ "put_back": put_back, "stay": stay, "not_deleted": not_deleted, "stopped": self.stop.is_draining() }),
        );
        ended?;
        let is_done = stay == 0 && not_deleted == 0 && !self.stop.is_draining();
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
    }

    /// Sends them.
    async fn some(&self, messages: &[QueueMessage], emptied: &mut Emptied) {
        let mut going = Vec::with_capacity(messages.len());
        for (number, message) in messages.iter().enumerate() {
            match self.outgoing(message) {
                Ok(outgoing) => going.push((number, outgoing)),
                Err(text) => self.stays(message, &text, emptied),
            }
        }
        let send = async |messages: &[Outgoing]| self.queue.send_batch(messages).await;
        let clock = Arc::new(SystemClock::default());
        let delivered = deliver(going, &self.config.retry, clock, send).await;
        for (number, text) in delivered.failed {
            self.stays(&messages[number], &text, emptied);
        }
        for (number, _) in delivered.sent {
            emptied.moved(&messages[number]);
        }
        if delivered.is_hopeless {
            self.stop.drain();
        }
    }

    fn outgoing(&self, message: &QueueMessage) -> Result<Outgoing, String> {
        let Tried { route, origin, outcome, .. } = self.trial.of(message);
        if let Some(route) = route.filter(|route| self.config.has_senders(route)) {
            return Err(format!(
                "the route {route} lists its senders, and the queue would name you as the sender: remove {route}.senders for the time of the redrive, or let the producer send the message again"
            ));
        }
        let origin = origin.or_else(|| Origin::of_attributes(message).ok().flatten());
        let origin = origin.unwrap_or_else(|| Origin::of_queue(message));
        if self.retimed && origin.identity == Identity::Queue && is_dated_by_its_sending(&outcome) {
            return Err("SQS gave it another time when it moved it, and it has no other: an old update could win over a newer one; --as-new sends it".to_owned());
        }
        let mut again = message.clone();
        identify(&mut again, &origin);
        within_limits(again, self.fifo, &message.message_id, 0)
    }

    /// It comes back there after its visibility timeout.
    fn stays(&self, message: &QueueMessage, text: &str, emptied: &mut Emptied) {
        emptied.stays(message);
        let id = &message.message_id;
        self.output.line(
            || format!("{} stays: {}", harmless(id), harmless(text)),
            || json!({ "message_id": id, "outcome": "stay", "text": text }),
        );
    }
}

/// Whether it would be an update whose version is the time of its sending.
fn is_dated_by_its_sending(outcome: &Outcome) -> bool {
    let is_so = |version: &Version| version.time == version.origin_time;
    match outcome {
        Outcome::Write { write: Write::Update(Update { change, .. }), .. } => match change {
            Change::Whole { version, .. } => is_so(version),
            Change::Partial { fields } => fields.iter().any(|(_, version, _)| is_so(version)),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::queue::sqs::RedrivePolicy;

    #[test]
    fn the_dead_letter_queue_stands_beside_the_queue() {
        let facts = |arn: Option<&str>| QueueFacts {
            arn: "arn:aws:sqs:eu-west-1:1:portal".to_owned(),
            visibility_timeout: Duration::from_secs(30),
            fifo: false,
            redrive: arn
                .map(|arn| RedrivePolicy { dead_letter_arn: arn.to_owned(), max_receive_count: 5 }),
            messages: 0,
            messages_in_flight: 0,
            messages_delayed: 0,
            message_bytes_max: MESSAGE_BYTES_MAX,
            message_retention: None,
        };
        let url = "https://sqs.eu-west-1.amazonaws.com/1/portal";
        let with = facts(Some("arn:aws:sqs:eu-west-1:1:portal-dead-letters"));
        let expected = "https://sqs.eu-west-1.amazonaws.com/1/portal-dead-letters";
        assert_eq!(dead_letter_url(url, &with).expect("there is one"), expected);
        let told = dead_letter_url(url, &facts(None)).expect_err("there is none").to_string();
        assert!(told.contains("portal has no redrive policy"), "{told}");
    }
}
