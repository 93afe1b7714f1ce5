//! The messages of one route.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{reference, times};
use crate::route::Route;
use crate::store::{Extent, WriteKind};

/// No value is valid.
const NOTHING: Value = Value::Bool(false);

/// The schema without its dialect and the definitions that it refers to.
pub(super) fn schema(route: &Route, types: &[String]) -> Value {
    let mut fields = Fields::default();
    match &route.kind {
        WriteKind::Keyed(keyed) => {
            fields.must(&keyed.key, reference::to("key"));
            fields.describe(&keyed.key, "The key: it names the document.");
            let version = json!({ "anyOf": [times::version(), { "type": "null" }] });
            fields.must(&keyed.version_field, version);
            let says = "The time by which this is newer than what is stored; that of sending where it is absent.";
            fields.describe(&keyed.version_field, says);
        }
        WriteKind::Insert | WriteKind::Letter => {
            fields.must("id", reference::to("key"));
            fields.describe("id", "Names the document: sent again under it, it is stored once.");
        }
    }
    let version_field = route.kind.version_field();
    for name in route.times.iter().filter(|name| version_field != Some(name.as_str())) {
        let time = times::of(route.unit(name));
        fields.must(name, json!({ "anyOf": [time, { "type": "null" }] }));
    }
    let key = route.kind.key();
    for path in &route.indexed {
        let is_settled = key == Some(path.as_str()) || route.times.contains(path);
        if !is_settled {
            let (name, below) =
                path.split_once('.').map_or((&**path, None), |(name, rest)| (name, Some(rest)));
            fields.must(name, indexed(below));
        }
    }
    for name in route.required.iter().filter(|name| key != Some(name.as_str())) {
        fields.must(name, json!({ "not": { "type": "null" } }));
    }
    for name in &route.fields {
        fields.must(name, reference::to("value"));
    }
    let mut required = vec!["type".to_owned()];
    required.extend(route.required.iter().cloned());
    required.extend(
        key.filter(|key| !route.required.iter().any(|name| name == key)).map(str::to_owned),
    );
    let mut properties = fields.properties();
    let named = if types.is_empty() { NOTHING } else { json!({ "enum": types }) };
    properties.insert("type".to_owned(), named);
    if key != Some("_id") {
        properties.insert("_id".to_owned(), NOTHING);
    }
    let mut schema = json!({
        "title": route.name,
        "description": format!("A message of the route {}, for the collection {}.", route.name, route.collection),
        "type": "object",
        "required": required,
        "properties": properties,
    });
    others(route, &mut schema);
    schema
}

/// What else a message may have.
fn others(route: &Route, schema: &mut Value) {
    let extent = route.kind.keyed().map(|keyed| keyed.extent);
    match extent {
        Some(Extent::Set | Extent::Partial) => schema["additionalProperties"] = NOTHING,
        Some(Extent::Replace) => {
            schema["propertyNames"] =
                json!({ "type": "string", "pattern": r"^[^$.\u0000][^.\u0000]*$" });
            schema["properties"]["_ingest"] = NOTHING;
            schema["additionalProperties"] = reference::to("value");
        }
        None => {
            schema["propertyNames"] = reference::to("name");
            schema["properties"]["_ingest"] = NOTHING;
            schema["patternProperties"] = json!({ r"^_ingest\.": false });
            schema["additionalProperties"] = reference::to("value");
        }
    }
}

/// What a value must be of which this path is in an index: one value there, and no array on the way.
fn indexed(path: Option<&str>) -> Value {
    let Some(path) = path else { return reference::to("indexed") };
    let (name, below) =
        path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let mut properties = Map::new();
    properties.insert(name.to_owned(), indexed(below));
    json!({ "not": { "type": "array" }, "properties": properties })
}

/// What is asked of each field.
#[derive(Default)]
struct Fields {
    asked: BTreeMap<String, Vec<Value>>,
    descriptions: BTreeMap<String, &'static str>,
}

impl Fields {
    fn must(&mut self, name: &str, schema: Value) {
        let asked = self.asked.entry(name.to_owned()).or_default();
        if !asked.contains(&schema) {
            asked.push(schema);
        }
    }

    fn describe(&mut self, name: &str, description: &'static str) {
        self.descriptions.insert(name.to_owned(), description);
    }

    fn properties(self) -> Map<String, Value> {
        let value = reference::to("value");
        let mut properties = Map::new();
        for (name, mut asked) in self.asked {
            // What says more than that some value is needed says that it is a value, but for paths.
            let says_what = |schema: &Value| {
                *schema != value && (schema.get("$ref").is_some() || schema.get("anyOf").is_some())
            };
            if asked.iter().any(says_what) {
                asked.retain(|schema| *schema != value);
            } else if !asked.contains(&value) {
                asked.insert(0, value.clone());
            }
            let mut schema = match asked.len() {
                1 => asked.remove(0),
                _ => json!({ "allOf": asked }),
            };
            if let Some(description) = self.descriptions.get(name.as_str()) {
                schema["description"] = (*description).into();
            }
            properties.insert(name, schema);
        }
        properties
    }
}
