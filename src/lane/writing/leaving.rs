//! What a batch gives up, so that others go on: items that are set aside, and what is left in the
//! queue.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::store::Store;
use crate::telemetry::signals::Then;

use super::super::group::Group;
use super::super::item::Item;
use super::super::policy::{Count, Patience};
use super::{Cause, Writing};

impl<S: Store> Writing<'_, S> {
    /// Leaves the gate and the writer to others.
    pub(super) fn set_aside(&mut self, group: Group) {
        self.open_gate();
        let groups = std::iter::once(group).chain(std::mem::take(&mut self.todo));
        let items: Vec<_> = groups.flat_map(|group| group.items).collect();
        self.context.evidence.set_aside(items.iter().flat_map(Item::message_ids));
        self.try_alone(items);
    }

    /// Leaves the group in the queue for another visibility timeout, and the gate to others.
    pub(super) fn leave(&mut self, group: Group, cause: Cause<'_>) {
        self.probe = None;
        self.context.failed(group.items.len(), cause.trouble, cause.text, Then::Leave);
        for part in group.items.into_iter().flat_map(Item::into_parts) {
            self.context.settle.leave(part.receipt);
        }
    }

    /// The store has taken another write, and never answers for this one. Of several messages that
    /// were joined one is to blame; where neither half of them has an answer, it is the document.
    pub(super) fn leave_unanswered(&mut self, group: Group, cause: Cause<'_>) {
        self.open_gate();
        let is_document = group.sibling.as_ref().is_some_and(|other| other.swap(true, Relaxed));
        let is_joined = |item: &Item| item.messages() == Count::Many && !is_document;
        let (joined, left): (Vec<_>, Vec<_>) = group.items.into_iter().partition(is_joined);
        for item in joined {
            self.apart.extend(item.key().cloned());
            let is_half_unanswered = Arc::new(AtomicBool::new(false));
            // The half of the older versions comes first.
            for half in item.into_halves().into_iter().rev().flatten() {
                self.todo.push_front(Group::half(half, Arc::clone(&is_half_unanswered)));
            }
        }
        if !left.is_empty() {
            // When it comes back it is tried after all others.
            self.context.evidence.set_aside(left.iter().flat_map(Item::message_ids));
            self.leave(Group::new(left), cause);
        }
    }

    /// Whether the trouble is this collection's alone: another one is well, and the retry budget was
    /// spent on this one, now or before.
    pub(super) async fn confines(&self) -> bool {
        let context = self.context;
        let is_spent = self.patience() != Patience::Left;
        let may_be = is_spent || context.is_confined.load(Relaxed);
        let is_confined = may_be && context.is_another_well().await;
        context.is_confined.fetch_or(is_confined, Relaxed);
        is_confined
    }
}
