//! Looks at the declared indexes while the worker runs, and makes again what went missing.
//!
//! A person or a program can drop an index, or a collection with all of its indexes, at any time,
//! and MongoDB tells nobody. So a look at each collection every minute, and soon after an upsert
//! met a duplicate; not while the gate is closed, when each call to the database costs its outage
//! one more. What is missing is told once for each change, shown until it is there again, and made
//! where `db.create_indexes` allows it. A missing index stops or slows no write. A collection that
//! has become a view or something else on which `run` would not start is told too, and the store
//! writes nothing there from the look that finds it.

mod watched;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use self::watched::Watched;
use crate::config::DbConfig;
use crate::retry::RetryConfig;
use crate::stop::Stop;
use crate::store::mongo::MongoStore;
use crate::store::mongo::indexes::{IndexReport, NotMade};
use crate::store::{Collection, Index};
use crate::telemetry::signals::{IndexesNotRead, Signals};

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

/// A try to make an index has ended.
struct Attempt {
    collection: String,
    index: Index,
    took: Duration,
    result: Result<(), NotMade>,
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
            let mut watched = Watched::new(collection, report.uuid.clone());
            watched.judge(&report, watch.creates, &watch.signals);
            watch.watched.push(watched);
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
                let watched = &mut self.watched[place];
                watched.is_unreadable = false;
                watched.judge(&report, self.creates, &self.signals);
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

    /// Starts to make the first of those that are missing and to be made.
    fn make(&mut self, place: usize, report: &IndexReport) {
        let watched = &mut self.watched[place];
        if !self.creates || watched.has_one_made || self.making.len() >= MAKING_MAX {
            return;
        }
        let Some(index) = watched.next_to_make(report).cloned() else { return };
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
        let pauses = RetryConfig {
            initial: self.every,
            max: self.every * PAUSE_LOOKS_MAX,
            multiplier: 2.0,
            budget: Duration::ZERO,
        };
        self.watched[place].attempted(&index, took, result, &pauses, &self.signals);
        // For what is shown, and to make the next that is missing, here or in another collection:
        // all can be lost at once, with their database.
        let lacking: BTreeSet<String> = self
            .watched
            .iter()
            .filter(|watched| watched.lacks_any() || watched.collection.name == collection)
            .map(|watched| watched.collection.name.clone())
            .collect();
        self.look(|name| lacking.contains(name)).await;
    }
}
