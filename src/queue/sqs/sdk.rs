//! Receive, delete and change of visibility by the AWS SDK: its types, to and from those of the wire.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{
    self, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageAttributeValue, MessageSystemAttributeName,
};

use super::batch;
use super::calls::Operation;
use super::client::{CALL_MAX, SqsQueue};
use super::received;
use super::wire::{ChangeVisibility, Delete, Message, Receive, System, Text};
use crate::message::{Attribute, QueueMessage};
use crate::queue::{EntryOutcome, QueueFault};

impl SqsQueue {
    pub(super) async fn receive_by_sdk(
        &self,
        call: &Receive<'_>,
        limit: Duration,
    ) -> Result<Vec<QueueMessage>, QueueFault> {
        let names = call.message_system_attribute_names.map(MessageSystemAttributeName::from);
        let request = self
            .client
            .receive_message()
            .queue_url(call.queue_url)
            .max_number_of_messages(i32::try_from(call.max_number_of_messages).unwrap_or(i32::MAX))
            .wait_time_seconds(call.wait_time_seconds)
            .set_message_system_attribute_names(Some(names.into()))
            .set_message_attribute_names(Some(
                call.message_attribute_names.map(str::to_owned).into(),
            ))
            .set_visibility_timeout(call.visibility_timeout)
            .set_receive_request_attempt_id(call.attempt_id.map(str::to_owned));
        let output = self.call(Operation::Receive, limit, request.send()).await?;
        let messages = output.messages.unwrap_or_default().into_iter().map(message).collect();
        received::messages(messages, self.fifo, &self.address)
    }

    pub(super) async fn delete_by_sdk(
        &self,
        call: &Delete<'_>,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        let entries = batch::entries(call.entries, |id, handle| {
            DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(&*handle).build()
        })?;
        let request =
            self.client.delete_message_batch().queue_url(call.queue_url).set_entries(Some(entries));
        let output = self.call(Operation::Delete, CALL_MAX, request.send()).await?;
        Ok(batch::outcomes(
            call.entries.len(),
            output.successful.iter().map(|entry| entry.id.as_str()),
            output.failed.iter().map(batch::Refused::from),
        ))
    }

    pub(super) async fn change_visibility_by_sdk(
        &self,
        call: &ChangeVisibility<'_>,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        let entries = batch::entries(call.entries, |id, handle| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id)
                .receipt_handle(&*handle)
                .visibility_timeout(call.visibility_timeout)
                .build()
        })?;
        let request = self
            .client
            .change_message_visibility_batch()
            .queue_url(call.queue_url)
            .set_entries(Some(entries));
        let output = self.call(Operation::ChangeVisibility, CALL_MAX, request.send()).await?;
        Ok(batch::outcomes(
            call.entries.len(),
            output.successful.iter().map(|entry| entry.id.as_str()),
            output.failed.iter().map(batch::Refused::from),
        ))
    }
}

/// Without copying.
fn message(message: types::Message) -> Message<'static> {
    let text = |text: Option<String>| text.map(Text::from);
    Message {
        id: text(message.message_id),
        receipt_handle: text(message.receipt_handle),
        body: text(message.body),
        system: message.attributes.map(|mut all| {
            let mut take = |name| all.remove(&name).map(Text::from);
            System {
                sent_timestamp: take(MessageSystemAttributeName::SentTimestamp),
                approximate_receive_count: take(
                    MessageSystemAttributeName::ApproximateReceiveCount,
                ),
                message_group_id: take(MessageSystemAttributeName::MessageGroupId),
                sequence_number: take(MessageSystemAttributeName::SequenceNumber),
                sender_id: take(MessageSystemAttributeName::SenderId),
                trace_header: take(MessageSystemAttributeName::AwsTraceHeader),
            }
        }),
        attributes: message.message_attributes.map(attributes).unwrap_or_default(),
    }
}

/// As the wire has them: see `wire/answer.rs`.
fn attributes(all: HashMap<String, MessageAttributeValue>) -> Vec<(String, Attribute)> {
    let values = all.into_iter().filter_map(|(name, value)| {
        let value = match (value.binary_value, value.string_value) {
            (Some(bytes), _) => Attribute::Binary(bytes.into_inner()),
            (None, Some(text)) => Attribute::Text(text),
            (None, None) => return None,
        };
        Some((name, value))
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::primitives::Blob;

    use super::super::wire;
    use super::*;

    fn value(data_type: &str, text: Option<&str>, bytes: Option<&[u8]>) -> MessageAttributeValue {
        MessageAttributeValue::builder()
            .data_type(data_type)
            .set_string_value(text.map(str::to_owned))
            .set_binary_value(bytes.map(Blob::new))
            .build()
            .unwrap()
    }

    #[test]
    fn what_the_sdk_brings_is_what_the_wire_brings() {
        let sdk = types::Message::builder()
            .message_id("m-1")
            .receipt_handle("h-1")
            .body("{}")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1795341605123")
            .attributes(MessageSystemAttributeName::AwsTraceHeader, "Root=1-5759e988")
            .message_attributes("n", value("Number.int", Some("7"), None))
            .message_attributes("b", value("Binary", None, Some(&[0, 255])))
            .message_attributes("none", value("String", None, None))
            .build();
        let json = br#"{"Messages":[{"MessageId":"m-1","ReceiptHandle":"h-1","Body":"{}",
            "Attributes":{"SentTimestamp":"1795341605123","AWSTraceHeader":"Root=1-5759e988"},
            "MessageAttributes":{"b":{"DataType":"Binary","BinaryValue":"AP8="},"n":{"DataType":"Number.int","StringValue":"7"},"none":{"DataType":"String"}}}]}"#;
        let of_wire = wire::messages(json).unwrap().remove(0);
        let told = |message| {
            let sender = &mut received::LastSender::default();
            format!("{:?}", received::message(message, false, sender).unwrap())
        };
        assert_eq!(told(message(sdk)), told(of_wire));
    }
}
