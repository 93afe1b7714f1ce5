//! What the tests of this stage route: the three built-in routes, and records made from documents.

use std::collections::BTreeMap;
use std::time::Duration;

use bson::Document;

use super::definition::Route;
use super::router::Router;
use crate::bson::Fields;
use crate::message::{Identity, Kind, Layers, Named, Origin, Record};
use crate::store::{Extent, Keyed, WriteKind};
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
    let by_body = document.get_str("type").is_ok_and(|own| own == kind);
    let kind = Kind::Named(Named { route: kind.into(), by_body, other: None });
    Record {
        kind,
        origin,
        sent_ms: SENT_MS,
        sender: None,
        layers: Layers::default(),
        bytes: fields.bytes(),
        fields,
    }
}

pub fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub fn keyed(key: &str, version_field: &str, extent: Extent) -> WriteKind {
    WriteKind::Keyed(Keyed { key: key.to_owned(), version_field: version_field.to_owned(), extent })
}

/// The built-in routes.
pub fn routes() -> BTreeMap<String, Route> {
    let session = keyed("session_id", "last_accessed", Extent::Set);
    let cache = keyed("user_id", "updated", Extent::Replace);
    let route = |name: &str, collection: &str, kind, required: &[&str]| Route {
        name: name.to_owned(),
        collection: collection.to_owned(),
        kind,
        senders: Vec::new(),
        required: strings(required),
        fields: Vec::new(),
        indexed: Vec::new(),
        times: Vec::new(),
        units: BTreeMap::new(),
        default_time: None,
        volatile: Vec::new(),
    };
    let routes = [
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
    ];
    routes.into_iter().map(|route| (route.name.clone(), route)).collect()
}

/// Of the built-in routes, with collections for lanes.
pub fn router() -> Router<String> {
    router_of(&routes())
}

pub fn router_of(routes: &BTreeMap<String, Route>) -> Router<String> {
    Router::new(routes, Duration::from_hours(1), str::to_owned)
}
