//! A declared index as the server is told it: its keys and its name.

use bson::{Bson, Document};

use crate::store::Index;

pub(super) fn keys(index: &Index) -> Document {
    index.keys.iter().map(|(field, direction)| (field.clone(), Bson::Int32(*direction))).collect()
}

/// As drivers and mongosh name an index.
pub(super) fn default_name(index: &Index) -> String {
    index
        .keys
        .iter()
        .map(|(field, direction)| format!("{field}_{direction}"))
        .collect::<Vec<_>>()
        .join("_")
}

pub(super) fn is_id(index: &Index) -> bool {
    is_on(index, "_id")
}

/// Whether it is on this field alone.
pub(super) fn is_on(index: &Index, key: &str) -> bool {
    matches!(index.keys.as_slice(), [(field, _)] if field == key)
}
