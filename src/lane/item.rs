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
        // An insert is never joined.
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
            insert @ Write::Insert(_) => insert,
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
        self.parts.sort_by(|a, b| newest_version(&a.write).cmp(&newest_version(&b.write)));
        self.parts.into_iter()
    }

    /// Takes out the parts that `condition` picks; `None` for an item of which nothing is left.
    #[must_use]
    pub fn split_off(self, condition: impl Fn(&Part) -> bool) -> (Option<Self>, Vec<Part>) {
        let (out, kept): (Vec<_>, Vec<_>) = self.parts.into_iter().partition(condition);
        let rest = kept.into_iter().fold(None, |item: Option<Self>, part| match item {
            None => Some(Self::new(part)),
            Some(mut item) => {
                item.join(part);
                Some(item)
            }
        });
        (rest, out)
    }
}

/// The key of an update.
#[must_use]
pub fn key(write: &Write) -> Option<&Key> {
    match write {
        Write::Insert(_) => None,
        Write::Update(update) => Some(&update.key),
    }
}

fn newest_version(write: &Write) -> Option<&Version> {
    match write {
        Write::Insert(_) => None,
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
