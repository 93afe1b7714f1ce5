//! Where dead letters stand: the collection, and by which indexes they are found.

use std::sync::Arc;
use std::time::Duration;

use crate::message::{Attribute, Fifo, Identity, Insert, Key, Origin, Place, QueueMessage, Reason};
use crate::store::{Collection, Index, WriteConcern, WriteKind};
use crate::time::Time;

use super::glimpse::Glimpse;
use super::group;
use super::record::Record;
use super::search::newest;

/// The section `dead_letters`.
#[derive(Debug, Clone)]
pub struct DeadLettersConfig {
    pub collection: String,
    /// The URL of a queue that records are sent to. What it does not take goes to the collection.
    pub queue: Option<String>,
    /// Records are kept for ever unless set. Whole seconds, 1 h and above.
    pub ttl: Option<Duration>,
    /// Fields of messages that say whose data they are: 16 at most.
    pub user_fields: Vec<String>,
}

/// What is looked for beside the newest: what failed alike, and so has one cause; what is of one
/// person, who may want it erased; and one message that a log line names.
const FOUND_BY: [&[&str]; 3] = [&group::INDEX, &["users"], &["message_ids"]];

/// The collection of dead letters as a lane writes it: inserts.
#[must_use]
pub fn collection(config: &DeadLettersConfig, write_concern: WriteConcern) -> Collection {
    let index = |fields: &[&str], expire_after| Index {
        keys: fields.iter().map(|field| ((*field).to_owned(), 1)).collect(),
        unique: false,
        expire_after,
    };
    // Another one than that of the TTL, which comes and goes with the setting.
    let newest = Index { keys: newest(), unique: false, expire_after: None };
    let ttl = config.ttl.map(|ttl| index(&["dead_lettered"], Some(ttl)));
    let found_by = FOUND_BY.iter().map(|fields| index(fields, None));
    let indexes = std::iter::once(newest).chain(found_by).chain(ttl).collect();
    Collection {
        name: config.collection.clone(),
        kind: WriteKind::Letter,
        declared: Vec::new(),
        write_concern,
        indexes,
        ttl: None,
        default_times: Vec::new(),
    }
}

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
        place: None,
        server_code: None,
        route: None,
        glimpse: Glimpse::default(),
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
        place: Some(Box::new(Place::value("user_id"))),
        server_code: Some(121),
        route: Some(Arc::from("event")),
        glimpse: Glimpse {
            kind: Some("event".to_owned()),
            key: Some(Key::Text("longshore-check".to_owned())),
            users: vec![Key::Integer(123)],
        },
        ..bare.clone()
    };
    let attribute = ("type".to_owned(), Attribute::Text("event".to_owned()));
    let told = QueueMessage {
        attributes: vec![attribute],
        fifo: Some(Fifo { group: "longshore-check".to_owned(), sequence: 1 }),
        sender: Some(Arc::from("AIDAEXAMPLE")),
        trace_header: Some(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
        ),
        ..message.clone()
    };
    [bare.insert(&message), whole.insert(&told)]
}
