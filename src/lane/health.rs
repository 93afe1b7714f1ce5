//! The question whether the store is well: away, or brought down by the items themselves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use crate::store::{Collection, Store};

use super::context::LaneContext;

/// A store that takes longer to take a write that changes nothing is not well. So much later than
/// the retry budget may the gate close.
const WELL_WITHIN: Duration = Duration::from_secs(5);

/// How long a collection is asked alone before the next one is asked, too. One that is well answers
/// in milliseconds.
const HEAD_START: Duration = Duration::from_millis(100);

impl<S: Store> LaneContext<S> {
    /// Whether the store takes a write that changes nothing; false where the worker lets go.
    pub(super) async fn is_store_well(&self) -> bool {
        self.soon(self.store.is_well(&self.collection)).await
    }

    /// Whether another collection takes such a write. The next one is asked before the one before it
    /// has answered, for that one may hang; but not at once, for a question that is given up costs
    /// its connection.
    pub(super) async fn is_another_well(&self) -> bool {
        let is_other = |other: &&Arc<Collection>| other.name != self.collection.name;
        let mut others = self.collections.iter().filter(is_other);
        let mut answers = FuturesUnordered::new();
        let is_any_well = async {
            loop {
                answers.extend(others.next().map(|other| self.store.is_well(other)));
                tokio::select! {
                    biased;
                    answer = answers.next() => match answer {
                        Some(false) => {}
                        Some(true) => return true,
                        None => return false,
                    },
                    () = sleep(HEAD_START) => {}
                }
            }
        };
        self.soon(is_any_well).await
    }

    /// The same of this one, after a pause.
    pub(super) async fn is_store_well_after(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.letting_go() => false,
            () = sleep(pause) => self.is_store_well().await,
        }
    }

    /// What the store says, and false where it takes too long or the worker lets go.
    async fn soon(&self, is_well: impl Future<Output = bool>) -> bool {
        tokio::select! {
            biased;
            is_well = is_well => is_well,
            () = sleep(WELL_WITHIN) => false,
            () = self.letting_go() => false,
        }
    }
}
