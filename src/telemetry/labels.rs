//! What is counted apart: closed lists, so that no message can make the metrics grow.

use crate::message::Reason;
use crate::store::WriteTrouble;

/// A closed list that something is counted by.
pub trait Label: Copy + 'static {
    /// The name of the label in metrics; its values are the names of the list.
    const KEY: &'static str;

    const ALL: &'static [Self];

    /// As it stands in metrics, logs and records.
    fn name(self) -> &'static str;

    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
}

impl Label for Reason {
    const KEY: &'static str = "reason";

    const ALL: &'static [Self] = Self::ALL;

    fn name(self) -> &'static str {
        self.code()
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Label for WriteTrouble {
    const KEY: &'static str = "cause";

    const ALL: &'static [Self] = &[
        Self::ConnectionLost,
        Self::Unavailable,
        Self::NoAnswer,
        Self::TimedOut,
        Self::Denied,
        Self::Collection,
        Self::Refused,
        Self::Item,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ConnectionLost => "connection_lost",
            Self::Unavailable => "unavailable",
            Self::NoAnswer => "no_answer",
            Self::TimedOut => "timed_out",
            Self::Denied => "denied",
            Self::Collection => "collection",
            Self::Refused => "refused",
            Self::Item => "item",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}
