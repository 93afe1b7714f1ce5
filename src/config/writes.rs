//! How messages become writes: the routes, the collections that they lead to with their indexes, and
//! when a write counts as done.
//!
//! It knows nothing of how values are found and checked, so that whoever does that can name it.

use std::time::Duration;

/// How messages of one type become writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The message type.
    pub name: String,
    pub collection: String,
    pub kind: WriteKind,
    /// Fields that must be there, the key included.
    pub required: Vec<String>,
    /// `set` only: every field that a message may have, the key and the version field included.
    pub fields: Vec<String>,
    /// Fields that hold times and are stored as dates; the version field is always one.
    pub times: Vec<String>,
    /// `insert` only: a time field that is filled with the origin's time where it is absent.
    pub default_time: Option<String>,
    /// `insert` only: fields that a producer's own retry changes, and that do not make it another
    /// message.
    pub volatile: Vec<String>,
}

/// What a write does with the document that is there. All routes of one collection agree in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteKind {
    /// A new document under the producer's id, or one made from the origin.
    Insert,
    /// The declared fields, at one version, or each at its own where `partial`.
    Set { key: String, version_field: String, partial: bool },
    /// The whole document, at one version.
    Replace { key: String, version_field: String },
}

impl WriteKind {
    /// The key field of a keyed write.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Insert => None,
            Self::Set { key, .. } | Self::Replace { key, .. } => Some(key),
        }
    }

    /// The version field of a keyed write.
    #[must_use]
    pub fn version_field(&self) -> Option<&str> {
        match self {
            Self::Insert => None,
            Self::Set { version_field, .. } | Self::Replace { version_field, .. } => {
                Some(version_field)
            }
        }
    }
}

/// One collection: a lane of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    pub name: String,
    pub kind: WriteKind,
    /// `set` only: the declared fields, sorted, without the key. Where it is not partial, absent
    /// ones are removed.
    pub declared: Vec<String>,
    pub write_concern: WriteConcern,
    pub indexes: Vec<Index>,
    /// Keyed writes whose version is older than this are not written: the TTL index would remove
    /// them at once.
    pub ttl: Option<Duration>,
}

/// A declared index. The unique index on the key of a keyed collection is declared by the loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Field and direction: 1 or -1.
    pub keys: Vec<(String, i32)>,
    pub unique: bool,
    /// A TTL index on one date field. Whole seconds, 1 s to 2,147,483,647 s.
    pub expire_after: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteConcern {
    pub w: Acknowledgement,
    pub journal: bool,
    /// 100 ms to 5 min.
    pub timeout: Duration,
}

/// How many members must have a write before it counts. Zero is refused: a delete needs an
/// acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledgement {
    Majority,
    Members(u8),
    /// A named tag set of the replica set's configuration.
    Tag(String),
}
