//! Messages of the built-in routes, as types.

use std::time::SystemTime;

use bson::oid::ObjectId;
use jiff::Timestamp;
use serde::Serialize;

use crate::message::Key;

use super::json;
use super::message::Message;

/// Something that happened: written once, to the collection `events`.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an event is made to be sent"]
#[expect(clippy::struct_field_names, reason = "the field of the document")]
pub struct Event {
    user_id: Key,
    event_type: String,
    id: Option<Key>,
    timestamp: Option<SystemTime>,
    metadata: Option<Result<String, String>>,
}

impl Event {
    /// Of this user, a number, a text, an `ObjectId` or a UUID.
    pub fn new(user_id: impl Into<Key>, event_type: impl Into<String>) -> Self {
        Self {
            user_id: user_id.into(),
            event_type: event_type.into(),
            id: None,
            timestamp: None,
            metadata: None,
        }
    }

    /// With an id of its own, which becomes its `_id`: sent again, it is the same event. Without
    /// one its `_id` is made of the message's `longshore-id` and time.
    pub fn id(self, id: impl Into<Key>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// When it happened. Otherwise that is when it is sent.
    pub fn at(self, timestamp: SystemTime) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// Whatever else is to be known of it.
    pub fn metadata<T: Serialize + ?Sized>(self, metadata: &T) -> Self {
        Self { metadata: Some(json::text(Some("metadata"), metadata)), ..self }
    }
}

/// The state of a session: the newest wins, in the collection `sessions`.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a session is made to be sent"]
#[expect(clippy::struct_field_names, reason = "the field of the document")]
pub struct Session {
    session_id: Key,
    last_accessed: Option<SystemTime>,
    data: Result<String, String>,
}

impl Session {
    pub fn new<T: Serialize + ?Sized>(session_id: impl Into<Key>, data: &T) -> Self {
        Self {
            session_id: session_id.into(),
            last_accessed: None,
            data: json::text(Some("data"), data),
        }
    }

    /// When it is of: the version by which the newest is found. Otherwise the order of the calls of
    /// one producer counts, and between producers their clocks.
    pub fn last_accessed(self, at: SystemTime) -> Self {
        Self { last_accessed: Some(at), ..self }
    }
}

/// What is kept of a user: the newest replaces it, in the collection `user_cache`.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a cache entry is made to be sent"]
pub struct Cache {
    user_id: Key,
    updated: Option<SystemTime>,
    data: Result<String, String>,
}

impl Cache {
    pub fn new<T: Serialize + ?Sized>(user_id: impl Into<Key>, data: &T) -> Self {
        Self { user_id: user_id.into(), updated: None, data: json::text(Some("data"), data) }
    }

    /// When it is of: as [`Session::last_accessed`].
    pub fn updated(self, at: SystemTime) -> Self {
        Self { updated: Some(at), ..self }
    }
}

impl From<Event> for Message {
    fn from(event: Event) -> Self {
        let Event { user_id, event_type, id, timestamp, metadata } = event;
        let mut body = Body::of("event");
        if let Some(id) = id {
            body.add("id", key(&id));
        }
        body.add("user_id", key(&user_id));
        body.add("event_type", serde_json::Value::from(event_type).to_string());
        body.add_time("timestamp", timestamp);
        if let Some(metadata) = metadata {
            body.try_add("metadata", metadata);
        }
        Self::built_in(body.end(), named(&user_id))
    }
}

impl From<Session> for Message {
    fn from(session: Session) -> Self {
        let Session { session_id, last_accessed, data } = session;
        let mut body = Body::of("session");
        body.add("session_id", key(&session_id));
        body.add_time("last_accessed", last_accessed);
        body.try_add("data", data);
        Self::built_in(body.end(), named(&session_id))
    }
}

impl From<Cache> for Message {
    fn from(cache: Cache) -> Self {
        let Cache { user_id, updated, data } = cache;
        let mut body = Body::of("cache");
        body.add("user_id", key(&user_id));
        body.add_time("updated", updated);
        body.try_add("data", data);
        Self::built_in(body.end(), named(&user_id))
    }
}

/// A body that is being written, or the first thing that is wrong with it.
struct Body(Result<String, String>);

impl Body {
    fn of(type_name: &str) -> Self {
        Self(Ok(format!(r#"{{"type":"{type_name}""#)))
    }

    /// Adds a field whose value is JSON already.
    fn add(&mut self, name: &str, json: String) {
        self.try_add(name, Ok(json));
    }

    fn try_add(&mut self, name: &str, json: Result<String, String>) {
        match (&mut self.0, json) {
            (Ok(body), Ok(json)) => {
                for part in [r#",""#, name, r#"":"#, &json] {
                    body.push_str(part);
                }
            }
            (Ok(_), Err(problem)) => self.0 = Err(problem),
            (Err(_), _) => {}
        }
    }

    fn add_time(&mut self, name: &str, time: Option<SystemTime>) {
        if let Some(time) = time {
            // To the nanosecond: a version is compared as it is said.
            let text = Timestamp::try_from(time).map(|time| format!(r#""{time:.9}""#));
            self.try_add(
                name,
                text.map_err(|_| {
                    format!("field {name} is a time beyond the years that can be written: check the clock or the sum that it comes from")
                }),
            );
        }
    }

    fn end(self) -> Result<String, String> {
        self.0.map(|body| body + "}")
    }
}

/// As Extended JSON.
fn key(key: &Key) -> String {
    match key {
        Key::Integer(number) => number.to_string(),
        Key::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        Key::ObjectId(id) => format!(r#"{{"$oid":"{id}"}}"#),
        Key::Uuid(_) => format!(r#"{{"$uuid":"{}"}}"#, named(key)),
    }
}

/// As a text that names it.
fn named(key: &Key) -> String {
    match key {
        Key::Integer(number) => number.to_string(),
        Key::Text(text) => text.clone(),
        Key::ObjectId(id) => id.to_string(),
        Key::Uuid(bytes) => bson::Uuid::from_bytes(*bytes).to_string(),
    }
}

macro_rules! integer_keys {
    ($($type:ty)*) => {
        $(impl From<$type> for Key {
            fn from(number: $type) -> Self {
                Self::Integer(number.into())
            }
        })*
    };
}

integer_keys! { i8 i16 i32 i64 u8 u16 u32 }

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<ObjectId> for Key {
    fn from(id: ObjectId) -> Self {
        Self::ObjectId(id)
    }
}

impl From<bson::Uuid> for Key {
    fn from(uuid: bson::Uuid) -> Self {
        Self::Uuid(uuid.bytes())
    }
}

impl From<uuid::Uuid> for Key {
    fn from(uuid: uuid::Uuid) -> Self {
        Self::Uuid(uuid.into_bytes())
    }
}
