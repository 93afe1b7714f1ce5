//! The simulated store: what MongoDB does by its documentation, with what it does when it is in
//! trouble.
//!
//! Items are applied one by one, guarded by their versions. What was applied is durable once a
//! later write is acknowledged by the majority; until then a stepdown may take it back (MongoDB
//! manual, "Rollbacks During Replica Set Failover").

mod applied;
pub mod client;
pub mod letters;
mod mended;
mod others;
mod rules;
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bson::RawDocument;
use longshore::bson::Fields;
use longshore::message::{Key, Rejection, Update, Write};
use longshore::store::{ItemOutcome, StoreFault, StoreFaultKind, WriteOutcome};
use longshore::version::{Change, Version};

use super::conditions::Conditions;
use super::fault::Fault;
use super::traffic::Mark;

use applied::applied;
pub use others::Theirs;

/// A server's code that no list knows.
const UNKNOWN_CODE: i32 = 31_337;
const VALIDATION_FAILED: i32 = 121;
const DUPLICATE_KEY: i32 = 11_000;

/// What is said of an item from which the server never returns.
const HANGS: &str = "the server never returns";

pub struct Store {
    conditions: Arc<Conditions>,
    state: Mutex<State>,
}

/// Collection and key, or collection and `_id`.
pub type Name = (String, Key);

#[derive(Default)]
struct State {
    documents: BTreeMap<Name, Document>,
    /// Names of dead letters by the messages that they were written for.
    letters: BTreeMap<String, Name>,
    /// What a rollback puts back, in the order of the writes.
    undo: Vec<(Name, Option<Document>)>,
    /// Grows with each stepdown.
    term: u64,
    /// Good items that were doubted already.
    doubted: BTreeSet<Name>,
    /// Contents that are taken whatever their marks say: somebody mended what refused them.
    mended: BTreeSet<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    Inserted {
        document: Vec<u8>,
        hash: Option<[u8; 16]>,
    },
    Whole {
        version: Version,
        fields: Fields,
    },
    Partial(BTreeMap<String, (Version, Fields)>),
    /// What another program wrote, over what was there.
    Foreign {
        theirs: Theirs,
        over: Option<(Version, Fields)>,
    },
}

/// What an application came to, before it is acknowledged.
pub struct Applied {
    outcome: WriteOutcome,
    term: u64,
}

impl Store {
    pub fn new(conditions: Arc<Conditions>) -> Self {
        Self { conditions, state: Mutex::default() }
    }

    /// Applies those writes that `picks` says.
    pub fn apply(
        &self,
        collection: &str,
        writes: &[Write],
        mut picks: impl FnMut() -> bool,
    ) -> Applied {
        let mut state = self.lock();
        let term = state.term;
        let is_calm = self.conditions.is_calm();
        let lasts = |mark: &Mark| !is_calm || !mark.is_taken_in_the_end();
        let marks: Vec<_> = writes
            .iter()
            .map(|write| state.effective_mark(collection, write).filter(lasts))
            .collect();
        let saw = |mark: Mark| self.conditions.history.saw(mark.fault());
        if writes.len() > 1 && marks.contains(&Some(Mark::CommandRefused)) {
            saw(Mark::CommandRefused);
            return Applied {
                outcome: unconfirmed(StoreFaultKind::Refused, "a command is refused whole"),
                term,
            };
        }
        if marks.contains(&Some(Mark::BreaksConnection)) {
            saw(Mark::BreaksConnection);
            return Applied {
                outcome: unconfirmed(
                    StoreFaultKind::ConnectionLost,
                    "an item breaks the connection",
                ),
                term,
            };
        }
        if marks.contains(&Some(Mark::Hangs)) {
            saw(Mark::Hangs);
            return Applied { outcome: unconfirmed(StoreFaultKind::NoAnswer, HANGS), term };
        }
        let doubts = self.conditions.spell(Fault::StoreDoubts);
        let (mut items, mut unchanged) = (Vec::new(), 0);
        for (write, mark) in writes.iter().zip(&marks) {
            if !picks() {
                items.push(ItemOutcome::Unconfirmed("not reached".to_owned()));
                continue;
            }
            if doubts {
                items.push(refusal(Mark::UnknownCode));
                continue;
            }
            mark.filter(|mark| !mark.is_of_commands()).into_iter().for_each(saw);
            let outcome = mark.map(refusal).or_else(|| self.trouble(&mut state, collection, write));
            let outcome =
                outcome.unwrap_or_else(|| state.apply_one(collection, write, &mut unchanged));
            if let Some(fault) = rules::fault(collection, &outcome) {
                self.conditions.history.saw(fault);
            }
            items.push(outcome);
        }
        if writes.len() > 1 && marks.contains(&Some(Mark::ReplyTooLarge)) {
            saw(Mark::ReplyTooLarge);
            return Applied {
                outcome: unconfirmed(
                    StoreFaultKind::ConnectionLost,
                    "the reply broke the connection",
                ),
                term,
            };
        }
        Applied { outcome: WriteOutcome::Answered { items, stale: unchanged }, term }
    }

    /// What is heard of it at the majority's acknowledgement. All that was applied before is
    /// durable with it.
    pub fn acknowledge(&self, applied: Applied) -> WriteOutcome {
        let mut state = self.lock();
        if state.term != applied.term {
            return unconfirmed(StoreFaultKind::Unavailable, "the primary stepped down meanwhile");
        }
        if matches!(applied.outcome, WriteOutcome::Answered { .. }) {
            state.undo.clear();
        }
        applied.outcome
    }

