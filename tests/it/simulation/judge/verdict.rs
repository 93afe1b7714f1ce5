//! The database held against all that was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::simulation::history::History;
use crate::simulation::store::{Document, Name};
use crate::simulation::traffic::{Meaning, Sent, Stamp};

use super::contents::{content, date, event_content, whole_content};
use super::others::Acts;
use super::{KEYED, named};

pub struct Verdict<'a> {
    pub(super) history: &'a History,
    pub(super) sent: &'a [Sent],
    pub(super) documents: &'a BTreeMap<Name, Document>,
    /// Reasons of the dead letters that must be there, by message.
    pub(super) letters_due: BTreeMap<usize, &'static str>,
    /// Messages that may be rejected, or not: it depends on what was there before.
    pub(super) letters_allowed: BTreeSet<usize>,
}

impl<'a> Verdict<'a> {
    pub fn new(
        history: &'a History,
        sent: &'a [Sent],
        documents: &'a BTreeMap<Name, Document>,
    ) -> Self {
        Self {
            history,
            sent,
            documents,
            letters_due: BTreeMap::new(),
            letters_allowed: BTreeSet::new(),
        }
    }

    pub fn give(&mut self, acts: &Acts) {
        self.poison();
        self.events();
        self.wholes();
        self.partials();
        self.desks(acts);
        self.ruled();
        self.letters();
    }

    fn poison(&mut self) {
        for (number, sent) in self.sent.iter().enumerate() {
            if let Meaning::Poison(reason) = sent.meaning {
                self.letters_due.insert(number, reason);
            }
        }
    }

    /// Each content once; of those that share an identity, one.
    fn events(&mut self) {
        let mut stored: BTreeMap<usize, usize> = BTreeMap::new();
        for ((_, id), document) in self.of("events") {
            match event_content(document) {
                Some(content) => *stored.entry(content).or_default() += 1,
                None => self
                    .history
                    .violation(|| format!("the event {id} has no content that was sent")),
            }
        }
        let mut by_id: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        let mut good: BTreeSet<usize> = BTreeSet::new();
        for sent in self.sent.iter().filter(|sent| !sent.is_rejected()) {
            match &sent.meaning {
                Meaning::Event { content, identity: Some(id) } => {
                    by_id.entry(id).or_default().insert(*content);
                }
                Meaning::Event { content, identity: None } => {
                    good.insert(*content);
                }
                _ => {}
            }
        }
        for (id, contents) in &by_id {
            let winners: Vec<_> =
                contents.iter().filter(|content| stored.contains_key(*content)).collect();
            if winners.len() != 1 {
                self.history.violation(|| format!("the identity {id} was sent with the contents {contents:?}, stored are {winners:?}"));
            }
            good.extend(winners);
        }
        let mended = self.mended();
        for (number, sent) in self.sent.iter().enumerate() {
            let Meaning::Event { content, .. } = sent.meaning else { continue };
            if sent.is_rejected() && mended.contains(&content) {
                // It came before that or after.
                self.letters_allowed.insert(number);
            } else if sent.is_rejected() {
                self.letters_due.insert(number, "store_rejected");
            } else if !good.contains(&content) {
                self.letters_due.insert(number, "id_conflict");
            }
        }
        let stored_once: BTreeMap<usize, usize> =
            good.into_iter().map(|content| (content, 1)).collect();
        if stored != stored_once {
            let wrong: Vec<_> = stored
                .iter()
                .filter(|(content, times)| stored_once.get(content) != Some(times))
                .collect();
            let lost: Vec<_> =
                stored_once.keys().filter(|content| !stored.contains_key(content)).collect();
            self.history.violation(|| format!("events lost: {lost:?}; stored but not so sent, or not once (content, times): {wrong:?}"));
        }
    }

