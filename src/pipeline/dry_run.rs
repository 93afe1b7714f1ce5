//! Decodes and routes what is in the queue, reports, writes and deletes nothing, and gives every
//! message back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::queue::{BATCH_MAX, EntryOutcome, Queue, QueueFault};
use crate::stop::Stop;

use super::trial::{Check, Outcome, Trial, Tried};

/// The longest wait for a message: a queue that is empty should not keep anyone waiting.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// What would have become of a message.
#[derive(Debug)]
pub struct Forecast {
    pub message_id: String,
    pub tried: Tried,
}

/// What is looked at, and how.
#[derive(Debug)]
pub struct Looking<'a, Q> {
    pub queue: &'a Q,
    pub config: &'a Config,
    /// What a message may need beyond its share: see [`Shares`](crate::budget::Shares). A worker has
    /// no more for it.
    pub growth: usize,
    pub messages_max: usize,
    pub check: Check,
}

/// What was seen in all.
#[derive(Debug, Default)]
pub struct Report {
    pub messages: usize,
    pub by_collection: BTreeMap<String, usize>,
    pub rejected: usize,
    /// Messages that were past their TTL when they were sent.
    pub expired: usize,
    /// Messages of which two names of a type name two routes.
    pub types_disagreed: usize,
    /// Messages that could not be given back; they come back after their visibility timeout.
    pub not_given_back: usize,
}

/// Looks at up to `messages_max` messages, until a receive brings nothing or `stop`. Everything is
/// held until the end and then given back, or the same messages would come again and again. Each
/// receive count grows by one.
///
/// # Errors
/// Where the queue fails; what was received until then is given back.
pub async fn run<Q: Queue>(
    looking: Looking<'_, Q>,
    stop: &Stop,
    mut report_one: impl FnMut(Forecast),
) -> Result<Report, QueueFault> {
    let Looking { queue, config, growth, messages_max, check } = looking;
    let trial = Trial::new(config, growth, check);
    let (mut report, mut handles) = (Report::default(), Vec::new());
    let mut fault = None;
    while report.messages < messages_max && !stop.is_draining() {
        let max = BATCH_MAX.min(messages_max - report.messages);
        let messages = match queue.receive(max, config.queue.wait.min(WAIT_MAX), None).await {
            Ok(messages) if messages.is_empty() => break,
            Ok(messages) => messages,
            Err(error) => {
                fault = Some(error);
                break;
            }
        };
        for message in messages {
            let tried = trial.of(&message);
            report.count(&tried);
            handles.push(Arc::clone(&message.receipt_handle));
            report_one(Forecast { message_id: message.message_id, tried });
        }
    }
    for chunk in handles.chunks(BATCH_MAX) {
        let given_back = match queue.change_visibility(chunk, Duration::ZERO).await {
            Ok(outcomes) => outcomes
                .iter()
                .filter(|outcome| !matches!(outcome, EntryOutcome::Failed(_)))
                .count(),
            Err(_) => 0,
        };
        report.not_given_back += chunk.len() - given_back.min(chunk.len());
    }
    fault.map_or(Ok(report), Err)
}

impl Report {
    fn count(&mut self, tried: &Tried) {
        self.messages += 1;
        self.types_disagreed += usize::from(tried.other_route.is_some());
        match &tried.outcome {
            Outcome::Write { collection, .. } => {
                *self.by_collection.entry(collection.clone()).or_default() += 1;
            }
            Outcome::Expired { .. } => self.expired += 1,
            Outcome::Rejected(_) => self.rejected += 1,
        }
    }
}
