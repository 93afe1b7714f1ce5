//! A message as the SDK has it, to a [`QueueMessage`].

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};

use crate::message::{Attribute, Fifo, QueueMessage};

/// Whether a server has sent no message with its time of sending: not one odd message, but a server
/// that knows no system attributes.
pub(super) fn has_no_times(messages: &[Message]) -> bool {
    let has_none = |message: &Message| {
        let system = message.attributes.as_ref();
        system.is_none_or(|system| !system.contains_key(&MessageSystemAttributeName::SentTimestamp))
    };
    !messages.is_empty() && messages.iter().all(has_none)
}

/// Takes over what a worker needs, without copying.
///
/// A message without id, receipt handle or a readable `SentTimestamp` could be neither named nor
/// settled. AWS sends none such; one from elsewhere is left hidden and logged, and comes again. A
/// body that is absent is empty.
///
/// A message of a FIFO queue has a group, and a sequence number; where a server gives none it is 0.
/// A standard queue may have groups too, for fairness between them, but no order to keep.
pub(super) fn message(message: Message, in_fifo_queue: bool) -> Option<QueueMessage> {
    let mut system = message.attributes.unwrap_or_default();
    let sent_ms =
        system.get(&MessageSystemAttributeName::SentTimestamp).and_then(|text| text.parse().ok());
    let (Some(message_id), Some(receipt_handle), Some(sent_ms)) =
        (message.message_id, message.receipt_handle, sent_ms)
    else {
        tracing::error!(
            "the queue sent a message without MessageId, ReceiptHandle or SentTimestamp: left to it"
        );
        return None;
    };
    let receive_count = system
        .get(&MessageSystemAttributeName::ApproximateReceiveCount)
        .and_then(|text| text.parse().ok());
    let sequence =
        system.get(&MessageSystemAttributeName::SequenceNumber).and_then(|text| text.parse().ok());
    let group =
        system.remove(&MessageSystemAttributeName::MessageGroupId).filter(|_| in_fifo_queue);
    let fifo = group.map(|group| Fifo { group, sequence: sequence.unwrap_or(0) });
    Some(QueueMessage {
        message_id,
        receipt_handle: receipt_handle.into(),
        body: message.body.unwrap_or_default(),
        attributes: message.message_attributes.map(attributes).unwrap_or_default(),
        sent_ms,
        receive_count: receive_count.unwrap_or(1),
        fifo,
        sender: system
            .get(&MessageSystemAttributeName::SenderId)
            .map(|sender| without_session(sender)),
        trace_header: system.remove(&MessageSystemAttributeName::AwsTraceHeader),
    })
}

/// An id of a role is followed by its session: `AROA...:i-0123`.
fn without_session(sender: &str) -> Arc<str> {
    sender.split(':').next().unwrap_or_default().into()
}

/// Sorted by name. A value is binary where it has bytes, otherwise text; custom type
/// labels (`Number.int`) are not kept.
fn attributes(all: HashMap<String, MessageAttributeValue>) -> Vec<(String, Attribute)> {
    let mut sorted: Vec<_> = all
        .into_iter()
        .filter_map(|(name, value)| {
            let value = match (value.binary_value, value.string_value) {
                (Some(bytes), _) => Attribute::Binary(bytes.into_inner()),
                (None, Some(text)) => Attribute::Text(text),
                (None, None) => return None,
            };
            Some((name, value))
        })
        .collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    sorted
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::primitives::Blob;
    use aws_sdk_sqs::types::builders::MessageBuilder;

    use super::*;

    fn complete() -> MessageBuilder {
        Message::builder()
            .message_id("m-1")
            .receipt_handle("h-1")
            .body("{}")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1795341605123")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
    }

    fn value(data_type: &str, text: Option<&str>, bytes: Option<&[u8]>) -> MessageAttributeValue {
        MessageAttributeValue::builder()
            .data_type(data_type)
            .set_string_value(text.map(str::to_owned))
            .set_binary_value(bytes.map(Blob::new))
            .build()
            .unwrap()
    }

    #[test]
    fn what_a_worker_needs_is_taken_over() {
        let sdk = complete()
            .attributes(
                MessageSystemAttributeName::AwsTraceHeader,
                "Root=1-5759e988-bd862e3fe1be46a994272793",
            )
            .message_attributes("n", value("Number.int", Some("7"), None))
            .message_attributes("b", value("Binary", None, Some(&[0, 255])))
            .message_attributes("a", value("String", Some("x"), None))
            .build();
        let message = message(sdk, false).unwrap();
        assert_eq!(
            (message.message_id.as_str(), &*message.receipt_handle, message.body.as_str()),
            ("m-1", "h-1", "{}")
        );
        assert_eq!(
            (message.sent_ms, message.receive_count, message.fifo.clone()),
            (1_795_341_605_123, 3, None)
        );
        assert_eq!(
            message.trace_header.as_deref(),
            Some("Root=1-5759e988-bd862e3fe1be46a994272793")
        );
        let names: Vec<_> = message.attributes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "n"]);
        assert_eq!(message.attributes[1].1, Attribute::Binary(vec![0, 255]));
        assert_eq!(message.text("n"), Some("7"));
    }

    #[test]
    fn a_sender_is_told_without_its_session() {
        for (id, wanted) in [
            ("AIDAIENQZJOLO23YVJ4VO", "AIDAIENQZJOLO23YVJ4VO"),
            ("AROAIENQZJOLO23YVJ4VO:portal-7c9f", "AROAIENQZJOLO23YVJ4VO"),
            ("AROAIENQZJOLO23YVJ4VO:a:b", "AROAIENQZJOLO23YVJ4VO"),
        ] {
            let sent = complete().attributes(MessageSystemAttributeName::SenderId, id);
            assert_eq!(message(sent.build(), false).unwrap().sender.as_deref(), Some(wanted));
        }
        assert_eq!(message(complete().build(), false).unwrap().sender, None);
    }

    #[test]
    fn only_a_fifo_queue_has_an_order_to_keep() {
        let grouped = || complete().attributes(MessageSystemAttributeName::MessageGroupId, "g");
        assert_eq!(message(grouped().build(), false).unwrap().fifo, None);
        let numbered = grouped()
            .attributes(MessageSystemAttributeName::SequenceNumber, "18849496460467696128");
        let expected = Fifo { group: "g".to_owned(), sequence: 18_849_496_460_467_696_128 };
        assert_eq!(message(numbered.build(), true).unwrap().fifo, Some(expected));
        assert_eq!(
            message(grouped().build(), true).unwrap().fifo,
            Some(Fifo { group: "g".to_owned(), sequence: 0 })
        );
    }

    #[test]
    fn a_message_that_could_not_be_settled_is_left_to_the_queue() {
        for broken in [
            complete().set_message_id(None),
            complete().set_receipt_handle(None),
            complete().set_attributes(None),
            complete().attributes(MessageSystemAttributeName::SentTimestamp, "yesterday"),
        ] {
            assert!(message(broken.build(), false).is_none());
        }
    }

    #[test]
    fn an_absent_body_is_an_empty_one() {
        assert_eq!(message(complete().set_body(None).build(), false).unwrap().body, "");
    }
}
