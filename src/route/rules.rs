//! What all routes ask of a message, and how a rejection names what is wrong.

use bson::{RawBsonRef, RawDocument};

use crate::bson::{DOCUMENT_BYTES_MAX, element, subtype};
use crate::message::place::Spot;
use crate::message::{Name, Place, Reason, Record, Rejection};

use super::definition::Route;

/// The field that Longshore keeps for itself in every collection.
pub(super) const INGEST: &str = "_ingest";

/// Whether a name is that field, or would be taken for a path into it.
pub(super) fn is_ingest(name: &str) -> bool {
    name.strip_prefix(INGEST).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// It is consumed where it names the route, and then not stored.
pub(super) const TYPE: &str = "type";
/// It becomes the `_id` of an insert; elsewhere it is a field like others.
pub const ID: &str = "id";

/// The longest text that is a key or stands in a declared index, in bytes: far beyond any id, far
/// below what weighs on an index.
pub(super) const TEXT_BYTES_MAX: usize = 1_024;

/// Rejects a record of somebody whom the route does not list. One whose sender the queue does not
/// name is of nobody that can be listed.
pub(super) fn check_sender(route: &Route, record: &Record) -> Result<(), Rejection> {
    let is_listed = |sender: &str| route.senders.iter().any(|listed| listed == sender);
    if route.senders.is_empty() || record.sender.as_deref().is_some_and(is_listed) {
        return Ok(());
    }
    let sender = match &record.sender {
        Some(sender) => format!("the sender {}", Name(sender)),
        None => "a sender whom the queue does not name".to_owned(),
    };
    let text = format!(
        "{sender} may not use the route {}: send with other credentials, or add the sender to `senders` of the route",
        Name(&route.name)
    );
    Err(Rejection::new(Reason::SenderDenied, text))
}

/// Rejects a record without a value for each of `required`, but for the key, `settled`, which has
/// rules of its own.
pub(super) fn check_required(
    route: &Route,
    record: &Record,
    settled: Option<&str>,
) -> Result<(), Rejection> {
    for name in route.required.iter().filter(|name| settled != Some(name.as_str())) {
        let (lack, spot) = match record.fields.get(name) {
            None => ("is missing", Spot::Missing),
            Some(field) if field.element_type() == element::NULL => ("is null", Spot::Value),
            Some(_) => continue,
        };
        let text =
            format!("{} {lack}: the route {} requires a value", Name(name), Name(&route.name));
        let place = Place { spot, ..Place::value(name.clone()) };
        return Err(Rejection::new(Reason::MissingField, text).at(place));
    }
    Ok(())
}

/// Rejects a value that would weigh on an index. An index has an entry for each element of an array:
/// a few hundred bytes, packed, can make hundreds of thousands of them, and no server can stop an
/// insert in the middle. `settled` is the key, which has rules of its own.
pub(super) fn check_indexed(
    route: &Route,
    record: &Record,
    settled: Option<&str>,
) -> Result<(), Rejection> {
    // What is read as a time has rules of its own as well.
    let is_settled = |path: &String| settled == Some(path.as_str()) || route.times.contains(path);
    for path in route.indexed.iter().filter(|path| !is_settled(path)) {
        if let Some(why) = indexed_value(record, path) {
            let text = format!(
                "{} {why}, and an index of the collection holds it: give one value, a text of at most {TEXT_BYTES_MAX} bytes",
                Name(path)
            );
            return Err(Rejection::new(Reason::BadValue, text).at(Place::path(path)));
        }
    }
    Ok(())
}

/// Why what stands at `path` is not for an index. An array on the way has an entry for each of its
/// elements, too; any other value on the way has none, and the document counts as one without the
/// path.
fn indexed_value(record: &Record, path: &str) -> Option<&'static str> {
    let mut names = path.split('.');
    let field = record.fields.get(names.next()?)?;
    let is_above = path.contains('.');
    if is_above && !matches!(field.element_type(), element::DOCUMENT | element::ARRAY) {
        return None;
    }
    if field.element_type() != element::DOCUMENT {
        let binary = field.binary().map(|(subtype, _)| subtype);
        let text_bytes = field.text_bytes().map_or(0, <[u8]>::len);
        return not_for_an_index(field.element_type(), binary, text_bytes);
    }
    let mut value = RawBsonRef::Document(RawDocument::from_bytes(field.value()).ok()?);
    for name in names {
        let document = match value {
            RawBsonRef::Document(document) => document,
            RawBsonRef::Array(_) => break,
            _ => return None,
        };
        let mut elements = document.iter_elements().flatten();
        let found = elements.find(|element| element.key().as_str() == name)?;
        value = found.value().ok()?;
    }
    let binary = value.as_binary().map(|binary| binary.subtype.into());
    let text_bytes = value.as_str().map_or(0, str::len);
    not_for_an_index(value.element_type() as u8, binary, text_bytes)
}

/// Why a value is not for an index: by its type, the subtype of a binary one, and the bytes of a
/// text.
fn not_for_an_index(
    element_type: u8,
    binary: Option<u8>,
    text_bytes: usize,
) -> Option<&'static str> {
    match element_type {
        element::ARRAY => Some("is an array"),
        element::DOCUMENT => Some("is an object"),
        element::BINARY if binary != Some(subtype::UUID) => {
            Some("is binary, but not a UUID (subtype 4)")
        }
        element::STRING if text_bytes > TEXT_BYTES_MAX => Some("is too long"),
        element_type if INDEXED.contains(&element_type) => None,
        _ => Some("is of a type that is not indexed"),
    }
}

/// What may stand in an index.
const INDEXED: [u8; 10] = [
    element::STRING,
    element::INT32,
    element::INT64,
    element::DOUBLE,
    element::DECIMAL128,
    element::DATE,
    element::BOOLEAN,
    element::NULL,
    element::OBJECT_ID,
    element::BINARY,
];

/// Rejects a document that the server would not take for its size.
pub(super) fn check_size(bytes: usize) -> Result<(), Rejection> {
    if bytes > DOCUMENT_BYTES_MAX {
        let text = format!(
            "the document would have {bytes} bytes, MongoDB stores at most {DOCUMENT_BYTES_MAX}: send less in one message"
        );
        return Err(Rejection::new(Reason::TooLarge, text).at(Place::whole()));
    }
    Ok(())
}

pub(super) fn bad_name(name: &str, why: &str) -> Rejection {
    let text = format!("{} {why}", Name(name));
    Rejection::new(Reason::BadName, text).at(Place::name(name.to_owned()))
}
