//! What would make the build of a unique index fail.

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;

use super::super::MongoStore;
use super::super::fault::bounded;
use super::contents::Contents;
use super::report::IndexReport;
use super::shell::shell;
use super::{simple, told};
use crate::store::{Collection, Index, StoreFault};

/// How many groups of duplicates are named for one index.
const DUPLICATES_NAMED_MAX: i64 = 5;

impl MongoStore {
    /// What stands in the way of the missing unique indexes of a report: keys that several
    /// documents have, documents without the key, keys that are arrays. Reads the whole collection,
    /// and compares as the index would.
    ///
    /// # Errors
    /// Where the server cannot be asked.
    pub async fn obstacles(
        &self,
        collection: &Collection,
        report: &IndexReport,
    ) -> Result<Vec<String>, StoreFault> {
        let mut obstacles = Vec::new();
        if report.contents == Contents::Filled {
            for index in report.missing.iter().filter(|index| index.unique) {
                self.obstacles_of(collection, index, &mut obstacles)
                    .await
                    .map_err(|error| told(&error))?;
            }
        }
        Ok(obstacles)
    }

    async fn obstacles_of(
        &self,
        declared: &Collection,
        index: &Index,
        obstacles: &mut Vec<String>,
    ) -> mongodb::error::Result<()> {
        let name = &declared.name;
        let collection = self.database().collection::<Document>(name);
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
        let named = obstacles.len();
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
        if obstacles.len() > named {
            let newest = keep_newest(name, &fields, declared.kind.version_field());
            obstacles.push(format!(
                "to keep the newest of all documents of {name} that have the same {title}, and to delete the others, paste into mongosh: {newest}"
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

/// What to paste into mongosh. The newest is that of the latest version, where the collection has
/// one, and of these the one with the largest `_id`, which an `ObjectId` makes the last one made.
fn keep_newest(collection: &str, fields: &[&str], version_field: Option<&str>) -> String {
    let present = joined(fields.iter().map(|field| format!(r#"{field:?}: {{"$ne": null}}"#)));
    let order = version_field.into_iter().chain(["_id"]);
    let order = joined(order.map(|field| format!("{field:?}: -1")));
    let key = joined(fields.iter().map(|field| format!("{:?}", format!("${field}"))));
    let groups = format!(
        r#"aggregate([{{"$match": {{{present}}}}}, {{"$sort": {{{order}}}}}, {{"$group": {{"_id": [{key}], "ids": {{"$push": "$_id"}}}}}}, {{"$match": {{"ids.1": {{"$exists": true}}}}}}], {{"allowDiskUse": true, "collation": {{"locale": "simple"}}}})"#
    );
    let delete = shell(collection, "deleteMany({_id: {$in: same.ids.slice(1)}})");
    format!("{}.forEach(same => {delete})", shell(collection, &groups))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_kept_by_its_version_and_then_by_its_id() {
        assert_eq!(
            keep_newest("sessions", &["session_id"], Some("last_accessed")),
            concat!(
                r#"db.getCollection("sessions").aggregate([{"$match": {"session_id": {"$ne": null}}}, {"$sort": {"last_accessed": -1, "_id": -1}}, "#,
                r#"{"$group": {"_id": ["$session_id"], "ids": {"$push": "$_id"}}}, {"$match": {"ids.1": {"$exists": true}}}], "#,
                r#"{"allowDiskUse": true, "collation": {"locale": "simple"}}).forEach(same => "#,
                r#"db.getCollection("sessions").deleteMany({_id: {$in: same.ids.slice(1)}}))"#
            )
        );
        assert!(keep_newest("a", &["b", "c"], None).contains(r#""$sort": {"_id": -1}"#));
    }
}
