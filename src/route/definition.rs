//! What a route is.

use std::collections::BTreeMap;

use crate::store::WriteKind;
use crate::time::Unit;

/// How messages of one type become writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The message type.
    pub name: String,
    pub collection: String,
    pub kind: WriteKind,
    /// Who may use it, by the part of a `SenderId` before the colon; all where it is empty.
    pub senders: Vec<String>,
    /// Fields that must be there, the key included.
    pub required: Vec<String>,
    /// `set` only: every field that a message may have, the key and the version field included.
    pub fields: Vec<String>,
    /// Fields that a declared index of the collection names.
    pub indexed: Vec<String>,
    /// Fields that hold times and are stored as dates; the version field is always one.
    pub times: Vec<String>,
    /// What numbers of such a field count, where the route declares it.
    pub units: BTreeMap<String, Unit>,
    /// `insert` only: a time field that is filled with the origin's time where it is absent.
    pub default_time: Option<String>,
    /// `insert` only: fields that a producer's own retry changes, and that do not make it another
    /// message.
    pub volatile: Vec<String>,
}

impl Route {
    /// What a number in the time field `name` counts.
    #[must_use]
    pub fn unit(&self, name: &str) -> Unit {
        self.units.get(name).copied().unwrap_or_default()
    }
}
