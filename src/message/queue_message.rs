//! A message as the queue hands it over. Both its origin and its receipt are made from one, so it
//! stands beside them.

use std::sync::Arc;

use super::line::Line;

/// What the queue hands over for one message, before anyone looked inside.
#[derive(Debug, Clone, Default)]
pub struct QueueMessage {
    /// The queue's own id of the message. AWS gives a redriven message a new one.
    pub message_id: String,
    /// Valid for this receive only; a later receive of the same message makes it stale.
    pub receipt_handle: Arc<str>,
    pub body: String,
    /// Message attributes, at most ten (SQS). Sorted by name.
    pub attributes: Vec<(String, Attribute)>,
    /// `SentTimestamp`, milliseconds since the epoch.
    pub sent_ms: i64,
    /// `ApproximateReceiveCount`: 1 at the first receive.
    pub receive_count: u32,
    /// `MessageGroupId` and `SequenceNumber`, of FIFO queues only.
    pub fifo: Option<Fifo>,
    /// Who sent it, as IAM knows him: `SenderId` up to the colon, behind which a role's session
    /// stands, which differs from pod to pod. None where the queue does not say.
    pub sender: Option<Arc<str>>,
    /// `AWSTraceHeader`, the X-Ray context of the producer.
    pub trace_header: Option<String>,
    /// Of a line of a file, which no queue has handed over.
    pub line: Option<Box<Line>>,
}

/// Where a message stands in its FIFO group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fifo {
    pub group: String,
    /// 20 digits at AWS, growing within a group; compared by number.
    pub sequence: u128,
}

/// The value of a message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `String` or `Number`: SQS sends both as text.
    Text(String),
    Binary(Vec<u8>),
}

impl Attribute {
    /// Bytes of the value.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// The text of the attribute `name`, if it is there and is text.
#[must_use]
pub fn attribute_text<'a>(attributes: &'a [(String, Attribute)], name: &str) -> Option<&'a str> {
    attributes.iter().find_map(|(n, value)| match value {
        Attribute::Text(text) if n == name => Some(text.as_str()),
        _ => None,
    })
}

/// The same by a name in any case; where it is there in several, as it is written here.
#[must_use]
pub fn attribute_text_in_any_case<'a>(
    attributes: &'a [(String, Attribute)],
    name: &str,
) -> Option<&'a str> {
    attribute_text(attributes, name).or_else(|| {
        attributes.iter().find_map(|(n, value)| match value {
            Attribute::Text(text) if n.eq_ignore_ascii_case(name) => Some(text.as_str()),
            _ => None,
        })
    })
}

impl QueueMessage {
    /// The text of the attribute `name`, if it is there and is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        attribute_text(&self.attributes, name)
    }

    /// What the message costs in memory, and so in the in-flight budget: body, names and values. At
    /// most the queue's `MaximumMessageSize`, which counts the names of the attributes' types too.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
            + self.attributes.iter().map(|(name, value)| name.len() + value.bytes()).sum::<usize>()
    }
}
