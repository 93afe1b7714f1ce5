//! The message, out of its record.

use std::sync::Arc;

use bson::{Bson, Document};

use crate::message::{Attribute, Fifo, QueueMessage, attribute_text};

/// The message of a record, of whatever schema version, with an empty receipt handle. An X-Ray header
/// that stood beside a `traceparent` is not in a record, nor is a sender in those of version 1. `None` where
/// the record has no body: nobody could say what was sent.
#[must_use]
pub fn message_of(record: &Document) -> Option<QueueMessage> {
    let text = |name: &str| record.get_str(name).ok().map(str::to_owned);
    let group = text("message_group").or_else(|| text("group"));
    let sequence = text("sequence").and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let attributes = record.get_array("attributes").map(Vec::as_slice).unwrap_or_default();
    let attributes: Vec<_> = attributes.iter().filter_map(attribute).collect();
    let has_traceparent = attribute_text(&attributes, "traceparent").is_some();
    Some(QueueMessage {
        message_id: text("message_id").unwrap_or_default(),
        body: text("body")?,
        trace_header: text("trace").filter(|_| !has_traceparent),
        attributes,
        sent_ms: record.get_datetime("sent").map_or(0, |sent| sent.timestamp_millis()),
        receive_count: record
            .get_i64("receive_count")
            .ok()
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(1),
        fifo: group.map(|group| Fifo { group, sequence }),
        sender: text("sender").map(Arc::from),
        receipt_handle: Arc::default(),
        line: None,
    })
}

fn attribute(entry: &Bson) -> Option<(String, Attribute)> {
    let entry = entry.as_document()?;
    let value = match entry.get("value")? {
        Bson::String(text) => Attribute::Text(text.clone()),
        Bson::Binary(binary) => Attribute::Binary(binary.bytes.clone()),
        _ => return None,
    };
    Some((entry.get_str("name").ok()?.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::super::samples;
    use super::*;

    const TRACE: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn a_message_comes_out_of_its_record_as_it_went_in() {
        let [_, whole] = samples();
        let record: Document = bson::deserialize_from_slice(&whole.document).expect("a document");
        let message = message_of(&record).expect("it has a body");
        assert_eq!((message.body.as_str(), message.message_id.as_str()), ("{", "longshore-check"));
        let attribute = ("type".to_owned(), Attribute::Text("event".to_owned()));
        assert_eq!(message.attributes, [attribute]);
        assert_eq!(message.sender.as_deref(), Some("AIDAEXAMPLE"));
        let fifo = Fifo { group: "longshore-check".to_owned(), sequence: 1 };
        assert_eq!((message.fifo, message.receive_count), (Some(fifo), 1));
        assert_eq!(message.trace_header.as_deref(), Some(TRACE));
        assert!(message_of(&doc! { "_id": "q/m" }).is_none());
    }
}
