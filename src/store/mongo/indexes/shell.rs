//! How texts for people name what to do by hand.

/// What to type into mongosh about a collection.
pub(super) fn shell(collection: &str, call: &str) -> String {
    format!("db.getCollection({collection:?}).{call}")
}
