//! When to look at indexes before it is time: an upsert that meets a duplicate may say that they
//! are not what they were.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::MongoStore;
use crate::config::Collection;

/// Collections whose indexes are to be looked at. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct DoubtedIndexes {
    collections: Arc<Mutex<BTreeSet<String>>>,
    raised: Arc<Notify>,
}

impl MongoStore {
    /// An upsert into this collection met a duplicate.
    pub(super) fn doubt_indexes(&self, collection: &Collection) {
        let mut collections =
            self.doubted.collections.lock().unwrap_or_else(PoisonError::into_inner);
        if !collections.contains(&collection.name) {
            collections.insert(collection.name.clone());
        }
        // Kept for who listens next.
        self.doubted.raised.notify_one();
    }

    /// Waits until an upsert has met a duplicate. One listens at a time.
    pub async fn indexes_doubted(&self) {
        loop {
            if !self.doubted.collections.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            self.doubted.raised.notified().await;
        }
    }

    /// The names of the collections where that was, since this was last asked.
    #[must_use]
    pub fn take_doubted(&self) -> BTreeSet<String> {
        std::mem::take(
            &mut *self.doubted.collections.lock().unwrap_or_else(PoisonError::into_inner),
        )
    }
}
