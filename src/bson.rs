//! BSON as Longshore writes it: the one place that knows how documents are laid out as bytes.
//!
//! Everything is written straight into one buffer, without a tree of values in between: what decode
//! reads of a message, the document that an insert stores, the command that carries it, the record
//! of a dead letter.
//!
//! - [`Fields`] are the top-level fields of one message: decode writes them once, and every later
//!   stage copies them as they are.
//! - [`document()`] writes a whole document whose shape is known, by its elements ([`Doc`], [`List`]).
//! - [`layout`] has the pieces of both: heads of elements, values, lengths. Decode uses it directly,
//!   because it learns what a value is only while it writes it.
//!
//! The crate `bson` builds trees of values. Longshore uses it where a tree is what is wanted: to read
//! replies of the server, and for expressions that are made once. `bson::` always means that crate,
//! `crate::bson::` this module; so import names from here, never the module itself.

mod document;
pub mod element;
mod fields;
pub mod layout;
mod moment;
pub mod subtype;

pub use document::{DOCUMENT_BYTES_MAX, Doc, List, Value, document};
pub use fields::{Field, Fields};
