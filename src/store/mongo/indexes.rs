//! Declared indexes against those that are there, and how to make the missing ones.
//!
//! A keyed collection without the unique index on its key would hold one key twice. `run` makes indexes on empty and missing
//! collections; on others a person asks for it, after [`MongoStore::obstacles`] has named what would make the build fail.

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use mongodb::results::CollectionType;

use super::MongoStore;
use super::fault::{Refusal, bounded, refusal};
use crate::config::{Collection, Index};
use crate::store::StoreFault;

/// How many groups of duplicates are named for one index.
const DUPLICATES_NAMED_MAX: i64 = 5;

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
    pub present: Vec<Index>,
    pub missing: Vec<Index>,
    /// An index on the same fields that does something else.
    pub conflicting: Vec<Conflict>,
    /// The key of a keyed collection, where no unique index is on it.
    pub key_unguarded: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Conflict {
    pub declared: Index,
    /// What is there instead, and what to do.
    pub text: String,
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
            Contents::View => refusals.push(format!("{name} is a view: write to the collection under it")),
            Contents::Missing | Contents::Empty | Contents::Filled => {}
        }
        if let Some(key) = &self.key_unguarded {
            refusals.push(format!(
                "{name} has no unique index on {key}, so one key could be stored twice: run `longshore check --create-indexes`, or in \
                 mongosh db.getCollection({name:?}).createIndex({{{key:?}: 1}}, {{unique: true}})"
            ));
        }
        refusals
    }
}

impl MongoStore {
    /// Compares the declared indexes of a collection with those that are there.
    ///
    /// # Errors
    /// Where the server cannot be reached or does not allow `listCollections` or `listIndexes`.
    pub async fn indexes(&self, collection: &Collection) -> Result<IndexReport, StoreFault> {
        self.report(collection).await.map_err(|error| told(&error))
    }

    async fn report(&self, collection: &Collection) -> mongodb::error::Result<IndexReport> {
        let contents = self.contents(&collection.name).await?;
        let there = match contents {
            Contents::Empty | Contents::Filled => {
                self.database().collection::<Document>(&collection.name).list_indexes().await?.try_collect().await?
            }
            Contents::Missing | Contents::TimeSeries | Contents::View => Vec::new(),
        };
        let mut report = IndexReport {
            collection: collection.name.clone(),
            contents,
            present: Vec::new(),
            missing: Vec::new(),
            conflicting: Vec::new(),
            key_unguarded: collection.kind.key().filter(|key| !is_guarded(key, &there)).map(str::to_owned),
        };
        for declared in &collection.indexes {
            // Every collection has the index on `_id`, and none lets it be declared.
            if is_id(declared) {
                report.present.push(declared.clone());
                continue;
            }
            match there.iter().find(|index| same_keys(declared, &index.keys)) {
                None => report.missing.push(declared.clone()),
                Some(index) => match difference(declared, index) {
                    None => report.present.push(declared.clone()),
                    Some(text) => report.conflicting.push(Conflict { declared: declared.clone(), text }),
                },
            }
        }
        Ok(report)
    }

    async fn contents(&self, name: &str) -> mongodb::error::Result<Contents> {
        let found: Vec<_> = self.database().list_collections().filter(doc! { "name": name }).await?.try_collect().await?;
        Ok(match found.first().map(|found| &found.collection_type) {
            None => Contents::Missing,
            Some(CollectionType::Timeseries) => Contents::TimeSeries,
            Some(CollectionType::View) => Contents::View,
            // A count from metadata can be wrong after a crash; a look is not.
            Some(_) => match self.database().collection::<Document>(name).find_one(doc! {}).projection(doc! { "_id": 1 }).await? {
                None => Contents::Empty,
                Some(_) => Contents::Filled,
            },
        })
    }

    /// Makes the missing indexes of a report. On a filled collection this takes as long as the collection is large, and fails
    /// on what [`MongoStore::obstacles`] names.
    ///
    /// # Errors
    /// Where the server refuses one, with its reason; those before it are made.
    pub async fn create_indexes(&self, report: &IndexReport) -> Result<(), StoreFault> {
        let collection = self.database().collection::<Document>(&report.collection);
        for index in &report.missing {
            let options = IndexOptions::builder().unique(index.unique.then_some(true)).expire_after(index.expire_after).build();
            let model = IndexModel::builder().keys(keys(index)).options(options).build();
            collection.create_index(model).await.map_err(|error| told(&error))?;
        }
        Ok(())
    }

    /// What stands in the way of the missing unique indexes of a report: keys that several documents have, documents without
    /// the key, keys that are arrays. Reads the whole collection.
    ///
    /// # Errors
    /// Where the server cannot be asked.
    pub async fn obstacles(&self, report: &IndexReport) -> Result<Vec<String>, StoreFault> {
        let mut obstacles = Vec::new();
        if report.contents == Contents::Filled {
            for index in report.missing.iter().filter(|index| index.unique) {
                self.obstacles_of(report, index, &mut obstacles).await.map_err(|error| told(&error))?;
            }
        }
        Ok(obstacles)
    }

