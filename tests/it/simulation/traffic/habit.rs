//! How a producer tells which of its updates of a key is newer: always in the same way, for whoever
//! changes it in between has no order any more.

use longshore::message::Attribute;

use crate::simulation::dice::Dice;

use super::stamp::Line;
use super::{EPOCH_MS, text_attribute};

const NANOS_PER_MILLI: i128 = 1_000_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

#[derive(Debug, Clone, Copy)]
pub struct Habit {
    pub form: Form,
    pub naming: Naming,
}

/// How the version field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Not at all: the time of sending stands in.
    Absent,
    /// The same moment for all: an import, say.
    Constant,
    Millis,
    /// RFC 3339 with microseconds.
    Rfc3339,
    /// As Python prints a `datetime`.
    Python,
    /// Epoch seconds with nine digits behind the point, as a JSON number.
    Number,
    /// The same as text.
    Text,
}

/// The identity that the producer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// None: the queue gives one.
    Queue,
    /// Rising ids of one length, as UUIDs of version 7 are, beside the millisecond of sending.
    Uuid,
    /// A number that grows, and so does its length, beside a clock of tens of seconds.
    Counter,
    /// Ids of no order, beside a clock of nanoseconds.
    Fine,
}

impl Habit {
    /// Who pays for a FIFO queue often leaves the order to it.
    pub fn draw(dice: &Dice, fifo: bool) -> Self {
        if fifo && dice.chance(0.5) {
            return Self {
                form: dice.pick(&[Form::Absent, Form::Constant]),
                naming: Naming::Queue,
            };
        }
        let forms = [
            Form::Absent,
            Form::Absent,
            Form::Constant,
            Form::Millis,
            Form::Rfc3339,
            Form::Python,
            Form::Number,
            Form::Text,
        ];
        let namings = [Naming::Queue, Naming::Queue, Naming::Uuid, Naming::Counter, Naming::Fine];
        Self { form: dice.pick(&forms), naming: dice.pick(&namings) }
    }
}

impl Form {
    /// Whether messages have a version field that tells the moment.
    pub fn tells(self) -> bool {
        !matches!(self, Self::Absent | Self::Constant)
    }

    /// The version field's value in JSON, and the moment that it tells.
    pub fn say(self, moment_ns: i128) -> Option<(String, i128)> {
        let told_ns = match self {
            Self::Absent => return None,
            Self::Constant => i128::from(EPOCH_MS) * NANOS_PER_MILLI,
            Self::Millis => moment_ns / NANOS_PER_MILLI * NANOS_PER_MILLI,
            Self::Rfc3339 | Self::Python => moment_ns / 1_000 * 1_000,
            Self::Number | Self::Text => moment_ns,
        };
        let (seconds, nanos) = (told_ns / NANOS_PER_SECOND, told_ns % NANOS_PER_SECOND);
        let time = jiff::Timestamp::from_nanosecond(told_ns).expect("of this century");
        let value = match self {
            Self::Absent | Self::Constant | Self::Millis => (told_ns / NANOS_PER_MILLI).to_string(),
            Self::Rfc3339 => format!(r#""{}""#, time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ")),
            Self::Python => format!(r#""{}""#, time.strftime("%Y-%m-%d %H:%M:%S.%6f")),
            Self::Number => format!("{seconds}.{nanos:09}"),
            Self::Text => format!(r#""{seconds}.{nanos:09}""#),
        };
        Some((value, told_ns))
    }
}

/// An identity that a producer gave a message.
#[derive(Debug, Clone)]
pub struct Given {
    pub id: String,
    pub origin_ns: i128,
    pub line: Option<Line>,
}

impl Naming {
    /// The identity of the message that is the `place`th of the `producer`.
    pub fn give(
        self,
        producer: usize,
        place: usize,
        sent_ms: i64,
        moment_ns: i128,
    ) -> Option<Given> {
        let origin_ns = |ms: i64| i128::from(ms) * NANOS_PER_MILLI;
        match self {
            Self::Queue => None,
            Self::Uuid => {
                let (high, low) = (sent_ms >> 16, sent_ms & 0xffff);
                let id = format!("{high:08x}-{low:04x}-7{producer:03x}-8000-{place:012x}");
                let line = Some(Line::Producer(2 * producer));
                Some(Given { id, origin_ns: origin_ns(sent_ms), line })
            }
            Self::Counter => {
                let origin_ns = origin_ns(sent_ms.div_euclid(10_000) * 10_000);
                let line = Some(Line::Producer(2 * producer + 1));
                Some(Given { id: format!("{producer}-{place}"), origin_ns, line })
            }
            Self::Fine => {
                let id = format!("{:04}-{producer}", 9_999 - place);
                Some(Given { id, origin_ns: moment_ns, line: None })
            }
        }
    }
}

impl Given {
    fn time(&self) -> String {
        if self.origin_ns % NANOS_PER_MILLI == 0 {
            return (self.origin_ns / NANOS_PER_MILLI).to_string();
        }
        let time = jiff::Timestamp::from_nanosecond(self.origin_ns).expect("of this century");
        time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
    }

    pub fn attributes(&self) -> Vec<(String, Attribute)> {
        vec![
            text_attribute("longshore-id", &self.id),
            text_attribute("longshore-time", &self.time()),
        ]
    }
}
