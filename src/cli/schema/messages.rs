//! The documents: one route, or all of them.
//!
//! What the worker takes is valid, without exception: a schema that refuses a good message would stop
//! a producer who has done nothing wrong. So where a rule cannot be said in JSON Schema it is left out.

use serde_json::{Map, Value, json};

use super::{extended, reference, route};
use crate::config::Config;
use crate::config::schema::DIALECT;
use crate::route::Route;

/// All routes: each in `$defs` by its name, and a message is of exactly one, for its `type` names it.
#[must_use]
pub fn of_all(config: &Config) -> Value {
    let helpers = extended::definitions();
    let mut definitions = Map::new();
    let mut each = Vec::new();
    for route in config.routes.values() {
        // A route may be called as a helper is.
        let mut name = route.name.clone();
        while helpers.contains_key(&name) || definitions.contains_key(&name) {
            name.insert_str(0, "route ");
        }
        each.push(reference::to(&name));
        definitions.insert(name, one(config, route));
    }
    definitions.extend(helpers);
    json!({
        "$schema": DIALECT,
        "title": "A message for Longshore",
        "oneOf": each,
        "$defs": definitions,
    })
}

/// One route, if there is one of this name.
#[must_use]
pub fn of_route(config: &Config, name: &str) -> Option<Value> {
    let mut document = json!({ "$schema": DIALECT });
    let own = one(config, config.routes.get(name)?);
    if let (Value::Object(document), Value::Object(own)) = (&mut document, own) {
        document.extend(own);
        document.insert("$defs".to_owned(), extended::definitions().into());
    }
    Some(document)
}

fn one(config: &Config, route: &Route) -> Value {
    route::schema(route, &types(config, &route.name))
}

/// All that `type` may be to name this route. A name that is mapped names what it is mapped to, even
/// where it is a route's own.
fn types(config: &Config, route: &str) -> Vec<String> {
    let mapped = &config.message.types;
    let own = (!mapped.contains_key(route)).then(|| route.to_owned());
    let others = mapped.iter().filter(|(_, to)| *to == route).map(|(name, _)| name.clone());
    own.into_iter().chain(others).collect()
}
