//! The dead letter: a record of a refused message, with its reason and all that is needed to replay it.
//!
//! It is one more insert, into the lane of the dead-letter collection. Its `_id` is made of the queue's ARN and the message
//! id, so that a crash between record and delete doubles nothing: the second record finds the first there already.

use std::sync::Arc;

use bson::{Binary, DateTime, RawArrayBuf, RawBson, RawDocumentBuf, cstr, spec::BinarySubtype};

use crate::clock::Clock;
use crate::config::{Collection, Config, Index, WriteKind};
use crate::message::{Attribute, Ending, Insert, Key, Part, QueueMessage, Receipt, Rejection, Write};
use crate::telemetry::signals::{MessageRejected, Signals};

/// Grows when the record's fields change their meaning.
pub const SCHEMA_VERSION: i32 = 1;

/// Makes records of refused messages.
#[derive(Clone)]
pub struct DeadLetters {
    queue_arn: Arc<str>,
    clock: Arc<dyn Clock>,
    signals: Signals,
}

impl DeadLetters {
    #[must_use]
    pub fn new(queue_arn: Arc<str>, clock: Arc<dyn Clock>, signals: Signals) -> Self {
        Self { queue_arn, clock, signals }
    }

    /// The message as its dead letter, for the dead-letter lane, which settles it once the record is durable.
    #[must_use]
    pub fn part(&self, receipt: Receipt, rejection: &Rejection) -> Part {
        let route = receipt.route.as_deref();
        self.signals.emit(&MessageRejected { message_id: &receipt.message.message_id, route, rejection });
        let id = format!("{}/{}", self.queue_arn, receipt.message.message_id);
        let document = self.record(&id, &receipt.message, rejection, route).into_bytes();
        let write = Write::Insert(Insert { id: Key::Text(id), document, hash: None });
        Part { write, receipt, ending: Ending::DeadLettered(rejection.reason) }
    }

    fn record(&self, id: &str, message: &QueueMessage, rejection: &Rejection, route: Option<&str>) -> RawDocumentBuf {
        let text = |value: Option<&str>| value.map_or(RawBson::Null, |value| RawBson::String(value.to_owned()));
        let mut record = RawDocumentBuf::new();
        record.append(cstr!("_id"), id);
        record.append(cstr!("schema_version"), SCHEMA_VERSION);
        record.append(cstr!("reason"), rejection.reason.code());
        record.append(cstr!("text"), rejection.text.as_str());
        record.append(cstr!("server_code"), rejection.code.map_or(RawBson::Null, RawBson::Int32));
        record.append(cstr!("route"), text(route));
        record.append(cstr!("queue"), &*self.queue_arn);
        record.append(cstr!("message_id"), message.message_id.as_str());
        record.append(cstr!("origin_time"), text(message.text("longshore-time")));
        record.append(cstr!("origin_id"), text(message.text("longshore-id")));
        record.append(cstr!("sent"), DateTime::from_millis(message.sent_ms));
        record.append(cstr!("dead_lettered"), DateTime::from_millis(self.clock.now_ms()));
        record.append(cstr!("receive_count"), i64::from(message.receive_count));
        record.append(cstr!("group"), text(message.fifo.as_ref().map(|fifo| fifo.group.as_str())));
        record.append(cstr!("trace"), text(message.text("traceparent").or(message.trace_header.as_deref())));
        record.append(cstr!("attributes"), attributes(message));
        record.append(cstr!("body"), message.body.as_str());
        record
    }
}

/// A list of name and value, because an attribute's name may hold dots.
fn attributes(message: &QueueMessage) -> RawArrayBuf {
    let mut list = RawArrayBuf::new();
    for (name, value) in &message.attributes {
        let mut entry = RawDocumentBuf::new();
        entry.append(cstr!("name"), name.as_str());
        match value {
            Attribute::Text(text) => entry.append(cstr!("value"), text.as_str()),
            Attribute::Binary(bytes) => {
                entry.append(cstr!("value"), Binary { subtype: BinarySubtype::Generic, bytes: bytes.clone() });
            }
        }
        list.push(entry);
    }
    list
}

/// The collection of dead letters as a lane writes it: inserts at the default write concern.
#[must_use]
pub fn collection(config: &Config) -> Collection {
    let indexes =
        config.dead_letters.ttl.map(|ttl| Index { keys: vec![("dead_lettered".to_owned(), 1)], unique: false, expire_after: Some(ttl) });
    Collection {
        name: config.dead_letters.collection.clone(),
        kind: WriteKind::Insert,
        declared: Vec::new(),
        write_concern: config.db.write_concern.clone(),
        indexes: indexes.into_iter().collect(),
        ttl: None,
    }
}
