//! Items of a batch that are tried in one command: at first all, later halves.

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
}

impl Group {
    pub fn new(items: Vec<Item>) -> Self {
        Self { items, lost: 0, is_unanswered: false }
    }

    /// A part of what had no answer: one more that has none is enough.
    pub fn unanswered(item: Item) -> Self {
        Self { items: vec![item], lost: policy::LOST_MAX - 1, is_unanswered: true }
    }

    /// Splits off the second half.
    pub fn split_off(&mut self) -> Self {
        let items = self.items.split_off(self.items.len() / 2);
        self.lost = 0;
        Self { items, lost: 0, is_unanswered: self.is_unanswered }
    }

    pub fn count(&self) -> Count {
        Count::of(self.items.len())
    }

    pub fn is_searched(&self) -> bool {
        policy::is_searched(self.count(), self.lost)
    }
}
