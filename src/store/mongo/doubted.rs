//! When to look at indexes before it is time: an upsert that meets a duplicate may say that they
//! are not what they were.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::Collection;

/// Collections whose indexes are to be looked at. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct DoubtedIndexes {
    collections: Arc<Mutex<BTreeSet<String>>>,
    raised: Arc<Notify>,
}

impl DoubtedIndexes {
    /// Those of this collection may not be what they were.
    pub(super) fn doubt(&self, collection: &Collection) {
        let mut collections = self.lock();
        if !collections.contains(&collection.name) {
            collections.insert(collection.name.clone());
        }
        // Kept for who listens next.
        self.raised.notify_one();
    }

    /// Waits until there are any. One listens at a time.
    pub(super) async fn any(&self) {
        loop {
            if !self.lock().is_empty() {
                return;
            }
            self.raised.notified().await;
        }
    }

    /// The names of their collections, since this was last asked.
    pub(super) fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.collections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
