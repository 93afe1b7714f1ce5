//! A message as the wire has it, to a [`QueueMessage`].

use std::sync::Arc;

use super::address::QueueAddress;
use super::fault;
use super::wire::{Message, Text, Unread};
use crate::message::{Fifo, QueueMessage};
use crate::queue::QueueFault;

/// Those of an answer that a worker can settle.
///
/// # Errors
/// Where the server tells of none when it was sent.
pub(super) fn messages(
    messages: Vec<Message<'_>>,
    in_fifo_queue: bool,
    address: &QueueAddress,
) -> Result<Vec<QueueMessage>, QueueFault> {
    if has_no_times(&messages) {
        return Err(fault::without_times(address));
    }
    let mut sender = LastSender::default();
    let mut all = Vec::with_capacity(messages.len());
    all.extend(messages.into_iter().filter_map(|each| message(each, in_fifo_queue, &mut sender)));
    Ok(all)
}

/// One that is not read: it goes back.
pub(super) fn unread(handle: Unread, in_fifo_queue: bool) -> Option<QueueMessage> {
    let Unread { message_id, receipt_handle, place } = handle;
    let (Some(message_id), Some(receipt_handle)) = (message_id, receipt_handle) else {
        tracing::error!("the queue sent a message without MessageId or ReceiptHandle: left to it");
        return None;
    };
    let receipt_handle = receipt_handle.into();
    let place = place.unwrap_or_default();
    let sequence = place.sequence_number.and_then(|number| number.parse().ok());
    let fifo = fifo(place.message_group_id, sequence, in_fifo_queue);
    Some(QueueMessage { message_id, receipt_handle, fifo, ..QueueMessage::default() })
}

/// Whether a server has sent no message with its time of sending: not one odd message, but a server
/// that knows no system attributes.
fn has_no_times(messages: &[Message<'_>]) -> bool {
    let has_none = |message: &Message<'_>| {
        message.system.as_ref().is_none_or(|system| system.sent_timestamp.is_none())
    };
    !messages.is_empty() && messages.iter().all(has_none)
}

/// Takes over what a worker needs, and copies what is borrowed.
///
/// A message without id, receipt handle or a readable `SentTimestamp` could be neither named nor
/// settled. AWS sends none such; one from elsewhere is left hidden and logged, and comes again. A
/// body that is absent is empty.
pub(super) fn message(
    message: Message<'_>,
    in_fifo_queue: bool,
    sender: &mut LastSender,
) -> Option<QueueMessage> {
    let system = message.system.unwrap_or_default();
    let sent_ms = number(system.sent_timestamp.as_ref());
    let (Some(message_id), Some(receipt_handle), Some(sent_ms)) =
        (message.id, message.receipt_handle, sent_ms)
    else {
        tracing::error!(
            "the queue sent a message without MessageId, ReceiptHandle or SentTimestamp: left to it"
        );
        return None;
    };
    let group = system.message_group_id.map(Text::into_string);
    let fifo = fifo(group, number(system.sequence_number.as_ref()), in_fifo_queue);
    // The order of an answer is anybody's.
    let mut attributes = message.attributes;
    attributes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Some(QueueMessage {
        message_id: message_id.into_string(),
        receipt_handle: receipt_handle.0.into(),
        body: message.body.map(Text::into_string).unwrap_or_default(),
        attributes,
        sent_ms,
        receive_count: number(system.approximate_receive_count.as_ref()).unwrap_or(1),
        fifo,
        sender: system.sender_id.map(|id| sender.of(&id.0)),
        trace_header: system.trace_header.map(Text::into_string),
        line: None,
    })
}

/// A message of a FIFO queue has a group, and a sequence number; where a server gives none it is 0.
/// A standard queue may have groups too, for fairness between them, but no order to keep.
fn fifo(group: Option<String>, sequence: Option<u128>, in_fifo_queue: bool) -> Option<Fifo> {
    let group = group.filter(|_| in_fifo_queue)?;
    Some(Fifo { group, sequence: sequence.unwrap_or(0) })
}

fn number<T: std::str::FromStr>(text: Option<&Text<'_>>) -> Option<T> {
    text?.0.parse().ok()
}

/// Who sent the messages of an answer: few, as a rule one.
#[derive(Default)]
pub(super) struct LastSender(Option<Arc<str>>);

