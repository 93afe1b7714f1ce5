//! What the tests of this stage route: the three built-in routes, and records made from documents.

use std::collections::BTreeMap;
use std::time::Duration;

use bson::Document;

use crate::bson::Fields;
use crate::config::{
    Acknowledgement, AdminConfig, BatchConfig, Collection, Config, DbConfig, DeadLettersConfig,
    InFlightConfig, LogConfig, LogFormat, MessageConfig, QueueConfig, RetryConfig, Route,
    WorkerConfig, WriteConcern, WriteKind,
};
use crate::message::{Identity, Origin, Record};
use crate::time::Time;

/// 2026-11-22T10:00:00.042Z, and when the queue says that it was sent.
pub const ORIGIN_MS: i64 = 1_795_341_600_042;
pub const SENT_MS: i64 = ORIGIN_MS + 7;

pub fn fields(document: &Document) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in document {
        let encoded = bson::doc! { name: value }.to_vec().unwrap();
        // Length, type, name, NUL; a NUL at the end.
        fields.push(name, encoded[4], &encoded[4 + name.len() + 2..encoded.len() - 1]);
    }
    fields
}

pub fn record(kind: &str, document: &Document) -> Record {
    let fields = fields(document);
    let id = b"5fea7756-0ea4-451a-a703-a558b933e274".as_slice().into();
    let origin =
        Origin { identity: Identity::Queue, time: Time::from_millis(ORIGIN_MS), sequence: 0, id };
    Record { kind: kind.to_owned(), origin, sent_ms: SENT_MS, bytes: fields.bytes(), fields }
}

pub fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn routes() -> Vec<Route> {
    let session = WriteKind::Set {
        key: "session_id".to_owned(),
        version_field: "last_accessed".to_owned(),
        partial: false,
    };
    let cache =
        WriteKind::Replace { key: "user_id".to_owned(), version_field: "updated".to_owned() };
    let route = |name: &str, collection: &str, kind, required: &[&str]| Route {
        name: name.to_owned(),
        collection: collection.to_owned(),
        kind,
        required: strings(required),
        fields: Vec::new(),
        times: Vec::new(),
        default_time: None,
        volatile: Vec::new(),
    };
    vec![
        Route {
            times: strings(&["timestamp"]),
            default_time: Some("timestamp".to_owned()),
            ..route("event", "events", WriteKind::Insert, &["user_id", "event_type"])
        },
        Route {
            fields: strings(&["session_id", "last_accessed", "data"]),
            ..route("session", "sessions", session, &["session_id", "data"])
        },
        route("cache", "user_cache", cache, &["user_id", "data"]),
    ]
}

/// The built-in routes; the rest is within bounds and of no matter here.
pub fn config() -> Config {
    let write_concern = WriteConcern {
        w: Acknowledgement::Majority,
        journal: true,
        timeout: Duration::from_secs(10),
    };
    let collection = |route: &Route| Collection {
        name: route.collection.clone(),
        kind: route.kind.clone(),
        declared: Vec::new(),
        write_concern: write_concern.clone(),
        indexes: Vec::new(),
        ttl: None,
    };
    Config {
        queue: QueueConfig {
            url: None,
            endpoint_url: None,
            region: None,
            wait: Duration::from_secs(20),
            pollers_max: 4,
            visibility_timeout: None,
        },
        db: DbConfig {
            mongo_uri: None,
            connection_options: BTreeMap::new(),
            create_indexes: true,
            write_concern: write_concern.clone(),
            server_selection_timeout: Duration::from_secs(5),
        },
        batch: BatchConfig {
            docs_max: 1_000,
            bytes_max: 1 << 20,
            linger: Duration::ZERO,
            writers_max: 2,
        },
        in_flight: InFlightConfig { messages_max: 1_000, bytes_max: 1 << 26 },
        retry: RetryConfig {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(10),
            multiplier: 2.0,
            budget: Duration::from_secs(30),
        },
        message: MessageConfig {
            version_skew_max: Duration::from_hours(1),
            decompressed_bytes_max: 1 << 24,
            types: BTreeMap::new(),
        },
        dead_letters: DeadLettersConfig { collection: "dead_letters".to_owned(), ttl: None },
        worker: WorkerConfig { drain_timeout: Duration::from_secs(30), threads: 2 },
        log: LogConfig { level: "info".to_owned(), format: LogFormat::Auto },
        admin: AdminConfig { listen: None, is_chosen: false, show_bodies: false },
        collections: routes()
            .iter()
            .map(|route| (route.collection.clone(), collection(route)))
            .collect(),
        routes: routes().into_iter().map(|route| (route.name.clone(), route)).collect(),
    }
}
