//! Sending, for the `send` command and for dead letters to a queue.

use std::collections::HashMap;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};

use super::batch;
use super::calls::Operation;
use super::client::{CALL_MAX, SqsQueue};
use crate::message::Attribute;
use crate::queue::QueueFault;

/// The most bytes of one send, which is also the most of one message: see [`Outgoing::bytes`]. SQS,
/// since August 2025.
pub const SEND_BYTES_MAX: usize = 1_048_576;

/// A message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    pub body: String,
    /// At most ten (SQS), of the types `String` and `Binary`.
    pub attributes: Vec<(String, Attribute)>,
    /// FIFO queues require it; in standard queues it makes for fairness between groups.
    pub group: Option<String>,
    /// FIFO queues only; a second message with it within 5 minutes is taken as sent and dropped.
    pub deduplication: Option<String>,
}

impl Outgoing {
    /// What SQS counts against its limit: the body, and of each attribute the name, the type and
    /// the value.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + data_type(value).len() + value.bytes());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// What became of one entry of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    Sent {
        message_id: String,
    },
    /// SQS refuses the message itself: another try would end the same.
    Refused(String),
    /// Failed for now; worth another try, which may send it twice.
    Failed(String),
}

impl SqsQueue {
    /// Sends at most [`super::BATCH_MAX`] messages of together at most [`SEND_BYTES_MAX`], which
    /// the caller sees to. The answers stand in the order of `entries`.
    ///
    /// # Errors
    /// Where nothing is known about any of them.
    pub async fn send_batch(&self, entries: &[Outgoing]) -> Result<Vec<SendOutcome>, QueueFault> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.client.send_message_batch().queue_url(&self.address.url).set_entries(
            Some(batch::entries(entries, |id, outgoing| {
                SendMessageBatchRequestEntry::builder()
                    .id(id)
                    .message_body(outgoing.body)
                    .set_message_attributes(attributes(outgoing.attributes))
                    .set_message_group_id(outgoing.group)
                    .set_message_deduplication_id(outgoing.deduplication)
                    .build()
            })?),
        );
        let output = self.call(Operation::Send, CALL_MAX, request.send()).await?;
        let sent = output
            .successful
            .into_iter()
            .map(|entry| (entry.id, SendOutcome::Sent { message_id: entry.message_id }));
        let failed = output.failed.iter().map(|entry| {
            let text = batch::text(entry.into());
            (
                entry.id.clone(),
                if entry.sender_fault {
                    SendOutcome::Refused(text)
                } else {
                    SendOutcome::Failed(text)
                },
            )
        });
        Ok(batch::in_order(entries.len(), SendOutcome::Failed, sent.chain(failed)))
    }
}

fn data_type(value: &Attribute) -> &'static str {
    match value {
        Attribute::Text(_) => "String",
        Attribute::Binary(_) => "Binary",
    }
}

fn attributes(all: Vec<(String, Attribute)>) -> Option<HashMap<String, MessageAttributeValue>> {
    if all.is_empty() {
        return None;
    }
    let entries = all.into_iter().filter_map(|(name, value)| {
        let builder = MessageAttributeValue::builder().data_type(data_type(&value));
        let builder = match value {
            Attribute::Text(text) => builder.string_value(text),
            Attribute::Binary(bytes) => builder.binary_value(Blob::new(bytes)),
        };
        // Fails only without a data type.
        Some((name, builder.build().ok()?))
    });
    Some(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_large_as_sqs_counts_it() {
        let outgoing = Outgoing {
            body: "\u{e9}".to_owned(),
            attributes: vec![
                ("ab".to_owned(), Attribute::Text("xyz".to_owned())),
                ("c".to_owned(), Attribute::Binary(vec![0; 5])),
            ],
            ..Outgoing::default()
        };
        assert_eq!(outgoing.bytes(), 2 + (2 + 6 + 3) + (1 + 6 + 5));
    }
}
