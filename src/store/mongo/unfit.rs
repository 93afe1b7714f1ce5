//! Collections that no write may go to, because of what they have become while the worker runs.
//!
//! `run` does not start on a view, a time-series or a capped collection, nor on one that folds the
//! `_id` that is its key. A collection can become any of these later. A view refuses each write, but
//! a time-series collection takes one event twice and a capped one forgets what it acknowledged: so
//! from the look that finds it nothing is written there, and the messages wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::timeout;

use super::fault::unavailable;
use super::{CALL_MARGIN, MongoStore};
use crate::config::Collection;
use crate::store::StoreFault;

/// By name, why; as the last look at each has found. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Unfit(Arc<Mutex<BTreeMap<String, String>>>);

impl Unfit {
    /// What a look has found.
    pub(super) fn found(&self, collection: &str, why: Option<String>) {
        let mut unfit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => _ = unfit.insert(collection.to_owned(), why),
            None => _ = unfit.remove(collection),
        }
    }

    fn why(&self, collection: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(collection).cloned()
    }
}

impl MongoStore {
    /// Whether writes may go to this collection. One that was found unfit is looked at again each
    /// time: the gate may be closed for it, and then nobody else looks.
    pub(super) async fn is_fit(&self, collection: &Collection) -> Result<(), StoreFault> {
        if self.unfit.why(&collection.name).is_none() {
            return Ok(());
        }
        let bound = self.server_selection_timeout + CALL_MARGIN;
        // The look itself keeps what it finds.
        timeout(bound, self.indexes(collection)).await.unwrap_or_else(|_| {
            Err(unavailable(format!("no reply within {} s", bound.as_secs())).fault)
        })?;
        match self.unfit.why(&collection.name) {
            Some(why) => Err(unavailable(why).fault),
            None => Ok(()),
        }
    }
}
