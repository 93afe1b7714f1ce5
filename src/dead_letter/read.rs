//! The record, out of a message of the queue that dead letters are sent to.

use std::sync::LazyLock;

use bson::{Bson, Document};

use super::again::origin_of;
use super::collection::samples;
use super::identity;
use super::original::message_of;
use super::record::SCHEMA_VERSION;

/// Reads a record as it was sent. Whoever may send to that queue could send anything: only what a worker
/// made is taken, and its `_id` must be the one of the message that it holds.
///
/// # Errors
/// Why it is none, for people.
pub fn read(body: &str) -> Result<Document, String> {
    let record: Document = serde_json::from_str(body)
        .map_err(|error| format!("it is no dead letter of Longshore's: {error}"))?;
    match record.get_i32("schema_version") {
        Ok(SCHEMA_VERSION) => {}
        Ok(version) if version > SCHEMA_VERSION => {
            return Err(format!(
                "it is of schema version {version}: a newer Longshore made it, and can collect it"
            ));
        }
        _ => {
            return Err(
                "it is no dead letter of Longshore's: it names no schema_version of one".to_owned()
            );
        }
    }
    if let Some(name) = unfit(&record) {
        return Err(format!("it is no dead letter of Longshore's: its {name} is not what one has"));
    }
    let message = message_of(&record);
    let id = message.as_ref().and_then(|message| {
        let origin = origin_of(&record, message)?;
        Some(identity::of(record.get_str("queue").ok()?, &origin, message))
    });
    if id.as_deref() != record.get_str("_id").ok() {
        return Err(
            "its _id is not that of the message in it: it was changed on its way".to_owned()
        );
    }
    Ok(record)
}

/// A record with as little as one can have, and one with all.
static SAMPLES: LazyLock<[Document; 2]> = LazyLock::new(|| {
    samples().map(|sample| bson::deserialize_from_slice(&sample.document).unwrap_or_default())
});

/// The first field that no record has so, or that it lacks.
fn unfit(record: &Document) -> Option<String> {
    let [bare, whole] = &*SAMPLES;
    let is_like = |value: &Bson, name: &str, of: &Document| {
        of.get(name).map(Bson::element_type) == Some(value.element_type())
    };
    let unfit = record.iter().find(|(name, value)| match name.as_str() {
        // Of any type that a key has.
        "key" => matches!(value, Bson::Document(_) | Bson::Array(_)),
        name => !is_like(value, name, bare) && !is_like(value, name, whole),
    });
    let missing = whole.keys().find(|name| !record.contains_key(name));
    unfit.map(|(name, _)| name.clone()).or_else(|| missing.cloned())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::extended_json::canonical;

    fn records() -> [Document; 2] {
        samples().map(|sample| bson::deserialize_from_slice(&sample.document).expect("a document"))
    }

    #[test]
    fn a_record_is_read_as_it_was_sent() {
        for record in records() {
            let read = read(&canonical(&record)).expect("it is one");
            assert_eq!(read, record);
            assert!(read.keys().eq(record.keys()), "in its order: {read}");
        }
    }

    #[test]
    fn a_sample_has_every_field_of_the_type_that_it_can_have() {
        let [_, whole] = records();
        let null: Vec<_> = whole.iter().filter(|(_, value)| value.as_null().is_some()).collect();
        assert!(null.is_empty(), "{null:?}");
    }

    #[test]
    fn what_is_no_record_is_told_why() {
        for (change, told) in [
            (doc! { "schema_version": SCHEMA_VERSION + 1 }, "a newer Longshore"),
            (doc! { "schema_version": "3" }, "no schema_version"),
            (doc! { "times": "many" }, "its times"),
            (doc! { "$set": 1 }, "its $set"),
            (doc! { "key": { "$gt": "" } }, "its key"),
            (doc! { "body": "another" }, "changed on its way"),
            (doc! { "_id": "00ff" }, "changed on its way"),
            (doc! { "origin_time": null }, "its origin_time"),
        ] {
            let [_, mut record] = records();
            record.extend(change);
            let error = read(&canonical(&record)).expect_err(told);
            assert!(error.contains(told), "{error}");
        }
        let [_, mut record] = records();
        record.remove("users");
        assert!(read(&canonical(&record)).expect_err("lacks one").contains("its users"));
        for body in ["", "{", "[]", "null", r#"{"type":"event"}"#] {
            assert!(read(body).expect_err(body).contains("no dead letter"), "{body}");
        }
    }
}
