//! The one client of the process.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use mongodb::Database;

use super::error::MongoManagerError;
use super::manager::MongoManager;
use crate::config::DbConfig;
use crate::config::load::{Sources, environment, load};

/// A start, under way or done. All who wait for it get its result, and if it fails, none of them
/// starts a second one.
type Start = Shared<BoxFuture<'static, Result<MongoManager, MongoManagerError>>>;

struct Slot {
    config: Option<DbConfig>,
    start: Option<Start>,
}

static SLOT: Mutex<Slot> = Mutex::new(Slot { config: None, start: None });

/// Names the configuration file, as `--config` does for commands.
const FILE_VARIABLE: &str = "LONGSHORE_CONFIG";

impl MongoManager {
    /// The default database of the connection string, through the one client of the process.
    ///
    /// # Errors
    /// As [`MongoManager::shared`].
    pub async fn get() -> Result<Database, MongoManagerError> {
        Self::shared().await.map(|manager| manager.database().clone())
    }

    /// The one manager of the process, made at the first call, or the first after one that failed.
    /// Calls during a start share it and its result.
    ///
    /// The client belongs to the tokio runtime of the call that made it.
    ///
    /// # Errors
    /// As [`MongoManager::connect`].
    pub async fn shared() -> Result<Self, MongoManagerError> {
        let start = {
            let mut slot = slot();
            let Slot { config, start } = &mut *slot;
            start
                .get_or_insert_with(|| {
                    let config = config.clone().map_or_else(from_environment, Ok);
                    async move { Self::connect(&config?).await }.boxed().shared()
                })
                .clone()
        };
        let result = start.clone().await;
        if result.is_err() {
            let mut slot = slot();
            // Another task may have begun the next start already.
            if slot.start.as_ref().is_some_and(|latest| latest.ptr_eq(&start)) {
                slot.start = None;
            }
        }
        result
    }

    /// Sets what the first [`MongoManager::get`] connects to, instead of what file and environment
    /// say.
    ///
    /// # Errors
    /// Where the client is there already, or being made.
    pub fn configure(config: DbConfig) -> Result<(), MongoManagerError> {
        let mut slot = slot();
        if slot.start.is_some() {
            return Err(MongoManagerError::AlreadyStarted);
        }
        slot.config = Some(config);
        Ok(())
    }
}

fn slot() -> MutexGuard<'static, Slot> {
    SLOT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The layers that a command would read without flags: the file that `LONGSHORE_CONFIG` names, and
/// the environment, of which `MONGO_CACHE_URI` comes first.
fn from_environment() -> Result<DbConfig, MongoManagerError> {
    let file = std::env::var_os(FILE_VARIABLE).map(PathBuf::from);
    let loaded = load(Sources { file, environment: environment(), flags: Vec::new() });
    loaded
        .map(|loaded| loaded.config.db)
        .map_err(|errors| MongoManagerError::Configuration(errors.to_string().replace('\n', "; ")))
}
