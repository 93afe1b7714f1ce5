//! The last few things that people ask for first: errors, dead letters, and what the gate did. For
//! the status page alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::store::WriteTrouble;

/// Of each kind, so many are kept.
const KEPT: usize = 10;

/// Characters of an error text, or of a body, that are kept.
const TEXT_MAX: usize = 2_000;

/// What happened lately.
#[derive(Debug, Default)]
pub struct Recent {
    shows_bodies: AtomicBool,
    story: Mutex<Story>,
}

/// A copy of it at one moment, newest first.
#[derive(Debug, Clone, Default)]
pub struct Story {
    pub gate: GateStory,
    /// Since when every receive has failed, and why the last did.
    pub receives_fail: Option<Trouble>,
    /// Since when the writes of a collection were not confirmed, and why the last was not.
    pub writes_fail: BTreeMap<String, Trouble>,
    /// Declared indexes that are not there, by collection and index.
    pub indexes_missing: BTreeMap<(String, String), IndexStory>,
    pub errors: VecDeque<ErrorStory>,
    pub dead_letters: VecDeque<DeadLetterStory>,
}

/// Something that is wrong and goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub since: Timestamp,
    pub text: String,
}

/// When the gate last closed or opened, and why it last closed.
#[derive(Debug, Clone, Default)]
pub struct GateStory {
    pub is_closed: bool,
    pub since: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub closed_for: Option<(WriteTrouble, String)>,
}

/// A declared index that is not there: since when, and what to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexStory {
    pub is_on_key: bool,
    pub trouble: Trouble,
}

#[derive(Debug, Clone)]
pub struct ErrorStory {
    pub at: Timestamp,
    pub what: &'static str,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct DeadLetterStory {
    pub at: Timestamp,
    pub message_id: String,
    pub route: Option<String>,
    pub reason: &'static str,
    pub text: String,
    /// The message's own words, only where `admin.show_bodies` says so.
    pub body: Option<String>,
    /// How many of the same route, reason and text there were, one after the other or between
    /// others that are kept.
    pub times: u64,
}

impl Recent {
    /// Keeps the bodies of the last dead letters from now on (`admin.show_bodies`).
    pub fn show_bodies(&self, shows: bool) {
        self.shows_bodies.store(shows, Ordering::Relaxed);
    }

    #[must_use]
    pub fn story(&self) -> Story {
        self.lock().clone()
    }

    pub(super) fn error(&self, what: &'static str, text: &str) {
        let mut story = self.lock();
        // One trouble that is met again and again must not push out all others.
        story.errors.retain(|error| (error.what, &*error.text) != (what, cut(text)));
        keep(
            &mut story.errors,
            ErrorStory { at: Timestamp::now(), what, text: cut(text).to_owned() },
        );
    }

    pub(super) fn dead_letter(
        &self,
        message_id: &str,
        route: Option<&str>,
        reason: &'static str,
        text: &str,
        body: &str,
    ) {
        let body = self.shows_bodies.load(Ordering::Relaxed).then(|| cut(body).to_owned());
        let (message_id, route, text) =
            (cut(message_id).to_owned(), route.map(str::to_owned), cut(text).to_owned());
        let mut story = self.lock();
        // One producer that sends the same nonsense again and again must not push out all others.
        let same = |letter: &DeadLetterStory| {
            (letter.reason, &letter.route, &letter.text) == (reason, &route, &text)
        };
        let times = story
            .dead_letters
            .iter()
            .find(|letter| same(letter))
            .map_or(1, |letter| letter.times + 1);
        story.dead_letters.retain(|letter| !same(letter));
        keep(
            &mut story.dead_letters,
            DeadLetterStory { at: Timestamp::now(), message_id, route, reason, text, body, times },
        );
    }

    pub(super) fn receives_fail(&self, text: &str) {
        goes_on(&mut self.lock().receives_fail, text);
    }

    pub(super) fn received(&self) {
        self.lock().receives_fail = None;
    }

    pub(super) fn writes_fail(&self, collection: &str, text: &str) {
        let mut story = self.lock();
        let mut trouble = story.writes_fail.remove(collection);
        goes_on(&mut trouble, text);
        story.writes_fail.extend(trouble.map(|trouble| (collection.to_owned(), trouble)));
    }

    pub(super) fn written(&self, collection: &str) {
        self.lock().writes_fail.remove(collection);
    }

    /// What is missing of a collection now, each by its index, whether that is the one on the key,
    /// and a sentence.
    pub fn indexes_missing(&self, collection: &str, missing: &[(String, bool, String)]) {
        let mut story = self.lock();
        let is_over = |index: &String| missing.iter().all(|(name, ..)| name != index);
        story.indexes_missing.retain(|(of, index), _| of != collection || !is_over(index));
        for (index, is_on_key, text) in missing {
            let place = (collection.to_owned(), index.clone());
            let mut trouble = story.indexes_missing.remove(&place).map(|story| story.trouble);
            goes_on(&mut trouble, text);
            story.indexes_missing.extend(
                trouble.map(|trouble| (place, IndexStory { is_on_key: *is_on_key, trouble })),
            );
        }
    }

