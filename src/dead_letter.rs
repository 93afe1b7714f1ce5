//! The dead letter: a record of a refused message, with its reason and all that is needed to replay
//! it.
//!
//! It is one more insert, into the lane of the dead-letter collection. Its `_id` is made of the
//! queue's ARN and the message id, so that a crash between record and delete doubles nothing: the
//! second record finds the first there already.

use std::sync::Arc;
use std::time::Duration;

use crate::bson::{Doc, document};
use crate::flood::{FloodWatch, RejectedIn};
use crate::flow::Flow;
use crate::message::{
    Attribute, Fifo, Identity, Insert, Key, Origin, QueueMessage, Reason, Receipt, Rejection,
};
use crate::settle::Settle;
use crate::store::{Collection, Index, WriteConcern, WriteKind};
use crate::telemetry::signals::{MessageRejected, RejectedLeft};
use crate::time::Time;

/// Grows when the record's fields change their meaning.
pub const SCHEMA_VERSION: i32 = 1;

/// Bytes that are set aside for what a record holds beside the message: the buffer grows where they
/// do not suffice.
const ADDED_BYTES: usize = 2_048;

/// The section `dead_letters`.
#[derive(Debug, Clone)]
pub struct DeadLettersConfig {
    pub collection: String,
    /// Records are kept for ever unless set. Whole seconds, 1 h and above.
    pub ttl: Option<Duration>,
}

/// Where dead letters are kept. It settles the message once the record is durable there.
pub trait Home: Send + Sync {
    fn keep(&self, receipt: Receipt, record: Record);
}

/// The way of rejected messages: a record is made of each, and handed to their home.
#[derive(Clone)]
pub struct Rejects {
    queue_arn: Arc<str>,
    home: Arc<dyn Home>,
    settle: Settle,
    flood: FloodWatch,
    flow: Flow,
}

impl Rejects {
    #[must_use]
    pub fn new(
        queue_arn: Arc<str>,
        home: Arc<dyn Home>,
        settle: Settle,
        flood: FloodWatch,
        flow: Flow,
    ) -> Self {
        Self { queue_arn, home, settle, flood, flow }
    }

    /// Hands over the message that was rejected there. Where rejected messages hold all that they may, because their home is
    /// sick or slow, it stays in the queue and comes back later.
    pub fn send(&self, by: RejectedIn, mut receipt: Receipt, rejection: &Rejection) {
        let (reason, signals) = (rejection.reason, &self.flow.signals);
        self.flood.rejected(by, reason, receipt.route.as_ref(), signals);
        // As in its part of a receive: as it came, and as much again for its dead letter.
        let bytes = receipt.message.bytes();
        receipt.permit.shrink_to(2 * bytes);
        if !receipt.permit.reject() {
            let message_id = &receipt.message.message_id;
            signals.emit(&RejectedLeft { message_id, reason });
            return self.settle.leave(receipt);
        }
        signals.emit(&MessageRejected {
            message_id: &receipt.message.message_id,
            route: receipt.route.as_deref(),
            rejection,
            body: &receipt.message.body,
        });
        let record = Record {
            queue_arn: Arc::clone(&self.queue_arn),
            reason,
            text: rejection.text.clone(),
            server_code: rejection.code,
            route: receipt.route.clone(),
            origin: origin(&receipt),
            dead_lettered_ms: self.flow.clock.now_ms(),
        };
        self.home.keep(receipt, record);
    }
}

/// What is known of a rejected message beside the message itself.
#[derive(Debug, Clone)]
pub struct Record {
    pub queue_arn: Arc<str>,
    pub reason: Reason,
    /// Why, for people.
    pub text: String,
    /// The server's code, where the store refused the write.
    pub server_code: Option<i32>,
    /// The route that the message was for, as far as that was found out.
    pub route: Option<Arc<str>>,
    pub origin: Origin,
    /// When it was rejected, milliseconds since the epoch.
    pub dead_lettered_ms: i64,
}

impl Record {
    /// The record of this message as a document.
    #[must_use]
    pub fn insert(&self, message: &QueueMessage) -> Insert {
        let id = format!("{}/{}", self.queue_arn, message.message_id);
        let document = self.document(&id, message);
        Insert { id: Key::Text(id), document, hash: None }
    }

