//! What waits in a lane, in order of arrival, updates of one key joined as they come. Large items wait
//! apart: a few small messages can unpack to many megabytes, and others are not to wait for these.

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
    /// Writes in flight for one collection at most, not counting those of large items, of which one
    /// fewer may be, but one at least; a second starts only when a full batch is waiting. 1 to 16.
    pub writers_max: usize,
}

impl BatchConfig {
    /// Batches of this size in flight at most, beside those in which one item is looked for.
    pub(super) fn writers_max_of(&self, size: Size) -> usize {
        match size {
            Size::Small => self.writers_max,
            Size::Large => (self.writers_max - 1).max(1),
        }
    }

    /// Writes of one lane at once: its batches, and a message that is tried alone.
    #[must_use]
    pub fn writes_max(&self) -> usize {
        Size::ALL.iter().map(|size| self.writers_max_of(*size)).sum::<usize>() + 1
    }
}

/// An item is large whose write takes more than this: what a message of SQS could have for many years,
/// and few have.
const LARGE_BYTES: usize = 256 * 1024;

/// Of one command of large items, where `batch.bytes_max` is more.
const LARGE_COMMAND_BYTES: usize = 4 * 1024 * 1024;

/// Which line an item waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Small,
    Large,
}

impl Size {
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    const fn of(bytes: usize) -> Self {
        if bytes > LARGE_BYTES { Self::Large } else { Self::Small }
    }
}

/// The items that no write has taken yet.
#[derive(Debug)]
pub struct Waiting {
    docs_max: usize,
    bytes_max: usize,
    /// Of a write in a command: [`Store::command_bytes`](crate::store::Store::command_bytes).
    bytes_of: fn(&Write) -> usize,
    /// Of each size.
    lines: [Line; Size::ALL.len()],
    keys: Keys,
}

/// Items that can be taken.
#[derive(Debug, Default)]
struct Line {
    inserts: VecDeque<Item>,
    /// By the number of their key.
    updates: BTreeMap<u64, Item>,
    bytes: usize,
}

/// Updates wait by their key, numbered as they come.
#[derive(Debug, Default)]
struct Keys {
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
            lines: Default::default(),
            keys: Keys::default(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.len() == 0) && self.keys.blocked.is_empty()
    }

    /// Whether what can be taken of this size fills a batch.
    #[must_use]
    pub fn is_full(&self, size: Size) -> bool {
        let line = &self.lines[size as usize];
        line.len() >= self.docs_max || line.bytes >= self.bytes_max_of(size)
    }

    /// Adds a part. Returns whether it was joined with one that waits already.
    pub fn push(&mut self, part: Part) -> bool {
        let key = match &part.write {
            Write::Insert(_) => {
                let (line, bytes) = self.line_of(&part.write);
                line.bytes += bytes;
                line.inserts.push_back(Item::new(part));
                return false;
            }
            Write::Update(update) => &update.key,
        };
        if let Some(&number) = self.keys.numbers.get(key) {
            if let Some(item) = self.keys.blocked.get_mut(&number) {
                item.join(part);
            } else if let Some(mut item) = self.take_out(number) {
                item.join(part);
                // It may have become large by this, or small.
                self.put(number, item);
            }
            return true;
        }
        let number = self.keys.next_number;
        self.keys.next_number += 1;
        self.keys.numbers.insert(key.clone(), number);
        if self.keys.in_flight.contains(key) {
            self.keys.blocked.insert(number, Item::new(part));
        } else {
            self.put(number, Item::new(part));
        }
        false
    }

    /// Takes the next batch of this size, oldest first: up to the bounds, at least one item, none
    /// whose key is in flight. `None` where nothing can be taken.
    pub fn take(&mut self, size: Size) -> Option<Vec<Item>> {
        let bytes_max = self.bytes_max_of(size);
        let (line, keys) = (&mut self.lines[size as usize], &mut self.keys);
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(item) = line.first() {
            let size = (self.bytes_of)(item.write());
            let is_full = taken.len() >= self.docs_max || bytes + size > bytes_max;
            if is_full && !taken.is_empty() {
                break;
            }
            bytes += size;
            taken.extend(line.take_first());
        }
        line.bytes -= bytes;
        taken.iter().filter_map(Item::key).for_each(|key| keys.take(key));
        (!taken.is_empty()).then_some(taken)
    }

    /// A write has ended: its keys may be taken again.
    pub fn written(&mut self, keys: &[Key]) {
        for key in keys {
            self.keys.in_flight.remove(key);
            let number = self.keys.numbers.get(key);
            if let Some((number, item)) =
                number.and_then(|number| self.keys.blocked.remove_entry(number))
            {
                self.put(number, item);
            }
        }
    }

    /// A command of large documents is smaller: the server's disk and this process are busy with it
    /// while others wait.
    fn bytes_max_of(&self, size: Size) -> usize {
        match size {
            Size::Small => self.bytes_max,
            Size::Large => self.bytes_max.min(LARGE_COMMAND_BYTES),
        }
    }

    /// Takes everything out.
    pub fn drain_parts(&mut self) -> impl Iterator<Item = Part> + use<> {
        self.keys.numbers.clear();
        let mut updates = std::mem::take(&mut self.keys.blocked);
        let mut inserts = Vec::new();
        for mut line in std::mem::take(&mut self.lines) {
            updates.append(&mut line.updates);
            inserts.extend(line.inserts);
        }
        inserts.into_iter().chain(updates.into_values()).flat_map(Item::into_parts)
    }

    /// Puts an update that can be taken into its line.
    fn put(&mut self, number: u64, item: Item) {
        let (line, bytes) = self.line_of(item.write());
        line.bytes += bytes;
        line.updates.insert(number, item);
    }

    /// Takes an update out of its line.
    fn take_out(&mut self, number: u64) -> Option<Item> {
        let (line, item) = self.lines.iter_mut().find_map(|line| {
            let item = line.updates.remove(&number)?;
            Some((line, item))
        })?;
        line.bytes -= (self.bytes_of)(item.write());
        Some(item)
    }

    /// The line that a write belongs to, and how many bytes it takes there.
    fn line_of(&mut self, write: &Write) -> (&mut Line, usize) {
        let bytes = (self.bytes_of)(write);
        (&mut self.lines[Size::of(bytes) as usize], bytes)
    }
}

impl Line {
    fn len(&self) -> usize {
        self.inserts.len() + self.updates.len()
    }

    fn first(&self) -> Option<&Item> {
        self.inserts.front().or_else(|| self.updates.first_key_value().map(|(_, item)| item))
    }

    fn take_first(&mut self) -> Option<Item> {
        self.inserts.pop_front().or_else(|| self.updates.pop_first().map(|(_, item)| item))
    }
}

impl Keys {
    /// The update that waited for this key is being written.
    fn take(&mut self, key: &Key) {
        if let Some((key, _)) = self.numbers.remove_entry(key) {
            self.in_flight.insert(key);
        }
    }
}
