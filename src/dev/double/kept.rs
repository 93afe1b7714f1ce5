//! What became of messages, out of the database, and emptying it.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::config::Config;
use crate::extended_json::relaxed_line;
use crate::mongo_manager::{Documents, MongoManager, MongoManagerError};

/// Bytes of the documents of one answer, after which no more are told.
const BYTES_MAX: usize = 16 << 20;

/// Of a refused message, what is told: what the producer sent, and what is wrong with it. Nothing of
/// when, by whom and how often it was received, so that the same message is told alike, but for its ids.
const TOLD: [&str; 12] = [
    "reason",
    "text",
    "place",
    "place_pattern",
    "server_code",
    "route",
    "type",
    "key",
    "times",
    "message_id",
    "attributes",
    "body",
];

/// The same in short: why a wait ends without what was waited for.
const WHY: [&str; 4] = ["reason", "text", "place", "type"];

/// Documents, of which the first are told.
#[derive(Debug, Serialize)]
pub struct Stored {
    /// How many there are.
    pub count: u64,
    pub documents: Vec<Box<RawValue>>,
}

/// What was stored, by collection.
#[derive(Debug, Serialize)]
pub struct Good {
    pub collections: BTreeMap<String, Stored>,
}

/// What was refused, the oldest first.
#[derive(Debug, Serialize)]
pub struct Bad {
    /// How many records there are: one message that is refused twice has one.
    pub count: u64,
    pub messages: Vec<Box<RawValue>>,
}

/// The collections of the private database.
#[derive(Debug)]
pub struct Kept {
    manager: MongoManager,
    /// Those that routes write to.
    collections: Vec<String>,
    dead_letters: String,
}

/// An answer that is being made.
struct Answer {
    most: u64,
    bytes: usize,
    told: Vec<Box<RawValue>>,
}

/// Why no more is read.
enum End {
    Enough,
    Failed(MongoManagerError),
}

impl From<MongoManagerError> for End {
    fn from(error: MongoManagerError) -> Self {
        Self::Failed(error)
    }
}

impl Kept {
    pub fn new(manager: MongoManager, config: &Config) -> Self {
        let collections = config.collections.keys().cloned().collect();
        Self { manager, collections, dead_letters: config.dead_letters.collection.clone() }
    }

    /// The collections that routes write to.
    pub fn collections(&self) -> &[String] {
        &self.collections
    }

    /// What is stored in one of them, or in all; of each the first `limit` in the order of `_id`.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn good(
        &self,
        collection: Option<&str>,
        limit: u64,
    ) -> Result<Good, MongoManagerError> {
        let mut collections = BTreeMap::new();
        let is_asked = |name: &&String| collection.is_none_or(|one| one == *name);
        let asked: Vec<_> = self.collections.iter().filter(is_asked).collect();
        // Each has its share, or a large one would hide those behind it.
        let used_before = BYTES_MAX - BYTES_MAX / asked.len().max(1);
        for name in asked {
            let documents = Documents::of(&self.manager, name);
            let count = documents.count(doc! {}).await?;
            let answer = Answer { most: limit, bytes: used_before, told: Vec::new() };
            let answer = read(&documents, doc! { "_id": 1 }, answer, relaxed_line).await?;
            collections.insert(name.clone(), Stored { count, documents: answer.told });
        }
        Ok(Good { collections })
    }

    /// What was refused, the first `limit`.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn bad(&self, limit: u64) -> Result<Bad, MongoManagerError> {
        let count = Documents::of(&self.manager, &self.dead_letters).count(doc! {}).await?;
        let messages = self.refused(limit, |record| relaxed_line(&of(record, &TOLD))).await?;
        Ok(Bad { count, messages })
    }

    /// Why the first ones were refused.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn why(&self, limit: u64) -> Result<Vec<Box<RawValue>>, MongoManagerError> {
        self.refused(limit, |record| relaxed_line(&of(record, &WHY))).await
    }

    async fn refused(
        &self,
        most: u64,
        tell: impl Fn(&Document) -> String,
    ) -> Result<Vec<Box<RawValue>>, MongoManagerError> {
        let documents = Documents::of(&self.manager, &self.dead_letters);
        let oldest_first = doc! { "first_dead_lettered": 1, "_id": 1 };
        let answer = Answer { most, bytes: 0, told: Vec::new() };
        Ok(read(&documents, oldest_first, answer, tell).await?.told)
    }

    /// Deletes all documents and all dead letters. Collections and their indexes stay.
    ///
    /// # Errors
    /// Where the database does not answer; some may be gone then.
    pub async fn empty(&self) -> Result<(), MongoManagerError> {
        for name in self.collections.iter().chain([&self.dead_letters]) {
            Documents::of(&self.manager, name).delete(doc! {}).await?;
        }
        Ok(())
    }
}

/// Some fields of a record, in this order; null where it has none of that name.
fn of(record: &Document, fields: &[&str]) -> Document {
    fields
        .iter()
        .map(|field| ((*field).to_owned(), record.get(*field).cloned().unwrap_or(Bson::Null)))
        .collect()
}

/// Adds documents to an answer until it is full.
async fn read(
    documents: &Documents,
    sort: Document,
    mut answer: Answer,
    tell: impl Fn(&Document) -> String,
) -> Result<Answer, MongoManagerError> {
    let each = |document: Document| {
        let text = tell(&document);
        answer.bytes = answer.bytes.saturating_add(text.len());
        if answer.bytes > BYTES_MAX || answer.told.len() as u64 >= answer.most {
            return Err(End::Enough);
        }
        // What is written as Extended JSON is JSON.
        answer.told.extend(RawValue::from_string(text));
        Ok(())
    };
    match documents.each(doc! {}, sort, each).await {
        Ok(()) | Err(End::Enough) => Ok(answer),
        Err(End::Failed(error)) => Err(error),
    }
}
