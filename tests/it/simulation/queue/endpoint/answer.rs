//! Answers: what the queue says, and what may become of it before it is sent.

use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use longshore::message::Attribute;
use longshore::queue::{EntryOutcome, QueueFaultKind};
use serde_json::{Map, Value, json};

use crate::simulation::conditions::Conditions;
use crate::simulation::dice::Dice;
use crate::simulation::fault::Fault;
use crate::simulation::queue::Delivery;

use super::calls::Said;
use super::keys::{Wrong, date_header};

pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// To which call it is one, and what it says of it; nothing where it is no answer of the queue's.
    said: Option<(u64, Said)>,
    is_sound: bool,
}

/// An answer as it goes over the connection.
pub struct Sent {
    pub bytes: Vec<u8>,
    /// Where its body begins.
    pub body_at: usize,
    pub said: Option<(u64, Said)>,
    /// Nothing was done to it: whoever hears all of it can read it.
    pub is_sound: bool,
    /// Whether another request may follow.
    pub goes_on: bool,
    /// Nothing but the connection's end tells that it is whole.
    pub ends_with_it: bool,
}

/// With what is `named` of each message, and nothing else.
pub fn of_receive(number: u64, gave: Vec<Delivery>, named: &[String]) -> Answer {
    let messages: Vec<_> = gave.iter().map(|delivery| message(delivery, named)).collect();
    let said = if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) };
    Answer { said: Some((number, Said::Gave(gave))), ..done(&said) }
}

fn message(delivery: &Delivery, named: &[String]) -> Value {
    let message = &delivery.message;
    let is_named = |name: &str| named.iter().any(|named| named == name);
    let fifo = message.fifo.as_ref();
    let known = [
        ("SentTimestamp", Some(message.sent_ms.to_string())),
        ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some("0".to_owned())),
        ("MessageGroupId", fifo.map(|fifo| fifo.group.clone())),
        ("SequenceNumber", fifo.map(|fifo| fifo.sequence.to_string())),
        ("SenderId", message.sender.as_deref().map(str::to_owned)),
        ("AWSTraceHeader", message.trace_header.clone()),
    ];
    let known = known.into_iter().filter(|(name, _)| is_named(name));
    let system: Map<_, _> =
        known.filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?)))).collect();
    let mut attributes = Map::new();
    for (name, value) in &message.attributes {
        let value = match value {
            Attribute::Text(text) => json!({ "DataType": "String", "StringValue": text }),
            Attribute::Binary(bytes) => {
                json!({ "DataType": "Binary", "BinaryValue": BASE64_STANDARD.encode(bytes) })
            }
        };
        attributes.insert(name.clone(), value);
    }
    let mut all = json!({
        "MessageId": message.message_id,
        "ReceiptHandle": &*message.receipt_handle,
        "MD5OfBody": "unread",
        "Body": message.body,
        "Attributes": system,
    });
    if !attributes.is_empty() && is_named("All") {
        all["MessageAttributes"] = Value::Object(attributes);
    }
    all
}

/// In no order, as SQS has it.
pub fn of_batch(number: u64, outcomes: Vec<EntryOutcome>, ids: &[String], dice: &Dice) -> Answer {
    let (mut done_of, mut failed) = (Vec::new(), Vec::new());
    let stale = ["ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight"];
    for (id, outcome) in ids.iter().zip(&outcomes) {
        let code = match outcome {
            EntryOutcome::Done => {
                done_of.push(json!({ "Id": id }));
                continue;
            }
            EntryOutcome::Stale => dice.pick(&stale).to_owned(),
            EntryOutcome::Failed(code) => code.clone(),
        };
        failed.push(json!({ "Id": id, "Code": code, "SenderFault": false }));
    }
    dice.shuffle(&mut done_of);
    dice.shuffle(&mut failed);
    let mut said = Map::new();
    for (name, entries) in [("Successful", done_of), ("Failed", failed)] {
        if !entries.is_empty() || dice.chance(0.5) {
            said.insert(name.to_owned(), Value::Array(entries));
        }
    }
    Answer { said: Some((number, Said::Did(outcomes))), ..done(&Value::Object(said)) }
}

fn done(said: &Value) -> Answer {
    let headers = vec![("content-type", "application/x-amz-json-1.0".to_owned())];
    Answer { status: 200, headers, body: said.to_string(), said: None, is_sound: true }
}

/// Says that a request was not done.
#[derive(Clone)]
pub struct Refusal {
    status: u16,
    /// The code as the older protocol has it, in a header.
    query: Option<&'static str>,
    body: String,
}

impl Refusal {
    fn new(status: u16, query: &'static str, named: &'static str) -> Self {
        let body = json!({ "__type": format!("com.amazonaws.sqs#{named}"), "message": "no" });
        let query = Some(query).filter(|query| !query.is_empty());
        Self { status, query, body: body.to_string() }
    }

    fn without_a_code(status: u16, body: &str) -> Self {
        Self { status, query: None, body: body.to_owned() }
    }

