//! A database that takes what is written to it: the worker's, and that of commands that write without a queue.

use anyhow::Result;

use super::requirements;
use crate::config::Config;
use crate::mongo_manager::MongoManager;
use crate::queue::sqs::Credentials;
use crate::store::Collection;
use crate::store::mongo::MongoStore;
use crate::store::mongo::indexes::IndexReport;

pub struct Database {
    pub manager: MongoManager,
    pub store: MongoStore,
    /// Each collection with its indexes.
    pub indexes: Vec<(Collection, IndexReport)>,
}

/// Connects to it, and asks for what a worker does not start without: the rights to write to these collections,
/// and the index of each key.
///
/// # Errors
/// Where it cannot be reached, or lacks one of these.
pub async fn connect_to_write(
    config: &Config,
    credentials: &Credentials,
    collections: &[Collection],
) -> Result<Database> {
    let manager = MongoManager::connect_with(&config.db, credentials.provider()).await?;
    requirements::refuse_without_rights(config, collections, &manager).await?;
    let anew = manager.clone();
    let store = MongoStore::new(
        manager.database().clone(),
        config.db.server_selection_timeout,
        Box::new(move || anew.database_anew().ok()),
    );
    let indexes = requirements::prepare_indexes(config, collections, &store).await?;
    Ok(Database { manager, store, indexes })
}
