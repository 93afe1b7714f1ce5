//! The identity of a message: what is the same at every redelivery.

use std::sync::Arc;

use super::line::Holds;
use super::queue_message::QueueMessage;
use super::reason::Reason;
use super::rejection::Rejection;
use crate::time::{self, Time};

/// The attributes by which a sender gives a message an identity of its own: both of the first two,
/// or none.
pub const ID_ATTRIBUTE: &str = "longshore-id";
pub const TIME_ATTRIBUTE: &str = "longshore-time";
/// What a replay of a message from a FIFO queue adds.
pub const SEQUENCE_ATTRIBUTE: &str = "longshore-sequence";

/// Bytes of an id of an origin: it is stored with every document that it wrote last.
pub const ID_BYTES_MAX: usize = 1_024;

/// The time of an origin that has none. No text is read as this time, and no queue has it.
pub const NO_TIME: Time = Time::from_millis(i64::MIN);

/// Before all others: the year 1.
const RANK_MIN: Time = Time::from_millis(time::MILLIS_MIN);

/// Who sent a message when, as which in a sequence, under which id.
///
/// It is taken from the envelope, otherwise from the attributes `longshore-time` and
/// `longshore-id`, otherwise from `SentTimestamp`, `SequenceNumber` and `MessageId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub identity: Identity,
    pub time: Time,
    /// The `SequenceNumber` of a FIFO queue where the identity is the queue's own, or what a replay
    /// says that it was; otherwise 0, because another sending of the same message gets another one.
    pub sequence: u128,
    pub id: Arc<[u8]>,
}

/// Who gave a message its identity, and what of its [`Origin`] is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The queue: nobody else can give it, and what is sent once more is another message.
    Queue,
    /// The sender or an envelope, who may give one twice: time, sequence and id.
    Given,
    /// Given, the id alone; the time is that of the sending. A `CloudEvents` event may lack a time.
    GivenWithoutTime,
    /// The file that the message is a line of: the id alone.
    Line(Holds),
}

impl Identity {
    /// As a dead letter has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Given => "given",
            Self::GivenWithoutTime => "given_without_time",
            Self::Line(Holds::Message) => "line",
            Self::Line(Holds::Document) => "document",
        }
    }
}

impl Origin {
    /// By what the queue says of the message, or the file that it is a line of.
    #[must_use]
    pub fn of_queue(message: &QueueMessage) -> Self {
        if let Some(line) = &message.line {
            let (identity, time) = (Identity::Line(line.holds), line.time.unwrap_or(NO_TIME));
            return Self { identity, time, sequence: line.sequence, id: Arc::clone(&line.id) };
        }
        Self {
            identity: Identity::Queue,
            time: Time::from_millis(message.sent_ms),
            sequence: message.fifo.as_ref().map_or(0, |fifo| fifo.sequence),
            id: message.message_id.as_bytes().into(),
        }
    }

    /// The time by which one of two changes at the same version is the newer. A line of a file has none
    /// that says anything of when it was true: what was sent to a queue wins over it.
    #[must_use]
    pub fn rank(&self) -> Time {
        let is_of_file = matches!(self.identity, Identity::Line(_));
        if is_of_file || self.time == NO_TIME { RANK_MIN } else { self.time }
    }

    /// By the message's attributes, where it has them.
    ///
    /// # Errors
    /// Where one of them is there alone, or cannot be read.
    pub fn of_attributes(message: &QueueMessage) -> Result<Option<Self>, Rejection> {
        match (given_time(message)?, message.text(ID_ATTRIBUTE)) {
            (None, None) if message.text(SEQUENCE_ATTRIBUTE).is_none() => Ok(None),
            (Some(time), Some(id)) => {
                let id = read_id("attribute longshore-id", id)?.into();
                Ok(Some(Self {
                    identity: Identity::Given,
                    time,
                    sequence: given_sequence(message)?,
                    id,
                }))
            }
            // Taken for nothing, the one given would silently not do what it is there for.
            (time, id) => {
                let (there, lacks) = match (time, id) {
                    (Some(_), _) => (TIME_ATTRIBUTE, ID_ATTRIBUTE),
                    (None, Some(_)) => (ID_ATTRIBUTE, TIME_ATTRIBUTE),
                    (None, None) => (SEQUENCE_ATTRIBUTE, ID_ATTRIBUTE),
                };
                let text = format!(
                    "the message has the attribute {there} and no text attribute {lacks}: send {ID_ATTRIBUTE} and {TIME_ATTRIBUTE} \
                     together, or none of these attributes"
                );
                Err(Rejection::new(Reason::BadKey, text))
            }
        }
    }
}

/// The time that the message's attributes give.
///
/// # Errors
/// Where it cannot be read.
pub fn given_time(message: &QueueMessage) -> Result<Option<Time>, Rejection> {
    message.text(TIME_ATTRIBUTE).map(|time| read_time("attribute longshore-time", time)).transpose()
}

fn given_sequence(message: &QueueMessage) -> Result<u128, Rejection> {
    let Some(text) = message.text(SEQUENCE_ATTRIBUTE) else { return Ok(0) };
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        Rejection::new(
            Reason::BadKey,
            format!(
                "attribute {SEQUENCE_ATTRIBUTE} is not a sequence number: give its digits alone"
            ),
        )
    })
}

/// Reads the time of an origin.
///
/// # Errors
/// Where it cannot be read or is outside the years 1 to 9999.
pub fn read_time(what: &str, text: &str) -> Result<Time, Rejection> {
    time::from_text(text)
        .map_err(|error| Rejection::new(Reason::BadTime, format!("{what} {error}")))
}

/// Checks the id of an origin.
///
/// # Errors
/// Where it is empty or longer than [`ID_BYTES_MAX`].
pub fn read_id(what: &str, id: &str) -> Result<Vec<u8>, Rejection> {
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(Rejection::new(
            Reason::BadKey,
            format!("{what} must have 1 to {ID_BYTES_MAX} bytes"),
        ));
    }
    Ok(id.as_bytes().to_vec())
}
