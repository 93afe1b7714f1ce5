//! The queue that dead letters are sent to, where one is configured.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::config::Config;
use crate::dead_letter::LetterQueue;
use crate::queue::QueueConfig;
use crate::queue::sqs::{Credentials, QueueFacts, SqsQueue};

/// What names its URL.
pub const SETTING: &str = "dead_letters.queue";

/// A queue for dead letters that has answered.
pub struct Found {
    queue: SqsQueue,
    facts: QueueFacts,
}

/// Asks the queue of `dead_letters.queue`, the way that the worker's own is asked.
///
/// # Errors
/// Where it does not answer or refuses, or records would be among the messages of `main`.
pub async fn connect(
    config: &Config,
    main: &QueueFacts,
    credentials: &Credentials,
) -> Result<Option<Found>> {
    let Some(settings) = settings(config) else { return Ok(None) };
    let (queue, facts) = SqsQueue::connect_named(SETTING, &settings, credentials.clone()).await?;
    if let Some(problem) = mixed_up(main, &facts) {
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
    let name = letters.name();
    if letters.arn == main.arn {
        return Some(format!(
            "must be another queue than queue.url: a dead letter sent to {name} would be received, refused and sent again without end"
        ));
    }
    let native = main.redrive.as_ref().filter(|policy| policy.dead_letter_arn == letters.arn)?;
    let count = native.max_receive_count;
    Some(format!(
        "must be a queue of its own: SQS moves messages to {name} that were received {count} times, and `dead-letters redrive` would put dead letters back among them"
    ))
}

impl Found {
    /// To be used and told of beside `main`.
    #[must_use]
    pub fn beside(self, main: &SqsQueue) -> LetterQueue {
        let name: Arc<str> = self.facts.name().into();
        LetterQueue {
            queue: Arc::new(self.queue.beside(main, Arc::clone(&name))),
            name,
            fifo: self.facts.fifo,
            message_bytes_max: self.facts.message_bytes_max,
        }
    }
}
