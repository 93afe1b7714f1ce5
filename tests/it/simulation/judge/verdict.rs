//! The database held against all that was sent.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::simulation::history::History;
use crate::simulation::store::{Document, Name};
use crate::simulation::traffic::{Meaning, Sent, Stamp};

use super::contents::{content, date, event_content, letter_body, letter_reason, whole_content};
use super::{DEAD_LETTERS, compare, dead_letter, named, order, stamp};

pub struct Verdict<'a> {
    history: &'a History,
    sent: &'a [Sent],
    documents: &'a BTreeMap<Name, Document>,
    /// Reasons of the dead letters that must be there, by message.
    letters_due: BTreeMap<usize, &'static str>,
    /// Messages that the store may have refused, or not: it depends on what was there before.
    letters_allowed: BTreeSet<usize>,
}

impl<'a> Verdict<'a> {
    pub fn new(history: &'a History, sent: &'a [Sent], documents: &'a BTreeMap<Name, Document>) -> Self {
        Self { history, sent, documents, letters_due: BTreeMap::new(), letters_allowed: BTreeSet::new() }
    }

    pub fn give(&mut self) {
        self.poison();
        self.events();
        self.wholes();
        self.partials();
        self.letters();
    }

    fn poison(&mut self) {
        for (number, sent) in self.sent.iter().enumerate() {
            if let Meaning::Poison(reason) = sent.meaning {
                self.letters_due.insert(number, reason);
            }
        }
    }

    /// Each content once; of those that share an id, one.
    fn events(&mut self) {
        let mut stored: BTreeMap<usize, usize> = BTreeMap::new();
        for ((_, id), document) in self.of("events") {
            match event_content(document) {
                Some(content) => *stored.entry(content).or_default() += 1,
                None => self.history.violation(|| format!("the event {id} has no content that was sent")),
            }
        }
        let mut by_id: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        let mut good: BTreeSet<usize> = BTreeSet::new();
        for sent in self.sent.iter().filter(|sent| !sent.is_refused()) {
            match &sent.meaning {
                Meaning::Event { content, id: Some(id) } => {
                    by_id.entry(id).or_default().insert(*content);
                }
                Meaning::Event { content, id: None } => {
                    good.insert(*content);
                }
                _ => {}
            }
        }
        for (id, contents) in &by_id {
            let winners: Vec<_> = contents.iter().filter(|content| stored.contains_key(*content)).collect();
            if winners.len() != 1 {
                self.history.violation(|| format!("the id {id} was sent with the contents {contents:?}, stored are {winners:?}"));
            }
            good.extend(winners);
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let Meaning::Event { content, .. } = sent.meaning else { continue };
            if sent.is_refused() {
                self.letters_due.insert(number, "store_rejected");
            } else if !good.contains(&content) {
                self.letters_due.insert(number, "id_conflict");
            }
        }
        let stored_once: BTreeMap<usize, usize> = good.into_iter().map(|content| (content, 1)).collect();
        if stored != stored_once {
            let wrong: Vec<_> = stored.iter().filter(|(content, times)| stored_once.get(content) != Some(times)).collect();
            let lost: Vec<_> = stored_once.keys().filter(|content| !stored.contains_key(content)).collect();
            self.history.violation(|| format!("events lost: {lost:?}; stored but not so sent, or not once (content, times): {wrong:?}"));
        }
    }

    /// Each key at its newest version.
    fn wholes(&mut self) {
        let mut newest: BTreeMap<Name, usize> = BTreeMap::new();
        for (number, sent) in self.sent.iter().enumerate() {
            let Meaning::Whole { collection, key, stamp, expired: false, .. } = &sent.meaning else { continue };
            if !sent.is_refused() {
                let best = newest.entry(named(collection, key)).or_insert(number);
                if order(stamp, stamp_of(&self.sent[*best])) == Ordering::Greater {
                    *best = number;
                }
            }
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let Meaning::Whole { collection, key, stamp, expired, .. } = &sent.meaning else { continue };
            if sent.is_refused() && !expired {
                let best = newest.get(&named(collection, key));
                self.refused(number, best.is_none_or(|best| order(stamp, stamp_of(&self.sent[*best])) == Ordering::Greater));
            }
        }
        for collection in ["sessions", "user_cache", "seats", "leases"] {
            for (name, document) in self.of(collection) {
                if !newest.contains_key(name) {
                    self.history.violation(|| format!("{name:?} holds what nobody should have written: {document:?}"));
                }
            }
        }
        for (name, number) in newest {
            let Meaning::Whole { collection, stamp, content, extra, .. } = &self.sent[number].meaning else { continue };
            let (content, extra) = (*content, extra.then_some(*content));
            let version_field = version_field(collection);
            let is_right = match self.documents.get(&name) {
                Some(Document::Whole { version, fields }) => {
                    compare(version, stamp) == Ordering::Equal
                        && date(fields, version_field) == Some(stamp.time_ms)
                        && whole_content(fields) == (Some(content), extra)
                }
                _ => false,
            };
            if !is_right {
                self.history.violation(|| format!("{name:?} should be at m{number}, {stamp:?}, but is {:?}", self.documents.get(&name)));
            }
        }
    }