    fn document(&self, id: &str, message: &QueueMessage) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(message.bytes() + ADDED_BYTES);
        document(&mut bytes, |record| {
            record.text("_id", id);
            record.int32("schema_version", SCHEMA_VERSION);
            record.text("reason", self.reason.code());
            record.text("text", &self.text);
            match self.server_code {
                Some(code) => record.int32("server_code", code),
                None => record.null("server_code"),
            }
            text_or_null(record, "route", self.route.as_deref());
            record.text("queue", &self.queue_arn);
            record.text("message_id", &message.message_id);
            record.date("origin_time", self.origin.time.millis());
            // As text: no BSON integer holds its 20 digits.
            record.text("origin_sequence", &self.origin.sequence.to_string());
            record.text("origin_id", &String::from_utf8_lossy(&self.origin.id));
            record.date("sent", message.sent_ms);
            record.date("dead_lettered", self.dead_lettered_ms);
            record.int64("receive_count", i64::from(message.receive_count));
            text_or_null(record, "group", message.fifo.as_ref().map(|fifo| fifo.group.as_str()));
            let trace = message.text("traceparent").or(message.trace_header.as_deref());
            text_or_null(record, "trace", trace);
            write_attributes(record, message);
            record.text("body", &message.body);
        });
        bytes
    }
}

fn text_or_null(record: &mut Doc<'_>, name: &str, value: Option<&str>) {
    match value {
        Some(text) => record.text(name, text),
        None => record.null(name),
    }
}

