//! What the watch knows of one collection, and what of it is told and made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::SystemClock;
use crate::gauges::IndexesMissing;
use crate::retry::Backoff;
use crate::retry::RetryConfig;
use crate::store::mongo::indexes::{Contents, Guard, IndexReport, NotMade};
use crate::store::{Collection, Index};
use crate::telemetry::signals::{
    CollectionFit, CollectionUnfit, Failure, IndexFound, IndexLost, IndexMade, IndexNotMade,
    IndexState, Remedy, Role, Signals,
};

/// Under this name the status page shows what is wrong with the collection itself.
const COLLECTION: &str = "collection";

/// What is known of one collection.
pub(super) struct Watched {
    pub collection: Collection,
    /// Of the collection at the start. Another one since then was made while this runs.
    uuid: Option<Vec<u8>>,
    /// Indexes that were there when this looked.
    seen: Vec<Index>,
    lost: BTreeMap<String, Lost>,
    /// Why no write may go there.
    unfit: Option<String>,
    pub is_unreadable: bool,
    pub has_one_made: bool,
    failures: BTreeMap<String, LastFailure>,
}

/// What was told of a missing index.
#[derive(PartialEq, Eq)]
struct Lost {
    state: IndexState,
    is_on_key: bool,
}

/// The last failure to make an index.
struct LastFailure {
    backoff: Backoff,
    again_at: Instant,
    cause: String,
    is_obstructed: bool,
}

impl LastFailure {
    fn shown(&self) -> Failure<'_> {
        Failure { cause: &self.cause, is_obstructed: self.is_obstructed }
    }
}

impl Watched {
    pub(super) fn new(collection: Collection, uuid: Option<Vec<u8>>) -> Self {
        Self {
            collection,
            uuid,
            seen: Vec::new(),
            lost: BTreeMap::new(),
            unfit: None,
            is_unreadable: false,
            has_one_made: false,
            failures: BTreeMap::new(),
        }
    }

    /// Whether any of its indexes is known to be missing.
    pub(super) fn lacks_any(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether a missing index is for the worker to make. Where there are documents that takes
    /// long, so only what was there before, and all of a collection that was itself made anew.
    fn is_to_make(&self, report: &IndexReport, index: &Index) -> bool {
        match report.contents {
            Contents::Missing | Contents::Empty => true,
            Contents::Filled => report.uuid != self.uuid || self.seen.contains(index),
            Contents::TimeSeries | Contents::View | Contents::Capped => false,
        }
    }

    /// The first of those that are missing and to be made now.
    pub(super) fn next_to_make<'a>(&self, report: &'a IndexReport) -> Option<&'a Index> {
        let is_due = |index: &Index| {
            self.failures
                .get(&index.to_string())
                .is_none_or(|failure| failure.again_at <= Instant::now())
        };
        report.missing.iter().find(|index| self.is_to_make(report, index) && is_due(index))
    }

    /// Tells what has changed, and keeps what is shown. `creates`: indexes may be made.
    pub(super) fn judge(&mut self, report: &IndexReport, creates: bool, signals: &Signals) {
        if self.judge_collection(report, signals) {
            self.judge_indexes(report, creates, signals);
        }
    }

    /// Whether writes may go there. Where they may not, its indexes are no matter.
    fn judge_collection(&mut self, report: &IndexReport, signals: &Signals) -> bool {
        let collection = &self.collection.name;
        let before = std::mem::replace(&mut self.unfit, report.unfit());
        let Some(why) = &self.unfit else {
            if before.is_some() {
                signals.emit(&CollectionFit { collection });
            }
            return true;
        };
        let signal = CollectionUnfit { collection, why };
        if before.as_ref() != Some(why) {
            signals.emit(&signal);
        }
        signals.gauges().set_indexes_missing(collection, IndexesMissing::default());
        let shown = (COLLECTION.to_owned(), true, signal.text());
        signals.recent().indexes_missing(collection, &[shown]);
        false
    }

    fn judge_indexes(&mut self, report: &IndexReport, creates: bool, signals: &Signals) {
        let unseen: Vec<Index> =
            report.present.iter().filter(|index| !self.seen.contains(index)).cloned().collect();
        self.seen.extend(unseen);
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
            let role = role(&self.collection, index, report.guard.as_ref());
            let is_on_key = role.is_on_key();
            *if is_on_key { &mut counts.key } else { &mut counts.other } += 1;
            let signal = IndexLost {
                collection: &self.collection.name,
                index: &name,
                role,
                state,
                conflict,
                failure: self.failures.get(&name).map(LastFailure::shown),
                remedy: match creates {
                    false => Remedy::Switched,
                    true if self.is_to_make(report, index) => Remedy::Made,
                    true => Remedy::Asked,
                },
            };
            shown.push((name.clone(), is_on_key, signal.text()));
            let told = Lost { state, is_on_key };
            if self.lost.get(&name) != Some(&told) {
                signals.emit(&signal);
            }
            lost.insert(name, told);
        }
        let before = std::mem::replace(&mut self.lost, lost);
        for index in before.keys().filter(|index| !self.lost.contains_key(*index)) {
            self.failures.remove(index);
            signals.emit(&IndexFound { collection: &self.collection.name, index });
        }
        signals.gauges().set_indexes_missing(&self.collection.name, counts);
        signals.recent().indexes_missing(&self.collection.name, &shown);
    }

    /// A try to make an index has ended. `pauses`: before the next one, where it failed.
    pub(super) fn attempted(
        &mut self,
        index: &Index,
        took: Duration,
        result: Result<(), NotMade>,
        pauses: &RetryConfig,
        signals: &Signals,
    ) {
        self.has_one_made = false;
        let (collection, name) = (&self.collection.name, index.to_string());
        let Err(NotMade { fault, is_obstructed }) = result else {
            self.failures.remove(&name);
            signals.emit(&IndexMade { collection, index: &name, took });
            return;
        };
        let failure = self.failures.entry(name.clone()).or_insert_with(|| LastFailure {
            backoff: Backoff::new(pauses, Arc::new(SystemClock::default())),
            again_at: Instant::now(),
            cause: String::new(),
            is_obstructed,
        });
        let again_in = failure.backoff.next_interval();
        failure.again_at = Instant::now() + again_in;
        (failure.cause, failure.is_obstructed) = (fault.text, is_obstructed);
        let failure = failure.shown();
        signals.emit(&IndexNotMade { collection, index: &name, failure, again_in });
    }
}

/// What a declared index is to the key of its collection.
fn role<'a>(collection: &'a Collection, index: &Index, guard: Option<&'a Guard>) -> Role<'a> {
    match (collection.kind.key().filter(|key| index.guards(key)), guard) {
        (None, _) => Role::Other,
        (Some(key), None) => Role::Guard(key),
        (Some(_), Some(guard)) if guard.is_used => Role::Spare(&guard.index),
        (Some(key), Some(_)) => Role::Hidden(key),
    }
}
