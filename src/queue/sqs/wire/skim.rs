//! An answer for which there is no room, piece by piece: all of its JSON but its long texts, which
//! are the bodies.

use super::answer::{Unread, handles};

/// A longer text is left out. A receipt handle has 1,024 characters at most (SQS developer guide,
/// "queue and message identifiers"), and may be written with escapes.
const TEXT_BYTES_MAX: usize = 2 * 1024;

/// What is left of an answer with ten messages, each of ten attributes, is half of this.
const LEFT_BYTES_MAX: usize = 512 * 1024;

/// What is left of an answer so far.
#[derive(Debug, Default)]
pub struct Skim {
    left: Vec<u8>,
    at: At,
}

/// Where the next byte stands.
#[derive(Debug, Clone, Copy, Default)]
enum At {
    #[default]
    Between,
    /// In a text that began there in what is left.
    Text { start: usize, is_escaped: bool },
    /// In a text that was too long.
    LongText { is_escaped: bool },
}

impl Skim {
    /// Takes the next piece in. `false` where it is none of an answer of SQS: too much is left.
    #[must_use]
    pub fn take(&mut self, piece: &[u8]) -> bool {
        for byte in piece {
            self.take_byte(*byte);
        }
        self.left.len() <= LEFT_BYTES_MAX
    }

    fn take_byte(&mut self, byte: u8) {
        if let At::Text { start, is_escaped } = self.at
            && self.left.len() - start > TEXT_BYTES_MAX
        {
            self.left.truncate(start);
            self.left.extend_from_slice(b"null");
            self.at = At::LongText { is_escaped };
        }
        let is_end = |is_escaped: bool| !is_escaped && byte == b'"';
        let escapes = |is_escaped: bool| !is_escaped && byte == b'\\';
        self.at = match self.at {
            At::LongText { is_escaped } if is_end(is_escaped) => return self.at = At::Between,
            At::LongText { is_escaped } => {
                return self.at = At::LongText { is_escaped: escapes(is_escaped) };
            }
            At::Between if byte == b'"' => At::Text { start: self.left.len(), is_escaped: false },
            At::Between => At::Between,
            At::Text { is_escaped, .. } if is_end(is_escaped) => At::Between,
            At::Text { start, is_escaped } => At::Text { start, is_escaped: escapes(is_escaped) },
        };
        self.left.push(byte);
    }

    /// The receipt handles, once all has come; `None` where it cannot be read.
    pub fn handles(&self) -> Option<Vec<Unread>> {
        handles(&self.left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(handle: &str, body: &str) -> serde_json::Value {
        json!({ "MessageId": "m", "ReceiptHandle": handle, "Body": body, "MessageAttributes": { "a": { "StringValue": body } },
            "Attributes": { "MessageGroupId": "g", "SequenceNumber": "18" } })
    }

    #[test]
    fn a_handle_that_is_too_long_is_none_and_costs_no_other() {
        let long = "h".repeat(TEXT_BYTES_MAX);
        let answer =
            json!({ "Messages": [message(&long, "b"), message(&long[..TEXT_BYTES_MAX - 2], "b")] });
        let mut skim = Skim::default();
        assert!(skim.take(answer.to_string().as_bytes()));
        let read = skim.handles().expect("readable");
        assert_eq!(read[0].receipt_handle, None);
        assert_eq!(read[1].receipt_handle.as_deref(), Some(&long[..TEXT_BYTES_MAX - 2]));
    }

    #[test]
    fn what_is_no_answer_of_sqs_is_not_kept_without_end() {
        let mut skim = Skim::default();
        assert!(skim.take(b"{\"Messages\": "));
        assert!((0..1_000).any(|_| !skim.take(&[b' '; 1_024])));
        let mut skim = Skim::default();
        assert!(skim.take(b"\"") && (0..1_000).all(|_| skim.take(&[b'x'; 1_024])));
        assert!(skim.handles().is_none());
    }

    proptest! {
        #[test]
        fn handles_are_read_whatever_the_bodies_hold_and_wherever_the_pieces_end(
            bodies in prop::collection::vec(("\\PC{0,30}|[\\x00-\\x7f]{0,30}", 0..300_usize), 0..10),
            pieces in prop::collection::vec(1..2_000_usize, 1..20),
        ) {
            let messages: Vec<_> = bodies.iter().enumerate()
                .map(|(number, (part, times))| message(&format!("h/{number}\"\\"), &part.repeat(*times)))
                .collect();
            let answer = json!({ "Messages": messages }).to_string();
            let (mut skim, mut rest, mut lengths) = (Skim::default(), answer.as_bytes(), pieces.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*lengths.next().expect("endless")));
                prop_assert!(skim.take(piece));
                rest = after;
            }
            let handles: Vec<_> = skim.handles().expect("readable").into_iter().map(|read| read.receipt_handle.expect("a handle")).collect();
            let wanted: Vec<_> = (0..bodies.len()).map(|number| format!("h/{number}\"\\")).collect();
            prop_assert_eq!(handles, wanted);
        }
    }
}
