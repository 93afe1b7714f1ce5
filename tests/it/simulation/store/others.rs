//! What other programs do to documents, TTL indexes among them. What they do is durable at once.

use longshore::message::Key;

use super::{Document, Name, Store};

/// What another program left at the version field, and by which number its content is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theirs {
    pub at_ms: i64,
    pub number: usize,
}

impl Theirs {
    /// A date that can be no version counts as the oldest of all.
    pub fn counts_as_ms(self) -> i64 {
        effective(self.at_ms)
    }
}

/// 2000-01-01 to 2100-01-01 in milliseconds: what counts as a version.
fn effective(at_ms: i64) -> i64 {
    if (946_684_800_000..=4_102_444_800_000).contains(&at_ms) { at_ms } else { i64::MIN }
}

impl Store {
    pub fn is_there(&self, name: &Name) -> bool {
        self.lock().documents.contains_key(name)
    }

    /// Sets content and version field of a document, and makes it where there is none.
    pub fn they_write(&self, name: &Name, theirs: Theirs) {
        let over = match self.they_take(name) {
            None => None,
            Some(Document::Whole { version, fields }) => Some((version, fields)),
            Some(Document::Foreign { over, .. }) => over,
            Some(document) => panic!("nobody else writes where this stands: {document:?}"),
        };
        self.lock().documents.insert(name.clone(), Document::Foreign { theirs, over });
    }

    /// Makes a document anew in place of the one that is there, if one is.
    pub fn they_make_anew(&self, name: &Name, theirs: Theirs) -> bool {
        let was_there = self.they_take(name).is_some();
        if was_there {
            self.lock().documents.insert(name.clone(), Document::Foreign { theirs, over: None });
        }
        was_there
    }

    pub fn they_delete(&self, name: &Name) -> bool {
        self.they_take(name).is_some()
    }

    /// Gives a document that a worker made another key.
    pub fn they_rename(&self, name: &Name, key: &str) -> bool {
        if !matches!(self.lock().documents.get(name), Some(Document::Whole { .. })) {
            return false;
        }
        let document = self.they_take(name).expect("it is there");
        self.lock().documents.insert((name.0.clone(), Key::Text(key.to_owned())), document);
        true
    }

    /// What a TTL index does: it removes a document whose version field is older than this.
    pub fn they_expire(&self, name: &Name, before_ms: i64) -> bool {
        let is_old = match self.lock().documents.get(name) {
            Some(Document::Foreign { theirs, .. }) => theirs.at_ms < before_ms,
            Some(Document::Whole { version, .. }) => version.time.millis() < before_ms,
            _ => false,
        };
        is_old && self.they_delete(name)
    }

    /// Takes a document away, so that no rollback brings it back.
    pub(super) fn they_take(&self, name: &Name) -> Option<Document> {
        let mut state = self.lock();
        state.undo.retain(|(other, _)| other != name);
        state.documents.remove(name)
    }
}
