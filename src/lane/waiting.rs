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
    /// Where the item stands that waits for each key. Only asked, never iterated.
    places: HashMap<Key, Place>,
    next_number: u64,
    /// Keys that a write in flight carries. Only asked, never iterated.
    in_flight: HashSet<Key>,
}

/// Where an update waits.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    /// Its line; `None` where it is blocked.
    line: Option<Size>,
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

    /// Whether anything of this size can be taken.
    #[must_use]
    pub fn has(&self, size: Size) -> bool {
        self.lines[size as usize].len() > 0
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
            Write::Insert(_) | Write::Letter(_) => {
                let (size, bytes) = self.size_of(&part.write);
                let line = &mut self.lines[size as usize];
                line.bytes += bytes;
                line.inserts.push_back(Item::new(part));
                return false;
            }
            Write::Update(update) => &update.key,
        };
        if let Some(place) = self.keys.places.get(key).copied() {
            self.join(place, part);
            return true;
        }
        let key = key.clone();
        let number = self.keys.next_number;
        self.keys.next_number += 1;
        let line = if self.keys.in_flight.contains(&key) {
            self.keys.blocked.insert(number, Item::new(part));
            None
        } else {
            Some(self.put(number, Item::new(part)))
        };
        self.keys.places.insert(key, Place { number, line });
        false
    }

    /// Joins a part with the item that waits for its key, where that stands.
    fn join(&mut self, place: Place, part: Part) {
        const WAITS: &str = "what has a place waits there until it is taken";
        let number = place.number;
        let Some(size) = place.line else {
            return self.keys.blocked.get_mut(&number).expect(WAITS).join(part);
        };
        let line = &mut self.lines[size as usize];
        let item = line.updates.get_mut(&number).expect(WAITS);
        line.bytes -= (self.bytes_of)(item.write());
        item.join(part);
        let bytes = (self.bytes_of)(item.write());
        if Size::of(bytes) == size {
            line.bytes += bytes;
            return;
        }
        // It has become large by this, or small.
        let item = line.updates.remove(&number).expect(WAITS);
        let key = item.key().cloned();
        let line = Some(self.put(number, item));
        self.keys.places.extend(key.map(|key| (key, Place { number, line })));
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
            let Some(Place { number, line: None }) = self.keys.places.get(key).copied() else {
                continue;
            };
            if let Some(item) = self.keys.blocked.remove(&number) {
                let line = Some(self.put(number, item));
                self.keys.places.insert(key.clone(), Place { number, line });
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
        self.keys.places.clear();
        let mut updates = std::mem::take(&mut self.keys.blocked);
        let mut inserts = Vec::new();
        for mut line in std::mem::take(&mut self.lines) {
            updates.append(&mut line.updates);
            inserts.extend(line.inserts);
        }
        inserts.into_iter().chain(updates.into_values()).flat_map(Item::into_parts)
    }

    /// Puts an update that can be taken into its line.
    fn put(&mut self, number: u64, item: Item) -> Size {
        let (size, bytes) = self.size_of(item.write());
        let line = &mut self.lines[size as usize];
        line.bytes += bytes;
        line.updates.insert(number, item);
        size
    }

    /// Of which size a write is, and how many bytes it takes in a command.
    fn size_of(&self, write: &Write) -> (Size, usize) {
        let bytes = (self.bytes_of)(write);
        (Size::of(bytes), bytes)
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
        if let Some((key, _)) = self.places.remove_entry(key) {
            self.in_flight.insert(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::bson::Fields;
    use crate::budget::Budget;
    use crate::held::Held;
    use crate::message::{Ending, QueueMessage, Receipt, Update};
    use crate::time::Time;
    use crate::version::{Change, Version};

    /// An update of one key, newer than those with a lower number.
    async fn update(key: &str, number: i64, bytes: usize) -> Part {
        let message = QueueMessage {
            message_id: format!("{key}{number}"),
            receipt_handle: "".into(),
            body: String::new(),
            attributes: Vec::new(),
            sent_ms: 0,
            receive_count: 1,
            fifo: None,
            sender: None,
            trace_header: None,
            line: None,
        };
        let permit = Budget::new(1, 1, 0).acquire(1, 0).await;
        let now = Instant::now();
        let version = Version {
            time: Time::from_millis(number),
            origin_time: Time::from_millis(0),
            sequence: 0,
            // What it takes here.
            place: u32::try_from(bytes).expect("small"),
            origin_id: Arc::from([]),
            content_hash: [0; 8],
        };
        let change = Change::Whole { version, fields: Fields::default() };
        Part {
            write: Write::Update(Update { key: Key::Text(key.to_owned()), change }),
            receipt: Receipt::new(message, now, now, permit, &Held::default()),
            ending: Ending::Written,
        }
    }

    fn bytes_of(write: &Write) -> usize {
        match write {
            Write::Update(Update { change: Change::Whole { version, .. }, .. }) => {
                version.place as usize
            }
            _ => 0,
        }
    }

    fn waiting() -> Waiting {
        let linger = Duration::ZERO;
        let batch = BatchConfig { docs_max: 10, bytes_max: 1_000_000, linger, writers_max: 2 };
        Waiting::new(&batch, bytes_of)
    }

    fn taken(waiting: &mut Waiting, size: Size) -> Vec<Vec<String>> {
        let items = waiting.take(size).unwrap_or_default();
        let ids = |item: &Item| item.message_ids().map(str::to_owned).collect();
        items.iter().map(ids).collect()
    }

    #[tokio::test]
    async fn what_is_joined_keeps_its_place_in_its_line() {
        let mut waiting = waiting();
        for (key, number, bytes) in [("a", 0, 10), ("b", 0, 20), ("a", 1, 30)] {
            assert_eq!(waiting.push(update(key, number, bytes).await), number == 1);
        }
        assert_eq!(waiting.lines[0].bytes, 50, "of the newer one of a");
        assert_eq!(taken(&mut waiting, Size::Small), [vec!["a0", "a1"], vec!["b0"]]);
        assert_eq!((waiting.lines[0].bytes, waiting.is_empty()), (0, true));
    }

    #[tokio::test]
    async fn what_becomes_large_by_a_join_or_small_changes_its_line() {
        let mut waiting = waiting();
        for (key, number, bytes) in [("a", 0, 10), ("b", 0, 20), ("a", 1, LARGE_BYTES + 1)] {
            waiting.push(update(key, number, bytes).await);
        }
        assert_eq!(waiting.lines.each_ref().map(|line| line.bytes), [20, LARGE_BYTES + 1]);
        waiting.push(update("a", 2, LARGE_BYTES).await);
        assert_eq!(waiting.lines.each_ref().map(|line| line.bytes), [20 + LARGE_BYTES, 0]);
        waiting.push(update("a", 3, LARGE_BYTES + 1).await);
        waiting.push(update("a", 4, LARGE_BYTES + 2).await);
        assert_eq!(taken(&mut waiting, Size::Small), [["b0"]]);
        assert_eq!(taken(&mut waiting, Size::Large), [["a0", "a1", "a2", "a3", "a4"]]);
        assert!(waiting.is_empty());
    }

    #[tokio::test]
    async fn what_waits_for_its_key_is_joined_there_and_is_in_a_line_when_that_is_written() {
        let mut waiting = waiting();
        waiting.push(update("a", 0, 10).await);
        assert_eq!(taken(&mut waiting, Size::Small), [["a0"]]);
        waiting.push(update("a", 1, 10).await);
        assert!(waiting.push(update("a", 2, LARGE_BYTES + 1).await));
        assert!(waiting.take(Size::Small).is_none() && waiting.take(Size::Large).is_none());
        waiting.written(&[Key::Text("a".to_owned())]);
        assert!(waiting.push(update("a", 3, 10).await));
        assert_eq!(taken(&mut waiting, Size::Small), [["a1", "a2", "a3"]]);
        assert_eq!(waiting.lines.each_ref().map(|line| line.bytes), [0, 0]);
    }
}
