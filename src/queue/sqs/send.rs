//! Sending: what commands send, and dead letters.

use std::collections::HashMap;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::batch;
use super::calls::Operation;
use super::client::{CALL_MAX, SqsQueue};
use crate::message::Attribute;
use crate::queue::outgoing::{Outgoing, SendOutcome, data_type};
use crate::queue::{Sends, Sent};

impl SqsQueue {
    /// As [`Sends::send`], for who has the queue itself.
    ///
    /// # Errors
    /// Where nothing is known about any of them.
    pub async fn send_batch(&self, entries: &[Outgoing]) -> Sent {
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

impl Sends for SqsQueue {
    fn send<'a>(&'a self, messages: &'a [Outgoing]) -> BoxFuture<'a, Sent> {
        self.send_batch(messages).boxed()
    }
}
