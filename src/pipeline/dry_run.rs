//! Decodes and routes what is in the queue, reports, writes and deletes nothing, and gives every
//! message back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::decode::decode_within;
use crate::lane::is_past_ttl;
use crate::message::{Key, Record, Rejection, Write};
use crate::queue::{BATCH_MAX, EntryOutcome, Queue, QueueFault};
use crate::route::{Routed, Router};
use crate::stop::Stop;

use super::intake::beyond;

/// The longest wait for a message: a queue that is empty should not keep anyone waiting.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// What would have become of a message.
#[derive(Debug)]
pub struct Forecast {
    pub message_id: String,
    /// The route's collection and the key or id of the document; or why it would be dead-lettered.
    pub outcome: Result<(String, Key), Rejection>,
    /// It was past the collection's TTL when it was sent, so that a worker would only delete it.
    pub is_expired: bool,
    /// The route that it takes and another one, where one name of its type names each.
    pub disagreement: Option<(String, String)>,
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
    let Looking { queue, config, growth, messages_max } = looking;
    let router = Router::new(&config.routes, config.message.version_skew_max, str::to_owned);
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
            let own = message.bytes();
            let record = decode_within(&message, &config.message, own + growth);
            let disagreement = record.as_ref().ok().and_then(two_routes);
            let outcome = record.and_then(|record| {
                let Routed { lane, write, .. } = router.route(&record)?;
                beyond(&write, own, growth)?;
                let ttl = config.collections.get(lane).and_then(|collection| collection.ttl);
                let is_expired = is_past_ttl(ttl, &write, message.sent_ms);
                Ok((lane.clone(), document_key(write), is_expired))
            });
            let is_expired = outcome.as_ref().is_ok_and(|(_, _, is_expired)| *is_expired);
            let outcome = outcome.map(|(lane, key, _)| (lane, key)).map_err(Rejection::from);
            report.messages += 1;
            report.types_disagreed += usize::from(disagreement.is_some());
            match &outcome {
                Ok(_) if is_expired => report.expired += 1,
                Ok((collection, _)) => {
                    *report.by_collection.entry(collection.clone()).or_default() += 1;
                }
                Err(_) => report.rejected += 1,
            }
            handles.push(Arc::clone(&message.receipt_handle));
            let message_id = message.message_id;
            report_one(Forecast { message_id, outcome, is_expired, disagreement });
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

fn two_routes(record: &Record) -> Option<(String, String)> {
    let named = record.kind.named()?;
    Some((named.route.to_string(), named.other.as_ref()?.to_string()))
}

fn document_key(write: Write) -> Key {
    match write {
        Write::Insert(insert) => insert.id,
        Write::Update(update) => update.key,
    }
}
