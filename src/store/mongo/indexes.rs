//! Declared indexes against those that are there, and how to make the missing ones.
//!
//! A keyed collection without the unique index on its key can hold one key twice. `run` makes
//! indexes on empty and missing collections; on others a person asks for it, after
//! [`MongoStore::obstacles`] has named what would make the build fail. An index that is being built
//! takes duplicates until its end, and one with a collation folds keys that differ: neither is a
//! guard.

mod arrival;
mod comparison;
mod contents;
mod declared;
mod ingest;
mod listing;
mod obstacles;
mod refusals;
mod report;
mod shell;
mod trial;

use bson::Document;
use mongodb::IndexModel;
use mongodb::options::{Collation, IndexOptions};

use self::comparison::{difference, expires, finds, guards, same_keys};
pub use self::contents::Contents;
use self::declared::{is_id, keys};
use self::listing::{Found, There};
pub use self::report::{Conflict, Guard, IndexReport, Unguarded, Why};
use super::MongoStore;
use super::fault::{DUPLICATE_KEY, Refusal, UNAUTHORIZED, refusal};
use crate::store::{CURE, Collection, Index};
use crate::store::{StoreFault, StoreFaultKind};

/// Why an index was not made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{fault}")]
pub struct NotMade {
    pub fault: StoreFault,
    /// Documents or another index are in the way: it will fail again until someone acts.
    pub is_obstructed: bool,
}

impl MongoStore {
    /// Compares the declared indexes of a collection with those that are there.
    ///
    /// # Errors
    /// Where the server cannot be reached or does not allow `listCollections` or `listIndexes`.
    pub async fn indexes(&self, collection: &Collection) -> Result<IndexReport, StoreFault> {
        let there = self.look(&collection.name).await;
        let there = there.map_err(|error| unseen(&collection.name, &error))?;
        let report = report(collection, there);
        self.unfit.found(&collection.name, report.unfit());
        Ok(report)
    }

    /// Makes the missing indexes of a report. On a filled collection this takes as long as the
    /// collection is large, and fails on what [`MongoStore::obstacles`] names.
    ///
    /// # Errors
    /// Where the server refuses one, with its reason; those before it are made.
    pub async fn create_indexes(&self, report: &IndexReport) -> Result<(), NotMade> {
        for index in &report.missing {
            self.create_index(report, index).await?;
        }
        Ok(())
    }

    /// Makes one of them, that compares plainly whatever the collection's default is.
    ///
    /// # Errors
    /// Where the server refuses it, with its reason.
    pub async fn create_index(&self, report: &IndexReport, index: &Index) -> Result<(), NotMade> {
        let options = IndexOptions::builder()
            .name(report.free_name(index))
            .unique(index.unique.then_some(true))
            .expire_after(index.expire_after)
            .collation(simple())
            .build();
        let model = IndexModel::builder().keys(keys(index)).options(options).build();
        let made =
            self.database().collection::<Document>(&report.collection).create_index(model).await;
        made.map(|_| ()).map_err(|error| {
            let Refusal { fault, code } = refusal(&error);
            NotMade { fault: last_cause(fault), is_obstructed: code.is_some_and(is_obstruction) }
        })
    }
}

/// An index with a collation that removes documents before the declared one would, and what to do.
fn expires_early(collection: &str, declared: &Index, index: &Found) -> Option<String> {
    let after = index.expire_after.filter(|_| index.collation.is_some())?;
    let is_early = declared.expire_after.is_none_or(|declared| after < declared);
    is_early.then(|| expires(collection, declared, index, after))
}

