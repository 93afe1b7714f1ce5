//! A letter on its way back.

use std::sync::Arc;

use bson::{Bson, Document};

use crate::clock::SystemClock;
use crate::pipeline::trial::Tried;
use crate::queue::Outgoing;

/// A letter that can go back.
pub(super) struct Ready {
    /// The `_id` of its record.
    pub id: Bson,
    /// Of the message as it was refused first.
    pub message_id: String,
    pub goes: Goes,
    pub tried: Tried,
}

/// What goes there.
pub(super) enum Goes {
    ToQueue(Outgoing),
    Direct,
}

/// A letter that stays where it is.
#[derive(Debug)]
pub(super) struct Left {
    pub message_id: String,
    pub why: Why,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// The configuration in force would refuse it.
    RefusedAgain,
    /// A worker would delete it unwritten.
    Expired,
    /// Its record does not say what was sent.
    NoMessage,
    /// The program of `--edit` failed on it.
    NotEdited,
    /// It was refused as `id_conflict`, or has no id that could be another one.
    NewId,
    /// Only `--direct` can do it.
    Direct,
    /// It is of another queue.
    OtherQueue,
    /// The queue did not take it.
    NotSent,
    /// The database did not take it.
    NotWritten,
    /// It was put back, and its record does not say so: it is found again, and is the same message.
    NotMarked,
}

impl Why {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::RefusedAgain => "refused_again",
            Self::Expired => "expired",
            Self::NoMessage => "no_message",
            Self::NotEdited => "not_edited",
            Self::NewId => "new_id",
            Self::Direct => "direct",
            Self::OtherQueue => "other_queue",
            Self::NotSent => "not_sent",
            Self::NotWritten => "not_written",
            Self::NotMarked => "not_marked",
        }
    }
}

/// What became of a letter.
pub(super) enum Ended {
    PutBack,
    Left(Left),
}

/// A letter that was put back, and the id that the queue gave it.
pub(super) struct Gone {
    pub ready: Ready,
    pub message_id: Option<String>,
}

/// A clock for intervals between tries.
pub(super) fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::default())
}

/// The text of a record's field, empty where it has none.
pub(super) fn text<'r>(record: &'r Document, name: &str) -> &'r str {
    record.get_str(name).unwrap_or_default()
}
