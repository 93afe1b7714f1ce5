//! What there is of a collection, as the server says: its kind, its rules, and its indexes with
//! those that are still being built.

use std::time::Duration;

use bson::spec::BinarySubtype;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use mongodb::error::{Error, ErrorKind};

use super::super::MongoStore;
use super::contents::Contents;

/// The collection went away between two questions.
const NAMESPACE_NOT_FOUND: i32 = 26;

/// `FailedToParse`, `InvalidOptions` and an unknown field of a command: the server cannot name
/// builds in `listIndexes`.
const UNKNOWN_FIELD: [i32; 3] = [9, 72, 40_415];

/// What there is.
pub(super) struct There {
    pub contents: Contents,
    /// Another one after the collection was dropped and made anew.
    pub uuid: Option<Vec<u8>>,
    /// The default collation, as `locale: "en", strength: 2`; `None` for simple.
    pub collation: Option<String>,
    /// Rules that a write must meet.
    pub validator: Option<Document>,
    pub indexes: Vec<Found>,
}

/// An index that is there, or will be.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the server's own")]
pub(super) struct Found {
    pub name: String,
    pub keys: Document,
    pub is_unique: bool,
    pub is_sparse: bool,
    pub is_partial: bool,
    /// `None` for simple.
    pub collation: Option<String>,
    pub expire_after: Option<Duration>,
    /// It refuses duplicates and expires documents, but no statement finds a document by it.
    pub is_hidden: bool,
    /// `listIndexes` names it like one that is ready, but a build takes duplicates until its end,
    /// and fails on them then.
    pub is_building: bool,
}

impl MongoStore {
    pub(super) async fn look(&self, name: &str) -> mongodb::error::Result<There> {
        let of_it = doc! { "listCollections": 1, "filter": { "name": name } };
        let found: Vec<Document> =
            self.database().run_cursor_command(of_it).await?.try_collect().await?;
        let mut there = found.first().map_or_else(absent, of_collection);
        if there.contents == Contents::Filled {
            // A count from metadata can be wrong after a crash; a look is not.
            let documents = self.database().collection::<Document>(name);
            let any = documents.find_one(doc! {}).projection(doc! { "_id": 1 }).await?;
            if any.is_none() {
                there.contents = Contents::Empty;
            }
            match self.list(name).await {
                Ok(indexes) => there.indexes = indexes,
                Err(error) if code(&error) == Some(NAMESPACE_NOT_FOUND) => there = absent(),
                Err(error) => return Err(error),
            }
        }
        Ok(there)
    }

    /// MongoDB says which indexes are being built where it is asked with `includeBuildUUIDs`: its
    /// own members ask so when they copy a collection, from 4.4 to 8. It needs no right beyond
    /// `listIndexes`.
    async fn list(&self, name: &str) -> mongodb::error::Result<Vec<Found>> {
        let with_builds = doc! { "listIndexes": name, "includeBuildUUIDs": true };
        match self.listed(with_builds).await {
            Err(error) if code(&error).is_some_and(|code| UNKNOWN_FIELD.contains(&code)) => {
                let mut indexes = self.listed(doc! { "listIndexes": name }).await?;
                let building =
                    building(&self.database().run_command(doc! { "collStats": name }).await?);
                for index in &mut indexes {
                    index.is_building = building.contains(&index.name);
                }
                Ok(indexes)
            }
            listed => listed,
        }
    }

    async fn listed(&self, command: Document) -> mongodb::error::Result<Vec<Found>> {
        let listed: Vec<Document> =
            self.database().run_cursor_command(command).await?.try_collect().await?;
        Ok(listed.iter().map(found).collect())
    }
}

fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

fn absent() -> There {
    There {
        contents: Contents::Missing,
        uuid: None,
        collation: None,
        validator: None,
        indexes: Vec::new(),
    }
}

/// An entry of `listCollections`.
fn of_collection(entry: &Document) -> There {
    let options = entry.get_document("options").ok();
    let is_capped = options.is_some_and(|options| options.get_bool("capped").unwrap_or(false));
    let contents = match entry.get_str("type") {
        Ok("timeseries") => Contents::TimeSeries,
        Ok("view") => Contents::View,
        _ if is_capped => Contents::Capped,
        _ => Contents::Filled,
    };
    let uuid = entry.get_document("info").ok().and_then(|info| match info.get("uuid") {
        Some(Bson::Binary(uuid)) if uuid.subtype == BinarySubtype::Uuid => Some(uuid.bytes.clone()),
        _ => None,
    });
    // What is only noted in the server's log refuses nothing.
    let says = |options: &Document, name: &str, value: &str| {
        options.get_str(name).is_ok_and(|said| said == value)
    };
    let refuses = |options: &&Document| {
        !says(options, "validationAction", "warn") && !says(options, "validationLevel", "off")
    };
    let validator =
        options.filter(refuses).and_then(|options| options.get_document("validator").ok()).cloned();
    There { contents, uuid, collation: options.and_then(collation), validator, indexes: Vec::new() }
}

