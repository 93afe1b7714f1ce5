//! Asks the database for all who look: one question at a time, whose answer is kept for a while.
//!
//! So the database works for pages at most half of the time, however many are open and whatever they filter by; and
//! what a page that is left open asks again and again is asked the more seldom the longer it takes.
//!
//! [`asked`] reads what a request wants to know, [`answer`] says it as JSON.

mod answer;
mod asked;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep_until, timeout};

use self::answer::{Narrowed, OfGroup, Told};
use self::asked::Filters;
use super::letters::{ANSWER_WITHIN, Letters, Trouble};
use super::view::Facts;
use crate::dead_letter::group::Alike;
use crate::dead_letter::search::{Search, Standing};

pub(super) use self::asked::Asked;

/// How long an answer is kept at least: pages ask again every 10 s.
const KEPT_MIN: Duration = Duration::from_secs(5);

/// An answer is kept for so many times as long as it took: what is asked again and again keeps one of the
/// server's processors busy for a twentieth of the time at most.
const KEPT_TIMES: u32 = 20;

/// How old an answer gets at most: the longest answer, [`KEPT_TIMES`] over.
const KEPT_MAX: Duration = Duration::from_secs(100);

/// Answers that are kept: one letter with its body takes up to a quarter of a megabyte.
const KEPT_ANSWERS_MAX: usize = 8;

/// How long the letters of one group are counted. Without that they are told all the same.
const COUNT_WITHIN: Duration = Duration::from_secs(2);

/// How long a request waits for its turn: for the question before it, and the rest after that.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// Groups that are told, and letters of one of them.
const GROUPS_MAX: u32 = 100;
const LETTERS_MAX: u32 = 20;

const BUSY: &str = "too many pages of this worker ask it at once: try again in a few seconds";

/// Where the page's questions go.
pub(super) struct Desk {
    source: Option<Arc<dyn Letters>>,
    shows_bodies: bool,
    routes: Vec<String>,
    kept: Mutex<VecDeque<Kept>>,
    /// Held by who asks; until when the database rests after that.
    turn: Arc<tokio::sync::Mutex<Instant>>,
}

struct Kept {
    asked: Asked,
    json: Arc<str>,
    /// The groups that it tells.
    alikes: Vec<Alike>,
    until: Instant,
}

