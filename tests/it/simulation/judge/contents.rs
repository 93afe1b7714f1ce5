//! What stands in documents and writes, by which they are known for what was sent.

use bson::RawDocument;
use longshore::bson::Fields;
use longshore::message::{Key, Write};

use crate::simulation::store::Document;

/// What a message and a write have in common: the collection, and the key, or the content of an
/// event.
pub type Subject = (String, String);

/// What the write is about; `None` where nobody sent that.
pub fn subject(collection: &str, write: &Write) -> Option<Subject> {
    let subject = match write {
        Write::Insert(insert) if collection == "events" => {
            content_of(&insert.document)?.to_string()
        }
        Write::Insert(insert) => text_of(&insert.id)?,
        // Of several that are one message, each is kept by a write of its own.
        Write::Letter(letter) => {
            RawDocument::from_bytes(&letter.document).ok()?.get_str("message_id").ok()?.to_owned()
        }
        Write::Update(update) => text_of(&update.key)?,
    };
    Some((collection.to_owned(), subject))
}

fn text_of(key: &Key) -> Option<String> {
    if let Key::Text(text) = key { Some(text.clone()) } else { None }
}

pub fn event_content(document: &Document) -> Option<usize> {
    let Document::Inserted { document, .. } = document else { return None };
    content_of(document)
}

fn content_of(event: &[u8]) -> Option<usize> {
    number(RawDocument::from_bytes(event).ok()?.get_document("metadata").ok()?)
}

pub fn letter_reason(document: &Document) -> Option<String> {
    let Document::Inserted { document, .. } = document else { return None };
    Some(RawDocument::from_bytes(document).ok()?.get_str("reason").ok()?.to_owned())
}

/// The message as it came.
pub fn letter_body(document: &Document) -> Option<String> {
    let Document::Inserted { document, .. } = document else { return None };
    Some(RawDocument::from_bytes(document).ok()?.get_str("body").ok()?.to_owned())
}

pub fn letter_receive_count(document: &Document) -> Option<i64> {
    let Document::Inserted { document, .. } = document else { return None };
    RawDocument::from_bytes(document).ok()?.get_i64("receive_count").ok()
}

pub fn letter_message_id(document: &Document) -> Option<String> {
    let Document::Inserted { document, .. } = document else { return None };
    Some(RawDocument::from_bytes(document).ok()?.get_str("message_id").ok()?.to_owned())
}

/// The messages that were refused as one.
pub fn letter_message_ids(document: &Document) -> Vec<String> {
    let Document::Inserted { document, .. } = document else { return Vec::new() };
    let Ok(record) = mongodb::bson::Document::from_reader(&document[..]) else { return Vec::new() };
    let ids = record.get_array("message_ids").map(Vec::as_slice).unwrap_or_default();
    ids.iter().filter_map(|id| Some(id.as_str()?.to_owned())).collect()
}

/// Whether the letter stands, and the messages that were sent when it was put back.
pub fn letter_replays(document: &Document) -> Option<(bool, Vec<String>)> {
    let Document::Inserted { document, .. } = document else { return None };
    let record = mongodb::bson::Document::from_reader(&document[..]).ok()?;
    let replays =
        record.get_array("replays").ok()?.iter().filter_map(|replay| replay.as_document());
    let ids = replays.filter_map(|replay| Some(replay.get_str("message_id").ok()?.to_owned()));
    Some((record.get_bool("stands").ok()?, ids.collect()))
}

/// The contents of `data` and of `extra`.
pub fn whole_content(fields: &Fields) -> (Option<usize>, Option<usize>) {
    let bytes = document(fields);
    let Ok(document) = RawDocument::from_bytes(&bytes) else { return (None, None) };
    let extra = document.get_i32("extra").ok().and_then(|extra| usize::try_from(extra).ok());
    (document.get_document("data").ok().and_then(number), extra)
}

/// The date in `field`, in milliseconds.
pub fn date(fields: &Fields, field: &str) -> Option<i64> {
    let bytes = document(fields);
    Some(RawDocument::from_bytes(&bytes).ok()?.get_datetime(field).ok()?.timestamp_millis())
}

pub fn content(value: &Fields, field: &str) -> Option<usize> {
    let bytes = document(value);
    number(RawDocument::from_bytes(&bytes).ok()?.get_document(field).ok()?)
}

fn number(document: &RawDocument) -> Option<usize> {
    usize::try_from(document.get_i32("n").ok()?).ok()
}

/// Fields as a document of their own: length, elements, NUL.
fn document(fields: &Fields) -> Vec<u8> {
    let elements: Vec<u8> = fields.iter().flat_map(|field| field.element.to_vec()).collect();
    let length = i32::try_from(elements.len() + 5).expect("small");
    [&length.to_le_bytes()[..], &elements, &[0]].concat()
}