/// An entry of `listIndexes`: the index, or its build with the index in it.
fn found(entry: &Document) -> Found {
    let spec = entry.get_document("spec").unwrap_or(entry);
    let is = |name: &str| {
        matches!(spec.get(name), Some(Bson::Boolean(true) | Bson::Int32(1) | Bson::Int64(1)))
    };
    Found {
        name: spec.get_str("name").unwrap_or_default().to_owned(),
        keys: spec.get_document("key").cloned().unwrap_or_default(),
        is_unique: is("unique"),
        is_sparse: is("sparse"),
        is_partial: spec.contains_key("partialFilterExpression"),
        collation: collation(spec),
        expire_after: seconds(spec.get("expireAfterSeconds")),
        is_hidden: is("hidden"),
        is_building: entry.contains_key("buildUUID") || entry.contains_key("indexBuildInfo"),
    }
}

/// Seconds as any client may have written them.
fn seconds(value: Option<&Bson>) -> Option<Duration> {
    match value? {
        Bson::Int32(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
        Bson::Int64(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
        Bson::Double(seconds) => Duration::try_from_secs_f64(seconds.floor()).ok(),
        _ => None,
    }
}

/// By what it is not simple: where it stands, and what it folds.
fn collation(of: &Document) -> Option<String> {
    let collation = of.get_document("collation").ok()?;
    let locale = collation.get_str("locale").unwrap_or_default();
    let shown =
        ["strength", "numericOrdering", "caseLevel", "alternate"].iter().filter_map(|name| {
            match collation.get(name) {
                Some(Bson::Boolean(false)) | None => None,
                Some(Bson::String(text)) if text == "non-ignorable" => None,
                Some(value) => Some(format!(", {name}: {value}")),
            }
        });
    (locale != "simple").then(|| format!("locale: {locale:?}{}", shown.collect::<String>()))
}

/// The names of indexes that are being built, by `collStats`.
fn building(stats: &Document) -> Vec<String> {
    let builds = stats.get_array("indexBuilds").map(Vec::as_slice).unwrap_or_default();
    builds.iter().filter_map(Bson::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_told_from_an_index_in_each_way_that_servers_say_it() {
        let spec =
            doc! { "key": { "k": 1 }, "name": "k_1", "unique": true, "expireAfterSeconds": 60.5 };
        let uuid = bson::Binary { subtype: BinarySubtype::Uuid, bytes: vec![7; 16] };
        let entries = [
            (spec.clone(), false),
            (doc! { "buildUUID": uuid.clone(), "spec": spec.clone() }, true),
            (doc! { "indexBuildInfo": { "buildUUID": uuid }, "spec": spec.clone() }, true),
            (doc! { "spec": spec }, false),
        ];
        for (entry, is_building) in entries {
            let found = found(&entry);
            assert_eq!(
                (found.name.as_str(), found.is_unique, found.is_building),
                ("k_1", true, is_building),
                "{entry}"
            );
            assert_eq!(
                (found.keys, found.expire_after),
                (doc! { "k": 1 }, Some(Duration::from_mins(1)))
            );
        }
        assert_eq!(building(&doc! { "indexBuilds": ["k_1"], "nindexes": 2 }), ["k_1"]);
    }

    #[test]
    fn only_what_is_not_simple_is_a_collation() {
        let of = |value: Document| collation(&doc! { "collation": value });
        assert_eq!((of(doc! { "locale": "simple" }), collation(&doc! {})), (None, None));
        let folding = doc! { "locale": "en", "strength": 2, "numericOrdering": true, "caseLevel": false, "alternate": "non-ignorable" };
        assert_eq!(
            of(folding).as_deref(),
            Some("locale: \"en\", strength: 2, numericOrdering: true")
        );
    }

    #[test]
    fn a_validator_that_refuses_nothing_does_not_count() {
        let of = |options: Document| {
            of_collection(&doc! { "name": "things", "type": "collection", "options": options })
                .validator
        };
        let rule = doc! { "a": 1 };
        assert_eq!(of(doc! { "validator": rule.clone() }), Some(rule.clone()));
        assert_eq!(of(doc! { "validator": rule.clone(), "validationAction": "warn" }), None);
        assert_eq!(of(doc! { "validator": rule, "validationLevel": "off" }), None);
    }
}