impl LastSender {
    /// An id of a role is followed by its session: `AROA...:i-0123`.
    fn of(&mut self, id: &str) -> Arc<str> {
        let sender = id.split(':').next().unwrap_or_default();
        let last = self.0.take().filter(|last| **last == *sender);
        Arc::clone(self.0.insert(last.unwrap_or_else(|| sender.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Skim, System};
    use super::*;
    use crate::message::Attribute;

    #[test]
    fn what_goes_back_unread_keeps_its_place_in_a_fifo_queue() {
        let answer = br#"{"Messages":[{"MessageId":"m","ReceiptHandle":"h","Attributes":
            {"MessageGroupId":"g","SequenceNumber":"18849496460467696128"}}]}"#;
        let mut skim = Skim::default();
        assert!(skim.take(answer));
        let handle = || skim.handles().expect("an answer").remove(0);
        let message = unread(handle(), true).expect("it has a handle");
        let fifo = Fifo { group: "g".to_owned(), sequence: 18_849_496_460_467_696_128 };
        assert_eq!((&*message.receipt_handle, message.fifo), ("h", Some(fifo)));
        assert_eq!(unread(handle(), false).expect("it has a handle").fifo, None);
        assert!(unread(Unread { receipt_handle: None, ..handle() }, true).is_none());
    }

    fn text(text: &str) -> Text<'static> {
        text.to_owned().into()
    }

    fn one(sent: Message<'_>, in_fifo_queue: bool) -> Option<QueueMessage> {
        message(sent, in_fifo_queue, &mut LastSender::default())
    }

    fn complete() -> Message<'static> {
        with(|_| ())
    }

    fn with(change: impl FnOnce(&mut System<'static>)) -> Message<'static> {
        let mut system = System {
            sent_timestamp: Some(text("1795341605123")),
            approximate_receive_count: Some(text("3")),
            ..System::default()
        };
        change(&mut system);
        Message {
            id: Some(text("m-1")),
            receipt_handle: Some(text("h-1")),
            body: Some(text("{}")),
            system: Some(system),
            attributes: Vec::new(),
        }
    }

    #[test]
    fn what_a_worker_needs_is_taken_over() {
        let trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793";
        let sent = Message {
            attributes: vec![
                ("n".to_owned(), Attribute::Text("7".to_owned())),
                ("b".to_owned(), Attribute::Binary(vec![0, 255])),
                ("a".to_owned(), Attribute::Text("x".to_owned())),
            ],
            ..with(|system| system.trace_header = Some(text(trace_header)))
        };
        let message = one(sent, false).unwrap();
        assert_eq!(
            (message.message_id.as_str(), &*message.receipt_handle, message.body.as_str()),
            ("m-1", "h-1", "{}")
        );
        assert_eq!(
            (message.sent_ms, message.receive_count, message.fifo.clone()),
            (1_795_341_605_123, 3, None)
        );
        assert_eq!(message.trace_header.as_deref(), Some(trace_header));
        let names: Vec<_> = message.attributes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "n"]);
        assert_eq!(message.text("n"), Some("7"));
    }

    #[test]
    fn a_sender_is_told_without_its_session() {
        for (id, wanted) in [
            ("AIDAIENQZJOLO23YVJ4VO", "AIDAIENQZJOLO23YVJ4VO"),
            ("AROAIENQZJOLO23YVJ4VO:portal-7c9f", "AROAIENQZJOLO23YVJ4VO"),
            ("AROAIENQZJOLO23YVJ4VO:a:b", "AROAIENQZJOLO23YVJ4VO"),
        ] {
            let sent = with(|system| system.sender_id = Some(text(id)));
            assert_eq!(one(sent, false).unwrap().sender.as_deref(), Some(wanted));
        }
        assert_eq!(one(complete(), false).unwrap().sender, None);
    }

    #[test]
    fn only_a_fifo_queue_has_an_order_to_keep() {
        let grouped = || with(|system| system.message_group_id = Some(text("g")));
        assert_eq!(one(grouped(), false).unwrap().fifo, None);
        let numbered = with(|system| {
            system.message_group_id = Some(text("g"));
            system.sequence_number = Some(text("18849496460467696128"));
        });
        let expected = Fifo { group: "g".to_owned(), sequence: 18_849_496_460_467_696_128 };
        assert_eq!(one(numbered, true).unwrap().fifo, Some(expected));
        assert_eq!(
            one(grouped(), true).unwrap().fifo,
            Some(Fifo { group: "g".to_owned(), sequence: 0 })
        );
    }

    #[test]
    fn a_message_that_could_not_be_settled_is_left_to_the_queue() {
        for broken in [
            Message { id: None, ..complete() },
            Message { receipt_handle: None, ..complete() },
            Message { system: None, ..complete() },
            with(|system| system.sent_timestamp = Some(text("yesterday"))),
        ] {
            assert!(one(broken, false).is_none());
        }
    }

    #[test]
    fn an_absent_body_is_an_empty_one() {
        assert_eq!(one(Message { body: None, ..complete() }, false).unwrap().body, "");
    }
}
