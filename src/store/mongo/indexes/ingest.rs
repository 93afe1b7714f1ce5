//! Whether a collection's validator lets documents have `_ingest`, where their versions are kept. One
//! that does not would make a dead letter of every message.

use bson::{Bson, Document};

use super::listing::There;
use crate::store::{Collection, WriteKind};

/// The field of a document that is the worker's own.
const INGEST: &str = "_ingest";

/// Why no document could be written, and what to do. Of inserts only those whose producer gives them
/// an id have the field: see [`note`].
pub(super) fn refusal(collection: &Collection, there: &There) -> Option<String> {
    let why = collection.kind.keyed().is_some().then(|| forbidden(collection, there))??;
    Some(format!(
        "{} has a validator that lets no document have {INGEST} ({why}), where Longshore keeps its version, so every message would become a \
         dead letter: {CURE}",
        collection.name
    ))
}

/// The same of a collection that is only inserted into.
pub(super) fn note(collection: &Collection, there: &There) -> Option<String> {
    let why = (collection.kind == WriteKind::Insert).then(|| forbidden(collection, there))??;
    Some(format!(
        "{} has a validator that lets no document have {INGEST} ({why}), where Longshore keeps a hash of what came under an id of its \
         producer's, so such messages become dead letters (store_rejected): {CURE}",
        collection.name
    ))
}

const CURE: &str = "add _ingest: {bsonType: \"object\"} to its properties, and one to maxProperties where it has that";

fn forbidden(collection: &Collection, there: &There) -> Option<String> {
    let validator = there.validator.as_ref()?;
    schemas(validator).into_iter().find_map(|schema| forbids(schema, fields_at_least(collection)))
}

/// All schemas that a document must meet: the validator's own, and those within its `$and`.
fn schemas(validator: &Document) -> Vec<&Document> {
    let own = validator.get_document("$jsonSchema").ok();
    let all = validator.get_array("$and").map(Vec::as_slice).unwrap_or_default();
    let within = all.iter().filter_map(Bson::as_document).flat_map(schemas);
    own.into_iter().chain(within).collect()
}

/// What of a schema no document with `_ingest` can meet. Names that a pattern allows count as
/// allowed.
fn forbids(schema: &Document, fields: usize) -> Option<String> {
    let own = schema.get_document("properties").ok().and_then(|all| all.get_document(INGEST).ok());
    let no_more = schema.get_bool("additionalProperties").is_ok_and(|more| !more);
    if no_more && own.is_none() && !schema.contains_key("patternProperties") {
        return Some("additionalProperties: false".to_owned());
    }
    if own.is_some_and(|own| !takes_objects(own)) {
        return Some(format!("properties.{INGEST} takes no object"));
    }
    let max = match schema.get("maxProperties") {
        Some(Bson::Int32(max)) => i64::from(*max),
        Some(Bson::Int64(max)) => *max,
        #[expect(clippy::cast_possible_truncation, reason = "a count of fields")]
        Some(Bson::Double(max)) => *max as i64,
        _ => return None,
    };
    (max < i64::try_from(fields).unwrap_or(i64::MAX)).then(|| {
        format!(
            "maxProperties: {max}, and a document has at least {fields} fields, {INGEST} among them"
        )
    })
}

fn takes_objects(schema: &Document) -> bool {
    let lists = |name: &str, word: &str| match schema.get(name) {
        Some(Bson::String(kind)) => kind == word,
        Some(Bson::Array(kinds)) => kinds.iter().any(|kind| kind.as_str() == Some(word)),
        _ => true,
    };
    lists("bsonType", "object") && lists("type", "object")
}

/// `_id`, `_ingest`, the key and the version field.
fn fields_at_least(collection: &Collection) -> usize {
    let key = collection.kind.key().filter(|key| *key != "_id");
    2 + usize::from(key.is_some()) + usize::from(collection.kind.version_field().is_some())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn of(schema: Document) -> Option<String> {
        let validator = doc! { "$and": [{ "$jsonSchema": schema }] };
        schemas(&validator).into_iter().find_map(|schema| forbids(schema, 4))
    }

    #[test]
    fn a_schema_that_no_document_with_ingest_can_meet_is_found() {
        for (schema, why) in [
            (doc! { "additionalProperties": false }, "additionalProperties: false"),
            (
                doc! { "additionalProperties": false, "properties": { "data": {} } },
                "additionalProperties: false",
            ),
            (doc! { "maxProperties": 3 }, "maxProperties: 3"),
            (doc! { "maxProperties": 3.0 }, "maxProperties: 3"),
            (doc! { "properties": { "_ingest": { "bsonType": "string" } } }, "takes no object"),
            (doc! { "properties": { "_ingest": { "type": ["string"] } } }, "takes no object"),
        ] {
            let found = of(schema.clone());
            assert!(
                found.as_ref().is_some_and(|found| found.starts_with(why) || found.ends_with(why)),
                "{schema}: {found:?}"
            );
        }
    }

    #[test]
    fn a_schema_that_leaves_room_for_ingest_is_fine() {
        let own = doc! { "properties": { "_ingest": { "bsonType": "object" } } };
        for schema in [
            doc! {},
            doc! { "additionalProperties": true },
            doc! { "additionalProperties": { "bsonType": "string" }, "properties": { "_ingest": {} } },
            doc! { "additionalProperties": false, "properties": { "_ingest": {} } },
            doc! { "additionalProperties": false, "patternProperties": { "^_": {} } },
            doc! { "maxProperties": 4 },
            own,
        ] {
            assert_eq!(of(schema.clone()), None, "{schema}");
        }
    }
}
