//! The configuration file: what loads is valid, and what is valid loads, but for the texts of which a
//! schema knows no rule, and for what several keys must agree in.

use std::fs;

use jsonschema::Validator;
use longshore::config::load::{Sources, load};
use longshore::config::schema::document;
use serde_json::Value;

use super::validator;

const DOCUMENTED: &str = include_str!("../../../config/longshore.toml");

/// As TOML writes them.
const VALUES: &[&str] = &[
    "-1",
    "0",
    "1",
    "2",
    "5",
    "10",
    "16",
    "17",
    "20",
    "21",
    "64",
    "65",
    "100",
    "1000",
    "10000",
    "10001",
    "100000",
    "65536",
    "\"0\"",
    "\"5\"",
    "\"007\"",
    "\" 20 \"",
    "\"64\"",
    "\"65\"",
    "\"0s\"",
    "\"1500ms\"",
    "\"5000ms\"",
    "\"10ms\"",
    "\"5s\"",
    "\"20s\"",
    "\"21s\"",
    "\"1m\"",
    "\"5m\"",
    "\"11h\"",
    "\"12h\"",
    "\"30d\"",
    "\"3650d\"",
    "\"3651d\"",
    "\"5 s\"",
    "\"5x\"",
    "\"1KiB\"",
    "\"64KiB\"",
    "\"15MiB\"",
    "\"16MiB\"",
    "\"17MiB\"",
    "\"1GiB\"",
    "\"5GiB\"",
    "\"1.5\"",
    "1.1",
    "1.5",
    "10.5",
    "true",
    "false",
    "\"True\"",
    "\"yes\"",
    "\"\"",
    "\"lean\"",
    "\" sdk \"",
    "\"auto\"",
    "\"majority\"",
    "\"w1\"",
    "\"50\"",
    "\"51\"",
    "[]",
    "[\"a\"]",
    "[\"a\", \"a\"]",
    "\"a,b\"",
    "[1]",
    "[\"sns\"]",
    "{ a = \"ms\" }",
    "{ a = \"m\" }",
    "[\"seen\", { born = \"ms\" }]",
    "[{ keys = [\"a\"] }]",
    "[{ keys = [] }]",
    "[{ keys = [\"a\"], unique = 1 }]",
    "[{ key = \"a\" }]",
    "[{ keys = [\"a\"], expire_after = \"30d\" }]",
    "\"insert\"",
    "\"set\"",
    "\"off\"",
];

fn json(toml: &str) -> Value {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"))
}

/// The errors of a file that are of `key` itself.
fn errors(toml: &str, key: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.toml");
    fs::write(&file, toml).expect("written");
    match load(Sources { file: Some(file), ..Sources::default() }) {
        Ok(_) => Vec::new(),
        Err(errors) => {
            let below = format!("{key}.");
            let own = errors
                .0
                .into_iter()
                .filter(|error| error.key == key || error.key.starts_with(&below));
            own.map(|error| error.to_string()).collect()
        }
    }
}

/// The keys of the document, each with its schema.
fn keys(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, below) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if below.get("properties").is_some() {
            keys(below, &path, found);
        } else {
            found.push((path, below.clone()));
        }
    }
}

/// Whether the schema knows of a text nothing but that it is one: names, addresses, filters, lists of
/// them, a factor and the options of a connection.
fn is_loose(schema: &Value) -> bool {
    let is_text = |schema: &Value| schema["type"] == "string" && schema.get("pattern").is_none();
    let forms = schema["anyOf"].as_array();
    is_text(schema)
        || schema["type"].is_array()
        || forms.is_some_and(|forms| forms.iter().any(is_text))
}

fn check(schema: &Validator, key: &str, own: &Value, value: &str) -> Option<String> {
    let toml = format!("{key} = {value}");
    let (errors, is_valid) = (errors(&toml, key), schema.is_valid(&json(&toml)));
    let is_of_the_value = errors
        .iter()
        .any(|error| error.contains(": must be ") && !error.contains("one of the routes"));
    match (errors.is_empty(), is_valid) {
        (true, false) => Some(format!("loads, and is not valid: {toml}")),
        (false, true) if is_of_the_value && !is_loose(own) && key != "retry.multiplier" => {
            Some(format!("valid, and does not load: {toml}: {errors:?}"))
        }
        _ => None,
    }
}

#[test]
fn what_a_key_takes_is_what_its_schema_says() {
    let whole = document();
    let schema = validator(&whole);
    let mut all = Vec::new();
    keys(&whole, "", &mut all);
    assert!(all.len() > 80, "{} keys", all.len());
    let complaints: Vec<String> = all
        .iter()
        .flat_map(|(key, own)| VALUES.iter().filter_map(|value| check(&schema, key, own, value)))
        .collect();
    assert!(complaints.is_empty(), "{} differences\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn the_documented_file_is_valid_with_its_defaults_and_its_examples() {
    let schema = validator(&document());
    for with_examples in [false, true] {
        let lines = DOCUMENTED.lines().map(|line| match line.strip_prefix("# Example: ") {
            Some(example) if with_examples => example,
            _ => line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line),
        });
        let toml = lines.collect::<Vec<_>>().join("\n");
        let value = json(&toml);
        let errors: Vec<_> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn a_slip_of_the_pen_is_not_valid() {
    let schema = validator(&document());
    for toml in [
        "queue.wiat = 5",
        "qeue.wait = 5",
        "routes.order.colection = \"a\"",
        "routes.order = { write = \"insert\", key = \"a\" }",
        "routes.event = { write = \"insert\", partial = true }",
        "db.connection_options.maxPolSize = 5",
        "message.envelopes = [\"SNS\"]",
        "routes.\"\" = { collection = \"a\" }",
    ] {
        assert!(!schema.is_valid(&json(toml)), "{toml}");
    }
    for toml in [
        "routes.order = { collection = \"a\", write = \"set\", key = \"a\" }",
        "db.connection_options.MAXPOOLSIZE = 5",
    ] {
        assert!(schema.is_valid(&json(toml)), "{toml}");
    }
}

#[test]
fn every_key_is_described_and_a_default_is_valid() {
    let mut all = Vec::new();
    keys(&document(), "", &mut all);
    for (key, own) in all {
        let is_option = key.starts_with("db.connection_options.");
        assert!(is_option || own.get("description").is_some(), "{key}");
        if let Some(default) = own.get("default") {
            assert!(validator(&own).is_valid(default), "{key}: {default}");
        }
    }
}