fn report(collection: &Collection, there: There) -> IndexReport {
    let mut report = IndexReport {
        collection: collection.name.clone(),
        contents: there.contents,
        present: Vec::new(),
        missing: Vec::new(),
        building: Vec::new(),
        conflicting: Vec::new(),
        unguarded: collection.kind.key().and_then(|key| unguarded(key, &there)),
        guard: collection.kind.key().and_then(|key| guard(key, &there)),
        forbids_ingest: ingest::refusal(collection, &there),
        notes: ingest::note(collection, &there)
            .into_iter()
            .chain(arrival::notes(collection, &there))
            .collect(),
        names: there.indexes.iter().map(|index| index.name.clone()).collect(),
        collation: there.collation,
        uuid: there.uuid,
    };
    for declared in &collection.indexes {
        // Every collection has the index on `_id`, and none lets it be declared.
        if is_id(declared) {
            report.present.push(declared.clone());
            continue;
        }
        let alike = || there.indexes.iter().filter(|index| same_keys(declared, &index.keys));
        // One with a collation is another index, and does not stand in the way.
        let plain = || alike().filter(|index| index.collation.is_none());
        let conflict = |index: &Found| difference(&collection.name, declared, index);
        let early = alike().find_map(|index| expires_early(&collection.name, declared, index));
        let mut conflicts =
            |text| report.conflicting.push(Conflict { declared: declared.clone(), text });
        if let Some(index) = plain().find(|index| conflict(index).is_none()) {
            early.into_iter().for_each(&mut conflicts);
            if index.is_building { &mut report.building } else { &mut report.present }
                .push(declared.clone());
        } else if let Some(text) = plain().find_map(conflict).or(early) {
            conflicts(text);
        } else {
            report.missing.push(declared.clone());
        }
    }
    report
}

fn unguarded(key: &str, there: &There) -> Option<Unguarded> {
    let on_key = || there.indexes.iter().filter(|index| guards(key, index));
    let why = match key {
        "_id" if there.collation.is_none() => return None,
        "_id" => Why::Folding,
        _ if on_key().any(|index| !index.is_building) => return None,
        _ if on_key().count() > 0 => Why::Building,
        _ => Why::Missing,
    };
    Some(Unguarded { key: key.to_owned(), why })
}

fn guard(key: &str, there: &There) -> Option<Guard> {
    let ready = there.indexes.iter().filter(|index| guards(key, index) && !index.is_building);
    let best = ready.min_by_key(|index| index.is_hidden)?;
    let is_used = there.indexes.iter().any(|index| finds(key, index));
    Some(Guard { key: key.to_owned(), index: best.name.clone(), is_used })
}

/// `IndexOptionsConflict`, `IndexKeySpecsConflict`, two arrays in one compound index,
/// `DuplicateKey`.
const fn is_obstruction(code: i32) -> bool {
    matches!(code, 85 | 86 | 171 | DUPLICATE_KEY)
}

fn told(error: &mongodb::error::Error) -> StoreFault {
    let Refusal { fault, .. } = refusal(error);
    fault
}

/// Why a collection cannot be looked at.
fn unseen(collection: &str, error: &mongodb::error::Error) -> StoreFault {
    let Refusal { fault, code } = refusal(error);
    if code != Some(UNAUTHORIZED) || fault.kind != StoreFaultKind::Collection {
        return fault;
    }
    let text = format!(
        "the user may not look at {collection} and its indexes (listCollections, find, listIndexes): {CURE}"
    );
    StoreFault { text, ..fault }
}

/// Of a build that failed its last cause alone: what stands before names the build by an id that is
/// another one each time.
fn last_cause(fault: StoreFault) -> StoreFault {
    match (fault.text.split_once(": "), fault.text.rsplit_once(" :: caused by :: ")) {
        (Some((code, _)), Some((_, cause))) => {
            StoreFault { text: format!("{code}: {cause}"), ..fault }
        }
        _ => fault,
    }
}

/// Byte by byte, whatever the collection's default is.
fn simple() -> Collation {
    Collation::builder().locale("simple").build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(keys: Document) -> Found {
        Found { name: "index".to_owned(), keys, is_unique: true, ..Found::default() }
    }

    #[test]
    fn a_hidden_guard_is_of_use_where_another_index_finds_the_key() {
        let of = |indexes: Vec<Found>| {
            let (uuid, collation, validator) = (None, None, None);
            let there = There { contents: Contents::Filled, uuid, collation, validator, indexes };
            guard("k", &there).map(|guard| guard.is_used)
        };
        let hidden = Found { is_hidden: true, ..on(bson::doc! { "k": 1 }) };
        let other = Found { is_unique: false, ..on(bson::doc! { "k": 1, "a": 1 }) };
        assert_eq!(of(vec![on(bson::doc! { "k": -1 })]), Some(true));
        assert_eq!(of(vec![hidden.clone()]), Some(false));
        assert_eq!(of(vec![hidden, other.clone()]), Some(true));
        assert_eq!(of(vec![other]), None);
    }

    #[test]
    fn an_interrupted_build_has_nothing_in_its_way() {
        assert!(is_obstruction(11_000) && is_obstruction(85) && is_obstruction(86));
        assert!(!is_obstruction(11_601) && !is_obstruction(276) && !is_obstruction(13));
    }
}
