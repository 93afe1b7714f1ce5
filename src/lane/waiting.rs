//! What waits in a lane, in order of arrival, updates of one key joined as they come.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::message::{Key, Part, Write};

use super::item::Item;

/// What one write takes: the section `batch`.
#[derive(Debug, Clone)]
pub struct BatchConfig {
    /// 1 to 10,000.
    pub docs_max: usize,
    /// Of one encoded command: 64 KiB to 15 MiB.
    pub bytes_max: usize,
    /// How long a free writer waits for more: 0 to 10 s.
    pub linger: Duration,
    /// Writes in flight for one collection at most; a second starts only when a full batch is
    /// waiting. 1 to 16.
    pub writers_max: usize,
}

/// The items that no write has taken yet.
#[derive(Debug)]
pub struct Waiting {
    docs_max: usize,
    bytes_max: usize,
    /// Of a write in a command: [`Store::command_bytes`](crate::store::Store::command_bytes).
    bytes_of: fn(&Write) -> usize,
    inserts: VecDeque<Item>,
    updates: Updates,
    /// Of what can be taken.
    bytes: usize,
}

/// Updates wait by their key, numbered as they come.
#[derive(Debug, Default)]
struct Updates {
    ready: BTreeMap<u64, Item>,
    /// A write in flight carries their key: they cannot be taken yet.
    blocked: BTreeMap<u64, Item>,
    /// The number of the item that waits for each key. Only asked, never iterated.
    numbers: HashMap<Key, u64>,
    next_number: u64,
    /// Keys that a write in flight carries. Only asked, never iterated.
    in_flight: HashSet<Key>,
}

impl Waiting {
    #[must_use]
    pub fn new(batch: &BatchConfig, bytes_of: fn(&Write) -> usize) -> Self {
        Self {
            docs_max: batch.docs_max,
            bytes_max: batch.bytes_max,
            bytes_of,
            inserts: VecDeque::new(),
            updates: Updates::default(),
            bytes: 0,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready() == 0 && self.updates.blocked.is_empty()
    }

    /// Whether what can be taken fills a batch.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ready() >= self.docs_max || self.bytes >= self.bytes_max
    }

    fn ready(&self) -> usize {
        self.inserts.len() + self.updates.ready.len()
    }

    /// Adds a part. Returns whether it was joined with one that waits already.
    pub fn push(&mut self, part: Part) -> bool {
        let key = match &part.write {
            Write::Insert(_) => {
                self.bytes += (self.bytes_of)(&part.write);
                self.inserts.push_back(Item::new(part));
                return false;
            }
            Write::Update(update) => &update.key,
        };
        let updates = &mut self.updates;
        if let Some(number) = updates.numbers.get(key) {
            if let Some(item) = updates.ready.get_mut(number) {
                let before = (self.bytes_of)(item.write());
                item.join(part);
                self.bytes = self.bytes - before + (self.bytes_of)(item.write());
            } else if let Some(item) = updates.blocked.get_mut(number) {
                item.join(part);
            }
            return true;
        }
        let number = updates.next_number;
        updates.next_number += 1;
        updates.numbers.insert(key.clone(), number);
        if updates.in_flight.contains(key) {
            updates.blocked.insert(number, Item::new(part));
        } else {
            self.bytes += (self.bytes_of)(&part.write);
            updates.ready.insert(number, Item::new(part));
        }
        false
    }

    /// Takes the next batch, oldest first: up to the bounds, at least one item, none whose key is
    /// in flight. `None` where nothing can be taken.
    pub fn take(&mut self) -> Option<Vec<Item>> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(item) = self.inserts.front().or_else(|| self.updates.first()) {
            let size = (self.bytes_of)(item.write());
            let is_full = taken.len() >= self.docs_max || bytes + size > self.bytes_max;
            if is_full && !taken.is_empty() {
                break;
            }
            bytes += size;
            taken.extend(self.inserts.pop_front().or_else(|| self.updates.take_first()));
        }
        self.bytes -= bytes;
        (!taken.is_empty()).then_some(taken)
    }

    /// A write has ended: its keys may be taken again.
    pub fn written(&mut self, keys: &[Key]) {
        let updates = &mut self.updates;
        for key in keys {
            updates.in_flight.remove(key);
            let number = updates.numbers.get(key);
            if let Some((number, item)) =
                number.and_then(|number| updates.blocked.remove_entry(number))
            {
                self.bytes += (self.bytes_of)(item.write());
                updates.ready.insert(number, item);
            }
        }
    }

    /// Takes everything out.
    pub fn drain_parts(&mut self) -> impl Iterator<Item = Part> + use<> {
        self.bytes = 0;
        self.updates.numbers.clear();
        let mut updates = std::mem::take(&mut self.updates.ready);
        updates.append(&mut self.updates.blocked);
        let inserts = std::mem::take(&mut self.inserts);
        inserts.into_iter().chain(updates.into_values()).flat_map(Item::into_parts)
    }
}

impl Updates {
    fn first(&self) -> Option<&Item> {
        self.ready.first_key_value().map(|(_, item)| item)
    }

    fn take_first(&mut self) -> Option<Item> {
        let (_, item) = self.ready.pop_first()?;
        if let Some((key, _)) = item.key().and_then(|key| self.numbers.remove_entry(key)) {
            self.in_flight.insert(key);
        }
        Some(item)
    }
}
