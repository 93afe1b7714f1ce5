//! Collections that no write may go to, because of what they have become while the worker runs.
//!
//! `run` does not start on a view, a time-series or a capped collection, nor on one that folds the
//! `_id` that is its key. A collection can become any of these later. A view refuses each write, but
//! a time-series collection takes one event twice and a capped one forgets what it acknowledged: so
//! from the look that finds it nothing is written there, and the messages wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

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

    /// Why nothing may be written there, as far as is known.
    pub(super) fn why(&self, collection: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(collection).cloned()
    }
}
