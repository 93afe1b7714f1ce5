//! Whether a collection's validator would take a document, asked without a write.

use bson::{Document, doc};
use futures_util::TryStreamExt;

use super::super::MongoStore;
use super::super::fault::refusal;
use crate::store::StoreFault;

impl MongoStore {
    /// Whether the validator of `collection` refuses a document of these bytes. The server compares the
    /// two in an aggregation: a validator is a filter, and the document stands as a literal in the place
    /// of the one that `$collStats` gives.
    /// <https://www.mongodb.com/docs/manual/core/schema-validation/specify-query-expression-rules/>
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow that.
    pub async fn refuses(&self, collection: &str, document: &[u8]) -> Result<bool, StoreFault> {
        let asked = self.passes(collection, document).await;
        asked.map(|passes| !passes).map_err(|error| refusal(&error).fault)
    }

    async fn passes(&self, collection: &str, document: &[u8]) -> mongodb::error::Result<bool> {
        let Some(validator) = self.look(collection).await?.validator else { return Ok(true) };
        let document: Document = bson::deserialize_from_slice(document)?;
        let stages = [
            doc! { "$collStats": {} },
            doc! { "$replaceRoot": { "newRoot": { "$literal": document } } },
            doc! { "$match": validator },
        ];
        let collection = self.database().collection::<Document>(collection);
        let passed: Vec<Document> = collection.aggregate(stages).await?.try_collect().await?;
        Ok(!passed.is_empty())
    }
}
