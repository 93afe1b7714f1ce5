//! What the store keeps of its own in a document, and what stands there where another program has
//! written into it.

use bson::{DateTime, Document, doc};

use crate::bson::Doc;
use crate::time::VERSION_MILLIS_MAX;
use crate::version::Version;

/// The field of the store's own in every document. Messages cannot name it.
pub(super) const OWN: &str = "_ingest";

pub(super) fn write_version(doc: &mut Doc<'_>, name: &str, version: &Version) {
    doc.doc(name, |doc| {
        doc.date("t", version.time.millis());
        doc.int32("n", version.time.nanos());
        doc.date("o", version.origin_time.millis());
        doc.binary("s", &version.fine());
        doc.binary("i", &[&version.origin_id[..], &version.content_hash].concat());
    });
}

/// `version` is newer than what is kept at `path`, or no version is: what stands above an object in
/// the server's order of types, or at a time that no version has, would freeze its key.
pub(super) fn write_newer(newer: &mut Doc<'_>, version: &Version, path: &str) {
    newer.list("$or", |or| {
        or.doc(|newer| {
            newer.list("$gt", |gt| {
                gt.doc(|literal| write_version(literal, "$literal", version));
                gt.text(path);
            });
        });
        or.doc(|not| {
            not.list("$ne", |not| {
                not.doc(|of_type| of_type.text("$type", &format!("{path}.t")));
                not.text("date");
            });
        });
        or.doc(|beyond| {
            beyond.list("$gt", |gt| {
                gt.text(&format!("{path}.t"));
                gt.date(VERSION_MILLIS_MAX);
            });
        });
    });
}

/// What is kept at `path`, null where that is no version.
pub(super) fn version_at(path: &str) -> Document {
    let time = format!("{path}.t");
    let is_version = doc! { "$and": [
        { "$eq": [{ "$type": &time }, "date"] },
        { "$lte": [&time, DateTime::from_millis(VERSION_MILLIS_MAX)] },
    ] };
    doc! { "$cond": [is_version, path, null] }
}

/// The versions of a partial route's fields, null where they are no object.
pub(super) fn versions() -> Document {
    doc! { "$cond": [{ "$eq": [{ "$type": "$_ingest.f" }, "object"] }, "$_ingest.f", null] }
}
