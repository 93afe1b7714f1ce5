//! The documents: one route, or all of them.
//!
//! What the worker takes is valid, without exception: a schema that refuses a good message would stop
//! a producer who has done nothing wrong. So where a rule cannot be said in JSON Schema it is left out.

use serde_json::{Map, Value, json};

use super::{extended, reference, route};
use crate::config::Config;
use crate::config::schema::DIALECT;

/// All routes that a message can name: each in `$defs` by its name, and `type` says which. None where there is none.
#[must_use]
pub fn of_all(config: &Config) -> Option<Value> {
    let helpers = extended::definitions();
    let mut definitions = Map::new();
    let (mut named, mut each) = (Vec::new(), Vec::new());
    for route in config.routes.values() {
        let types = types(config, &route.name);
        if types.is_empty() {
            continue;
        }
        // A route may be called as a helper is.
        let mut name = route.name.clone();
        while helpers.contains_key(&name) || definitions.contains_key(&name) {
            name.insert_str(0, "route ");
        }
        let is_its = json!({ "properties": { "type": { "enum": types } } });
        each.push(json!({ "if": is_its, "then": reference::to(&name) }));
        definitions.insert(name, route::schema(route, &types));
        named.extend(types);
    }
    definitions.extend(helpers);
    // Not `oneOf`: a validator would name the errors of every route, and go over the message once for each.
    let document = json!({
        "$schema": DIALECT,
        "title": "A message for Longshore",
        "type": "object",
        "required": ["type"],
        "properties": { "type": { "enum": named } },
        "allOf": each,
        "$defs": definitions,
    });
    (!named.is_empty()).then_some(document)
}

/// One route, if there is one of this name that a message can name.
#[must_use]
pub fn of_route(config: &Config, name: &str) -> Option<Value> {
    let mut document = json!({ "$schema": DIALECT });
    let (route, types) = (config.routes.get(name)?, types(config, name));
    if types.is_empty() {
        return None;
    }
    let own = route::schema(route, &types);
    if let (Value::Object(document), Value::Object(own)) = (&mut document, own) {
        document.extend(own);
        document.insert("$defs".to_owned(), extended::definitions().into());
    }
    Some(document)
}

/// All that `type` may be to name this route. A name that is mapped names what it is mapped to, even
/// where it is a route's own.
fn types(config: &Config, route: &str) -> Vec<String> {
    let mapped = &config.message.types;
    let own = (!mapped.contains_key(route)).then(|| route.to_owned());
    let others = mapped.iter().filter(|(_, to)| *to == route).map(|(name, _)| name.clone());
    own.into_iter().chain(others).collect()
}