    /// Each key at its newest update, or at one of those of which nothing tells that another is
    /// newer.
    fn wholes(&mut self) {
        let mut newest: BTreeMap<Name, Newest> = BTreeMap::new();
        for (number, sent) in self.sent.iter().enumerate().filter(|(_, sent)| !sent.is_rejected()) {
            let Meaning::Whole { collection, key, stamp, expired: false, .. } = &sent.meaning
            else {
                continue;
            };
            if !KEYED.contains(collection) {
                continue;
            }
            newest.entry(named(collection, key)).or_default().meets(number, stamp, self.sent);
        }
        for (number, sent) in self.sent.iter().enumerate().filter(|(_, sent)| sent.is_rejected()) {
            let Meaning::Whole { collection, key, stamp, expired: false, .. } = &sent.meaning
            else {
                continue;
            };
            if !KEYED.contains(collection) {
                continue;
            }
            let best = newest.get(&named(collection, key));
            self.rejected(number, best.is_none_or(|best| best.are_older_than(stamp, self.sent)));
        }
        for collection in ["sessions", "user_cache", "seats", "leases"] {
            for (name, document) in self.of(collection) {
                if !newest.contains_key(name) {
                    self.history.violation(|| {
                        format!("{name:?} holds what nobody should have written: {document:?}")
                    });
                }
            }
        }
        for (name, newest) in newest {
            let stored = self.documents.get(&name);
            let is_stored = |number: &usize| match (stored, &self.sent[*number].meaning) {
                (
                    Some(Document::Whole { fields, .. }),
                    Meaning::Whole { collection, stamp, content, extra, .. },
                ) => {
                    date(fields, version_field(collection)) == Some(stamp.version_ms())
                        && whole_content(fields) == (Some(*content), extra.then_some(*content))
                }
                _ => false,
            };
            if !newest.0.iter().any(is_stored) {
                self.history
                    .violation(|| format!("{name:?} should be at {newest}, but is {stored:?}"));
            }
        }
    }

    /// The same for each field of each key, and the version field at the newest of all.
    fn partials(&mut self) {
        let mut newest: BTreeMap<(Name, &str), Newest> = BTreeMap::new();
        let of = |key: &str, field: &'static str| (named("profiles", key), field);
        for (number, sent) in self.sent.iter().enumerate().filter(|(_, sent)| !sent.is_rejected()) {
            let Meaning::Partial { collection: "profiles", key, stamp, fields, .. } = &sent.meaning
            else {
                continue;
            };
            for field in fields.iter().copied().chain([version_field("profiles")]) {
                newest.entry(of(key, field)).or_default().meets(number, stamp, self.sent);
            }
        }
        for (number, sent) in self.sent.iter().enumerate().filter(|(_, sent)| sent.is_rejected()) {
            let Meaning::Partial { collection: "profiles", key, stamp, fields, .. } = &sent.meaning
            else {
                continue;
            };
            let best = newest.get(&of(key, fields[0]));
            self.rejected(number, best.is_none_or(|best| best.are_older_than(stamp, self.sent)));
        }
        for (name, document) in self.of("profiles") {
            let Document::Partial(fields) = document else { continue };
            for (field, (_, value)) in fields {
                let Some(newest) = newest.remove(&(name.clone(), field.as_str())) else {
                    self.history.violation(|| {
                        format!("{name:?} has a field {field} that nobody sent: {value:?}")
                    });
                    continue;
                };
                let is_stored = |number: &usize| match &self.sent[*number].meaning {
                    Meaning::Partial { stamp, .. } if field == version_field("profiles") => {
                        date(value, field) == Some(stamp.version_ms())
                    }
                    Meaning::Partial { content: sent, .. } => content(value, field) == Some(*sent),
                    _ => false,
                };
                if !newest.0.iter().any(is_stored) {
                    self.history.violation(|| {
                        format!(
                            "the field {field} of {name:?} should be at {newest}, but is {value:?}"
                        )
                    });
                }
            }
        }
        if !newest.is_empty() {
            self.history.violation(|| format!("these fields are lost: {:?}", newest.keys()));
        }
    }

    /// A message that is rejected, where it comes before anything newer.
    fn rejected(&mut self, number: usize, always: bool) {
        if always {
            self.letters_due.insert(number, "store_rejected");
        } else {
            self.letters_allowed.insert(number);
        }
    }

    pub(super) fn of<'b>(
        &'b self,
        collection: &'b str,
    ) -> impl Iterator<Item = (&'b Name, &'b Document)> {
        self.documents.iter().filter(move |((other, _), _)| other == collection)
    }
}

/// The updates of one key, by number, that are older than no other.
#[derive(Default)]
struct Newest(Vec<usize>);

impl Newest {
    fn meets(&mut self, number: usize, stamp: &Stamp, sent: &[Sent]) {
        if self.0.iter().all(|other| !stamp_of(&sent[*other]).is_newer_than(stamp)) {
            self.0.retain(|other| !stamp.is_newer_than(stamp_of(&sent[*other])));
            self.0.push(number);
        }
    }

    fn are_older_than(&self, stamp: &Stamp, sent: &[Sent]) -> bool {
        self.0.iter().all(|number| stamp.is_newer_than(stamp_of(&sent[*number])))
    }
}

impl fmt::Display for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(|number| format!("m{number}")).collect();
        f.write_str(&numbers.join(" or "))
    }
}

pub fn version_field(collection: &str) -> &'static str {
    match collection {
        "sessions" => "last_accessed",
        "user_cache" => "updated",
        _ => "at",
    }
}

pub fn stamp_of(sent: &Sent) -> &Stamp {
    sent.place().expect("only updates are compared").2
}
