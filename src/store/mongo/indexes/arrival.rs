//! What of a collection makes the order of arrival matter after all, or messages be rejected that
//! are in order. Nothing here keeps a worker from running: it is said so that nobody is surprised.

use std::collections::BTreeSet;

use bson::{Bson, Document};

use super::comparison::guards;
use super::listing::{Found, There};
use super::shell::shell;
use crate::store::Collection;

const BECAUSE: &str = "so the order of arrival matters";

/// A note for each, with what follows and what to do.
pub(super) fn notes(collection: &Collection, there: &There) -> Vec<String> {
    let name = &collection.name;
    let Some(key) = collection.kind.key() else {
        return of_inserts(collection, there);
    };
    let mut notes: Vec<String> =
        there.indexes.iter().filter_map(|index| of_index(name, key, index)).collect();
    let fields = there.validator.as_ref().map(fields).unwrap_or_default();
    if fields.len() > 1 {
        let fields = fields.into_iter().collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "{name} has a validator over several fields ({fields}): what it refuses depends on what is stored when a message comes, {BECAUSE}; \
             what it refuses becomes a dead letter (store_rejected). Let it look at one field at a time, or at what each message carries whole"
        ));
    }
    notes
}

/// Of a collection that is only inserted into. A message carries its document whole, so what a
/// validator refuses does not depend on what came before.
fn of_inserts(collection: &Collection, there: &There) -> Vec<String> {
    let name = &collection.name;
    let mut notes = Vec::new();
    if let Some(collation) = &there.collation {
        notes.push(format!(
            "{name} has a default collation ({collation}): of two documents whose _id it takes for equal, as texts that differ in case, \
             only the first is kept; give ids that differ in more, or move it to a collection without a collation"
        ));
    }
    // Every document has another `_id`, so an index that has it refuses none for the rest.
    let others =
        there.indexes.iter().filter(|index| index.is_unique && !index.keys.contains_key("_id"));
    notes.extend(others.map(|index| {
        format!(
            "{name} has a unique index beside that on _id, {}: of two documents with one value the first to come is kept, and the other \
             becomes a dead letter (store_rejected), {BECAUSE}. Unless producers never give one value twice: {}",
            index.name,
            shell(name, &format!("dropIndex({:?})", index.name))
        )
    }));
    notes
}

/// Of a unique index that can refuse what the one on the key lets in.
fn of_index(name: &str, key: &str, index: &Found) -> Option<String> {
    let drop = shell(name, &format!("dropIndex({:?})", index.name));
    let has_key = index.keys.contains_key(key);
    match &index.collation {
        _ if !index.is_unique || guards(key, index) => None,
        // Every collection has it, and a clustered one says that it is unique.
        _ if index.keys.len() == 1 && index.keys.contains_key("_id") && key != "_id" => None,
        // Two documents that differ in the key differ in this index too.
        None if has_key => None,
        Some(collation) if has_key => Some(format!(
            "{name} has the unique index {} with a collation ({collation}): it refuses a key that it takes for equal to another, as one that \
             differs in case, and that message becomes a dead letter (store_rejected). Once the unique index on {key} without a collation is \
             there: {drop}",
            index.name
        )),
        _ => Some(format!(
            "{name} has a second unique index, {}: of two keys with one value the first to come gets it, and the other becomes a dead letter \
             (store_rejected), {BECAUSE}. Unless producers never give one value to two keys: {drop}",
            index.name
        )),
    }
}

/// The top-level fields that a validator mentions.
fn fields(validator: &Document) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    mentioned(validator, &mut fields);
    fields
}

fn mentioned(rule: &Document, fields: &mut BTreeSet<String>) {
    for (name, value) in rule {
        match (name.as_str(), value) {
            ("$jsonSchema", Bson::Document(schema)) => of_schema(schema, fields),
            ("$expr", expression) => of_expression(expression, fields),
            ("$and" | "$or" | "$nor", Bson::Array(rules)) => {
                rules.iter().filter_map(Bson::as_document).for_each(|rule| mentioned(rule, fields));
            }
            (operator, _) if operator.starts_with('$') => {}
            (field, _) => top(field, fields),
        }
    }
}

fn of_schema(schema: &Document, fields: &mut BTreeSet<String>) {
    let required = schema.get_array("required").map(Vec::as_slice).unwrap_or_default();
    required.iter().filter_map(Bson::as_str).for_each(|field| top(field, fields));
    for with_fields in ["properties", "dependencies"] {
        schema
            .get_document(with_fields)
            .iter()
            .flat_map(|properties| properties.keys())
            .for_each(|field| top(field, fields));
    }
    for several in ["allOf", "anyOf", "oneOf"] {
        let schemas = schema.get_array(several).map(Vec::as_slice).unwrap_or_default();
        schemas.iter().filter_map(Bson::as_document).for_each(|schema| of_schema(schema, fields));
    }
    if let Ok(schema) = schema.get_document("not") {
        of_schema(schema, fields);
    }
}

fn of_expression(expression: &Bson, fields: &mut BTreeSet<String>) {
    match expression {
        Bson::String(path) => {
            if let Some(path) = path
                .strip_prefix("$$ROOT.")
                .or_else(|| path.strip_prefix('$').filter(|path| !path.starts_with('$')))
            {
                top(path, fields);
            }
        }
        Bson::Array(list) => list.iter().for_each(|item| of_expression(item, fields)),
        Bson::Document(document) => {
            document.values().for_each(|value| of_expression(value, fields));
        }
        _ => {}
    }
}

/// Every document has an `_id`, and nothing changes it.
fn top(path: &str, fields: &mut BTreeSet<String>) {
    let field = path.split('.').next().unwrap_or_default();
    if !field.is_empty() && field != "_id" {
        fields.insert(field.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn the_fields_of_a_validator_are_those_that_it_mentions_anywhere() {
        let of = |validator: Document| fields(&validator).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(of(doc! { "a.b": { "$gt": 1 }, "_id": { "$type": "string" } }), "a");
        assert_eq!(
            of(doc! { "$or": [{ "a": 1 }, { "$and": [{ "b": 1 }, { "c.d": 1 }] }] }),
            "a b c"
        );
        assert_eq!(
            of(doc! { "$expr": { "$lt": ["$start", { "$add": ["$$ROOT.end.at", 1, "$$NOW"] }] } }),
            "end start"
        );
        let schema = doc! { "required": ["a"], "properties": { "b": { "properties": { "x": {} } } }, "anyOf": [{ "required": ["c"] }], "not": { "required": ["d"] } };
        assert_eq!(of(doc! { "$jsonSchema": schema }), "a b c d");
    }

    #[test]
    fn a_unique_index_is_noted_where_it_refuses_what_the_key_s_lets_in() {
        let index = |keys: Document, collation: Option<&str>| Found {
            name: "other".to_owned(),
            keys,
            is_unique: true,
            collation: collation.map(str::to_owned),
            ..Found::default()
        };
        let is_noted = |index: &Found| of_index("things", "k", index).is_some();
        assert!(
            is_noted(&index(doc! { "email": 1 }, None))
                && is_noted(&index(doc! { "k": 1 }, Some("en")))
        );
        assert!(
            !is_noted(&index(doc! { "k": 1 }, None))
                && !is_noted(&index(doc! { "k": 1, "email": 1 }, None))
        );
        assert!(!is_noted(&Found { is_unique: false, ..index(doc! { "email": 1 }, None) }));
        assert!(
            !is_noted(&Found { is_sparse: true, ..index(doc! { "k": 1 }, None) }),
            "it refuses less than the one on the key"
        );
    }
}
