//! The dead letter: a record of a refused message, with its reason and all that is needed to find,
//! understand and replay it.
//!
//! It is one more write, into the lane of the dead-letter collection, or goes to a queue. Its `_id` is made of
//! who sent the message when and of what it says, so that a crash between record and delete doubles
//! nothing, and a message that was put back and is refused again joins its first record.
//!
//! - [`record`](Record) is the document, field by field.
//! - [`Glimpse`] is what could still be read of a message that was refused.
//! - [`message_of`] makes the message out of its record again.
//! - [`QueueHome`] keeps records in a queue, and [`read`](read()) reads one from there.
//! - [`collection()`] is where the records stand, with the indexes by which they are found: by
//!   [`search`], and in [`group`]s that failed alike. [`new_groups`] tells those that are new.

mod again;
mod alike;
mod collection;
mod glimpse;
pub mod group;
mod home;
mod identity;
mod kept_in;
pub mod new_groups;
mod original;
mod queue;
mod read;
mod record;
pub mod search;
mod told;

use std::sync::Arc;

use crate::flood::{FloodWatch, RejectedIn};
use crate::flow::Flow;
use crate::message::{Origin, QueueMessage, Receipt, Rejection};
use crate::settle::Settle;
use crate::telemetry::signals::{MessageRejected, RejectedLeft};

use new_groups::NewGroups;

pub use again::{again, identify, rename};
pub use collection::{DeadLettersConfig, collection, samples};
pub use glimpse::Glimpse;
pub use home::Home;
pub use kept_in::KeptIn;
pub use original::message_of;
pub use queue::{LetterQueue, QueueHome, SendContext, run as send_letters};
pub use read::read;
pub use record::{Record, SCHEMA_VERSION};
pub use told::{SourceHome, Told};

/// Looks into a message that is refused.
pub trait Glimpses: Send + Sync {
    /// `is_readable`: it was decoded before.
    fn of(&self, message: &QueueMessage, is_readable: bool) -> Glimpse;
}

/// The way of rejected messages: a record is made of each, and handed to their home.
#[derive(Clone)]
pub struct Rejects {
    queue_arn: Arc<str>,
    glimpses: Arc<dyn Glimpses>,
    home: Arc<dyn Home>,
    settle: Settle,
    flood: FloodWatch,
    new_groups: NewGroups,
    flow: Flow,
}

impl Rejects {
    #[must_use]
    pub fn new(
        queue_arn: Arc<str>,
        glimpses: Arc<dyn Glimpses>,
        home: Arc<dyn Home>,
        settle: Settle,
        flood: FloodWatch,
        flow: Flow,
    ) -> Self {
        let new_groups = NewGroups::default();
        Self { queue_arn, glimpses, home, settle, flood, new_groups, flow }
    }

    /// The same, whose groups are told to `new_groups`.
    #[must_use]
    pub fn told_to(self, new_groups: NewGroups) -> Self {
        Self { new_groups, ..self }
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
            place: rejection.place.clone(),
            server_code: rejection.code,
            route: receipt.route.clone(),
            glimpse: self.glimpses.of(&receipt.message, receipt.origin.is_some()),
            origin: origin(&receipt),
            dead_lettered_ms: self.flow.clock.now_ms(),
        };
        self.new_groups.refused(&record, &receipt.message, signals);
        self.home.keep(receipt, record);
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
    use crate::message::place::Step;
    use crate::message::{Attribute, Fifo, Identity, Key, Place, Reason};
    use crate::stop::Stop;
    use crate::telemetry::signals::Signals;
    use crate::time::Time;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// What is seen of any message.
    struct Sees(Glimpse);

    impl Glimpses for Sees {
        fn of(&self, _: &QueueMessage, _: bool) -> Glimpse {
            self.0.clone()
        }
    }

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
        let glimpse =
            Glimpse { users: vec![Key::Integer(7)], key: None, ..Glimpse::of_kind("event") };
        let sees = Arc::new(Sees(glimpse));
        let rejects = Rejects::new(arn, sees, home.clone(), settle, FloodWatch::default(), flow);
        let steps = vec![Step::Name("items".into()), Step::Index(3)];
        let place = Some(Box::new(Place { steps, ..Place::default() }));
        let rejection = Rejection::new(Reason::BadJson, "the body is not JSON");
        rejects.send(RejectedIn::Intake, receipt, &Rejection { place, ..rejection });
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
                ("traceparent".to_owned(), Attribute::Text(TRACE.to_owned())),
            ],
            fifo: Some(Fifo { group: "g".to_owned(), sequence: 1 << 64 }),
            sender: Some("AIDASOMEBODY".into()),
            ..message()
        };
        let record = record(said, None).await;
        let dead_lettered = *record.get_datetime("dead_lettered").expect("a time");
        let sent = DateTime::from_millis(1_795_341_600_000);
        let id = record.get_str("_id").expect("an id");
        let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] };
        let expected = doc! {
            "_id": id, "schema_version": 3_i32,
            "reason": "bad_json", "text": "the body is not JSON",
            "place": "items[3]", "place_pattern": "items[]", "server_code": null, "route": null,
            "type": "event", "key": null, "users": [7_i32], "sender": "AIDASOMEBODY",
            "queue": "arn:aws:sqs:eu-west-1:1:portal", "message_id": "m-1",
            "message_ids": ["m-1"], "times": 1_i32, "part": 0_i32, "origin_identity": "queue",
            "origin_time": sent, "origin_nanos": 0_i32,
            "origin_sequence": "18446744073709551616", "origin_id": "m-1", "sent": sent,
            "dead_lettered": dead_lettered, "first_dead_lettered": dead_lettered,
            "stands": true, "replays": [], "receive_count": 1_i64, "message_group": "g",
            "sequence": "18446744073709551616", "trace": TRACE,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "attributes": [{ "name": "a.b", "value": binary }, { "name": "traceparent", "value": TRACE }],
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
