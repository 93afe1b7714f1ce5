//! Record to write: what the route of a message's type makes of its fields. Pure.
//!
//! - `insert` makes a document under the producer's id, or under one made from the origin
//!   (`route/insert.rs`).
//! - `set` and `replace` make an order-free update of the document with the message's key
//!   (`route/keyed.rs`).
//!
//! Fields are copied as encoded elements; only ids, keys and times are looked into. What a route
//! takes:
//!
//! - What was consumed is not stored, what was not is: `type` is left out where it named the route,
//!   `id` where it became the `_id` of an insert. Otherwise they are fields like others.
//! - `null` is no value. Where a required field is null it counts as missing; where the version
//!   field or the default time is null the origin's time stands in, as if it were absent. Any other
//!   field that is null is stored as null, a time as well: "never" is something that a producer may
//!   say.
//! - Names that the store gives a meaning of its own are rejected: a producer's data never acts on
//!   the server.

mod definition;
mod id;
mod insert;
mod key;
mod keyed;
mod router;
mod rules;
#[cfg(test)]
mod sample;
mod times;
mod unrouted;

pub use definition::Route;
pub use key::key_of;
pub use router::{Routed, Router};
pub use rules::ID;