    /// Each field of each key at its newest version, and the version field at the newest of all.
    fn partials(&mut self) {
        let mut newest: BTreeMap<(Name, &str), usize> = BTreeMap::new();
        let of = |key: &str, field: &'static str| (named("profiles", key), field);
        for (number, sent) in self.sent.iter().enumerate() {
            let Meaning::Partial { key, stamp, fields, .. } = &sent.meaning else { continue };
            for field in fields.iter().copied().chain([version_field("profiles")]).filter(|_| !sent.is_refused()) {
                let best = newest.entry(of(key, field)).or_insert(number);
                if order(stamp, stamp_of(&self.sent[*best])) == Ordering::Greater {
                    *best = number;
                }
            }
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let Meaning::Partial { key, stamp, fields, .. } = &sent.meaning else { continue };
            if sent.is_refused() {
                let best = newest.get(&of(key, fields[0]));
                self.refused(number, best.is_none_or(|best| order(stamp, stamp_of(&self.sent[*best])) == Ordering::Greater));
            }
        }
        let mut stored: BTreeMap<(Name, &str), Held> = BTreeMap::new();
        for (name, document) in self.of("profiles") {
            let Document::Partial(fields) = document else { continue };
            stored.extend(fields.iter().map(|(field, (version, value))| {
                let value = if field == version_field("profiles") { date(value, field) } else { content(value, field).map(number_of) };
                ((name.clone(), field.as_str()), Held { version: stamp(version), value })
            }));
        }
        let expected: BTreeMap<(Name, &str), Held> = newest
            .into_iter()
            .map(|(place, number)| {
                let Meaning::Partial { content, stamp, .. } = &self.sent[number].meaning else {
                    unreachable!("only partial ones were taken")
                };
                let value = if place.1 == version_field("profiles") { stamp.time_ms } else { number_of(*content) };
                (place, Held { version: stamp.clone(), value: Some(value) })
            })
            .collect();
        if stored != expected {
            let wrong: Vec<_> = stored.iter().filter(|(name, content)| expected.get(*name) != Some(content)).collect();
            let lost: Vec<_> = expected.iter().filter(|(name, content)| stored.get(*name) != Some(content)).collect();
            self.history.violation(|| format!("fields should be {lost:?}, but are {wrong:?}"));
        }
    }

    /// A message that the store refuses, where it comes before anything newer.
    fn refused(&mut self, number: usize, always: bool) {
        if always {
            self.letters_due.insert(number, "store_rejected");
        } else {
            self.letters_allowed.insert(number);
        }
    }

    fn letters(&self) {
        let mut due = self.letters_due.clone();
        for ((_, id), document) in self.of(DEAD_LETTERS) {
            let reason = letter_reason(document);
            let number = (0..self.sent.len()).find(|number| dead_letter(*number).1 == *id);
            let expected = number
                .and_then(|number| due.remove(&number).or_else(|| self.letters_allowed.contains(&number).then_some("store_rejected")));
            if reason.is_none() || reason.as_deref() != expected {
                self.history.violation(|| format!("the dead letter {id} has the reason {reason:?}, and should have {expected:?}"));
            }
            if number.is_some_and(|number| letter_body(document).as_ref() != Some(&self.sent[number].body)) {
                self.history.violation(|| format!("the dead letter {id} has not the body that was sent: {document:?}"));
            }
        }
        if !due.is_empty() {
            self.history.violation(|| format!("these messages should be dead letters: {due:?}"));
        }
    }

    fn of<'b>(&'b self, collection: &'b str) -> impl Iterator<Item = (&'b Name, &'b Document)> {
        self.documents.iter().filter(move |((other, _), _)| other == collection)
    }
}

/// A field of a document, and its version.
#[derive(Debug, PartialEq)]
struct Held {
    version: Stamp,
    value: Option<i64>,
}

fn number_of(content: usize) -> i64 {
    i64::try_from(content).expect("a few")
}

fn version_field(collection: &str) -> &'static str {
    match collection {
        "sessions" => "last_accessed",
        "user_cache" => "updated",
        _ => "at",
    }
}

fn stamp_of(sent: &Sent) -> &Stamp {
    match &sent.meaning {
        Meaning::Whole { stamp, .. } | Meaning::Partial { stamp, .. } => stamp,
        Meaning::Event { .. } | Meaning::Poison(_) => unreachable!("only updates are compared"),
    }
}
