//! A letter as a message to the queue, within what SQS takes.

use bson::Document;
use sha2::{Digest, Sha256};

use super::letter::{Why, text};
use crate::message::QueueMessage;
use crate::producer::limits::ATTRIBUTES_MAX;
use crate::queue::sqs::QueueFacts;
use crate::queue::{Outgoing, SEND_BYTES_MAX};

/// Characters of a record's id that a deduplication id has: with the rest they are within the 128 of SQS.
const ID_CHARS_MAX: usize = 64;

/// Where letters go, as far as that is known: a dry run asks no queue.
#[derive(Default)]
pub(super) struct Target {
    /// Letters of this queue alone.
    arn: Option<String>,
    pub fifo: bool,
}

impl Target {
    pub(super) fn of(facts: &QueueFacts, any_queue: bool) -> Self {
        Self { arn: (!any_queue).then(|| facts.arn.clone()), fifo: facts.fifo }
    }
}

/// # Errors
/// Why it cannot go there.
pub(super) fn of(
    record: &Document,
    message: QueueMessage,
    target: &Target,
) -> Result<Outgoing, (Why, String)> {
    let queue = text(record, "queue");
    if let Some(arn) = target.arn.as_deref().filter(|arn| *arn != queue) {
        let text = format!(
            "it is of the queue {queue}, and the configured one is {arn}: --any-queue sends it there"
        );
        return Err((Why::OtherQueue, text));
    }
    let record_id = text(record, "_id");
    let times = record.get_i32("times").unwrap_or(1);
    let direct = |text: String| (Why::Direct, format!("{text}: --direct writes it"));
    within_limits(message, target.fifo, record_id, times).map_err(direct)
}

/// # Errors
/// Why SQS would not take it.
pub fn within_limits(
    message: QueueMessage,
    fifo: bool,
    record_id: &str,
    times: i32,
) -> Result<Outgoing, String> {
    let attributes = message.attributes.len();
    if attributes > ATTRIBUTES_MAX {
        return Err(format!(
            "with its identity it has {attributes} attributes, and SQS takes {ATTRIBUTES_MAX}"
        ));
    }
    if message.body.contains(['\u{fffe}', '\u{ffff}']) || message.body.is_empty() {
        return Err("its body is empty or has U+FFFE or U+FFFF, which SQS does not take".to_owned());
    }
    let (mut group, mut deduplication) = (None, None);
    if fifo {
        let Some(fifo) = message.fifo else {
            return Err("it has no message group, and the queue is FIFO".to_owned());
        };
        deduplication = Some(deduplication_id(record_id, times, &message.body));
        group = Some(fifo.group);
    }
    let QueueMessage { body, attributes, .. } = message;
    let outgoing = Outgoing { body, attributes, group, deduplication };
    let bytes = outgoing.bytes();
    if bytes > SEND_BYTES_MAX {
        return Err(format!(
            "with its identity it has {bytes} bytes, and SQS takes {SEND_BYTES_MAX}"
        ));
    }
    Ok(outgoing)
}

/// One for each time that it is refused, and for each body: what is sent twice because the command was killed is
/// dropped, and what is refused and sent again within five minutes is not.
fn deduplication_id(record_id: &str, times: i32, body: &str) -> String {
    let id: String = record_id.chars().rev().take(ID_CHARS_MAX).collect();
    let hash = Sha256::digest(body);
    format!("{id}-{times}-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::message::{Attribute, Fifo};

    fn record() -> Document {
        doc! { "_id": "00ff", "queue": "arn:a", "times": 2 }
    }

    fn message() -> QueueMessage {
        let fifo = Some(Fifo { group: "g".to_owned(), sequence: 1 });
        QueueMessage { body: "{}".to_owned(), fifo, ..QueueMessage::default() }
    }

    fn why(message: QueueMessage, target: &Target) -> (Why, String) {
        of(&record(), message, target).expect_err("it stays")
    }

    #[test]
    fn what_sqs_would_not_take_is_told_before_it_is_asked() {
        let to = |arn: &str, fifo| Target { arn: Some(arn.to_owned()), fifo };
        let (here, attribute) =
            (to("arn:a", false), || ("a".to_owned(), Attribute::Binary(vec![])));
        assert_eq!(why(message(), &to("arn:b", false)).0, Why::OtherQueue);
        let many = QueueMessage { attributes: (0..11).map(|_| attribute()).collect(), ..message() };
        assert!(why(many, &here).1.contains("11 attributes"));
        let large = QueueMessage { body: "x".repeat(SEND_BYTES_MAX + 1), ..message() };
        assert!(why(large, &here).1.contains("1048577 bytes"));
        for body in ["", "\u{ffff}"] {
            assert_eq!(
                why(QueueMessage { body: body.to_owned(), ..message() }, &here).0,
                Why::Direct
            );
        }
        let alone = QueueMessage { fifo: None, ..message() };
        assert!(why(alone, &to("arn:a", true)).1.contains("message group"));
        assert!(of(&record(), message(), &Target::default()).is_ok(), "a dry run knows no queue");
    }

    #[test]
    fn a_fifo_queue_drops_what_is_the_same_and_nothing_else() {
        let target = Target { arn: None, fifo: true };
        let sent = |record: &Document, body: &str| {
            let message = QueueMessage { body: body.to_owned(), ..message() };
            of(record, message, &target).expect("it goes")
        };
        let first = sent(&record(), "{}");
        assert_eq!(first.group.as_deref(), Some("g"));
        assert_eq!(first, sent(&record(), "{}"));
        let again = doc! { "_id": "00ff", "queue": "arn:a", "times": 3 };
        let ids = [&first, &sent(&again, "{}"), &sent(&record(), "{ }")]
            .map(|outgoing| outgoing.deduplication.clone().expect("an id"));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids.iter().all(|id| id.len() <= 128));
        let long = doc! { "_id": "arn:".repeat(100), "queue": "arn:a" };
        assert!(sent(&long, "{}").deduplication.expect("an id").len() <= 128);
    }
}