impl Desk {
    pub fn new(source: Option<Arc<dyn Letters>>, facts: &Facts) -> Arc<Self> {
        let turn = Arc::new(tokio::sync::Mutex::new(Instant::now()));
        let (shows_bodies, routes) = (facts.show_bodies, facts.routes.clone());
        Arc::new(Self { source, shows_bodies, routes, kept: Mutex::default(), turn })
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer as JSON: one that is kept, or a new one. It comes within 20 s, whatever the database does.
    pub async fn answer(self: &Arc<Self>, asked: Asked) -> Arc<str> {
        if let Some(json) = self.fresh(&asked) {
            return json;
        }
        let Ok(turn) = timeout(TURN_WITHIN, Arc::clone(&self.turn).lock_owned()).await else {
            return self.old(&asked).unwrap_or_else(|| answer::unasked(BUSY));
        };
        // The question before may have been the same.
        if let Some(json) = self.fresh(&asked) {
            return json;
        }
        // Goes on when whoever asked has gone: otherwise each who comes and goes would ask anew.
        let asking = tokio::spawn(Arc::clone(self).ask(turn, asked));
        asking.await.unwrap_or_else(|_| answer::unasked("this server failed; see the log"))
    }

    fn fresh(&self, asked: &Asked) -> Option<Arc<str>> {
        let (kept, now) = (self.kept(), Instant::now());
        let found = kept.iter().find(|kept| kept.asked == *asked && now < kept.until)?;
        Some(Arc::clone(&found.json))
    }

    /// One that is kept, however old: it says of when it is.
    fn old(&self, asked: &Asked) -> Option<Arc<str>> {
        let kept = self.kept();
        kept.iter().find(|kept| kept.asked == *asked).map(|kept| Arc::clone(&kept.json))
    }

    async fn ask(self: Arc<Self>, mut turn: OwnedMutexGuard<Instant>, asked: Asked) -> Arc<str> {
        sleep_until(*turn).await;
        let (began, at) = (Instant::now(), Timestamp::now());
        let answer = match &self.source {
            Some(source) => self.ask_source(source, &asked).await,
            None => Err(Trouble::Unasked("this worker has none".to_owned())),
        };
        let took = began.elapsed();
        *turn = Instant::now() + took;
        let keep = match &answer {
            Ok(_) | Err(Trouble::TooLong(_)) => (took * KEPT_TIMES).clamp(KEPT_MIN, KEPT_MAX),
            // It may be back soon.
            Err(Trouble::Unasked(_) | Trouble::Ambiguous) => KEPT_MIN,
        };
        let (json, alikes) = match answer {
            Ok(told) => told.json(at),
            Err(trouble) => (answer::trouble(&trouble), Vec::new()),
        };
        self.keep(Kept { asked, json: Arc::clone(&json), alikes, until: Instant::now() + keep });
        json
    }

    fn keep(&self, fresh: Kept) {
        let mut kept = self.kept();
        kept.retain(|kept| kept.asked != fresh.asked);
        kept.push_front(fresh);
        // What every page shows at first stays, whatever somebody filters by.
        let last = kept.iter().rposition(|kept| kept.asked != Asked::default());
        if let Some(last) = last.filter(|_| kept.len() > KEPT_ANSWERS_MAX) {
            kept.remove(last);
        }
    }

    /// Asks as often as that takes.
    async fn ask_source(&self, source: &Arc<dyn Letters>, asked: &Asked) -> Result<Told, Trouble> {
        let has_answered = AtomicBool::new(false);
        let asking = async {
            match asked {
                Asked::Groups(filters) => {
                    let search = filters.search();
                    let narrowed = Narrowed::by(&search, &self.routes);
                    let groups = source.groups(search, GROUPS_MAX).await?;
                    Ok(Told::Groups(groups, narrowed))
                }
                Asked::OfGroup(group, filters) => {
                    let alike = match self.known(group)? {
                        Some(alike) => Some(alike),
                        None => source.alike(group.clone()).await?,
                    };
                    has_answered.store(true, Ordering::Relaxed);
                    self.of_group(source, group, alike, filters).await
                }
                Asked::One(id) => {
                    let found =
                        source.with_id(id.clone(), answer::withheld(self.shows_bodies)).await?;
                    Ok(Told::One { found, shows_bodies: self.shows_bodies })
                }
            }
        };
        let Ok(answer) = timeout(ANSWER_WITHIN, asking).await else {
            let within = ANSWER_WITHIN.as_secs();
            let why = format!(
                "no answer within {within} s; the command `longshore dead-letters` waits longer"
            );
            // Whoever gives an answer is there, and had as much to do.
            let is_there = has_answered.load(Ordering::Relaxed);
            return Err(if is_there { Trouble::TooLong(why) } else { Trouble::Unasked(why) });
        };
        answer
    }

    async fn of_group(
        &self,
        source: &Arc<dyn Letters>,
        group: &str,
        alike: Option<Alike>,
        filters: &Filters,
    ) -> Result<Told, Trouble> {
        let (id, search) = (group.to_owned(), Search { alike, ..filters.search() });
        let Some(alike) = search.alike.clone() else {
            return Ok(Told::OfGroup(Box::new(OfGroup { id, ..OfGroup::default() })));
        };
        // One more tells that there are more.
        let mut letters =
            source.newest(search.clone(), LETTERS_MAX + 1, answer::withheld(false)).await?;
        let most = usize::try_from(LETTERS_MAX).unwrap_or(usize::MAX);
        let is_all = letters.len() <= most;
        letters.truncate(most);
        let narrowed = Narrowed::by(&search, &self.routes);
        let standing = if letters.is_empty() { Standing::Replayed } else { Standing::Stands };
        let counting = source.groups(Search { standing, ..search }, 1);
        let counted = timeout(COUNT_WITHIN, counting).await.ok().and_then(Result::ok);
        let (replayed, counted) = match counted {
            Some(groups) if letters.is_empty() => (Some(groups.letters), None),
            counted => (None, counted.and_then(|counted| counted.groups.into_iter().next())),
        };
        let alike = Some(alike);
        let told = OfGroup { id, alike, counted, letters, is_all, replayed, narrowed };
        Ok(Told::OfGroup(Box::new(told)))
    }

    /// What letters of this group have in common, where an answer that is kept tells the group.
    ///
    /// # Errors
    /// Where they tell two of that id.
    fn known(&self, group: &str) -> Result<Option<Alike>, Trouble> {
        let kept = self.kept();
        let alikes = kept.iter().flat_map(|kept| &kept.alikes);
        let named: BTreeSet<_> = alikes.filter(|alike| alike.id() == group).collect();
        one_of(named.into_iter().cloned())
    }
}

/// The only one, if there is any.
fn one_of(mut named: impl Iterator<Item = Alike>) -> Result<Option<Alike>, Trouble> {
    match (named.next(), named.next()) {
        (one, None) => Ok(one),
        (_, Some(_)) => Err(Trouble::Ambiguous),
    }
}

#[cfg(test)]
mod tests;
