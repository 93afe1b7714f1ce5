//! Letters into the database from here: by the same store as a worker's.

use std::collections::BTreeMap;

use tokio::time::{Instant, sleep};

use super::letter::{Gone, Left, Ready, Why, clock};
use crate::config::Config;
use crate::message::Write;
use crate::mongo_manager::MongoManager;
use crate::pipeline::trial::Outcome;
use crate::retry::{Backoff, RetryConfig};
use crate::stop::Stop;
use crate::store::mongo::MongoStore;
use crate::store::{Collection, ItemOutcome, Store, StoreFaultKind, WriteOutcome, Writes};

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
                    Some(collection) => self.one(collection, write, stop).await,
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

    async fn one(&self, collection: &Collection, write: &Write, stop: &Stop) -> Result<(), String> {
        let (mut backoff, begun) = (Backoff::new(&self.retry, clock()), Instant::now());
        loop {
            let Some(writes) = Writes::of(&collection.kind, [write]) else {
                return Err("its route writes otherwise than its collection".to_owned());
            };
            let text = match self.store.write(collection, writes).await {
                WriteOutcome::Answered { items, .. } => match items.into_iter().next() {
                    Some(ItemOutcome::Written | ItemOutcome::AlreadyThere) => return Ok(()),
                    Some(ItemOutcome::Rejected(rejection) | ItemOutcome::Doubtful(rejection)) => {
                        return Err(format!("{}: {}", rejection.reason, rejection.text));
                    }
                    Some(ItemOutcome::Unconfirmed(text)) => text,
                    None => "no answer".to_owned(),
                },
                WriteOutcome::Unconfirmed(fault) => {
                    if matches!(fault.kind, StoreFaultKind::Denied | StoreFaultKind::Collection) {
                        stop.drain();
                        return Err(fault.text);
                    }
                    fault.text
                }
            };
            let pause = backoff.next_interval();
            if stop.is_draining() || begun.elapsed() + pause > self.retry.budget {
                return Err(text);
            }
            sleep(pause).await;
        }
    }
}
