//! The `_id` of a record: the same for a message that is refused, put back and refused again, and
//! another one for any other message.

use sha2::{Digest, Sha256};

use crate::message::origin::{ID_ATTRIBUTE, SEQUENCE_ATTRIBUTE, TIME_ATTRIBUTE};
use crate::message::{Attribute, Identity, Origin, QueueMessage};
use crate::telemetry::TRACE_ATTRIBUTES;

/// Hex digits: 128 bits, because who sends messages chooses what is in them.
const DIGITS: usize = 32;

/// Made of the queue, of who sent the message when, and of what it says. Not of who gave the identity:
/// what the queue gave once is given by attributes when the message is put back. Nor of traces, of which
/// each sending has another.
pub fn of(queue_arn: &str, origin: &Origin, message: &QueueMessage) -> String {
    let mut hash = Hash(Sha256::new());
    hash.part(queue_arn.as_bytes());
    // Of an identity without a time, that is the time of the sending.
    if origin.identity != Identity::GivenWithoutTime {
        hash.part(&origin.time.millis().to_be_bytes());
        hash.part(&origin.time.nanos().to_be_bytes());
        hash.part(&origin.sequence.to_be_bytes());
    }
    hash.part(&origin.id);
    hash.part(message.body.as_bytes());
    let mut said: Vec<_> = message.attributes.iter().filter(|(name, _)| is_said(name)).collect();
    said.sort_by_key(|(name, _)| name);
    for (name, value) in said {
        hash.part(name.as_bytes());
        match value {
            Attribute::Text(text) => hash.part(text.as_bytes()),
            Attribute::Binary(bytes) => {
                hash.part(b"binary");
                hash.part(bytes);
            }
        }
    }
    let mut first = [0; DIGITS / 2];
    first.copy_from_slice(&hash.0.finalize()[..DIGITS / 2]);
    format!("{:0DIGITS$x}", u128::from_be_bytes(first))
}

fn is_said(name: &str) -> bool {
    let is_identity = [ID_ATTRIBUTE, TIME_ATTRIBUTE, SEQUENCE_ATTRIBUTE].contains(&name);
    !is_identity && !TRACE_ATTRIBUTES.contains(&name)
}

struct Hash(Sha256);

impl Hash {
    /// No part ends where the next begins.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update(bytes.len().to_be_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::time::Time;

    const ARN: &str = "arn:aws:sqs:eu-west-1:1:portal";

    fn text(name: &str, value: &str) -> (String, Attribute) {
        (name.to_owned(), Attribute::Text(value.to_owned()))
    }

    fn message() -> QueueMessage {
        let attributes = vec![text("type", "event"), text("traceparent", "00-1")];
        QueueMessage {
            message_id: "m-1".to_owned(),
            body: "{".to_owned(),
            attributes,
            sent_ms: 5,
            ..QueueMessage::default()
        }
    }

    #[test]
    fn what_is_put_back_has_the_id_that_it_had() {
        let first = message();
        let id = of(ARN, &Origin::of_queue(&first), &first);
        assert_eq!((id.len(), id.bytes().all(|digit| digit.is_ascii_hexdigit())), (DIGITS, true));
        let attributes = vec![
            text("longshore-time", "1970-01-01T00:00:00.005Z"),
            text("longshore-id", "m-1"),
            text("traceparent", "00-2"),
            text("type", "event"),
        ];
        let again =
            QueueMessage { message_id: "m-2".to_owned(), attributes, sent_ms: 7, ..first.clone() };
        let origin = Origin::of_attributes(&again).expect("read").expect("given");
        assert_eq!(of(ARN, &origin, &again), id);
    }

    #[test]
    fn any_other_message_has_another() {
        let (first, origin) = (message(), Origin::of_queue(&message()));
        let id = |message: &QueueMessage| of(ARN, &origin, message);
        let binary = ("type".to_owned(), Attribute::Binary(b"event".to_vec()));
        let with = |attributes| QueueMessage { attributes, ..first.clone() };
        let mut ids = vec![
            id(&first),
            id(&QueueMessage { body: "{}".to_owned(), ..first.clone() }),
            id(&with(vec![binary])),
            id(&with(vec![text("type", "cache")])),
            id(&with(vec![text("typeevent", "")])),
            of("arn:aws:sqs:eu-west-1:1:other", &origin, &first),
        ];
        for other in [
            Origin { time: Time::from_millis(6), ..origin.clone() },
            Origin { sequence: 1, ..origin.clone() },
            Origin { id: Arc::from(b"m-2".as_slice()), ..origin.clone() },
        ] {
            ids.push(of(ARN, &other, &first));
        }
        let each: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(each.len(), ids.len(), "{ids:?}");
        let without_time = Origin { identity: Identity::GivenWithoutTime, ..origin };
        let later = Origin { time: Time::from_millis(6), ..without_time.clone() };
        assert_eq!(of(ARN, &without_time, &first), of(ARN, &later, &first));
    }
}
