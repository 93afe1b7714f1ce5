//! Declared indexes against those that are there, and how to make the missing ones.
//!
//! A keyed collection without the unique index on its key can hold one key twice. `run` makes
//! indexes on empty and missing collections; on others a person asks for it, after
//! [`MongoStore::obstacles`] has named what would make the build fail. An index that is being built
//! takes duplicates until its end, and one with a collation folds keys that differ: neither is a
//! guard.

mod arrival;
mod comparison;
mod listing;
mod obstacles;

use bson::{Bson, Document};
use mongodb::IndexModel;
use mongodb::options::{Collation, IndexOptions};

use self::comparison::{difference, expires, guards, same_keys};
use self::listing::{Found, There};
use super::MongoStore;
use super::fault::{Refusal, refusal};
use crate::config::{Collection, Index};
use crate::store::StoreFault;

/// What is there of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    Missing,
    Empty,
    Filled,
    /// Holds one `_id` twice without a word, so that an insert cannot be told from its redelivery.
    TimeSeries,
    View,
}

/// The declared indexes of one collection, by what became of them.
#[derive(Debug, Clone)]
pub struct IndexReport {
    pub collection: String,
    pub contents: Contents,
    /// Of the collection: another one after it was dropped and made anew. `None` where there is
    /// none.
    pub uuid: Option<Vec<u8>>,
    pub present: Vec<Index>,
    pub missing: Vec<Index>,
    /// Not there yet, and nothing to make.
    pub building: Vec<Index>,
    /// An index on the same fields that does something else.
    pub conflicting: Vec<Conflict>,
    /// Where nothing refuses a second document with one key.
    pub unguarded: Option<Unguarded>,
    /// What makes the order of arrival matter, or good messages be refused. For a person to know.
    pub notes: Vec<String>,
    /// The default collation of the collection, unless it is simple.
    pub collation: Option<String>,
    /// Of all indexes that are there.
    pub names: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Conflict {
    pub declared: Index,
    /// What is there instead, and what to do.
    pub text: String,
}

/// A key without a guard, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unguarded {
    pub key: String,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No unique index is on it.
    Missing,
    /// The one on it is still being built.
    Building,
    /// The key is `_id`, and the collection's default collation folds it.
    Folding,
}

impl IndexReport {
    /// Why nothing may be written to this collection as it is. Each says what to do.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        let name = &self.collection;
        let mut refusals = Vec::new();
        match self.contents {
            Contents::TimeSeries => {
                refusals.push(format!("{name} is a time-series collection, which can hold one _id twice: write to an ordinary collection"));
            }
            Contents::View => {
                refusals.push(format!("{name} is a view: write to the collection under it"));
            }
            Contents::Missing | Contents::Empty | Contents::Filled => {}
        }
        refusals.extend(self.unguarded.as_ref().map(|unguarded| self.refusal(unguarded)));
        refusals
    }

    fn refusal(&self, Unguarded { key, why }: &Unguarded) -> String {
        let name = &self.collection;
        match why {
            Why::Building => format!(
                "the unique index on {key} of {name} is being built, and until it is ready one key could be stored twice: wait until `longshore \
                 check` finds it, then start (db.currentOp() shows how far it is)"
            ),
            Why::Folding => format!(
                "{name} has a default collation ({}), by which two values of _id that differ count as one, and _id is the key of its route: \
                 write to a collection without a collation, or give the route another key",
                self.collation.as_deref().unwrap_or_default()
            ),
            Why::Missing => {
                let no_index = format!(
                    "{name} has no unique index on {key}, so one key could be stored twice"
                );
                match self.conflicting.iter().find(|conflict| is_on(&conflict.declared, key)) {
                    Some(conflict) => format!("{no_index}: {}", conflict.text),
                    None => format!(
                        "{no_index}: run `longshore check --create-indexes`, or in mongosh {}",
                        self.create_index(key)
                    ),
                }
            }
        }
    }

    /// What mongosh would be told to make the unique index on the key.
    fn create_index(&self, key: &str) -> String {
        let index = Index { keys: vec![(key.to_owned(), 1)], unique: true, expire_after: None };
        let (name, usual) = (self.free_name(&index), default_name(&index));
        let collation = self.collation.as_ref().map_or("", |_| ", collation: {locale: \"simple\"}");
        let name = if name == usual { String::new() } else { format!(", name: {name:?}") };
        shell(
            &self.collection,
            &format!("createIndex({{{key:?}: 1}}, {{unique: true{collation}{name}}})"),
        )
    }

    /// A name that no index there has. An index on the same fields with a collation may have the
    /// usual one.
    fn free_name(&self, index: &Index) -> String {
        let usual = default_name(index);
        let others = (1_u32..).map(|number| {
            if number == 1 { format!("{usual}_simple") } else { format!("{usual}_simple_{number}") }
        });
        std::iter::once(usual.clone())
            .chain(others)
            .find(|name| !self.names.contains(name))
            .unwrap_or(usual)
    }
}

impl MongoStore {
    /// Compares the declared indexes of a collection with those that are there.
    ///
    /// # Errors
    /// Where the server cannot be reached or does not allow `listCollections` or `listIndexes`.
    pub async fn indexes(&self, collection: &Collection) -> Result<IndexReport, StoreFault> {
        let there = self.look(&collection.name).await.map_err(|error| told(&error))?;
        Ok(report(collection, there))
    }

    /// Makes the missing indexes of a report. On a filled collection this takes as long as the
    /// collection is large, and fails on what [`MongoStore::obstacles`] names.
    ///
    /// # Errors
    /// Where the server refuses one, with its reason; those before it are made.
    pub async fn create_indexes(&self, report: &IndexReport) -> Result<(), StoreFault> {
        for index in &report.missing {
            self.create_index(report, index).await?;
        }
        Ok(())
    }

    /// Makes one of them, that compares plainly whatever the collection's default is.
    ///
    /// # Errors
    /// Where the server refuses it, with its reason.
    pub async fn create_index(
        &self,
        report: &IndexReport,
        index: &Index,
    ) -> Result<(), StoreFault> {
        let options = IndexOptions::builder()
            .name(report.free_name(index))
            .unique(index.unique.then_some(true))
            .expire_after(index.expire_after)
            .collation(simple())
            .build();
        let model = IndexModel::builder().keys(keys(index)).options(options).build();
        let made =
            self.database().collection::<Document>(&report.collection).create_index(model).await;
        made.map(|_| ()).map_err(|error| last_cause(told(&error)))
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
        notes: arrival::notes(collection, &there),
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

fn told(error: &mongodb::error::Error) -> StoreFault {
    let Refusal { fault, .. } = refusal(error);
    fault
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

/// What to type into mongosh about a collection.
fn shell(collection: &str, call: &str) -> String {
    format!("db.getCollection({collection:?}).{call}")
}

fn keys(index: &Index) -> Document {
    index.keys.iter().map(|(field, direction)| (field.clone(), Bson::Int32(*direction))).collect()
}

/// As drivers and mongosh name an index.
fn default_name(index: &Index) -> String {
    index
        .keys
        .iter()
        .map(|(field, direction)| format!("{field}_{direction}"))
        .collect::<Vec<_>>()
        .join("_")
}

fn is_id(index: &Index) -> bool {
    is_on(index, "_id")
}

/// Whether it is on this field alone.
fn is_on(index: &Index, key: &str) -> bool {
    matches!(index.keys.as_slice(), [(field, _)] if field == key)
}
