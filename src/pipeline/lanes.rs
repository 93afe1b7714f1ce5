//! Where intake sends what it has made of messages.

use crate::dead_letter::Rejects;
use crate::lane::Lane;

/// The ways into the lanes.
pub(super) struct Lanes {
    /// In the order of the configuration's collections, as the router counts them.
    pub by_collection: Vec<Lane>,
    pub rejects: Rejects,
}
