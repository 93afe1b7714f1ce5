//! The collections that writes go to: what a write does there, its indexes, and when it counts as
//! done.

use std::collections::BTreeSet;
use std::time::Duration;

/// What a write does with the document that is there. All routes of one collection agree in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteKind {
    /// A new document under the producer's id, or one made from the origin.
    Insert,
    /// A change of the document with the message's key, which versions make free of order.
    Keyed(Keyed),
    /// The record of a refused message, which joins that of the same one where it is there.
    Letter,
}

/// How the writes of a keyed collection change a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The key field.
    pub key: String,
    /// The field whose time says which of two writes is the newer.
    pub version_field: String,
    pub extent: Extent,
}

/// How much of a document a keyed write decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The declared fields, at one version.
    Set,
    /// Those declared fields that it has, each at its own version.
    Partial,
    /// The whole document, at one version.
    Replace,
}

impl WriteKind {
    /// `None` for inserts and letters.
    #[must_use]
    pub const fn keyed(&self) -> Option<&Keyed> {
        match self {
            Self::Insert | Self::Letter => None,
            Self::Keyed(keyed) => Some(keyed),
        }
    }

    /// The key field of a keyed write.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.keyed().map(|keyed| keyed.key.as_str())
    }

    /// The version field of a keyed write.
    #[must_use]
    pub fn version_field(&self) -> Option<&str> {
        self.keyed().map(|keyed| keyed.version_field.as_str())
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
    /// Insert only: the times that the time of sending stands in for, where a message has none.
    pub default_times: Vec<String>,
}

impl Collection {
    /// The fields that its declared indexes name, each once.
    #[must_use]
    pub fn indexed(&self) -> Vec<String> {
        let keys = self.indexes.iter().flat_map(|index| &index.keys);
        let fields: BTreeSet<_> = keys.map(|(field, _)| field.clone()).collect();
        fields.into_iter().collect()
    }
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