/// Who sent the message when, so that a replay can say so: by its envelope where that could be
/// opened, otherwise by the attributes of our producers where they can be read, otherwise by the
/// queue.
fn origin(receipt: &Receipt) -> Origin {
    let message = &receipt.message;
    let given = || Origin::of_attributes(message).ok().flatten();
    receipt.origin.clone().or_else(given).unwrap_or_else(|| Origin::of_queue(message))
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

/// The collection of dead letters as a lane writes it: inserts.
/// Records as the worker makes them, one of a message of which nothing is known and one of which all
/// is: what a validator refuses of these, it refuses of others like them.
#[must_use]
pub fn samples() -> [Insert; 2] {
    let origin = Origin {
        identity: Identity::Queue,
        time: Time::default(),
        sequence: 0,
        id: Arc::from(b"longshore-check".as_slice()),
    };
    let bare = Record {
        queue_arn: Arc::from("arn:aws:sqs:eu-west-1:123456789012:longshore-check"),
        reason: Reason::BadJson,
        text: "a dead letter as longshore check tries it".to_owned(),
        server_code: None,
        route: None,
        origin,
        dead_lettered_ms: 0,
    };
    let message = QueueMessage {
        message_id: "longshore-check".to_owned(),
        body: "{".to_owned(),
        receive_count: 1,
        ..QueueMessage::default()
    };
    let whole = Record {
        reason: Reason::StoreRejected,
        server_code: Some(121),
        route: Some(Arc::from("event")),
        ..bare.clone()
    };
    let attribute = ("type".to_owned(), Attribute::Text("event".to_owned()));
    let told = QueueMessage {
        attributes: vec![attribute],
        fifo: Some(Fifo { group: "longshore-check".to_owned(), sequence: 1 }),
        trace_header: Some("Root=1-00000000-000000000000000000000000".to_owned()),
        ..message.clone()
    };
    [bare.insert(&message), whole.insert(&told)]
}

#[must_use]
pub fn collection(config: &DeadLettersConfig, write_concern: WriteConcern) -> Collection {
    let indexes = config.ttl.map(|ttl| Index {
        keys: vec![("dead_lettered".to_owned(), 1)],
        unique: false,
        expire_after: Some(ttl),
    });
    Collection {
        name: config.collection.clone(),
        kind: WriteKind::Insert,
        declared: Vec::new(),
        write_concern,
        indexes: indexes.into_iter().collect(),
        ttl: None,
        default_times: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use bson::spec::BinarySubtype;
    use bson::{Binary, DateTime, doc};
    use tokio::time::Instant;

    use super::*;
    use crate::budget::Budget;
    use crate::clock::SystemClock;
    use crate::config::defaults;
    use crate::held::Held;
    use crate::stop::Stop;
    use crate::telemetry::signals::Signals;

    /// A home that holds the last one.
    #[derive(Default)]
    struct Kept(Mutex<Option<(Receipt, Record)>>);

    impl Home for Kept {
        fn keep(&self, receipt: Receipt, record: Record) {
            *self.0.lock().expect("no panic") = Some((receipt, record));
        }
    }

    async fn record(message: QueueMessage, origin: Option<Origin>) -> bson::Document {
        let (held, now) = (Held::default(), Instant::now());
        let permit = Budget::new(10, 10_000, 0).acquire(1, 0).await;
        let mut receipt = Receipt::new(message, now, now + Duration::from_secs(20), permit, &held);
        receipt.origin = origin;
        let home = Arc::new(Kept::default());
        let flow = Flow {
            clock: Arc::new(SystemClock::default()),
            stop: Stop::default(),
            signals: Signals::default(),
            retry: defaults().retry,
        };
        let (settle, _settlements) = Settle::new(Duration::from_secs(30));
        let arn = "arn:aws:sqs:eu-west-1:1:portal".into();
        let rejects = Rejects::new(arn, home.clone(), settle, FloodWatch::default(), flow);
        rejects.send(
            RejectedIn::Intake,
            receipt,
            &Rejection::new(Reason::BadJson, "the body is not JSON"),
        );
        let kept = home.0.lock().expect("no panic").take();
        let (receipt, record) = kept.expect("it was handed over");
        let insert = record.insert(&receipt.message);
        receipt.settled();
        let record: bson::Document =
            bson::deserialize_from_slice(&insert.document).expect("a document");
        assert_eq!(bson::serialize_to_vec(&record).expect("BSON"), insert.document);
        record
    }

    fn message() -> QueueMessage {
        QueueMessage {
            message_id: "m-1".to_owned(),
            body: "{".to_owned(),
            sent_ms: 1_795_341_600_000,
            receive_count: 1,
            ..QueueMessage::default()
        }
    }

    fn origin_of(record: &bson::Document) -> (i64, &str) {
        (
            record.get_datetime("origin_time").expect("a time").timestamp_millis(),
            record.get_str("origin_id").expect("an id"),
        )
    }

    #[tokio::test]
    async fn a_record_has_the_same_id_at_every_delivery_and_holds_the_message_as_it_came() {
        let first = record(message(), None).await;
        let again = record(
            QueueMessage { receive_count: 2, receipt_handle: "other".into(), ..message() },
            None,
        )
        .await;
        assert_eq!(first.get_str("_id").ok(), Some("arn:aws:sqs:eu-west-1:1:portal/m-1"));
        assert_eq!(first.get("_id"), again.get("_id"));
        assert_eq!(
            (first.get_str("body").ok(), first.get_str("reason").ok()),
            (Some("{"), Some("bad_json"))
        );
    }

    #[tokio::test]
    async fn a_record_says_all_of_the_message_in_types_that_never_change() {
        let said = QueueMessage {
            attributes: vec![
                ("a.b".to_owned(), Attribute::Binary(vec![1, 2])),
                ("traceparent".to_owned(), Attribute::Text("00-1-2-01".to_owned())),
            ],
            fifo: Some(Fifo { group: "g".to_owned(), sequence: 1 << 64 }),
            ..message()
        };
        let record = record(said, None).await;
        let dead_lettered = *record.get_datetime("dead_lettered").expect("a time");
        let sent = DateTime::from_millis(1_795_341_600_000);
        let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] };
        let expected = doc! {
            "_id": "arn:aws:sqs:eu-west-1:1:portal/m-1", "schema_version": 1_i32,
            "reason": "bad_json", "text": "the body is not JSON", "server_code": null, "route": null,
            "queue": "arn:aws:sqs:eu-west-1:1:portal", "message_id": "m-1", "origin_time": sent,
            "origin_sequence": "18446744073709551616", "origin_id": "m-1", "sent": sent,
            "dead_lettered": dead_lettered, "receive_count": 1_i64, "group": "g", "trace": "00-1-2-01",
            "attributes": [{ "name": "a.b", "value": binary }, { "name": "traceparent", "value": "00-1-2-01" }],
            "body": "{",
        };
        assert_eq!(record, expected);
        assert!(record.keys().eq(expected.keys()), "{record}");
    }

    #[tokio::test]
    async fn the_origin_is_that_of_the_envelope_else_of_the_producer_else_of_the_queue() {
        let time = Time::from_millis(1_795_000_000_000);
        let origin = Origin {
            identity: Identity::Given,
            time,
            sequence: 0,
            id: Arc::from(b"sns-1".as_slice()),
        };
        assert_eq!(origin_of(&record(message(), Some(origin)).await), (1_795_000_000_000, "sns-1"));
        let attribute =
            |name: &str, text: &str| (name.to_owned(), Attribute::Text(text.to_owned()));
        let attributes = vec![
            attribute("longshore-id", "mine"),
            attribute("longshore-time", "2026-11-22T09:00:00Z"),
        ];
        assert_eq!(
            origin_of(&record(QueueMessage { attributes, ..message() }, None).await),
            (1_795_338_000_000, "mine")
        );
        assert_eq!(origin_of(&record(message(), None).await), (1_795_341_600_000, "m-1"));
    }
}
