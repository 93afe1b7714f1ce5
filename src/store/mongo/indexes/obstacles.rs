//! What would make the build of a unique index fail.

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;

use super::super::MongoStore;
use super::super::fault::bounded;
use super::contents::Contents;
use super::report::IndexReport;
use super::{simple, told};
use crate::store::Index;
use crate::store::StoreFault;

/// How many groups of duplicates are named for one index.
const DUPLICATES_NAMED_MAX: i64 = 5;

impl MongoStore {
    /// What stands in the way of the missing unique indexes of a report: keys that several
    /// documents have, documents without the key, keys that are arrays. Reads the whole collection,
    /// and compares as the index would.
    ///
    /// # Errors
    /// Where the server cannot be asked.
    pub async fn obstacles(&self, report: &IndexReport) -> Result<Vec<String>, StoreFault> {
        let mut obstacles = Vec::new();
        if report.contents == Contents::Filled {
            for index in report.missing.iter().filter(|index| index.unique) {
                self.obstacles_of(report, index, &mut obstacles)
                    .await
                    .map_err(|error| told(&error))?;
            }
        }
        Ok(obstacles)
    }

    async fn obstacles_of(
        &self,
        report: &IndexReport,
        index: &Index,
        obstacles: &mut Vec<String>,
    ) -> mongodb::error::Result<()> {
        let collection = self.database().collection::<Document>(&report.collection);
        let name = &report.collection;
        let fields: Vec<&str> = index.keys.iter().map(|(field, _)| field.as_str()).collect();
        let title = fields.join(", ");
        // To the index null is a value, and so is an absent field: one document may have it.
        let without: Document =
            fields.iter().map(|field| ((*field).to_owned(), Bson::Null)).collect();
        let without = collection.count_documents(without).limit(1_000).collation(simple()).await?;
        if without > 1 {
            let many = if without == 1_000 { "or more " } else { "" };
            obstacles.push(format!(
                "{without} {many}documents of {name} have no {title}: give them one, or delete them"
            ));
        }
        let present: Document = fields
            .iter()
            .map(|field| ((*field).to_owned(), Bson::from(doc! { "$ne": null })))
            .collect();
        let group: Vec<Bson> =
            fields.iter().map(|field| Bson::String(format!("${field}"))).collect();
        let duplicates = vec![
            doc! { "$match": present },
            doc! { "$group": { "_id": group, "documents": { "$sum": 1_i64 } } },
            doc! { "$match": { "documents": { "$gt": 1_i64 } } },
            doc! { "$limit": DUPLICATES_NAMED_MAX },
        ];
        let mut found =
            collection.aggregate(duplicates).allow_disk_use(true).collation(simple()).await?;
        while let Some(group) = found.try_next().await? {
            let count = group.get_i64("documents").unwrap_or_default();
            let values = group
                .get_array("_id")
                .map(|values| values.iter().map(Bson::to_string).collect::<Vec<_>>().join(", "));
            let values = bounded(&values.unwrap_or_default());
            obstacles.push(format!(
                "{count} documents of {name} have the same {title}, {values}: keep one"
            ));
        }
        for field in fields {
            let array = doc! { field: { "$type": "array" } };
            if let Some(document) =
                collection.find_one(array).projection(doc! { "_id": 1 }).collation(simple()).await?
            {
                let id = bounded(&document.get("_id").map(Bson::to_string).unwrap_or_default());
                obstacles
                    .push(format!("{field} of the document with _id {id} of {name} is an array, and perhaps of others: make it one value"));
            }
        }
        Ok(())
    }
}
