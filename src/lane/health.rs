//! The question whether the store is well: away, or brought down by the items themselves.

use std::time::Duration;

use tokio::time::sleep;

use crate::store::Store;

use super::context::LaneContext;

/// A store that takes longer to take a write that changes nothing is not well. So much later than
/// the retry budget may the gate close.
const WELL_WITHIN: Duration = Duration::from_secs(5);

impl<S: Store> LaneContext<S> {
    /// Whether the store takes a write that changes nothing; false where the worker lets go.
    pub(super) async fn is_store_well(&self) -> bool {
        tokio::select! {
            biased;
            is_well = self.store.is_well(&self.collection) => is_well,
            () = sleep(WELL_WITHIN) => false,
            () = self.letting_go() => false,
        }
    }

    /// Whether another collection takes such a write.
    pub(super) async fn is_another_well(&self) -> bool {
        let asked = async {
            for other in &self.others {
                if self.store.is_well(other).await {
                    return true;
                }
            }
            false
        };
        tokio::select! {
            biased;
            is_well = asked => is_well,
            () = sleep(WELL_WITHIN) => false,
            () = self.letting_go() => false,
        }
    }

    /// The same of this one, after a pause.
    pub(super) async fn is_store_well_after(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.letting_go() => false,
            () = sleep(pause) => self.is_store_well().await,
        }
    }
}
