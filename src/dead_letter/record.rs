//! The record of one refused message, as a document.

use std::sync::Arc;

use crate::bson::{Doc, document};
use crate::message::{Attribute, Insert, Key, KnownBy, Origin, Place, QueueMessage, Reason};
use crate::telemetry::trace_id;

use super::glimpse::Glimpse;
use super::identity;

/// Grows when the record's fields change their meaning, or others come to them.
pub const SCHEMA_VERSION: i32 = 3;

/// Bytes that are set aside for what a record holds beside the message: the buffer grows where they
/// do not suffice.
const ADDED_BYTES: usize = 2_048;

/// The part of a message that a record is of. Messages are not packed together yet, so each is its own
/// and only part.
const WHOLE: i32 = 0;

/// What is known of a rejected message beside the message itself.
#[derive(Debug, Clone)]
pub struct Record {
    pub queue_arn: Arc<str>,
    pub reason: Reason,
    /// Why, for people.
    pub text: String,
    /// Where in the body, if it is there.
    pub place: Option<Box<Place>>,
    /// The server's code, where the store refused the write.
    pub server_code: Option<i32>,
    /// The route that the message was for, as far as that was found out.
    pub route: Option<Arc<str>>,
    /// What could be read of the message.
    pub glimpse: Glimpse,
    pub origin: Origin,
    /// When it was rejected, milliseconds since the epoch.
    pub dead_lettered_ms: i64,
}

impl Record {
    /// The record of this message as a document.
    #[must_use]
    pub fn insert(&self, message: &QueueMessage) -> Insert {
        let id = self.id(message);
        let document = self.document(&id, message);
        Insert { id: Key::Text(id), document, known_by: KnownBy::Id }
    }

    /// The `_id` of the record of this message.
    #[must_use]
    pub fn id(&self, message: &QueueMessage) -> String {
        identity::of(&self.queue_arn, &self.origin, message)
    }

    fn document(&self, id: &str, message: &QueueMessage) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(message.bytes() + ADDED_BYTES);
        document(&mut bytes, |record| {
            record.text("_id", id);
            record.int32("schema_version", SCHEMA_VERSION);
            record.text("reason", self.reason.code());
            record.text("text", &self.text);
            // Of the body as a whole there is no place to tell.
            let told = |text: fn(&Place) -> String| {
                self.place.as_deref().map(text).filter(|text| !text.is_empty())
            };
            text_or_null(record, "place", told(Place::shown).as_deref());
            text_or_null(record, "place_pattern", told(Place::pattern).as_deref());
            match self.server_code {
                Some(code) => record.int32("server_code", code),
                None => record.null("server_code"),
            }
            text_or_null(record, "route", self.route.as_deref());
            let glimpse = &self.glimpse;
            text_or_null(record, "type", glimpse.kind.as_deref());
            key_or_null(record, "key", glimpse.key.as_ref());
            record.list("users", |list| glimpse.users.iter().for_each(|user| list.value(user)));
            text_or_null(record, "sender", message.sender.as_deref());
            record.text("queue", &self.queue_arn);
            record.text("message_id", &message.message_id);
            record.list("message_ids", |ids| ids.text(&message.message_id));
            record.int32("times", 1);
            record.int32("part", WHOLE);
            record.text("origin_identity", self.origin.identity.name());
            record.date("origin_time", self.origin.time.millis());
            record.int32("origin_nanos", self.origin.time.nanos());
            // As text: no BSON integer holds its 20 digits.
            record.text("origin_sequence", &self.origin.sequence.to_string());
            record.text("origin_id", &String::from_utf8_lossy(&self.origin.id));
            record.date("sent", message.sent_ms);
            record.date("dead_lettered", self.dead_lettered_ms);
            record.date("first_dead_lettered", self.dead_lettered_ms);
            record.boolean("stands", true);
            record.list("replays", |_| {});
            record.int64("receive_count", i64::from(message.receive_count));
            let fifo = message.fifo.as_ref();
            text_or_null(record, "message_group", fifo.map(|fifo| fifo.group.as_str()));
            let sequence = fifo.map(|fifo| fifo.sequence.to_string());
            text_or_null(record, "sequence", sequence.as_deref());
            let trace = message.text("traceparent").or(message.trace_header.as_deref());
            text_or_null(record, "trace", trace);
            text_or_null(record, "trace_id", trace_id(message).as_deref());
            write_attributes(record, message);
            record.text("body", &message.body);
        });
        bytes
    }
}

fn key_or_null(record: &mut Doc<'_>, name: &str, value: Option<&Key>) {
    match value {
        Some(key) => record.value(name, key),
        None => record.null(name),
    }
}

fn text_or_null(record: &mut Doc<'_>, name: &str, value: Option<&str>) {
    match value {
        Some(text) => record.text(name, text),
        None => record.null(name),
    }
}

/// A list of name and value, because an attribute's name may hold dots.
fn write_attributes(record: &mut Doc<'_>, message: &QueueMessage) {
    record.list("attributes", |list| {
        for (name, value) in &message.attributes {
            list.doc(|entry| {
                entry.text("name", name);
                match value {
                    Attribute::Text(text) => entry.text("value", text),
                    Attribute::Binary(bytes) => entry.binary("value", bytes),
                }
            });
        }
    });
}
