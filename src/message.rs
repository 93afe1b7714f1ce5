//! One type per state of a message, and the [`Receipt`] that owns it all the way.
//!
//! ```text
//! QueueMessage --receive--> Receipt --decode--> Record --route--> Write --lane--> Part --settle--> (gone)
//! ```
//!
//! A [`Receipt`] cannot be cloned and only `settle` consumes it. Dropping one unsettled is a bug:
//! it is counted, said in the log at the end, and fails the tests.

mod key;
mod kind;
mod line;
mod name;
pub mod origin;
pub mod place;
mod queue_message;
mod reason;
mod receipt;
mod rejection;

use std::sync::Arc;

use crate::bson::Fields;
use crate::version::Change;

pub use key::Key;
pub use kind::{Asked, AskedIn, Kind, Named};
pub use line::{Holds, Line};
pub use name::{Name, shown_name};
pub use origin::{Identity, Origin};
pub use place::{Layer, Layers, Place};
pub use queue_message::{
    Attribute, Fifo, QueueMessage, attribute_text, attribute_text_in_any_case,
};
pub use reason::Reason;
pub use receipt::Receipt;
pub use rejection::Rejection;

/// A message whose body was understood: which route it names, who sent it, and its fields as BSON.
#[derive(Debug, Clone)]
pub struct Record {
    /// Which route the message asks for.
    pub kind: Kind,
    pub origin: Origin,
    /// `SentTimestamp` of the queue, milliseconds: the clock that `version_skew_max` is measured
    /// against.
    pub sent_ms: i64,
    /// Who sent it: see [`QueueMessage::sender`].
    pub sender: Option<Arc<str>>,
    /// What the body was inside of.
    pub layers: Layers,
    /// All top-level fields in the order of the body, `type` and `id` included, with nothing
    /// converted but JSON to BSON.
    pub fields: Fields,
    /// Bytes of the decoded body, after decompression.
    pub bytes: usize,
}

impl Record {
    /// Whether the field `type` named the route. It is consumed then, and not stored; otherwise it
    /// is a field like others.
    #[must_use]
    pub fn names_its_route(&self) -> bool {
        self.kind.named().is_some_and(|named| named.by_body)
    }
}

/// What one message asks of the store.
#[derive(Debug, Clone)]
pub enum Write {
    Insert(Insert),
    Update(Update),
    /// The record of a refused message. Where one of the same is there, it joins that.
    Letter(Insert),
}

impl Write {
    #[must_use]
    pub const fn insert(&self) -> Option<&Insert> {
        match self {
            Self::Insert(insert) => Some(insert),
            Self::Update(_) | Self::Letter(_) => None,
        }
    }

    #[must_use]
    pub const fn letter(&self) -> Option<&Insert> {
        match self {
            Self::Letter(letter) => Some(letter),
            Self::Insert(_) | Self::Update(_) => None,
        }
    }

    #[must_use]
    pub const fn update(&self) -> Option<&Update> {
        match self {
            Self::Insert(_) | Self::Letter(_) => None,
            Self::Update(update) => Some(update),
        }
    }

    /// The key or id of the document.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Insert(insert) | Self::Letter(insert) => &insert.id,
            Self::Update(update) => &update.key,
        }
    }

    /// The same without the rest.
    #[must_use]
    pub fn into_key(self) -> Key {
        match self {
            Self::Insert(insert) | Self::Letter(insert) => insert.id,
            Self::Update(update) => update.key,
        }
    }

    /// Bytes of memory that this takes, but for a few hundred that are the same for all.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Insert(insert) | Self::Letter(insert) => insert.document.len(),
            Self::Update(Update { change: Change::Whole { fields, .. }, .. }) => {
                fields.memory_bytes()
            }
            Self::Update(Update { change: Change::Partial { fields }, .. }) => fields
                .iter()
                .map(|field| size_of_val(field) + field.0.len() + field.2.memory_bytes())
                .sum(),
        }
    }
}

/// A document that is inserted once, under an id that is the same at every redelivery.
#[derive(Debug, Clone)]
pub struct Insert {
    pub id: Key,
    /// The whole document as BSON, `_id` first.
    pub document: Vec<u8>,
    pub known_by: KnownBy,
}

/// By what a document that is there already under the same id is known to be this one: follows from who gave
/// the [`Identity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// The queue gave it, and gives none twice: by the id alone.
    Id,
    /// Whoever gave it may give it twice: by a hash of the message as sent, stored as `_ingest.h`.
    Hash([u8; 16]),
    /// It is a document as it was exported, and not made of a message that could be hashed: by its fields.
    Fields,
}

impl KnownBy {
    #[must_use]
    pub const fn hash(self) -> Option<[u8; 16]> {
        match self {
            Self::Hash(hash) => Some(hash),
            Self::Id | Self::Fields => None,
        }
    }
}

/// An order-free change of the document with this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    pub key: Key,
    pub change: Change,
}

/// A write together with the receipt that it will settle.
#[derive(Debug)]
pub struct Part {
    pub write: Write,
    pub receipt: Receipt,
    /// What the message counts as once the write is durable.
    pub ending: Ending,
}

/// Why a message may leave the queue: what of it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its effect.
    Written,
    /// Its dead letter.
    DeadLettered(Reason),
}
