//! Looks at the declared indexes while the worker runs, and makes again what went missing.
//!
//! A person or a program can drop an index, or a collection with all of its indexes, at any time,
//! and MongoDB tells nobody. So a look at each collection every minute, and soon after an upsert
//! met a duplicate; not while the gate is closed, when each call to the database costs its outage
//! one more. What is missing is told once for each change, shown until it is there again, and made
//! where `db.create_indexes` allows it. Nothing here stops or slows a write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::clock::SystemClock;
use crate::config::{Collection, DbConfig, Index, RetryConfig};
use crate::gauges::IndexesMissing;
use crate::retry::Backoff;
use crate::stop::Stop;
use crate::store::StoreFault;
use crate::store::mongo::MongoStore;
use crate::store::mongo::indexes::{Contents, IndexReport};
use crate::telemetry::signals::{
    IndexFound, IndexLost, IndexMade, IndexNotMade, IndexState, IndexesNotRead, Remedy, Signals,
};

/// Between two looks at each collection: three small commands.
pub const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Between two looks that duplicates ask for: a second unique index may refuse messages all day.
const DOUBTED_EVERY: Duration = Duration::from_secs(5);

/// What a look at one collection may take beyond choosing a server.
const LOOK_MARGIN: Duration = Duration::from_secs(10);

/// A build that failed is tried again after growing pauses, of up to so many looks: an hour.
const PAUSE_LOOKS_MAX: u32 = 60;

/// Indexes that are made at a time: each takes a connection for as long as its collection is large.
/// One may wait for a server that is away (a commit quorum), and is not to keep the others from
/// theirs.
const MAKING_MAX: usize = 2;

/// The watch of one worker.
pub struct IndexWatch {
    store: Arc<MongoStore>,
    watched: Vec<Watched>,
    creates: bool,
    every: Duration,
    look_max: Duration,
    signals: Signals,
    stop: Stop,
    /// At most one for a collection, and [`MAKING_MAX`] in all.
    making: JoinSet<Attempt>,
}

/// What is known of one collection.
struct Watched {
    collection: Collection,
    /// Of the collection at the start. Another one since then was made while this runs.
    uuid: Option<Vec<u8>>,
    /// Indexes that were there when this looked.
    seen: Vec<Index>,
    lost: BTreeMap<String, IndexState>,
    is_unreadable: bool,
    has_one_made: bool,
    failures: BTreeMap<String, Failure>,
}

impl Watched {
    /// Whether a missing index is for the worker to make. Where there are documents that takes
    /// long, so only what was there before, and all of a collection that was itself made anew.
    fn is_to_make(&self, report: &IndexReport, index: &Index) -> bool {
        match report.contents {
            Contents::Missing | Contents::Empty => true,
            Contents::Filled => report.uuid != self.uuid || self.seen.contains(index),
            Contents::TimeSeries | Contents::View => false,
        }
    }
}

/// The last failure to make an index.
struct Failure {
    backoff: Backoff,
    again_at: Instant,
    cause: String,
}

/// A try to make an index has ended.
struct Attempt {
    collection: String,
    index: Index,
    took: Duration,
    result: Result<(), StoreFault>,
}

impl IndexWatch {
    /// `start` is what was there when the worker started: each collection, and its indexes.
    #[must_use]
    pub fn new(
        store: Arc<MongoStore>,
        start: Vec<(Collection, IndexReport)>,
        db: &DbConfig,
        signals: Signals,
        stop: Stop,
    ) -> Self {
        let (creates, look_max) = (db.create_indexes, db.server_selection_timeout + LOOK_MARGIN);
        let watched = Vec::with_capacity(start.len());
        let making = JoinSet::new();
        let mut watch =
            Self { store, watched, creates, every: LOOK_EVERY, look_max, signals, stop, making };
        for (collection, report) in start {
            let (seen, lost, failures) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
            watch.watched.push(Watched {
                collection,
                uuid: report.uuid.clone(),
                seen,
                lost,
                is_unreadable: false,
                has_one_made: false,
                failures,
            });
            watch.judge(watch.watched.len() - 1, &report);
        }
        watch
    }

    /// Looks that often.
    #[must_use]
    pub fn looking_every(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// Until the worker drains. What is being made then is left to the server. Dropped with the
    /// worker.
    pub async fn run(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.draining() => {}
            () = self.watch() => {}
        }
        // The connection is kept: a server may give a build up when the one who asked for it has
        // gone.
        while self.making.join_next().await.is_some() {}
    }

    async fn watch(&mut self) {
        let (mut next, mut doubted_next) = (Instant::now() + self.every, Instant::now());
        loop {
            let store = Arc::clone(&self.store);
            let doubted = async {
                store.indexes_doubted().await;
                sleep_until(doubted_next).await;
            };
            tokio::select! {
                biased;
                Some(ended) = self.making.join_next() => {
                    if let Ok(attempt) = ended {
                        self.attempted(attempt).await;
                    }
                }
                () = sleep_until(next) => {
                    next = Instant::now() + self.every;
                    self.look(|_| true).await;
                }
                () = doubted => {
                    doubted_next = Instant::now() + DOUBTED_EVERY.min(self.every);
                    let doubted: BTreeSet<String> = self.store.take_doubted();
                    self.look(|name| doubted.contains(name)).await;
                }
            }
        }
    }

