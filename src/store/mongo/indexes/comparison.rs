//! An index that is there against the declared one, and what to do where it is not the same.

use std::time::Duration;

use bson::{Bson, Document};

use super::listing::Found;
use super::shell::shell;
use crate::store::Index;

/// Directions by value: the old shell wrote them as doubles.
pub(super) fn same_keys(declared: &Index, there: &Document) -> bool {
    declared.keys.len() == there.len()
        && declared.keys.iter().zip(there).all(|((field, direction), (name, value))| {
            let value = match value {
                Bson::Int32(number) => f64::from(*number),
                Bson::Int64(1) => 1.0,
                Bson::Int64(-1) => -1.0,
                Bson::Double(number) => *number,
                _ => return false,
            };
            field == name && (f64::from(*direction) - value).abs() < f64::EPSILON
        })
}

/// Whether an index refuses a second document with one key, once it is ready: on the key alone,
/// over all documents, by plain comparison.
pub(super) fn guards(key: &str, index: &Found) -> bool {
    index.keys.len() == 1
        && index.keys.get(key).is_some_and(is_ordered)
        && index.is_unique
        && covers_all(index)
        && index.collation.is_none()
}

/// Whether an update finds the document of a key by it.
pub(super) fn finds(key: &str, index: &Found) -> bool {
    let first = index.keys.iter().next();
    first.is_some_and(|(field, kind)| {
        field == key && (is_ordered(kind) || kind.as_str() == Some("hashed"))
    }) && covers_all(index)
        && index.collation.is_none()
        && !index.is_hidden
        && !index.is_building
}

fn is_ordered(direction: &Bson) -> bool {
    matches!(direction, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_))
}

fn covers_all(index: &Found) -> bool {
    !index.is_sparse && !index.is_partial
}

/// In what an index on the declared fields is not the declared one, and what to do; None where it
/// serves.
pub(super) fn difference(collection: &str, declared: &Index, there: &Found) -> Option<String> {
    let name = &there.name;
    let anew = || {
        format!(
            "{}, then run `longshore check --create-indexes`",
            shell(collection, &format!("dropIndex({name:?})"))
        )
    };
    if declared.unique && !there.is_unique {
        return Some(format!("index {name} is not unique: {}", anew()));
    }
    if !covers_all(there) {
        let is = if there.is_sparse { "sparse" } else { "partial" };
        return Some(format!("index {name} is {is}, and passes over documents: {}", anew()));
    }
    if there.is_hidden {
        return Some(format!(
            "index {name} is hidden, so no update or query uses it: \
             db.runCommand({{collMod: {collection:?}, index: {{name: {name:?}, hidden: false}}}})"
        ));
    }
    (declared.expire_after != there.expire_after).then(|| match there.expire_after {
        Some(after) => expires(collection, declared, there, after),
        None => format!(
            "index {name} expires documents never, declared is {}: {}",
            seconds(declared.expire_after),
            anew()
        ),
    })
}

/// A TTL index that is not the declared one, and what to do.
pub(super) fn expires(
    collection: &str,
    declared: &Index,
    there: &Found,
    after: Duration,
) -> String {
    let (name, wanted) = (&there.name, seconds(declared.expire_after));
    let mend = match declared.expire_after {
        Some(after) if there.collation.is_none() => {
            let after = after.as_secs();
            format!(
                "change the route's ttl, or db.runCommand({{collMod: {collection:?}, index: {{name: {name:?}, expireAfterSeconds: {after}}}}})"
            )
        }
        _ => format!(
            "give the route a ttl, or {}",
            shell(collection, &format!("dropIndex({name:?})"))
        ),
    };
    format!("index {name} expires documents {}, declared is {wanted}: {mend}", seconds(Some(after)))
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("never".to_owned(), |time| format!("after {} s", time.as_secs()))
}
