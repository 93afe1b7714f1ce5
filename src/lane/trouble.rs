//! Items that are in the way of others: nothing of their batch is confirmed, and one of them can be
//! the reason. A store that takes nothing else is sick, and the gate is for that; one that does is
//! well, and the items are set aside.

use std::time::Duration;

use tokio::time::sleep;

use crate::store::Store;

use super::doubt::Doubted;
use super::item::Item;
use super::writing::{Cause, Group, Writing};

/// How long items may keep the gate closed, after the retry budget, that fail in a way that one of
/// them can cause: longer than most outages of that kind, and far shorter than the hold. Then they
/// are set aside, if the store takes another write; and so are others of their kind, right after
/// the budget, within the next hour.
const OWN_TROUBLE_AFTER: Duration = Duration::from_mins(10);

/// A store that takes longer to take a write that changes nothing is not well. So much later than
/// the retry budget may the gate close.
const WELL_WITHIN: Duration = Duration::from_secs(5);

impl<S: Store> Writing<'_, S> {
    /// The group fails in a way that one of its items can cause, and nothing of it was confirmed.
    /// After long all are set aside, to be tried alone, if the store takes another write: the gate
    /// and the writer are for others then.
    ///
    /// `is_search` says that such an item is looked for by halves.
    pub(super) async fn in_trouble(&mut self, group: Group, cause: Cause<'_>, is_search: bool) {
        let longer =
            if self.context.doubts.is_trouble_known() { Duration::ZERO } else { OWN_TROUBLE_AFTER };
        let patience = self.context.retry.budget.saturating_add(longer);
        let is_over = self.failing_since.is_some_and(|since| since.elapsed() >= patience);
        if is_over && self.is_store_well_again().await {
            return self.set_aside(group);
        }
        if is_search
            && !is_over
            && self.is_budget_spent()
            && self.todo.iter().any(Group::is_searched)
            && self.is_store_well().await
        {
            // It was found, and another is still looked for: as long as that has an end, the gate
            // is not closed for it.
            self.open_gate();
            return self.sleep_and_requeue(group, cause).await;
        }
        self.wait_and_retry(group, cause).await;
    }

    /// The gate and the writer are for others.
    fn set_aside(&mut self, group: Group) {
        self.open_gate();
        let groups = std::iter::once(group).chain(std::mem::take(&mut self.todo));
        let items: Vec<_> = groups.flat_map(|group| group.items).collect();
        for item in &items {
            self.context.doubts.set_aside(item);
        }
        self.doubted
            .extend(items.into_iter().flat_map(Item::into_single_items).map(Doubted::not_yet));
    }

    /// The same, but for the moment after a try: an item that makes a server crash leaves the set
    /// to elect another.
    async fn is_store_well_again(&mut self) -> bool {
        if self.is_store_well().await {
            return true;
        }
        let pause = self.backoff.next_interval();
        tokio::select! {
            biased;
            () = self.context.letting_go() => false,
            () = sleep(pause) => self.is_store_well().await,
        }
    }

    pub(super) async fn is_store_well(&self) -> bool {
        tokio::select! {
            biased;
            is_well = self.context.store.is_well(&self.context.collection) => is_well,
            () = sleep(WELL_WITHIN) => false,
            () = self.context.letting_go() => false,
        }
    }
}