    /// Takes back what was not acknowledged.
    pub fn step_down(&self) {
        let mut state = self.lock();
        state.term += 1;
        while let Some((name, before)) = state.undo.pop() {
            match before {
                Some(document) => state.documents.insert(name, document),
                None => state.documents.remove(&name),
            };
        }
    }

    /// All documents, durable or not yet.
    pub fn documents(&self) -> BTreeMap<Name, Document> {
        self.lock().documents.clone()
    }

    /// The document as every rollback would leave it.
    pub fn durable(&self, name: &Name) -> Option<Document> {
        let state = self.lock();
        let before = state.undo.iter().find(|(other, _)| other == name);
        before.map_or_else(|| state.documents.get(name), |(_, document)| document.as_ref()).cloned()
    }

    /// The dead letter that was last written for the message with this id, as every rollback would leave it.
    pub fn durable_letter(&self, message_id: &str) -> Option<Document> {
        let name = self.lock().letters.get(message_id).cloned()?;
        self.durable(&name)
    }

    /// All of a collection, as every rollback would leave it.
    pub fn durable_of(&self, collection: &str) -> Vec<Document> {
        let names: Vec<_> = self
            .lock()
            .documents
            .keys()
            .filter(|(other, _)| other == collection)
            .cloned()
            .collect();
        names.iter().filter_map(|name| self.durable(name)).collect()
    }

    /// A good item that the store does not take at the first try.
    fn trouble(&self, state: &mut State, collection: &str, write: &Write) -> Option<ItemOutcome> {
        if self.conditions.strikes(Fault::UpsertRaced) {
            return Some(ItemOutcome::Unconfirmed("two upserts met".to_owned()));
        }
        // Refused by the second index, asked once more as the contract demands, and nothing was
        // heard of that.
        if collection == "badges" && self.conditions.strikes(Fault::SecondIndexRaced) {
            return Some(ItemOutcome::Unconfirmed(
                "another document had the same badge, and no answer came since".to_owned(),
            ));
        }
        let name = name(collection, write);
        if !state.doubted.contains(&name) && self.conditions.strikes(Fault::ItemDoubted) {
            state.doubted.insert(name);
            return Some(refusal(Mark::UnknownCode));
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply_one(&mut self, collection: &str, write: &Write, stale: &mut usize) -> ItemOutcome {
        let name = name(collection, write);
        if let Write::Letter(letter) = write {
            let record = RawDocument::from_bytes(&letter.document).expect("BSON");
            let message_id = record.get_str("message_id").expect("an id").to_owned();
            self.letters.insert(message_id, name.clone());
        }
        let before = self.documents.get(&name).cloned();
        let (after, outcome) = applied(before.as_ref(), write);
        if let Some(rejection) =
            after.as_ref().and_then(|after| rules::refusal(&self.documents, &name, after))
        {
            return ItemOutcome::Rejected(rejection);
        }
        if after.is_none() && matches!(write, Write::Update(_)) {
            *stale += 1;
        }
        if let Some(after) = after {
            self.undo.push((name.clone(), before));
            self.documents.insert(name, after);
        }
        outcome
    }

    /// What makes the store refuse the write, if it would change anything. Dead letters quote
    /// bodies: no mark counts there.
    fn effective_mark(&self, collection: &str, write: &Write) -> Option<Mark> {
        let is_stale = || {
            let before = self.documents.get(&name(collection, write));
            matches!(write, Write::Update(_)) && applied(before, write).0.is_none()
        };
        if collection == "dead_letters" {
            return None;
        }
        let mark = match write {
            Write::Insert(insert) | Write::Letter(insert) => mark_in(&insert.document),
            Write::Update(Update { change: Change::Whole { fields, .. }, .. }) => mark_of(fields),
            Write::Update(Update { change: Change::Partial { fields }, .. }) => {
                fields.iter().find_map(|field| mark_of(&field.2))
            }
        };
        let is_mended =
            || mended::content(write).is_some_and(|content| self.mended.contains(&content));
        mark.filter(|_| !is_mended() && !is_stale())
    }
}

fn name(collection: &str, write: &Write) -> Name {
    let key = match write {
        Write::Insert(insert) | Write::Letter(insert) => insert.id.clone(),
        Write::Update(update) => update.key.clone(),
    };
    (collection.to_owned(), key)
}

fn refusal(mark: Mark) -> ItemOutcome {
    let rejection = |code| Rejection::by_server(mark.text(), Some(code));
    match mark {
        Mark::Refused | Mark::ReplyTooLarge => ItemOutcome::Rejected(rejection(VALIDATION_FAILED)),
        Mark::UnknownCode | Mark::CommandRefused => ItemOutcome::Doubtful(rejection(UNKNOWN_CODE)),
        Mark::Unconfirmed | Mark::BreaksConnection | Mark::Hangs => {
            ItemOutcome::Unconfirmed(mark.text().to_owned())
        }
    }
}

fn mark_of(fields: &Fields) -> Option<Mark> {
    fields.iter().find_map(|field| mark_in(field.element))
}

fn mark_in(bytes: &[u8]) -> Option<Mark> {
    let text = String::from_utf8_lossy(bytes);
    Mark::ALL.iter().map(|(mark, _)| *mark).find(|mark| text.contains(mark.text()))
}

fn unconfirmed(kind: StoreFaultKind, text: &str) -> WriteOutcome {
    WriteOutcome::Unconfirmed(StoreFault { kind, text: format!("simulated: {text}") })
}
