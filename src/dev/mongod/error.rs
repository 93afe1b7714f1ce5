//! What may go wrong until a replica set stands: no mongod is found, it does not start, or it does
//! not become a set.

use std::path::PathBuf;

use crate::mongo_manager::MongoManagerError;

/// Why there is no replica set.
#[derive(Debug, thiserror::Error)]
pub enum MongodError {
    #[error("{0}")]
    NotFound(String),
    #[error("cannot start {}: {reason}", program.display())]
    Start { program: PathBuf, reason: String },
    #[error("the private mongod does not become a replica set: {0}")]
    Initiate(#[from] MongoManagerError),
}
