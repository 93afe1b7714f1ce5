//! What waits in a lane, in order of arrival, updates of one key joined as they come.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::config::BatchConfig;
use crate::message::{Key, Part, Write};

use super::item::Item;

/// The items that no write has taken yet.
#[derive(Debug)]
pub struct Waiting {
    docs_max: usize,
    bytes_max: usize,
    items: IndexMap<Slot, Item>,
    /// Names the slots of inserts.
    next_insert: u64,
    bytes: usize,
    /// Keys that a write in flight carries. Only asked, never iterated.
    in_flight: HashSet<Key>,
    /// Waiting items whose key is in flight: they cannot be taken yet.
    blocked: usize,
}

/// Updates wait by their key; inserts each for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Slot {
    Insert(u64),
    Key(Key),
}

impl Waiting {
    #[must_use]
    pub fn new(batch: &BatchConfig) -> Self {
        Self {
            docs_max: batch.docs_max,
            bytes_max: batch.bytes_max,
            items: IndexMap::new(),
            next_insert: 0,
            bytes: 0,
            in_flight: HashSet::new(),
            blocked: 0,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether what can be taken fills a batch.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.items.len() - self.blocked >= self.docs_max
            || (self.bytes >= self.bytes_max && self.items.len() > self.blocked)
    }

    /// Adds a part. Returns whether it was joined with one that waits already.
    pub fn push(&mut self, part: Part) -> bool {
        let slot = match &part.write {
            Write::Insert(_) => {
                self.next_insert += 1;
                Slot::Insert(self.next_insert)
            }
            Write::Update(update) => Slot::Key(update.key.clone()),
        };
        if let Some(item) = self.items.get_mut(&slot) {
            let before = item.write().command_bytes();
            item.join(part);
            self.bytes = self.bytes - before + item.write().command_bytes();
            return true;
        }
        self.blocked += usize::from(self.is_blocked(&slot));
        self.bytes += part.write.command_bytes();
        self.items.insert(slot, Item::new(part));
        false
    }

    /// Takes the next batch, oldest first: up to the bounds, at least one item, none whose key is
    /// in flight. `None` where nothing can be taken.
    pub fn take(&mut self) -> Option<Vec<Item>> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        let mut kept = IndexMap::new();
        let mut waiting = std::mem::take(&mut self.items).into_iter();
        for (slot, item) in waiting.by_ref() {
            let size = item.write().command_bytes();
            let is_full = !taken.is_empty()
                && (taken.len() >= self.docs_max || bytes + size > self.bytes_max);
            if is_full {
                kept.insert(slot, item);
                break;
            }
            if self.is_blocked(&slot) {
                kept.insert(slot, item);
                continue;
            }
            bytes += size;
            taken.push(item);
        }
        kept.extend(waiting);
        self.items = kept;
        self.bytes -= bytes;
        self.in_flight.extend(taken.iter().filter_map(|item| item.key().cloned()));
        (!taken.is_empty()).then_some(taken)
    }

    /// A write has ended: its keys may be taken again.
    pub fn written(&mut self, keys: &[Key]) {
        for key in keys {
            self.in_flight.remove(key);
            self.blocked -= usize::from(self.items.contains_key(&Slot::Key(key.clone())));
        }
    }

    /// Takes everything out.
    pub fn drain_parts(&mut self) -> impl Iterator<Item = Part> + '_ {
        self.bytes = 0;
        self.blocked = 0;
        self.items.drain(..).flat_map(|(_, item)| item.into_parts())
    }

    fn is_blocked(&self, slot: &Slot) -> bool {
        matches!(slot, Slot::Key(key) if self.in_flight.contains(key))
    }
}
