//! The queue that dead letters are sent to, where one is configured.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::config::{ANOTHER_QUEUE, Config};
use crate::dead_letter::LetterQueue;
use crate::queue::sqs::{Credentials, QueueFacts, SqsQueue};
use crate::queue::{MESSAGE_BYTES_MAX, QueueConfig, name};

/// What names its URL.
pub const SETTING: &str = "dead_letters.queue";

/// A queue for dead letters, and what it said of itself, if it answered.
pub struct Found {
    queue: SqsQueue,
    facts: Option<QueueFacts>,
}

/// Asks the queue of `dead_letters.queue`, the way that the worker's own is asked. One that does not answer is
/// no reason not to start: dead letters go to the collection until it does.
///
/// # Errors
/// Where it cannot be asked at all, or records would be among the messages of `main`.
pub async fn connect(
    config: &Config,
    main: &QueueFacts,
    credentials: &Credentials,
) -> Result<Option<Found>> {
    let Some(settings) = settings(config) else { return Ok(None) };
    let asked = SqsQueue::connect_named(SETTING, &settings, credentials.clone()).await;
    let (queue, facts) = match asked {
        Ok((queue, facts)) => (queue, Some(facts)),
        Err(fault) => {
            let queue = SqsQueue::unasked(SETTING, &settings, credentials.clone()).await?;
            tracing::error!(cause = %fault, "dead letters go to the collection until their queue answers");
            (queue, None)
        }
    };
    if let Some(problem) = facts.as_ref().and_then(|facts| mixed_up(main, facts)) {
        bail!("{SETTING} {problem}");
    }
    Ok(Some(Found { queue, facts }))
}

/// How that queue is asked, where there is one.
#[must_use]
pub fn settings(config: &Config) -> Option<QueueConfig> {
    let url = Some(config.dead_letters.queue.clone()?);
    // It is received from by a command alone, for as long as that queue says.
    Some(QueueConfig { url, visibility_timeout: None, ..config.queue.clone() })
}

/// Why records must not go there, if so.
#[must_use]
pub fn mixed_up(main: &QueueFacts, letters: &QueueFacts) -> Option<String> {
    if letters.arn == main.arn {
        return Some(ANOTHER_QUEUE.to_owned());
    }
    let name = letters.name();
    let goes_to =
        |facts: &QueueFacts| facts.redrive.as_ref().map(|policy| policy.dead_letter_arn.clone());
    if goes_to(main).as_deref() == Some(&letters.arn) {
        return Some(format!(
            "must be a queue of its own: SQS moves messages to {name} that were received too often, and `dead-letters redrive` would put dead letters back among them"
        ));
    }
    let further = goes_to(letters)
        .filter(|further| *further == main.arn || Some(further) == goes_to(main).as_ref())?;
    Some(format!(
        "must be a queue that keeps what it has: the redrive policy of {name} moves dead letters to {further}, among messages"
    ))
}

impl Found {
    /// To be used and told of beside `main`.
    #[must_use]
    pub fn beside(self, main: &SqsQueue) -> LetterQueue {
        let name: Arc<str> = self.queue.name().into();
        let facts = self.facts.as_ref();
        LetterQueue {
            // SQS wants it of the name of a FIFO queue.
            fifo: facts.map_or_else(|| name::is_fifo(&name), |facts| facts.fifo),
            // What is too large for it, it refuses.
            message_bytes_max: facts.map_or(MESSAGE_BYTES_MAX, |facts| facts.message_bytes_max),
            queue: Arc::new(self.queue.beside(main, Arc::clone(&name))),
            has_answered: facts.is_some(),
            name,
        }
    }
}
