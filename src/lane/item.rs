//! One document's share of a batch: a write, and the receipts of all messages that were joined into
//! it.

use crate::message::{Key, Part, Update, Write};
use crate::version::{Change, Side, Version, join, winner};

use super::policy::Count;

/// One or more parts that are written as one.
#[derive(Debug)]
pub struct Item {
    /// Never empty.
    parts: Vec<Part>,
    written: Written,
}

/// What is written of the parts.
#[derive(Debug)]
enum Written {
    /// This one alone: of whole states the newest says all.
    Part(usize),
    /// The join of all.
    Join(Write),
}

impl Item {
    #[must_use]
    pub fn new(part: Part) -> Self {
        Self { parts: vec![part], written: Written::Part(0) }
    }

    /// Joins one more update of the same key.
    pub fn join(&mut self, part: Part) {
        // What has no key is never joined.
        if let (Write::Update(left), Write::Update(right)) = (self.write(), &part.write) {
            match winner(&left.change, &right.change) {
                Some(Side::Left) => {}
                Some(Side::Right) => self.written = Written::Part(self.parts.len()),
                None => self.join_change(right.change.clone()),
            }
        }
        self.parts.push(part);
    }

    fn join_change(&mut self, right: Change) {
        let left = match std::mem::replace(&mut self.written, Written::Part(0)) {
            Written::Join(write) => write,
            Written::Part(index) => self.parts[index].write.clone(),
        };
        self.written = Written::Join(match left {
            Write::Update(Update { key, change }) => {
                Write::Update(Update { key, change: join(change, right) })
            }
            alone @ (Write::Insert(_) | Write::Letter(_)) => alone,
        });
    }

    /// What is written.
    #[must_use]
    pub fn write(&self) -> &Write {
        match &self.written {
            Written::Part(index) => &self.parts[*index].write,
            Written::Join(write) => write,
        }
    }

    /// The key of an update.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        key(self.write())
    }

    /// The ids of the messages that this is made of.
    pub fn message_ids(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.receipt.message.message_id.as_str())
    }

    pub fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        self.parts.iter_mut()
    }

    /// How many messages this is made of.
    #[must_use]
    pub fn messages(&self) -> Count {
        Count::of(self.parts.len())
    }

    pub fn into_parts(self) -> impl Iterator<Item = Part> {
        self.parts.into_iter()
    }

    /// The parts, oldest version first, so that each meets its own fate.
    pub fn into_parts_by_age(mut self) -> impl Iterator<Item = Part> {
        self.sort_by_age();
        self.parts.into_iter()
    }

    /// The parts of the older versions, and those of the newer ones, joined again.
    pub fn into_halves(mut self) -> [Option<Self>; 2] {
        self.sort_by_age();
        let newer = self.parts.split_off(self.parts.len().div_ceil(2));
        [Self::of(self.parts), Self::of(newer)]
    }

    fn sort_by_age(&mut self) {
        self.parts.sort_by(|a, b| newest_version(&a.write).cmp(&newest_version(&b.write)));
    }

    /// The join of these parts.
    fn of(parts: Vec<Part>) -> Option<Self> {
        parts.into_iter().fold(None, |item: Option<Self>, part| match item {
            None => Some(Self::new(part)),
            Some(mut item) => {
                item.join(part);
                Some(item)
            }
        })
    }

    /// Takes out the parts that `condition` picks; `None` for an item of which nothing is left.
    #[must_use]
    pub fn split_off(self, condition: impl Fn(&Part) -> bool) -> (Option<Self>, Vec<Part>) {
        let (out, kept): (Vec<_>, Vec<_>) = self.parts.into_iter().partition(condition);
        (Self::of(kept), out)
    }
}

/// The key of an update.
#[must_use]
pub fn key(write: &Write) -> Option<&Key> {
    match write {
        Write::Insert(_) | Write::Letter(_) => None,
        Write::Update(update) => Some(&update.key),
    }
}

fn newest_version(write: &Write) -> Option<&Version> {
    match write {
        Write::Insert(_) | Write::Letter(_) => None,
        Write::Update(Update { change: Change::Whole { version, .. }, .. }) => Some(version),
        Write::Update(Update { change: Change::Partial { fields }, .. }) => {
            fields.iter().map(|field| &field.1).max()
        }
    }
}

/// The version field of an update, milliseconds since the epoch.
#[must_use]
pub fn newest_time_ms(write: &Write) -> Option<i64> {
    newest_version(write).map(|version| version.time.millis())
}
