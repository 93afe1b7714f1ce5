//! The version of a document that another program wrote or changed: expressions that read its version field.

use bson::{Document, doc};

use crate::time::{MILLIS_MAX, MILLIS_MIN, MILLISECONDS_FROM};

pub(super) fn epoch() -> bson::DateTime {
    bson::DateTime::from_millis(0)
}

/// Milliseconds of the version field where it is a date, null where it is absent; an error where it is anything else.
pub(super) fn foreign_short(version_field: &str) -> Document {
    doc! { "$subtract": [format!("${version_field}"), epoch()] }
}

/// Milliseconds of the version field, null where it is absent or cannot be converted.
pub(super) fn foreign_long(version_field: &str) -> Document {
    let field = format!("${version_field}");
    let convert = |to: &str| doc! { "$convert": { "input": &field, "to": to, "onError": null, "onNull": null } };
    let text = doc! { "$let": {
        "vars": { "number": convert("double") },
        "in": { "$cond": [{ "$eq": ["$$number", null] }, { "$subtract": [convert("date"), epoch()] }, millis_of_number("$$number")] },
    } };
    doc! { "$switch": {
        "branches": [
            { "case": { "$eq": [{ "$type": &field }, "date"] }, "then": { "$subtract": [&field, epoch()] } },
            { "case": { "$isNumber": &field }, "then": { "$let": {
                "vars": { "number": convert("double") },
                "in": millis_of_number("$$number"),
            } } },
            { "case": { "$eq": [{ "$type": &field }, "string"] }, "then": text },
        ],
        "default": null,
    } }
}

/// Seconds or milliseconds to milliseconds, with the bounds and the rounding of [`crate::time`]; null outside the years 1
/// to 9999, which null and NaN are too.
#[expect(clippy::cast_precision_loss, reason = "bounds below 2^53")]
fn millis_of_number(number: &str) -> Document {
    let bound = MILLISECONDS_FROM as f64;
    doc! { "$let": {
        "vars": { "millis": { "$cond": [
            { "$and": [{ "$lt": [number, bound] }, { "$gt": [number, -bound] }] },
            { "$round": [{ "$multiply": [number, 1_000] }, 3] },
            number,
        ] } },
        "in": { "$cond": [
            { "$and": [{ "$gte": ["$$millis", MILLIS_MIN] }, { "$lte": ["$$millis", MILLIS_MAX] }] },
            { "$toLong": { "$floor": "$$millis" } },
            null,
        ] },
    } }
}

/// The version at which the document stands apart from its fields' own: what is kept of it, or what another program set the
/// version field to after this one wrote it. Null where there is neither.
pub(super) fn base(version_field: &str, foreign: &Document) -> Document {
    let written = doc! { "$subtract": [format!("$_ingest.f.{version_field}.t"), epoch()] };
    // Older than any message of that time: dates and binary values have no lesser ones.
    let oldest = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: Vec::new() };
    doc! { "$max": ["$_ingest.v", { "$let": {
        "vars": { "foreign": foreign.clone() },
        "in": { "$cond": [
            { "$gt": ["$$foreign", written] },
            { "t": { "$add": [epoch(), "$$foreign"] }, "o": bson::DateTime::MIN, "i": oldest },
            null,
        ] },
    } }] }
}
