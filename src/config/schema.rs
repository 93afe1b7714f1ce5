//! The configuration file as JSON Schema, for editors. It is made of what the code asks for, so there
//! is no second list of keys: each kind of value says what it takes, and what a key means and its
//! default are those of `config/longshore.toml`.

mod descriptions;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::layers::Layers;
use super::provenance::Setting;
use super::reader::{Findings, Reader};
use super::{load, routes, sections, toml_file};
use descriptions::Descriptions;

/// The dialect of all schemas here.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The document.
#[must_use]
pub fn document() -> Value {
    let Findings { schemas, effective, .. } = asked();
    let descriptions = Descriptions::of_the_documented_file();
    let mut root = Table::default();
    let mut of_routes = Routes::default();
    for (path, mut schema) in schemas {
        let name = path.to_string();
        let default = effective.iter().find(|setting| setting.key == name).and_then(default);
        match path.parts() {
            [section, route, key @ ..] if section == "routes" => {
                describe(&mut schema, descriptions.of_route(&key[0]));
                of_routes.add(route, key, schema, default);
            }
            parts => {
                describe(&mut schema, descriptions.of(&name));
                set(&mut schema, "default", default);
                root.add(parts, schema);
            }
        }
    }
    let mut document = root.schema(&descriptions, "");
    in_any_case(&mut document["properties"]["db"]["properties"]["connection_options"]);
    document["properties"]["routes"] = of_routes.schema(&descriptions);
    document["$schema"] = DIALECT.into();
    document["title"] = "longshore.toml".into();
    document
}

/// The names of a connection string's options are taken in any case; those that are offered are the manual's.
fn in_any_case(table: &mut Value) {
    let Some(properties) = table["properties"].as_object() else { return };
    let either = |letter: char| match (letter.to_ascii_lowercase(), letter.to_ascii_uppercase()) {
        (lower, upper) if lower != upper => format!("[{lower}{upper}]"),
        _ => letter.to_string(),
    };
    let patterns: Map<_, _> = properties
        .iter()
        .map(|(name, schema)| {
            (format!("^{}$", name.chars().map(either).collect::<String>()), schema.clone())
        })
        .collect();
    table["patternProperties"] = patterns.into();
}

/// All that is asked for where nothing is configured. The built-in routes are of each kind of write.
fn asked() -> Findings {
    let mut layers = Layers::default();
    load::set_defaults(&mut layers);
    let mut reader = Reader::new(layers, Vec::new());
    reader.keep_schemas();
    let config = sections::read(&mut reader);
    routes::read(&mut reader, &config.db.write_concern);
    reader.finish()
}

/// The value in force as the file would write it; none where it is unset.
fn default(setting: &Setting) -> Option<Value> {
    if setting.value == Setting::UNSET {
        return None;
    }
    let lines = toml_file::parse(&format!("value = {}", setting.value)).ok()?;
    lines.into_iter().next().map(|(_, value, _)| value)
}

fn describe(schema: &mut Value, description: Option<&str>) {
    set(schema, "description", description.map(Value::from));
}

fn set(schema: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        schema[name] = value;
    }
}

/// A table of the file: an unknown key in it is an error.
#[derive(Default)]
struct Table {
    keys: Map<String, Value>,
    tables: BTreeMap<String, Table>,
}

impl Table {
    fn add(&mut self, path: &[String], schema: Value) {
        match path {
            [] => {}
            [key] => {
                self.keys.insert(key.clone(), schema);
            }
            [table, rest @ ..] => {
                self.tables.entry(table.clone()).or_default().add(rest, schema);
            }
        }
    }

    fn schema(self, descriptions: &Descriptions, path: &str) -> Value {
        let mut properties = self.keys;
        for (name, table) in self.tables {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let schema = table.schema(descriptions, &path);
            properties.insert(name, schema);
        }
        let mut schema =
            json!({ "type": "object", "properties": properties, "additionalProperties": false });
        describe(&mut schema, descriptions.of(path));
        schema
    }
}

/// The tables `[routes.NAME]`: one for each built-in route, with its defaults, and one for all others.
#[derive(Default)]
struct Routes {
    built_in: BTreeMap<String, Table>,
    others: Table,
    /// The keys that each kind of write has.
    kinds: BTreeMap<String, Vec<String>>,
    writes: BTreeMap<String, String>,
}

impl Routes {
    fn add(&mut self, route: &str, key: &[String], mut schema: Value, default: Option<Value>) {
        self.others.add(key, schema.clone());
        if key == ["write"]
            && let Some(write) = default.as_ref().and_then(Value::as_str)
        {
            self.writes.insert(route.to_owned(), write.to_owned());
        }
        let keys = self.kinds.entry(route.to_owned()).or_default();
        if !keys.contains(&key[0]) {
            keys.push(key[0].clone());
        }
        set(&mut schema, "default", default);
        self.built_in.entry(route.to_owned()).or_default().add(key, schema);
    }

    fn schema(self, descriptions: &Descriptions) -> Value {
        let Self { built_in, others, kinds, writes } = self;
        let rules: Vec<Value> = kinds
            .iter()
            .filter_map(|(route, keys)| {
                let write = writes.get(route)?;
                let is_this =
                    json!({ "required": ["write"], "properties": { "write": { "const": write } } });
                // One by one, so that an editor marks the key and not the table.
                let others = kinds.values().flatten().filter(|key| !keys.contains(key));
                let none: Map<_, _> = others.map(|key| (key.clone(), false.into())).collect();
                Some(json!({ "if": is_this, "then": { "properties": none } }))
            })
            .collect();
        let other = others.schema(descriptions, "routes");
        let mut properties = Map::new();
        for (name, table) in built_in {
            let own = table.schema(descriptions, &format!("routes.{name}"));
            // Its kind of write may be changed, and with it the keys that it has.
            let mut all = other.clone();
            if let (Some(all), Value::Object(own)) =
                (all["properties"].as_object_mut(), own["properties"].clone())
            {
                all.extend(own);
            }
            describe(&mut all, descriptions.of(&format!("routes.{name}")));
            all["allOf"] = rules.clone().into();
            properties.insert(name, all);
        }
        let mut other = other;
        other["allOf"] = rules.into();
        let names = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
        json!({ "type": "object", "properties": properties, "propertyNames": names, "additionalProperties": other })
    }
}
