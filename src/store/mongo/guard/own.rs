//! What the store keeps of its own in a document, and what stands there where another program has
//! written into it.

use bson::{Document, doc};

use crate::bson::{Doc, List, document};
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

/// `version` is newer than what is kept at `path`, or no version is.
pub(super) fn write_newer(newer: &mut Doc<'_>, version: &Version, path: &str) {
    newer.list("$or", |or| {
        or.doc(|newer| {
            newer.list("$gt", |gt| {
                gt.doc(|literal| write_version(literal, "$literal", version));
                gt.text(path);
            });
        });
        write_is_none(or, path);
    });
}

/// What is kept at `path`, null where that is no version.
///
/// # Panics
/// Never: what is read was written here.
pub(super) fn version_at(path: &str) -> Document {
    let mut bytes = Vec::new();
    document(&mut bytes, |kept| {
        kept.list("$cond", |cond| {
            cond.doc(|is_none| is_none.list("$or", |or| write_is_none(or, path)));
            cond.null();
            cond.text(path);
        });
    });
    bson::deserialize_from_slice(&bytes).expect("valid BSON")
}

/// Two conditions, of which one is met where what is kept at `path` is no version: what stands above
/// an object in the server's order of types, or at a time that no version has, would freeze its key.
fn write_is_none(or: &mut List<'_>, path: &str) {
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
}

/// The versions of a partial route's fields, null where they are no object.
pub(super) fn versions() -> Document {
    doc! { "$cond": [{ "$eq": [{ "$type": "$_ingest.f" }, "object"] }, "$_ingest.f", null] }
}
