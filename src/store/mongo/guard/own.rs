//! What the store keeps of its own in a document.

use crate::bson::Doc;
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
