//! The times of a route, with the unit of numbers where it is declared: `times = ["seen", { born =
//! "ms" }]`, or as a table of units.

use std::collections::BTreeMap;

use serde_json::Value;

use super::key_path::KeyPath;
use super::kinds::{self, Choice, Kind, Texts};
use super::reader::Reader;
use super::{literal, names, schema_values};
use crate::time::Unit;

/// Fields in their order, and the units of those that have one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub names: Vec<String>,
    pub units: BTreeMap<String, Unit>,
}

/// Reads the list at `key`, and what a table there adds to it: a table becomes its keys before
/// anybody looks at it.
pub(crate) fn read(reader: &mut Reader, key: &KeyPath) -> Times {
    let mut times = reader.given(key, &List).unwrap_or_default();
    for path in reader.keys_below(key) {
        let Some(unit) = reader.given(&path, &UNIT) else { continue };
        let name = path.last().to_owned();
        if !(names::FIELD.accepts)(&name) {
            reader.error_at(path, format!("must be {}", names::FIELD.expected));
            continue;
        }
        times.units.insert(name.clone(), unit_named(unit));
        if !times.names.contains(&name) {
            times.names.push(name);
        }
    }
    times
}

/// As the configuration writes them, on one line.
pub(crate) fn show(names: &[String], units: &BTreeMap<String, Unit>) -> String {
    let one = |name: &String| match units.get(name) {
        None => literal::text(name),
        Some(unit) => {
            format!("{{ {} = {} }}", literal::text(name), literal::text(word(*unit)))
        }
    };
    format!("[{}]", names.iter().map(one).collect::<Vec<_>>().join(", "))
}

const UNIT: Choice = Choice(&["s", "ms"]);

fn unit_named(word: &str) -> Unit {
    if word == "s" { Unit::Seconds } else { Unit::Millis }
}

fn word(unit: Unit) -> &'static str {
    if unit == Unit::Seconds { "s" } else { "ms" }
}

/// A list of names and of tables with one unit each.
struct List;

impl List {
    const NAMES: Texts = names::FIELDS;
}

impl Kind for List {
    type Value = Times;

    fn expected(&self) -> String {
        format!(
            "{}; or a table of it and its unit, {{ born = \"ms\" }} or {{ born = \"s\" }}",
            Self::NAMES.expected()
        )
    }

    fn read(&self, raw: &Value) -> Option<Times> {
        let parsed;
        let items = match raw {
            Value::Array(items) => items,
            Value::String(text) if text.trim_start().starts_with('[') => {
                parsed = serde_json::from_str::<Vec<Value>>(text).ok()?;
                &parsed
            }
            raw => {
                parsed = kinds::list_of_texts(raw)?.into_iter().map(Value::from).collect();
                &parsed
            }
        };
        if items.len() > Self::NAMES.max {
            return None;
        }
        let mut times = Times::default();
        for item in items {
            match item {
                Value::String(name) => times.names.push(name.clone()),
                Value::Object(table) => {
                    for (name, unit) in table {
                        times.names.push(name.clone());
                        times.units.insert(name.clone(), unit_named(UNIT.read(unit)?));
                    }
                }
                _ => return None,
            }
        }
        let names: Vec<Value> = times.names.iter().map(|name| name.as_str().into()).collect();
        Self::NAMES.read(&Value::from(names)).map(|_| times)
    }

    fn show(&self, value: &Times) -> String {
        show(&value.names, &value.units)
    }

    fn schema(&self) -> Value {
        schema_values::times(UNIT.0, Self::NAMES.max)
    }
}