    async fn obstacles_of(&self, report: &IndexReport, index: &Index, obstacles: &mut Vec<String>) -> mongodb::error::Result<()> {
        let collection = self.database().collection::<Document>(&report.collection);
        let name = &report.collection;
        let fields: Vec<&str> = index.keys.iter().map(|(field, _)| field.as_str()).collect();
        let title = fields.join(", ");
        // To the index null is a value, and so is an absent field: one document may have it.
        let without: Document = fields.iter().map(|field| ((*field).to_owned(), Bson::Null)).collect();
        let without = collection.count_documents(without).limit(1_000).await?;
        if without > 1 {
            let many = if without == 1_000 { "or more " } else { "" };
            obstacles.push(format!("{without} {many}documents of {name} have no {title}: give them one, or delete them"));
        }
        let present: Document = fields.iter().map(|field| ((*field).to_owned(), Bson::from(doc! { "$ne": null }))).collect();
        let group: Vec<Bson> = fields.iter().map(|field| Bson::String(format!("${field}"))).collect();
        let duplicates = vec![
            doc! { "$match": present },
            doc! { "$group": { "_id": group, "documents": { "$sum": 1_i64 } } },
            doc! { "$match": { "documents": { "$gt": 1_i64 } } },
            doc! { "$limit": DUPLICATES_NAMED_MAX },
        ];
        let mut found = collection.aggregate(duplicates).allow_disk_use(true).await?;
        while let Some(group) = found.try_next().await? {
            let count = group.get_i64("documents").unwrap_or_default();
            let values = group.get_array("_id").map(|values| values.iter().map(Bson::to_string).collect::<Vec<_>>().join(", "));
            let values = bounded(&values.unwrap_or_default());
            obstacles.push(format!("{count} documents of {name} have the same {title}, {values}: keep one"));
        }
        for field in fields {
            if let Some(document) = collection.find_one(doc! { field: { "$type": "array" } }).projection(doc! { "_id": 1 }).await? {
                let id = bounded(&document.get("_id").map(Bson::to_string).unwrap_or_default());
                obstacles
                    .push(format!("{field} of the document with _id {id} of {name} is an array, and perhaps of others: make it one value"));
            }
        }
        Ok(())
    }
}

fn told(error: &mongodb::error::Error) -> StoreFault {
    let Refusal { fault, .. } = refusal(error);
    fault
}

fn keys(index: &Index) -> Document {
    index.keys.iter().map(|(field, direction)| (field.clone(), Bson::Int32(*direction))).collect()
}

/// Directions by value: the old shell wrote them as doubles.
fn same_keys(declared: &Index, there: &Document) -> bool {
    declared.keys.len() == there.len()
        && declared.keys.iter().zip(there).all(|((field, direction), (name, value))| {
            let value = match value {
                Bson::Int32(number) => f64::from(*number),
                Bson::Int64(1) => 1.0,
                Bson::Int64(-1) => -1.0,
                Bson::Double(number) => *number,
                _ => return false,
            };
            field == name && (f64::from(*direction) - value).abs() < f64::EPSILON
        })
}

fn is_id(index: &Index) -> bool {
    matches!(index.keys.as_slice(), [(field, _)] if field == "_id")
}

/// Whether an index refuses a second document with one key: on the key alone, over all documents, by plain comparison.
fn is_guarded(key: &str, there: &[IndexModel]) -> bool {
    key == "_id"
        || there.iter().any(|index| {
            let options = index.options.as_ref();
            index.keys.len() == 1
                && index.keys.get(key).is_some_and(|direction| matches!(direction, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_)))
                && options.is_some_and(|options| options.unique == Some(true) && covers_all(options))
        })
}

fn covers_all(options: &IndexOptions) -> bool {
    options.sparse != Some(true) && options.partial_filter_expression.is_none() && options.collation.is_none()
}

/// In what an index on the declared fields is not the declared one, and what to do; None where it serves.
fn difference(declared: &Index, there: &IndexModel) -> Option<String> {
    let options = there.options.clone().unwrap_or_default();
    let name = options.name.as_deref().unwrap_or_default();
    if declared.unique && options.unique != Some(true) {
        return Some(format!("index {name} is not unique: drop it and run `longshore check --create-indexes`"));
    }
    if !covers_all(&options) {
        return Some(format!("index {name} is sparse, partial or has a collation: drop it and run `longshore check --create-indexes`"));
    }
    if declared.expire_after != options.expire_after {
        let seconds = |time: Option<std::time::Duration>| time.map_or("never".to_owned(), |time| format!("after {} s", time.as_secs()));
        let (there, wanted) = (seconds(options.expire_after), seconds(declared.expire_after));
        return Some(format!(
            "index {name} expires documents {there}, declared is {wanted}: change the route's ttl, or the index by collMod"
        ));
    }
    None
}
