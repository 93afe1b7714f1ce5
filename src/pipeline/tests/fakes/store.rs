//! A store in memory: it takes everything, unless a test says otherwise.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::{Key, Write};
use crate::store::mongo::MongoStore;
use crate::store::{Collection, ItemOutcome, Store, WriteOutcome, Writes};

type Script = Box<dyn FnOnce(&Writes<'_>) -> WriteOutcome + Send>;

/// Takes everything, unless the script says otherwise.
#[derive(Default)]
pub struct FakeStore {
    state: Mutex<StoreState>,
}

#[derive(Default)]
struct StoreState {
    script: VecDeque<Script>,
    sick: Option<fn() -> WriteOutcome>,
    odd: BTreeMap<Key, ItemOutcome>,
    breaking: BTreeMap<Key, fn() -> WriteOutcome>,
    by_collection: BTreeMap<String, fn() -> WriteOutcome>,
    hanging: BTreeSet<String>,
    /// What brings the server down, and for how long.
    crashing: Option<(Key, Duration)>,
    down_until: Option<Instant>,
    /// Keys of updates in flight, by collection.
    in_flight: BTreeSet<(String, Key)>,
    took: Duration,
    large_took: Duration,
    batches: Vec<(String, Vec<Key>)>,
    documents: BTreeMap<(String, Key), usize>,
}

impl StoreState {
    fn is_down(&self) -> bool {
        self.down_until.is_some_and(|until| Instant::now() < until)
    }
}

impl FakeStore {
    /// The next write ends so.
    pub fn then(&self, outcome: impl FnOnce(&Writes<'_>) -> WriteOutcome + Send + 'static) {
        self.lock().script.push_back(Box::new(outcome));
    }

    /// What was set by [`FakeStore::then`] and not met yet counts no more.
    pub fn forget_script(&self) {
        self.lock().script.clear();
    }

    /// The item with this key always ends so; its neighbours are written.
    pub fn answer(&self, key: Key, outcome: ItemOutcome) {
        self.lock().odd.insert(key, outcome);
    }

    /// Every item is written again.
    pub fn forget_answers(&self) {
        self.lock().odd.clear();
    }

    /// Every write with one of these keys in it loses its connection; alone it has the answer that
    /// was set for it, if any.
    pub fn break_on(&self, keys: impl IntoIterator<Item = Key>) {
        self.fail_on(keys, super::super::connection_lost);
    }

    /// The same with another outcome.
    pub fn fail_on(&self, keys: impl IntoIterator<Item = Key>, outcome: fn() -> WriteOutcome) {
        self.lock().breaking = keys.into_iter().map(|key| (key, outcome)).collect();
    }

    /// Every write to this collection ends so, until it is `None`.
    pub fn answer_for(&self, collection: &str, outcome: Option<fn() -> WriteOutcome>) {
        let mut state = self.lock();
        match outcome {
            Some(outcome) => drop(state.by_collection.insert(collection.to_owned(), outcome)),
            None => drop(state.by_collection.remove(collection)),
        }
    }

    /// Whether this collection takes a write that changes nothing is never answered from now on.
    pub fn hang(&self, collection: &str) {
        self.lock().hanging.insert(collection.to_owned());
    }

    /// Every write with this key in it brings the server down for so long.
    pub fn crash_on(&self, key: Key, down: Duration) {
        self.lock().crashing = Some((key, down));
    }

    /// Every write ends so until [`FakeStore::heal`].
    pub fn fall_sick(&self, outcome: fn() -> WriteOutcome) {
        self.lock().sick = Some(outcome);
    }

    pub fn heal(&self) {
        self.lock().sick = None;
    }

    /// How long every write takes from now on.
    pub fn take(&self, took: Duration) {
        self.lock().took = took;
    }

    /// How much longer a write of more than a megabyte takes.
    pub fn take_for_large(&self, took: Duration) {
        self.lock().large_took = took;
    }

    /// Collection and keys of every write asked for.
    #[must_use]
    pub fn batches(&self) -> Vec<(String, Vec<Key>)> {
        self.lock().batches.clone()
    }

    /// Ids and keys in a collection, and how often each was confirmed.
    #[must_use]
    pub fn documents(&self, collection: &str) -> BTreeMap<Key, usize> {
        let state = self.lock();
        state
            .documents
            .iter()
            .filter(|((name, _), _)| name == collection)
            .map(|((_, key), count)| (key.clone(), *count))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, StoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids of inserts, the keys of updates.
#[must_use]
fn keys_of(writes: &Writes<'_>) -> Vec<Key> {
    match writes {
        Writes::Inserts(inserts) | Writes::Letters(inserts) => {
            inserts.iter().map(|insert| insert.id.clone()).collect()
        }
        Writes::Updates(_, updates) => updates.iter().map(|update| update.key.clone()).collect(),
    }
}

fn bytes_of(writes: &Writes<'_>) -> usize {
    match writes {
        Writes::Inserts(inserts) | Writes::Letters(inserts) => {
            inserts.iter().map(|insert| insert.document.len()).sum()
        }
        Writes::Updates(..) => 0,
    }
}

/// The keys of updates that are in flight.
struct InFlight<'a> {
    store: &'a FakeStore,
    keys: Vec<(String, Key)>,
}

impl<'a> InFlight<'a> {
    /// # Panics
    /// Where another write carries one of the keys: one key has one writer.
    fn new(store: &'a FakeStore, collection: &Collection, writes: &Writes<'_>) -> Self {
        let keys = match writes {
            Writes::Inserts(_) | Writes::Letters(_) => Vec::new(),
            Writes::Updates(..) => keys_of(writes),
        };
        let keys: Vec<_> = keys.into_iter().map(|key| (collection.name.clone(), key)).collect();
        for key in &keys {
            assert!(store.lock().in_flight.insert(key.clone()), "two writers of {key:?}");
        }
        Self { store, keys }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        self.keys.iter().for_each(|key| _ = state.in_flight.remove(key));
    }
}

impl Store for FakeStore {
    async fn write(&self, collection: &Collection, writes: Writes<'_>) -> WriteOutcome {
        let _in_flight = InFlight::new(self, collection, &writes);
        let took = {
            let state = self.lock();
            let is_large = bytes_of(&writes) > 1024 * 1024;
            state.took + if is_large { state.large_took } else { Duration::ZERO }
        };
        tokio::time::sleep(took).await;
        let mut state = self.lock();
        let keys = keys_of(&writes);
        state.batches.push((collection.name.clone(), keys.clone()));
        if state.is_down() {
            return super::super::unavailable();
        }
        if let Some((_, down)) = state.crashing.as_ref().filter(|(key, _)| keys.contains(key)) {
            state.down_until = Some(Instant::now() + *down);
            return super::super::connection_lost();
        }
        let sick = state.sick.or_else(|| state.by_collection.get(&collection.name).copied());
        let breaks =
            |key: &&Key| keys.contains(key) && (keys.len() > 1 || !state.odd.contains_key(key));
        let sick = sick.or_else(|| {
            state.breaking.iter().find(|(key, _)| breaks(key)).map(|(_, outcome)| *outcome)
        });
        let outcome = match (state.script.pop_front(), sick) {
            (Some(script), _) => script(&writes),
            (None, Some(sick)) => sick(),
            (None, None) => {
                let outcome =
                    |key: &Key| state.odd.get(key).cloned().unwrap_or(ItemOutcome::Written);
                WriteOutcome::Answered { items: keys.iter().map(outcome).collect(), stale: 0 }
            }
        };
        if let WriteOutcome::Answered { items, .. } = &outcome {
            for (key, _) in
                keys.into_iter().zip(items).filter(|(_, item)| matches!(item, ItemOutcome::Written))
            {
                *state.documents.entry((collection.name.clone(), key)).or_default() += 1;
            }
        }
        outcome
    }

    fn command_bytes(write: &Write) -> usize {
        MongoStore::command_bytes(write)
    }

    async fn is_well(&self, collection: &Collection) -> bool {
        if self.lock().hanging.contains(&collection.name) {
            return std::future::pending().await;
        }
        let state = self.lock();
        state.sick.is_none()
            && !state.is_down()
            && !state.by_collection.contains_key(&collection.name)
    }
}
