//! How the server compares keys: byte by byte, whatever the collation of the collection is.
//!
//! Every statement that finds documents by their key says so, and they must all say the same: a key
//! that one of them found and another did not would be a document that cannot be reached.

use crate::bson::Doc;

/// The elements of `collation`.
pub fn simple(collation: &mut Doc<'_>) {
    collation.text("locale", "simple");
}
