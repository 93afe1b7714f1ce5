//! Where other programs write as well: what they did, and what may remain of it and of ours.

use std::collections::BTreeMap;

use crate::simulation::store::{Document, Theirs};
use crate::simulation::traffic::{Meaning, Sent};

use super::contents::whole_content;
use super::verdict::{Verdict, stamp_of};
use super::{DESKS, named};

/// What another program did to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Content and version field, and nothing else where the document was there.
    Wrote(Theirs),
    MadeAnew(Theirs),
    /// Deleted, expired, or under another key now.
    Removed,
}

#[derive(Debug, Clone, Copy)]
pub struct Act {
    pub deed: Deed,
    /// How many messages were sent before.
    pub sent_before: usize,
}

/// By key.
pub type Acts = BTreeMap<String, Vec<Act>>;

/// Whether a message may have no effect any more for what others did since it was sent.
pub fn is_excused(acts: &Acts, key: &str, number: usize) -> bool {
    acts.get(key).and_then(|acts| acts.last()).is_some_and(|last| last.sent_before > number)
}

impl Verdict<'_> {
    /// What was sent after the last act of others holds, unless that is newer; what was sent before
    /// may remain, or not.
    pub fn desks(&mut self, acts: &Acts) {
        let mut keys: BTreeMap<&str, Vec<(usize, &Sent)>> =
            acts.keys().map(|key| (key.as_str(), Vec::new())).collect();
        for (number, sent) in self.sent.iter().enumerate() {
            let Meaning::Whole { collection: DESKS, key, expired: false, .. } = &sent.meaning
            else {
                continue;
            };
            if sent.is_rejected() {
                // What others wrote may be newer, and then there is nothing to refuse.
                self.letters_allowed.insert(number);
            } else {
                keys.entry(key).or_default().push((number, sent));
            }
        }
        for (key, ours) in keys {
            let acts = acts.get(key).map(Vec::as_slice).unwrap_or_default();
            let stored = self.documents.get(&named(DESKS, key));
            if let Err(why) = may_remain(stored, acts, &ours) {
                self.history.violation(|| {
                    format!(
                        "the desk {key} is {stored:?}, and should not: {why}; others did {acts:?}"
                    )
                });
            }
        }
    }
}

fn may_remain(
    stored: Option<&Document>,
    acts: &[Act],
    ours: &[(usize, &Sent)],
) -> Result<(), String> {
    let last = acts.last();
    let since = |number: usize| last.is_none_or(|last| number >= last.sent_before);
    let sent_since = || ours.iter().filter(|(number, _)| since(*number));
    match stored {
        None => match last {
            Some(Act { deed: Deed::Removed, .. }) => {
                sent_since().next().map_or(Ok(()), |(number, _)| Err(format!("m{number} is lost")))
            }
            None if ours.is_empty() => Ok(()),
            _ => Err("nobody removed it".to_owned()),
        },
        Some(Document::Whole { fields, .. }) => {
            let (content, _) = whole_content(fields);
            let stored = ours
                .iter()
                .find(|(_, sent)| sent.content() == content)
                .ok_or("nobody sent that")?
                .1;
            if let Some((number, _)) =
                sent_since().find(|(_, sent)| stamp_of(sent).is_newer_than(stamp_of(stored)))
            {
                return Err(format!("m{number} is newer"));
            }
            match last.map(|last| last.deed) {
                Some(Deed::Wrote(theirs) | Deed::MadeAnew(theirs))
                    if theirs.counts_as_ms() > stamp_of(stored).version_ms() =>
                {
                    Err("what others wrote is newer".to_owned())
                }
                _ => Ok(()),
            }
        }
        Some(Document::Foreign { theirs, .. }) => {
            let is_kept = match last.map(|last| last.deed) {
                Some(Deed::Wrote(last) | Deed::MadeAnew(last)) => last == *theirs,
                _ => false,
            };
            if !is_kept {
                return Err("that is not what others left".to_owned());
            }
            // Of what was there before, the version is kept where they only wrote.
            let is_beaten = |stamp| {
                matches!(last.map(|last| last.deed), Some(Deed::Wrote(_)))
                    && ours.iter().any(|(_, other)| {
                        !stamp_of(stamp).is_newer_than(stamp_of(other))
                            && !std::ptr::eq(*other, stamp)
                    })
            };
            let newer = sent_since().find(|(_, sent)| {
                stamp_of(sent).version_ms() >= theirs.counts_as_ms() && !is_beaten(sent)
            });
            newer.map_or(Ok(()), |(number, _)| {
                Err(format!("m{number} is not older than what others wrote"))
            })
        }
        Some(document) => Err(format!("no such document belongs there: {document:?}")),
    }
}