    async fn look(&mut self, is_meant: impl Fn(&str) -> bool) {
        for place in 0..self.watched.len() {
            let is_closed = self.signals.gauges().gate_open.get() == 0;
            if !is_closed && is_meant(&self.watched[place].collection.name) {
                self.look_at(place).await;
            }
        }
    }

    async fn look_at(&mut self, place: usize) {
        let collection = &self.watched[place].collection;
        let looked = timeout(self.look_max, self.store.indexes(collection)).await;
        let cause = match looked {
            Ok(Ok(report)) => {
                self.watched[place].is_unreadable = false;
                self.judge(place, &report);
                self.make(place, &report);
                return;
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => format!("no reply within {} s", self.look_max.as_secs()),
        };
        // The look failed, so nothing is known: what was said last stays.
        if !std::mem::replace(&mut self.watched[place].is_unreadable, true) {
            self.signals.emit(&IndexesNotRead {
                collection: &self.watched[place].collection.name,
                cause: &cause,
            });
        }
    }

    /// Tells what has changed, and keeps what is shown.
    fn judge(&mut self, place: usize, report: &IndexReport) {
        let creates = self.creates;
        let watched = &mut self.watched[place];
        let unseen: Vec<Index> =
            report.present.iter().filter(|index| !watched.seen.contains(index)).cloned().collect();
        watched.seen.extend(unseen);
        let missing = report.missing.iter().map(|index| (index, IndexState::Missing, None));
        let building = report.building.iter().map(|index| (index, IndexState::Building, None));
        let conflicting = report.conflicting.iter();
        let conflicting = conflicting.map(|conflict| {
            (&conflict.declared, IndexState::Conflicting, Some(conflict.text.as_str()))
        });
        let (mut lost, mut shown, mut counts) =
            (BTreeMap::new(), Vec::new(), IndexesMissing::default());
        for (index, state, conflict) in missing.chain(building).chain(conflicting) {
            let name = index.to_string();
            let key = watched
                .collection
                .kind
                .key()
                .filter(|key| index.unique && index.keys.len() == 1 && index.keys[0].0 == *key);
            *if key.is_some() { &mut counts.key } else { &mut counts.other } += 1;
            let signal = IndexLost {
                collection: &watched.collection.name,
                index: &name,
                key,
                state,
                conflict,
                failure: watched.failures.get(&name).map(|failure| failure.cause.as_str()),
                remedy: match creates {
                    false => Remedy::Switched,
                    true if watched.is_to_make(report, index) => Remedy::Made,
                    true => Remedy::Asked,
                },
            };
            shown.push((name.clone(), key.is_some(), signal.text()));
            if watched.lost.get(&name) != Some(&state) {
                self.signals.emit(&signal);
            }
            lost.insert(name, state);
        }
        let before = std::mem::replace(&mut watched.lost, lost);
        for index in before.keys().filter(|index| !watched.lost.contains_key(*index)) {
            watched.failures.remove(index);
            self.signals.emit(&IndexFound { collection: &watched.collection.name, index });
        }
        self.signals.gauges().set_indexes_missing(&watched.collection.name, counts);
        self.signals.recent().indexes_missing(&watched.collection.name, &shown);
    }

    /// Starts to make the first of those that are missing and to be made.
    fn make(&mut self, place: usize, report: &IndexReport) {
        let watched = &mut self.watched[place];
        if !self.creates || watched.has_one_made || self.making.len() >= MAKING_MAX {
            return;
        }
        let is_due = |index: &Index| {
            watched
                .failures
                .get(&index.to_string())
                .is_none_or(|failure| failure.again_at <= Instant::now())
        };
        let next =
            report.missing.iter().find(|index| watched.is_to_make(report, index) && is_due(index));
        let Some(index) = next.cloned() else { return };
        watched.has_one_made = true;
        let (store, report) = (Arc::clone(&self.store), report.clone());
        self.making.spawn(async move {
            let began = Instant::now();
            let result = store.create_index(&report, &index).await;
            Attempt { collection: report.collection, index, took: began.elapsed(), result }
        });
    }

    async fn attempted(&mut self, Attempt { collection, index, took, result }: Attempt) {
        let Some(place) =
            self.watched.iter().position(|watched| watched.collection.name == collection)
        else {
            return;
        };
        let name = index.to_string();
        let pauses = RetryConfig {
            initial: self.every,
            max: self.every * PAUSE_LOOKS_MAX,
            multiplier: 2.0,
            budget: Duration::ZERO,
        };
        self.watched[place].has_one_made = false;
        let failures = &mut self.watched[place].failures;
        match result {
            Ok(()) => {
                failures.remove(&name);
                self.signals.emit(&IndexMade { collection: &collection, index: &name, took });
            }
            Err(fault) => {
                let failure = failures.entry(name.clone()).or_insert_with(|| Failure {
                    backoff: Backoff::new(&pauses, Arc::new(SystemClock::default())),
                    again_at: Instant::now(),
                    cause: String::new(),
                });
                let again_in = failure.backoff.next_interval();
                (failure.again_at, failure.cause) = (Instant::now() + again_in, fault.text.clone());
                self.signals.emit(&IndexNotMade {
                    collection: &collection,
                    index: &name,
                    cause: &fault.text,
                    again_in,
                });
            }
        }
        // For what is shown, and the next that is missing.
        self.look(|name| name == collection).await;
    }
}
