//! Batches of which some entries fail.

use serde_json::{Value, json};

use super::answers::failed_entry;
use super::plan::Fault;

/// Takes every other entry, from the first on, out of the request.
pub(super) fn take_every_other(request: &mut Value) -> Vec<Value> {
    let Some(entries) = request["Entries"].as_array_mut() else { return Vec::new() };
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for (place, entry) in entries.drain(..).enumerate() {
        if place % 2 == 0 { taken.push(entry) } else { left.push(entry) }
    }
    *entries = left;
    taken
}

/// An answer to a batch of which nothing was passed on.
pub(super) fn none_done() -> Value {
    json!({ "Successful": [], "Failed": [] })
}

/// Adds to the server's answer what failed here.
pub(super) fn add_failed(answer: &mut Value, fault: Fault, entries: &[Value]) {
    let failed = entries.iter().map(|entry| failed_entry(fault, &entry["Id"]));
    match &mut answer["Failed"] {
        Value::Array(already) => already.extend(failed),
        absent => *absent = failed.collect(),
    }
}
