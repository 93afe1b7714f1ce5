//! What must be true of queue and database, from what the producers sent. Nothing here asks the
//! product, or reads the versions that it stores: a stored content is known for the message that
//! carried it, and that stands where its producer meant it to.

mod contents;
mod letters;
mod others;
mod ruled;
mod verdict;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore::message::Key;

use super::conditions::Conditions;
use super::history::History;
use super::letter_queue::Letters;
use super::store::{Document, Name, Store};
use super::traffic::{Mark, Meaning, Sent, Stamp, message_id};

pub use contents::{Subject, letter_message_ids, subject};
use contents::{
    content as content_of, event_content, letter_body, letter_message_id, letter_receive_count,
    whole_content,
};
pub use others::Deed;
use others::{Act, Acts, is_excused};
use verdict::Verdict;

/// The queue's name in dead letters.
pub const QUEUE_ARN: &str = "arn:aws:sqs:eu-west-1:1:simulated";

pub const DEAD_LETTERS: &str = "dead_letters";

/// Collections in which the order of arrival does not matter, whatever happens.
pub const KEYED: &[&str] = &["sessions", "user_cache", "seats", "leases", "profiles"];

/// One in which other programs write as well, and two with rules that look at more than one field
/// or document.
pub const DESKS: &str = "desks";
const BADGES: &str = "badges";
const SHIFTS: &str = "shifts";

pub struct Judge {
    store: Arc<Store>,
    letters: Option<Arc<Letters>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sent: Vec<Sent>,
    /// Of each content of an update, where it stands. The same message sent twice has one.
    stamps: BTreeMap<usize, Stamp>,
    /// What other programs did.
    acts: Acts,
}

impl Judge {
    pub fn new(store: Arc<Store>, letters: Option<Arc<Letters>>) -> Self {
        Self { store, letters, state: Mutex::default() }
    }

    /// Takes note of the next message, in the order of their numbers.
    pub fn sent(&self, message: Sent) {
        let mut state = self.lock();
        if let (Some(content), Some((_, _, stamp))) = (message.content(), message.place()) {
            state.stamps.insert(content, stamp.clone());
        }
        state.sent.push(message);
    }

    /// Takes note of what another program did to the desk with this key, at the moment when it did.
    pub fn others_did(&self, key: &str, deed: Deed) {
        let mut state = self.lock();
        let sent_before = state.sent.len();
        state.acts.entry(key.to_owned()).or_default().push(Act { deed, sent_before });
    }

