//! What `longshore schema` prints, held against what the worker takes.

mod configuration;
mod messages;
mod samples;

use jsonschema::Validator;
use serde_json::Value;

/// The differences that people read.
const PAGE: &str = include_str!("../../docs/SCHEMA.md");

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|error| panic!("{error}"));
    jsonschema::draft202012::new(schema).unwrap_or_else(|error| panic!("{error}"))
}
