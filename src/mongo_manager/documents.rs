//! What a command, or the status page, asks of one collection: to see it, to count it, to take out of it.

use std::time::Duration;

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use mongodb::Collection;
use mongodb::error::ErrorKind;
use mongodb::options::{Hint, WriteConcern};

use super::error::MongoManagerError;
use super::manager::MongoManager;

/// The server's code where a hint names no index.
const BAD_VALUE: i32 = 2;

/// One collection of the default database.
#[derive(Debug, Clone)]
pub struct Documents {
    manager: MongoManager,
    collection: Collection<Document>,
    within: Option<Duration>,
}

impl Documents {
    #[must_use]
    pub fn of(manager: &MongoManager, collection: &str) -> Self {
        let collection = manager.database().collection(collection);
        Self { manager: manager.clone(), collection, within: None }
    }

    /// Tells the server to give up each search and each count after so long; without it, it goes on until it is
    /// done. The time on the way is not in it, nor the search for a server.
    /// <https://www.mongodb.com/docs/manual/reference/method/cursor.maxTimeMS/>
    #[must_use]
    pub fn within(self, most: Duration) -> Self {
        Self { within: Some(most), ..self }
    }

    /// The same by a new client, which logs in anew: see [`MongoManager::database_anew`].
    ///
    /// # Errors
    /// Where the driver no longer takes the options that it has taken before.
    pub fn anew(&self) -> Result<Self, MongoManagerError> {
        let collection = self.manager.database_anew()?.collection(self.collection.name());
        Ok(Self { collection, ..self.clone() })
    }

    /// Those that `filter` finds, in the order of `sort`, `most` at most, without the fields of `without`.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn find(
        &self,
        filter: Document,
        sort: Document,
        most: u32,
        without: &[&str],
    ) -> Result<Vec<Document>, MongoManagerError> {
        let without: Document =
            without.iter().map(|field| ((*field).to_owned(), Bson::Int32(0))).collect();
        let asked = self.collection.find(filter).sort(sort).limit(i64::from(most));
        let asked = asked.allow_disk_use(true).projection(without);
        let found = match self.within {
            Some(most) => asked.max_time(most).await,
            None => asked.await,
        };
        self.explained(match found {
            Ok(found) => found.try_collect().await,
            Err(error) => Err(error),
        })
    }

    /// The `_id` of each that `filter` finds, in the order of `sort`: some 100 bytes of memory for each.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn ids(
        &self,
        filter: Document,
        sort: Document,
    ) -> Result<Vec<Bson>, MongoManagerError> {
        let asked = self.collection.find(filter).sort(sort).allow_disk_use(true);
        let mut found = self.explained(asked.projection(doc! { "_id": 1 }).await)?;
        let mut ids = Vec::new();
        while let Some(mut document) = self.explained(found.try_next().await)? {
            ids.extend(document.remove("_id"));
        }
        Ok(ids)
    }

    /// Each that `filter` finds, in the order of `sort`, as it comes.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it; and that of `each`, which ends it.
    pub async fn each<E: From<MongoManagerError>>(
        &self,
        filter: Document,
        sort: Document,
        mut each: impl FnMut(Document) -> Result<(), E>,
    ) -> Result<(), E> {
        let asked = self.collection.find(filter).sort(sort).allow_disk_use(true);
        let mut found = self.explained(asked.await)?;
        while let Some(document) = self.explained(found.try_next().await)? {
            each(document)?;
        }
        Ok(())
    }

    /// What `stages` make of it, read by the index with these keys, if they are given and it is there. What
    /// takes the server more memory than it gives goes to its disk.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn aggregate(
        &self,
        stages: Vec<Document>,
        index: Option<Document>,
    ) -> Result<Vec<Document>, MongoManagerError> {
        let ask = |hint: Option<Document>| {
            let asked = self.collection.aggregate(stages.clone()).allow_disk_use(true);
            let asked = match self.within {
                Some(most) => asked.max_time(most),
                None => asked,
            };
            match hint {
                Some(index) => asked.hint(Hint::Keys(index)),
                None => asked,
            }
        };
        let is_hinted = index.is_some();
        let made = match ask(index).await {
            Err(error) if is_hinted && is_without_index(&error) => ask(None).await,
            made => made,
        };
        self.explained(match made {
            Ok(made) => made.try_collect().await,
            Err(error) => Err(error),
        })
    }

    /// How many `filter` finds.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn count(&self, filter: Document) -> Result<u64, MongoManagerError> {
        let asked = self.collection.count_documents(filter);
        self.explained(match self.within {
            Some(most) => asked.max_time(most).await,
            None => asked.await,
        })
    }

    /// Deletes those that `filter` finds, for good once a majority of the members has, and says how many
    /// that were.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it. Some may be gone then.
    pub async fn delete(&self, filter: Document) -> Result<u64, MongoManagerError> {
        let majority = WriteConcern::majority();
        let deleted = self.collection.delete_many(filter).write_concern(majority);
        Ok(self.explained(deleted.await)?.deleted_count)
    }

    /// Changes the one with this `_id` by these stages, durably once a majority of the members has it. Says
    /// whether it is there.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn change(
        &self,
        id: &Bson,
        stages: Vec<Document>,
    ) -> Result<bool, MongoManagerError> {
        let majority = WriteConcern::majority();
        let changed =
            self.collection.update_one(doc! { "_id": id }, stages).write_concern(majority);
        Ok(self.explained(changed.await)?.matched_count > 0)
    }

    fn explained<T>(&self, answer: mongodb::error::Result<T>) -> Result<T, MongoManagerError> {
        answer.map_err(|error| self.manager.explain(&error))
    }
}

/// Whether the hint names an index that is not there.
fn is_without_index(error: &mongodb::error::Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if command.code == BAD_VALUE && command.message.contains("hint"))
}