    /// All that was sent, by number.
    pub fn all_sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }

    /// Whether the message may leave the queue: its effect is durable, or its dead letter is, or it
    /// has none.
    ///
    /// # Errors
    /// What is lacking.
    pub fn is_durable(&self, number: usize) -> Result<(), String> {
        let Sent { meaning, body, .. } = self.lock().sent[number].clone();
        let is_letter = |letter: &Document| {
            is_letter_of(letter, number) && letter_body(letter).as_ref() == Some(&body)
        };
        if self.store.durable_letter(&message_id(number)).is_some_and(|letter| is_letter(&letter)) {
            return Ok(());
        }
        if self.letters.as_ref().is_some_and(|letters| letters.has(&message_id(number), &body)) {
            return Ok(());
        }
        let is_durable = match &meaning {
            Meaning::Event { content, .. } => self
                .store
                .durable_of("events")
                .iter()
                .any(|event| event_content(event) == Some(*content)),
            Meaning::Whole { expired: true, .. } => true,
            Meaning::Whole { collection: DESKS, key, .. }
                if is_excused(&self.lock().acts, key, number) =>
            {
                true
            }
            Meaning::Whole { collection, key, stamp, .. } => {
                match self.store.durable(&named(collection, key)) {
                    Some(Document::Whole { fields, .. }) => {
                        self.is_not_older(whole_content(&fields).0, stamp)
                    }
                    Some(Document::Foreign { theirs, over }) => {
                        theirs.counts_as_ms() > stamp.version_ms()
                            || over.is_some_and(|(_, fields)| {
                                self.is_not_older(whole_content(&fields).0, stamp)
                            })
                    }
                    _ => false,
                }
            }
            Meaning::Partial { collection, key, stamp, fields, .. } => {
                match self.store.durable(&named(collection, key)) {
                    Some(Document::Partial(stored)) => fields.iter().all(|field| {
                        stored.get(*field).is_some_and(|(_, value)| {
                            self.is_not_older(content_of(value, field), stamp)
                        })
                    }),
                    _ => false,
                }
            }
            Meaning::Poison(_) => false,
        };
        if is_durable {
            Ok(())
        } else {
            Err(format!("neither its effect nor a dead letter is durable: {meaning:?}"))
        }
    }

    /// Whether the message is too old to be written.
    pub fn is_without_effect(&self, number: usize) -> bool {
        matches!(self.lock().sent[number].meaning, Meaning::Whole { expired: true, .. })
    }

    /// Whether it is to be dead-lettered, whatever the store says.
    pub fn is_poison(&self, number: usize) -> bool {
        matches!(self.lock().sent[number].meaning, Meaning::Poison(_))
    }

    /// What may be written for the message: its effect, or its dead letter.
    pub fn subjects(&self, number: usize) -> Vec<Subject> {
        let effect = match &self.lock().sent[number].meaning {
            Meaning::Event { content, .. } => Some(("events".to_owned(), content.to_string())),
            Meaning::Whole { collection, key, .. } | Meaning::Partial { collection, key, .. } => {
                Some(((*collection).to_owned(), key.clone()))
            }
            Meaning::Poison(_) => None,
        };
        effect.into_iter().chain([(DEAD_LETTERS.to_owned(), message_id(number))]).collect()
    }

    /// When each message was sent, in milliseconds of the world.
    pub fn sent_at(&self) -> Vec<u64> {
        self.lock().sent.iter().map(|sent| sent.at_ms).collect()
    }

    /// How many of the messages that were sent bear one of these marks.
    pub fn marked(&self, marks: &[Mark]) -> usize {
        self.lock()
            .sent
            .iter()
            .filter(|sent| sent.mark.is_some_and(|mark| marks.contains(&mark)))
            .count()
    }

    /// Where nothing failed: each message was received once, and so say the dead letters.
    pub fn each_came_once(&self, conditions: &Conditions, receive_counts: &[u32]) {
        let history = &conditions.history;
        let may_come = |number: usize| 1..=1 + conditions.may_have_left(number);
        let counts = receive_counts.iter().enumerate();
        let again: Vec<_> =
            counts.filter(|(number, count)| !may_come(*number).contains(count)).collect();
        if !again.is_empty() {
            history.violation(|| format!("nothing failed, and yet these were not received once (message, times): {again:?}"));
        }
        let numbers: BTreeMap<_, _> =
            (0..receive_counts.len()).map(|number| (message_id(number), number)).collect();
        for letter in self.store.durable_of(DEAD_LETTERS) {
            let count = letter_receive_count(&letter).and_then(|count| u32::try_from(count).ok());
            let number = letter_message_id(&letter).and_then(|id| numbers.get(&id).copied());
            let may_come = number.map_or(1..=1, may_come);
            if !count.is_some_and(|count| may_come.contains(&count)) {
                history.violation(|| {
                    format!("nothing failed, and yet a dead letter has the receive count {count:?}")
                });
            }
        }
    }

    /// Messages that were sent before `at_ms`, and for which the store has no reason but one that
    /// it has for all. Those to the collection `denied` are concerned.
    pub fn unconcerned(&self, at_ms: u64, denied: Option<&str>) -> Vec<usize> {
        let is_meant = |sent: &Sent| {
            sent.at_ms < at_ms
                && sent.mark.is_none()
                && (denied.is_none() || sent.place().map(|place| place.0) != denied)
                && !matches!(
                    sent.meaning,
                    Meaning::Poison(_) | Meaning::Event { identity: Some(_), .. }
                )
        };
        self.lock()
            .sent
            .iter()
            .enumerate()
            .filter(|(_, sent)| is_meant(sent))
            .map(|(number, _)| number)
            .collect()
    }

    /// Holds the database against all that was sent.
    pub fn judge(&self, history: &History) {
        let sent = self.all_sent();
        let documents = self.store.documents();
        let acts = self.lock().acts.clone();
        Verdict::new(history, &sent, &documents).give(&acts);
    }

    /// Whether this content was sent, and is not older than an update with this stamp.
    fn is_not_older(&self, content: Option<usize>, stamp: &Stamp) -> bool {
        let state = self.lock();
        content
            .and_then(|content| state.stamps.get(&content))
            .is_some_and(|stored| !stamp.is_newer_than(stored))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(collection: &str, key: &str) -> Name {
    (collection.to_owned(), Key::Text(key.to_owned()))
}

/// Whether the message is among those that were refused as one.
fn is_letter_of(letter: &Document, number: usize) -> bool {
    letter_message_ids(letter).contains(&message_id(number))
}
