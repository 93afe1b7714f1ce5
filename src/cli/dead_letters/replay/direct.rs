//! Letters into the database from here: by the same store as a worker's.

use std::collections::BTreeMap;

use super::super::written::written;
use super::letter::{Gone, Left, Ready, Why};
use crate::config::Config;
use crate::mongo_manager::MongoManager;
use crate::pipeline::trial::Outcome;
use crate::retry::RetryConfig;
use crate::stop::Stop;
use crate::store::Collection;
use crate::store::mongo::MongoStore;

pub(super) struct Direct {
    store: MongoStore,
    collections: BTreeMap<String, Collection>,
    retry: RetryConfig,
}

impl Direct {
    pub(super) fn new(config: &Config, manager: &MongoManager) -> Self {
        let timeout = config.db.server_selection_timeout;
        let store = MongoStore::new(manager.database().clone(), timeout, Box::new(|| None));
        let collections = config.collections.clone();
        Self { store, collections, retry: config.retry.clone() }
    }

    /// Writes each on its own, tried again until `retry.budget` is spent. Where the database does not let us
    /// write, `stop` drains.
    pub(super) async fn write(&self, ready: Vec<Ready>, stop: &Stop) -> Vec<Result<Gone, Left>> {
        let mut gone = Vec::with_capacity(ready.len());
        for ready in ready {
            let written = match &ready.tried.outcome {
                Outcome::Write { collection, write } => match self.collections.get(collection) {
                    Some(collection) => {
                        let written =
                            written(&self.store, collection, write, &self.retry, stop).await;
                        written.map_err(|unwritten| unwritten.to_string())
                    }
                    None => Err("its collection is none of the configuration".to_owned()),
                },
                Outcome::Expired { .. } | Outcome::Rejected(_) => {
                    Err("it is nothing that is written".to_owned())
                }
            };
            gone.push(match written {
                Ok(()) => Ok(Gone { ready, message_id: None }),
                Err(text) => Err(Left { message_id: ready.message_id, why: Why::NotWritten, text }),
            });
        }
        gone
    }
}
