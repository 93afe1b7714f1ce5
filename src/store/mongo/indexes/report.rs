//! What a look at the indexes of one collection comes to, for those who make them, tell of them, or
//! will not start without them.

use super::contents::Contents;
use super::declared::default_name;
use crate::store::Index;

/// The declared indexes of one collection, by what became of them.
#[derive(Debug, Clone)]
pub struct IndexReport {
    pub collection: String,
    pub contents: Contents,
    /// Of the collection: another one after it was dropped and made anew. `None` where there is
    /// none.
    pub uuid: Option<Vec<u8>>,
    pub present: Vec<Index>,
    pub missing: Vec<Index>,
    /// Not there yet, and nothing to make.
    pub building: Vec<Index>,
    /// An index on the same fields that does something else.
    pub conflicting: Vec<Conflict>,
    /// Where nothing refuses a second document with one key.
    pub unguarded: Option<Unguarded>,
    /// Of those that refuse a second document with one key, the one that serves best.
    pub guard: Option<Guard>,
    /// Why no document could be written, because of its `_ingest`.
    pub forbids_ingest: Option<String>,
    /// What makes the order of arrival matter, or good messages be rejected. For a person to know.
    pub notes: Vec<String>,
    /// The default collation of the collection, unless it is simple.
    pub collation: Option<String>,
    /// Of all indexes that are there.
    pub names: Vec<String>,
}

/// An index that refuses a second document with one key. It need not be the declared one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    pub key: String,
    pub index: String,
    /// Whether updates find their document by it, or by another on the same field: by one that is
    /// hidden they do not.
    pub is_used: bool,
}

/// A key without a guard, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unguarded {
    pub key: String,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No unique index is on it.
    Missing,
    /// The one on it is still being built.
    Building,
    /// The key is `_id`, and the collection's default collation folds it.
    Folding,
}

#[derive(Debug, Clone)]
pub struct Conflict {
    pub declared: Index,
    /// What is there instead, and what to do.
    pub text: String,
}

impl IndexReport {
    /// A name that no index there has. An index on the same fields with a collation may have the
    /// usual one.
    pub(super) fn free_name(&self, index: &Index) -> String {
        let usual = default_name(index);
        let others = (1_u32..).map(|number| {
            if number == 1 { format!("{usual}_simple") } else { format!("{usual}_simple_{number}") }
        });
        std::iter::once(usual.clone())
            .chain(others)
            .find(|name| !self.names.contains(name))
            .unwrap_or(usual)
    }
}
