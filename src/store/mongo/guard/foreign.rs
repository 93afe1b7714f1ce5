//! The version of a document that another program wrote or changed: expressions that read its
//! version field.
//!
//! What it says counts within the bounds of a message's version, the years 2000 to 2100: a date of
//! the year 2612 would freeze its key. What cannot be read, or lies beyond, counts as oldest.

use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, Document, doc};

use super::own::version_at;
use crate::time::{MILLISECONDS_FROM, VERSION_MILLIS_MAX, VERSION_MILLIS_MIN};
use crate::version::FINE_BYTES;

pub(super) fn epoch() -> DateTime {
    DateTime::from_millis(0)
}

/// Milliseconds of the version field where it is a date, null where it is absent; an error where it
/// is anything else.
pub(super) fn foreign_short(version_field: &str) -> Document {
    doc! { "$subtract": [format!("${version_field}"), epoch()] }
}

/// An error where `foreign` is beyond a version, so that the write is asked again in its long form;
/// else false.
pub(super) fn beyond(version_field: &str, foreign: impl Into<bson::Bson>) -> Document {
    doc! { "$and": [{ "$gt": [foreign.into(), VERSION_MILLIS_MAX] }, failure(version_field)] }
}

/// Text minus a date. Not a constant: the server would try that before it looks at any document.
fn failure(version_field: &str) -> Document {
    doc! { "$subtract": [{ "$type": format!("${version_field}") }, epoch()] }
}

/// Milliseconds of the version field, null where it is absent, cannot be converted or is no
/// version.
pub(super) fn foreign_long(version_field: &str) -> Document {
    let field = format!("${version_field}");
    let convert = |to: &str| doc! { "$convert": { "input": &field, "to": to, "onError": null, "onNull": null } };
    let millis_of_date = |date: bson::Bson| within_versions(&doc! { "$subtract": [date, epoch()] });
    let text = doc! { "$let": {
        "vars": { "number": convert("double") },
        "in": { "$cond": [{ "$eq": ["$$number", null] }, millis_of_date(convert("date").into()), millis_of_number("$$number")] },
    } };
    doc! { "$switch": {
        "branches": [
            { "case": { "$eq": [{ "$type": &field }, "date"] }, "then": millis_of_date(field.as_str().into()) },
            { "case": { "$isNumber": &field }, "then": { "$let": {
                "vars": { "number": convert("double") },
                "in": millis_of_number("$$number"),
            } } },
            { "case": { "$eq": [{ "$type": &field }, "string"] }, "then": text },
        ],
        "default": null,
    } }
}

/// Seconds or milliseconds to milliseconds, with the rounding of [`crate::time`]; null for null and
/// NaN too.
#[expect(clippy::cast_precision_loss, reason = "bounds below 2^53")]
fn millis_of_number(number: &str) -> Document {
    let bound = MILLISECONDS_FROM as f64;
    within_versions(&doc! { "$cond": [
        { "$and": [{ "$lt": [number, bound] }, { "$gt": [number, -bound] }] },
        { "$round": [{ "$multiply": [number, 1_000] }, 3] },
        number,
    ] })
}

/// Whole milliseconds, or null where they are no version's.
fn within_versions(millis: &Document) -> Document {
    doc! { "$let": {
        "vars": { "millis": millis },
        "in": { "$cond": [
            { "$and": [{ "$gte": ["$$millis", VERSION_MILLIS_MIN] }, { "$lt": ["$$millis", VERSION_MILLIS_MAX + 1] }] },
            { "$toLong": { "$floor": "$$millis" } },
            null,
        ] },
    } }
}

/// The version at which the document stands apart from its fields' own: what is kept of it, or what
/// another program set the version field to after this one wrote it. Null where there is neither.
pub(super) fn base(version_field: &str, foreign: &Document) -> Document {
    let written = doc! { "$let": {
        "vars": { "kept": version_at(&format!("$_ingest.f.{version_field}")) },
        "in": { "$subtract": ["$$kept.t", epoch()] },
    } };
    let binary = |bytes| Binary { subtype: BinarySubtype::Generic, bytes };
    // Older than any message of that time: each part is the least that there is.
    let version = doc! {
        "t": { "$add": [epoch(), "$$foreign"] }, "n": 0, "o": DateTime::MIN, "s": binary(vec![0; FINE_BYTES]), "i": binary(Vec::new()),
    };
    doc! { "$max": [version_at("$_ingest.v"), { "$let": {
        "vars": { "foreign": foreign.clone() },
        "in": { "$cond": [
            { "$gt": ["$$foreign", written] },
            { "$cond": [beyond(version_field, "$$foreign"), null, version] },
            null,
        ] },
    } }] }
}
