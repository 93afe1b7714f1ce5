//! What is sent, and what becomes of it.

use crate::message::Attribute;

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

/// The type of an attribute, as SQS names it.
pub(super) fn data_type(value: &Attribute) -> &'static str {
    match value {
        Attribute::Text(_) => "String",
        Attribute::Binary(_) => "Binary",
    }
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