    pub fn of_signature(wrong: Wrong, dice: &Dice) -> Self {
        match wrong {
            Wrong::Keys => dice.pick(&[
                Self::new(403, "", "ExpiredTokenException"),
                Self::new(403, "ExpiredToken;Sender", "ExpiredToken"),
                Self::new(403, "InvalidClientTokenId;Sender", "UnrecognizedClientException"),
                Self::new(403, "", "InvalidAccessKeyId"),
            ]),
            Wrong::Time => dice.pick(&[
                Self::new(403, "", "InvalidSignatureException"),
                Self::new(403, "SignatureDoesNotMatch;Sender", "SignatureDoesNotMatch"),
                Self::new(400, "RequestExpired;Sender", "RequestExpired"),
                Self::new(403, "", "RequestTimeTooSkewed"),
            ]),
            Wrong::Signature => {
                Self::new(403, "SignatureDoesNotMatch;Sender", "SignatureDoesNotMatch")
            }
        }
    }

    /// One of the forms in which this is said.
    pub fn draw(kind: QueueFaultKind, dice: &Dice) -> Self {
        const HTML: &str = "<html><body>Service Unavailable</body></html>";
        match (kind, dice.below(3)) {
            (QueueFaultKind::Throttled, 0) => Self::without_a_code(429, ""),
            (QueueFaultKind::Throttled, 1) => {
                Self::new(403, "RequestThrottled;Sender", "RequestThrottled")
            }
            (QueueFaultKind::Throttled, _) => Self::new(400, "", "ThrottlingException"),
            (QueueFaultKind::Missing, 0) => Self::new(400, "", "QueueDoesNotExist"),
            (QueueFaultKind::Missing, _) => Self::new(
                400,
                "AWS.SimpleQueueService.NonExistentQueue;Sender",
                "QueueDoesNotExist",
            ),
            (QueueFaultKind::Denied, 0) => Self::without_a_code(403, HTML),
            (QueueFaultKind::Denied, 1) => Self::new(403, "AccessDenied;Sender", "AccessDenied"),
            (QueueFaultKind::Denied, _) => Self::new(400, "", "AccessDeniedException"),
            (QueueFaultKind::Unavailable, 0) => Self::without_a_code(503, HTML),
            (QueueFaultKind::Unavailable, 1) => {
                Self::new(500, "InternalFailure;Receiver", "InternalError")
            }
            (QueueFaultKind::Unavailable, _) => Self::without_a_code(500, ""),
        }
    }

    pub fn answer(self, now_ms: i64) -> Answer {
        let mut headers = vec![("date", date_header(now_ms))];
        headers.extend(self.query.map(|query| ("x-amzn-query-error", query.to_owned())));
        Answer { status: self.status, headers, body: self.body, said: None, is_sound: true }
    }
}

impl Answer {
    /// What becomes of it on its way.
    pub fn draw(mut self, conditions: &Conditions) -> Sent {
        let (dice, strikes) = (&conditions.dice, |fault| conditions.strikes(fault));
        if strikes(Fault::AnswerReplaced) {
            let body = "<html><body>Gateway Time-out</body></html>".to_owned();
            let (headers, said) = (Vec::new(), None);
            self = Self { status: dice.pick(&[502, 504]), headers, body, said, is_sound: true };
        }
        if self.body.len() > 1 && strikes(Fault::AnswerHalf) {
            self.is_sound = false;
            let mut end = 1 + dice.below(self.body.len() - 1);
            while !self.body.is_char_boundary(end) {
                end -= 1;
            }
            self.body.truncate(end);
        }
        if strikes(Fault::AnswerUntold) {
            return self.untold(dice);
        }
        let (mut told, mut goes_on) = (self.body.len(), true);
        if strikes(Fault::AnswerMisstated) {
            self.is_sound = false;
            let off = 1 + dice.below(20);
            told = if dice.chance(0.5) { told + off } else { told.saturating_sub(off) };
            goes_on = dice.chance(0.5);
            if told == 0 {
                // Not a byte of it is read: that says of no message, and of no entry what became of it.
                self.said = self.said.map(|(number, said)| (number, said.nothing()));
            }
        }
        let head = format!("{}content-length: {told}\r\n\r\n", self.head());
        let body = std::mem::take(&mut self.body).into_bytes();
        self.sent(head, &body, goes_on)
    }

    /// In chunks, or until the connection ends.
    fn untold(mut self, dice: &Dice) -> Sent {
        let body = std::mem::take(&mut self.body).into_bytes();
        if dice.chance(0.3) {
            let head = format!("{}connection: close\r\n\r\n", self.head());
            return Sent { ends_with_it: true, ..self.sent(head, &body, false) };
        }
        let (mut chunks, mut rest) = (Vec::new(), &*body);
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(1 + dice.below(rest.len()));
            chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunks.extend_from_slice(chunk);
            chunks.extend_from_slice(b"\r\n");
            rest = after;
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        let head = format!("{}transfer-encoding: chunked\r\n\r\n", self.head());
        self.sent(head, &chunks, true)
    }

    fn sent(self, head: String, body: &[u8], goes_on: bool) -> Sent {
        let (body_at, mut bytes) = (head.len(), head.into_bytes());
        bytes.extend_from_slice(body);
        let Self { said, is_sound, .. } = self;
        Sent { bytes, body_at, said, is_sound, goes_on, ends_with_it: false }
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Simulated\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head
    }
}
