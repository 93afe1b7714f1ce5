//! A database that takes what a worker writes, for commands that write without a queue.

use anyhow::Result;

use super::requirements;
use crate::config::Config;
use crate::mongo_manager::MongoManager;
use crate::queue::sqs::Credentials;
use crate::store::mongo::MongoStore;

/// Connects to it, and asks for what a worker asks: the rights to write, and the index of each key. Dead
/// letters are not written to it.
///
/// # Errors
/// Where it cannot be reached, or lacks what a worker does not start without.
pub async fn connect_to_write(
    config: &Config,
    credentials: &Credentials,
) -> Result<(MongoManager, MongoStore)> {
    let manager = MongoManager::connect_with(&config.db, credentials.provider()).await?;
    let collections: Vec<_> = config.collections.values().cloned().collect();
    requirements::refuse_without_rights(config, &collections, &manager).await?;
    let anew = manager.clone();
    let store = MongoStore::new(
        manager.database().clone(),
        config.db.server_selection_timeout,
        Box::new(move || anew.database_anew().ok()),
    );
    requirements::prepare_indexes(config, &collections, &store).await?;
    Ok((manager, store))
}
