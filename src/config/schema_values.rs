//! Values of a configuration file as JSON Schema. A number may also be written as text, which a
//! pattern bounds.

use std::time::Duration;

use serde_json::{Value, json};

use super::{decimals, units};

const BLANKS: &str = r"\s*";

pub(super) fn any_text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn described(schema: &Value, description: &str) -> Value {
    let mut schema = schema.clone();
    schema["description"] = description.into();
    schema
}

/// A table whose names are the operator's.
pub(super) fn table_of(value: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

/// An option of a connection string.
pub(super) fn option() -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "number" }, { "type": "boolean" }] })
}

pub(super) fn list(item: &Value, max: usize) -> Value {
    let list = json!({ "type": "array", "items": item, "maxItems": max, "uniqueItems": true });
    // With commas, or JSON.
    json!({ "anyOf": [list, any_text()] })
}

pub(super) fn time(min: Duration, max: Duration, whole_seconds: bool) -> Value {
    let [min, max] = [min, max].map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let units = units::TIME_UNITS.iter().filter(|(name, _)| !whole_seconds || *name != "ms");
    let mut forms: Vec<String> =
        units.filter_map(|(name, scale)| form(min, max, *scale, name)).collect();
    forms.extend(form(min, max, 1_000, ""));
    if whole_seconds && let Some(seconds) = whole(min, max, 1_000) {
        // Milliseconds that are whole seconds.
        forms.push(format!("({seconds}000{}){BLANKS}ms", if min == 0 { "|0" } else { "" }));
    }
    numbers(min.div_ceil(1_000), max / 1_000, &forms)
}

pub(super) fn size(min: usize, max: usize) -> Value {
    let [min, max] = [min, max].map(|size| u64::try_from(size).unwrap_or(u64::MAX));
    let mut forms: Vec<String> =
        units::SIZE_UNITS.iter().filter_map(|(name, scale)| form(min, max, *scale, name)).collect();
    forms.extend(form(min, max, 1, ""));
    numbers(min, max, &forms)
}

pub(super) fn count(min: usize, max: usize) -> Value {
    let [min, max] = [min, max].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
    let number = json!({ "type": "integer", "minimum": min, "maximum": max });
    let pattern = format!("^{BLANKS}[+]?0*{}{BLANKS}$", decimals::between(min, max));
    json!({ "anyOf": [number, { "type": "string", "pattern": pattern }] })
}

pub(super) fn factor(min: f64, max: f64) -> Value {
    let number = json!({ "type": "number", "minimum": min, "maximum": max });
    let pattern = format!("^{BLANKS}{}{BLANKS}$", decimals::NUMBER);
    json!({ "anyOf": [number, { "type": "string", "pattern": pattern }] })
}

pub(super) fn switch() -> Value {
    let pattern = r"^\s*([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])\s*$";
    json!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "pattern": pattern }] })
}

pub(super) fn choice(words: &[&str]) -> Value {
    let pattern = format!(r"^\s*({})\s*$", words.join("|"));
    // The words first: editors offer them.
    json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": pattern }] })
}

pub(super) fn members(max: u8) -> Value {
    let number = json!({ "type": "integer", "minimum": 1, "maximum": max });
    let words = format!(
        r"^\s*([+]?0*{}|[A-Za-z][A-Za-z0-9_.-]{{0,127}})\s*$",
        decimals::between(1, max.into())
    );
    let not_finite = r"^\s*([Ii][Nn][Ff]([Ii][Nn][Ii][Tt][Yy])?|[Nn][Aa][Nn])\s*$";
    let words = json!({ "type": "string", "pattern": words, "not": { "pattern": not_finite } });
    json!({ "anyOf": [{ "const": "majority" }, number, words] })
}

pub(super) fn times(units: &[&str], max: usize) -> Value {
    let unit = choice(units);
    let mut table = table_of(&unit);
    let items = json!({ "anyOf": [any_text(), table.clone()] });
    table["minProperties"] = 1.into();
    let list = json!({ "type": "array", "items": items, "maxItems": max, "uniqueItems": true });
    json!({ "anyOf": [list, table, any_text()] })
}

pub(super) fn indexes(keys_max: usize, max: usize, unique: &Value, expire_after: &Value) -> Value {
    let item = any_text();
    let keys = json!({ "type": "array", "items": item, "minItems": 1, "maxItems": keys_max, "uniqueItems": true });
    let index = json!({
        "type": "object",
        "required": ["keys"],
        "properties": {
            "keys": { "anyOf": [keys, any_text()] },
            "unique": unique,
            "expire_after": expire_after,
        },
        "additionalProperties": false,
    });
    let text = json!({ "type": "string", "pattern": r"^\s*\[" });
    json!({ "anyOf": [{ "type": "array", "items": index, "maxItems": max }, text] })
}

/// A whole number by itself, or a text of one of these forms.
fn numbers(min: u64, max: u64, forms: &[String]) -> Value {
    let pattern = format!("^{BLANKS}0*({}){BLANKS}$", forms.join("|"));
    let text = json!({ "type": "string", "pattern": pattern });
    json!({ "anyOf": [{ "type": "integer", "minimum": min, "maximum": max }, text] })
}

/// Numbers of a unit that are between these bounds, if there are any.
fn form(min: u64, max: u64, scale: u64, unit: &str) -> Option<String> {
    Some(format!("{}{BLANKS}{unit}", whole(min, max, scale)?))
}

fn whole(min: u64, max: u64, scale: u64) -> Option<String> {
    let (min, max) = (min.div_ceil(scale), max / scale);
    (min <= max).then(|| decimals::between(min, max))
}
