//! Items of a batch that are tried in one command: at first all, later halves.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::item::Item;
use super::policy::{self, Count};

/// Items that are tried in one command.
pub(super) struct Group {
    /// Never empty.
    pub items: Vec<Item>,
    /// Connections that broke under it, or that had no answer.
    pub lost: u32,
    /// No answer came to the last try: the server may be at it still.
    pub is_unanswered: bool,
    /// For a half of joined messages, whether the other half had no answer either.
    pub sibling: Option<Arc<AtomicBool>>,
}

impl Group {
    pub fn new(items: Vec<Item>) -> Self {
        Self { items, lost: 0, is_unanswered: false, sibling: None }
    }

    /// A half of messages that were joined and had no answer: one more that has none is enough.
    /// `is_sibling_unanswered` is set when one of the two halves has none.
    pub fn half(item: Item, is_sibling_unanswered: Arc<AtomicBool>) -> Self {
        Self {
            items: vec![item],
            lost: policy::LOST_MAX - 1,
            is_unanswered: true,
            sibling: Some(is_sibling_unanswered),
        }
    }

    /// Splits off the second half.
    pub fn split_off(&mut self) -> Self {
        let items = self.items.split_off(self.items.len() / 2);
        self.lost = 0;
        Self { is_unanswered: self.is_unanswered, ..Self::new(items) }
    }

    pub fn count(&self) -> Count {
        Count::of(self.items.len())
    }

    pub fn is_searched(&self) -> bool {
        policy::is_searched(self.count(), self.lost)
    }
}
