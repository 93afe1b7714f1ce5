//! An answer for which there is no room, piece by piece: all of its JSON but long texts, which are
//! bodies, and what producers have attached.

use super::answer::{Unread, handles};

/// A longer text is left out. A receipt handle has 1,024 characters at most (SQS developer guide,
/// "queue and message identifiers"), and may be written with escapes.
const TEXT_BYTES_MAX: usize = 2 * 1024;

/// Ten messages leave less: a handle, a short body and what the queue knows of each.
const LEFT_BYTES_MAX: usize = 128 * 1024;

/// What is passed over whole: ten attributes for each message, of any size.
const ATTACHED: &[u8] = b"\"MessageAttributes\"";

/// The objects and lists around the members of a message.
const MEMBERS_DEPTH: usize = 3;

/// What is left of an answer so far.
#[derive(Debug, Default)]
pub struct Skim {
    left: Vec<u8>,
    at: At,
    /// Objects and lists that are open.
    depth: usize,
    /// Where the last text begins in what is left; a name, where a colon follows.
    text: usize,
    /// In what is passed over.
    is_passing: bool,
}

/// Where the next byte stands.
#[derive(Debug, Clone, Copy, Default)]
enum At {
    #[default]
    Between,
    Text {
        is_escaped: bool,
    },
    /// In a text that is left out.
    TextLeftOut {
        is_escaped: bool,
    },
}

impl Skim {
    /// Takes the next piece in. `false` where it is none of an answer of SQS: too much is left.
    #[must_use]
    pub fn take(&mut self, piece: &[u8]) -> bool {
        for byte in piece {
            match self.at {
                At::Between => self.between(*byte),
                At::Text { is_escaped } => self.in_text(*byte, is_escaped),
                At::TextLeftOut { is_escaped } => self.in_text_left_out(*byte, is_escaped),
            }
            if self.left.len() > LEFT_BYTES_MAX {
                return false;
            }
        }
        true
    }

    fn between(&mut self, byte: u8) {
        if self.is_passing && self.depth == MEMBERS_DEPTH && matches!(byte, b',' | b'}') {
            self.is_passing = false;
        }
        match byte {
            b'"' if self.is_passing => self.at = At::TextLeftOut { is_escaped: false },
            b'"' => {
                (self.text, self.at) = (self.left.len(), At::Text { is_escaped: false });
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if !self.is_passing {
            self.left.push(byte);
        }
        let is_of_message = byte == b':' && self.depth == MEMBERS_DEPTH;
        if is_of_message && !self.is_passing && self.left[self.text..].starts_with(ATTACHED) {
            self.is_passing = true;
            self.left.extend_from_slice(b"null");
        }
    }

    fn in_text(&mut self, byte: u8, is_escaped: bool) {
        if self.left.len() - self.text > TEXT_BYTES_MAX {
            self.left.truncate(self.text);
            self.left.extend_from_slice(b"null");
            return self.in_text_left_out(byte, is_escaped);
        }
        self.left.push(byte);
        self.at = match byte {
            b'"' if !is_escaped => At::Between,
            _ => At::Text { is_escaped: byte == b'\\' && !is_escaped },
        };
    }

    fn in_text_left_out(&mut self, byte: u8, is_escaped: bool) {
        self.at = match byte {
            b'"' if !is_escaped => At::Between,
            _ => At::TextLeftOut { is_escaped: byte == b'\\' && !is_escaped },
        };
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

    #[test]
    fn what_is_attached_is_passed_over_whatever_it_is() {
        let attached: serde_json::Map<_, _> = (0..10)
            .map(|number| (format!("a{number}\\"), json!({ "StringValue": "}],\"".repeat(250) })))
            .collect();
        let mut one = message("h", "\"MessageAttributes\":{");
        one["MessageAttributes"] = json!(attached);
        let mut skim = Skim::default();
        assert!(skim.take(json!({ "Messages": vec![one; 10] }).to_string().as_bytes()));
        assert_eq!(skim.handles().expect("readable").len(), 10);
        assert!(skim.left.len() < 4 * 1024, "{} bytes are left", skim.left.len());
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
