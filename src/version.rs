//! Versions and their join: what makes the order of delivery irrelevant. Pure.
//!
//! A [`Version`] is (version field, origin time, origin id), compared in that order: total, and the same here and on the
//! server. A whole-state update is a last-writer-wins register, a partial one a last-writer-wins map; [`join`] is
//! associative, commutative and idempotent.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::fields::Fields;

/// When a value was made, by its own account; ties are broken by the message that carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The route's version field, milliseconds since the epoch; the origin's time where the message has none.
    pub time_ms: i64,
    /// Milliseconds since the epoch.
    pub origin_time_ms: i64,
    /// Stored as binary, so that no collation orders it.
    pub origin_id: Arc<[u8]>,
}

impl Ord for Version {
    /// The server compares binary values by length, then by bytes (MongoDB manual, "BSON comparison order"); so does this.
    fn cmp(&self, other: &Self) -> Ordering {
        self.time_ms
            .cmp(&other.time_ms)
            .then(self.origin_time_ms.cmp(&other.origin_time_ms))
            .then(self.origin_id.len().cmp(&other.origin_id.len()))
            .then_with(|| self.origin_id.cmp(&other.origin_id))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What an update carries, and at which version. [`join`] says how two of them become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The whole state at one version: a last-writer-wins register. `fields` are all there are; what is declared and
    /// absent is removed.
    Whole { version: Version, fields: Fields },
    /// Some fields, each with its own version: a last-writer-wins map. Sorted by name.
    Partial { fields: Vec<(String, Version, Fields)> },
}

/// Joins two changes of one key: the newer whole state, or the newer of each field.
///
/// Both are of one shape, because all routes of one collection agree in it (the configuration refuses others); where they
/// are not, the whole state wins, so that the function is total.
#[must_use]
pub fn join(left: Change, right: Change) -> Change {
    match (left, right) {
        (Change::Partial { fields: left }, Change::Partial { fields: right }) => Change::Partial { fields: merge(left, right) },
        (Change::Whole { version: a, fields: x }, Change::Whole { version: b, fields: y }) => {
            // Equal versions are one message, delivered twice.
            if a >= b { Change::Whole { version: a, fields: x } } else { Change::Whole { version: b, fields: y } }
        }
        (whole @ Change::Whole { .. }, _) | (_, whole) => whole,
    }
}

type VersionedField = (String, Version, Fields);

/// Merges two lists that are sorted by name.
fn merge(left: Vec<VersionedField>, right: Vec<VersionedField>) -> Vec<VersionedField> {
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => a.0.cmp(&b.0),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return merged,
        };
        let next = match order {
            Ordering::Less => left.next(),
            Ordering::Greater => right.next(),
            Ordering::Equal => {
                let (a, b) = (left.next(), right.next());
                if a.as_ref().map(|field| &field.1) >= b.as_ref().map(|field| &field.1) { a } else { b }
            }
        };
        merged.extend(next);
    }
}