    pub(super) fn gate_closed(&self, trouble: WriteTrouble, cause: &str) {
        let now = Some(Timestamp::now());
        self.lock().gate = GateStory {
            is_closed: true,
            since: now,
            closed_at: now,
            closed_for: Some((trouble, cut(cause).to_owned())),
        };
    }

    pub(super) fn gate_opened(&self) {
        let gate = &mut self.lock().gate;
        (gate.is_closed, gate.since) = (false, Some(Timestamp::now()));
    }

    fn lock(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It began when it was first said, and is told in the last words.
fn goes_on(trouble: &mut Option<Trouble>, text: &str) {
    let now = trouble_now(text);
    let since = trouble.as_ref().map_or(now.since, |trouble| trouble.since);
    *trouble = Some(Trouble { since, ..now });
}

fn trouble_now(text: &str) -> Trouble {
    Trouble { since: Timestamp::now(), text: cut(text).to_owned() }
}

fn keep<T>(kept: &mut VecDeque<T>, newest: T) {
    kept.push_front(newest);
    kept.truncate(KEPT);
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(TEXT_MAX).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_one_trouble_stands_there_once() {
        let recent = Recent::default();
        recent.error("receive failed", "first");
        for number in 0..20 {
            recent.error("receive failed", "throttled");
            recent.error("write not confirmed", &format!("no primary {}", number % 3));
        }
        let texts: Vec<_> = recent.story().errors.iter().map(|error| error.text.clone()).collect();
        assert_eq!(texts, ["no primary 1", "throttled", "no primary 0", "no primary 2", "first"]);
    }

    #[test]
    fn a_body_is_kept_only_where_that_is_asked_for() {
        let recent = Recent::default();
        recent.dead_letter("m-1", None, "bad_json", "column 1", "{secret");
        assert_eq!(recent.story().dead_letters[0].body, None);
        recent.show_bodies(true);
        recent.dead_letter("m-2", Some("event"), "bad_key", "empty", &"é".repeat(3_000));
        let story = recent.story();
        assert_eq!(
            story.dead_letters[0].body.as_deref().map(|body| body.chars().count()),
            Some(TEXT_MAX)
        );
        assert_eq!(story.dead_letters.len(), 2);
    }

    #[test]
    fn the_same_nonsense_stands_there_once_with_how_often_it_came() {
        let recent = Recent::default();
        recent.dead_letter("m-0", None, "bad_key", "empty", "");
        for number in 0..30 {
            recent.dead_letter(
                &format!("m-{number}"),
                None,
                "unknown_type",
                "no route has the type `evnet`",
                "",
            );
        }
        let story = recent.story();
        let seen: Vec<_> = story
            .dead_letters
            .iter()
            .map(|letter| (letter.reason, letter.times, letter.message_id.as_str()))
            .collect();
        assert_eq!(seen, [("unknown_type", 30, "m-29"), ("bad_key", 1, "m-0")]);
    }

    #[test]
    fn a_trouble_begins_once_and_ends_with_the_first_success() {
        let recent = Recent::default();
        recent.receives_fail("first");
        let since = recent.story().receives_fail.expect("it goes on").since;
        recent.receives_fail("second");
        assert_eq!(
            recent.story().receives_fail,
            Some(Trouble { since, text: "second".to_owned() })
        );
        recent.received();
        assert_eq!(recent.story().receives_fail, None);
        recent.writes_fail("events", "no primary");
        recent.writes_fail("sessions", "no primary");
        recent.written("events");
        assert_eq!(recent.story().writes_fail.keys().collect::<Vec<_>>(), ["sessions"]);
        recent.written("sessions");
        assert!(recent.story().writes_fail.is_empty());
    }

    #[test]
    fn an_index_is_missing_since_it_was_first_missed_and_until_it_is_not() {
        let recent = Recent::default();
        let missing = |index: &str, text: &str| (index.to_owned(), false, text.to_owned());
        recent.indexes_missing("events", &[missing("{a: 1}", "gone")]);
        recent.indexes_missing("sessions", &[missing("{a: 1}", "gone"), missing("{b: 1}", "gone")]);
        let since = recent.story().indexes_missing[&("sessions".to_owned(), "{b: 1}".to_owned())]
            .trouble
            .since;
        recent.indexes_missing("sessions", &[missing("{b: 1}", "being built")]);
        let story = recent.story().indexes_missing;
        let trouble = Trouble { since, text: "being built".to_owned() };
        assert_eq!(
            story[&("sessions".to_owned(), "{b: 1}".to_owned())],
            IndexStory { is_on_key: false, trouble }
        );
        assert_eq!(story.len(), 2, "{story:?}");
        recent.indexes_missing("sessions", &[]);
        assert_eq!(
            recent
                .story()
                .indexes_missing
                .keys()
                .map(|(collection, _)| collection.as_str())
                .collect::<Vec<_>>(),
            ["events"]
        );
    }
}
