//! One document's share of a batch: a write, and the receipts of all messages that were joined into
//! it.

use crate::message::{Key, Part, Update, Write};
use crate::version::Change;
use crate::version::join;

/// One or more parts that are written as one.
#[derive(Debug)]
pub struct Item {
    /// Never empty.
    parts: Vec<Part>,
    /// The join of all parts where there is more than one.
    joined: Option<Write>,
}

impl Item {
    #[must_use]
    pub fn new(part: Part) -> Self {
        Self { parts: vec![part], joined: None }
    }

    /// Joins one more update of the same key.
    pub fn join(&mut self, part: Part) {
        let left = self.joined.take().unwrap_or_else(|| self.parts[0].write.clone());
        self.joined = Some(match (left, &part.write) {
            (Write::Update(left), Write::Update(right)) => Write::Update(Update {
                key: left.key,
                change: join(left.change, right.change.clone()),
            }),
            (left, _) => left,
        });
        self.parts.push(part);
    }

    /// What is written.
    #[must_use]
    pub fn write(&self) -> &Write {
        self.joined.as_ref().unwrap_or(&self.parts[0].write)
    }

    /// The key of an update.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self.write() {
            Write::Insert(_) => None,
            Write::Update(update) => Some(&update.key),
        }
    }

    /// The id of the message that this is made of, if it is one.
    #[must_use]
    pub fn only_message_id(&self) -> Option<&str> {
        match &self.parts[..] {
            [part] => Some(&part.receipt.message.message_id),
            _ => None,
        }
    }

    /// The ids of the messages that this is made of.
    pub fn message_ids(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.receipt.message.message_id.as_str())
    }

    pub fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        self.parts.iter_mut()
    }

    #[must_use]
    pub fn parts_len(&self) -> usize {
        self.parts.len()
    }

    #[must_use]
    pub fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    /// The parts one by one, oldest version first, so that each meets its own fate.
    #[must_use]
    pub fn into_single_items(mut self) -> Vec<Self> {
        self.parts.sort_by(|a, b| newest_version(&a.write).cmp(&newest_version(&b.write)));
        self.parts.into_iter().map(Self::new).collect()
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

fn newest_version(write: &Write) -> Option<&crate::version::Version> {
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
