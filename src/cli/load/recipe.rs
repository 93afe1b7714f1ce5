//! A line as the message that a queue would hand over: with the identity that its file gives it, and
//! without what only an export has.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::ledger::{Delivery, Place};
use crate::config::Config;
use crate::message::{Attribute, Holds, Line, QueueMessage};
use crate::store::WriteKind;
use crate::time::Time;

const DOCUMENT_ID: &str = "_id";
const INGEST: &str = "_ingest";

/// How lines become messages.
#[derive(Debug)]
pub(super) struct Recipe {
    /// SHA-256 of the whole file.
    hash: [u8; 32],
    /// `--type`.
    kind: Option<String>,
    /// `--time`.
    time: Option<Time>,
    /// When the load began, milliseconds: what versions must not be far ahead of.
    now_ms: i64,
    /// What becomes of `_id`, by each name that names a route.
    ids: BTreeMap<String, IdIn>,
}

/// What the `_id` of an exported document is to its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdIn {
    /// The event's own id.
    Insert,
    /// The key.
    Key,
    /// Nothing: the document is found by its key, and its `_id` is made of that.
    OtherKey,
}

impl Recipe {
    pub(super) fn new(
        hash: [u8; 32],
        kind: Option<String>,
        time: Option<Time>,
        now_ms: i64,
        config: &Config,
    ) -> Self {
        let of_route = |route: &str| {
            config.routes.get(route).map(|route| match &route.kind {
                WriteKind::Insert | WriteKind::Letter => IdIn::Insert,
                WriteKind::Keyed(keyed) if keyed.key == DOCUMENT_ID => IdIn::Key,
                WriteKind::Keyed(_) => IdIn::OtherKey,
            })
        };
        let routes = config.routes.keys().map(|name| (name, name));
        // A mapping comes before a route of the same name.
        let names = routes.chain(&config.message.types);
        let ids = names.filter_map(|(name, route)| Some((name.clone(), of_route(route)?)));
        let mut ids: BTreeMap<String, IdIn> = ids.collect();
        for (name, route) in &config.message.types {
            if of_route(route).is_none() {
                ids.remove(name);
            }
        }
        Self { hash, kind, time, now_ms, ids }
    }

    /// The message of a line.
    pub(super) fn message(&self, place: Place, text: String, delivery: Delivery) -> QueueMessage {
        let stripped = self.stripped(&text);
        let (body, holds) = stripped.unwrap_or((text, Holds::Message));
        let kind = self.kind.iter().map(|kind| ("type".to_owned(), Attribute::Text(kind.clone())));
        let line = Line {
            id: [&self.hash[..], &place.offset.to_be_bytes()].concat().into(),
            sequence: u128::from(place.offset) + 1,
            time: self.time,
            holds,
        };
        QueueMessage {
            message_id: format!("line {}", place.number),
            receipt_handle: handle(delivery),
            body,
            attributes: kind.collect(),
            sent_ms: self.now_ms,
            receive_count: delivery.count,
            line: Some(Box::new(line)),
            ..QueueMessage::default()
        }
    }

    /// The same object without what an export adds, and what it is then; none where
    /// there is nothing to take off, or it is nothing that could be read.
    fn stripped(&self, text: &str) -> Option<(String, Holds)> {
        if ![r#""_id""#, r#""_ingest""#].iter().any(|name| text.contains(name)) {
            return None;
        }
        let Members(members) = serde_json::from_str(text).ok()?;
        let is_there = |name: &str| members.iter().any(|(other, _)| other == name);
        if !is_there(DOCUMENT_ID) && !is_there(INGEST) {
            return None;
        }
        let own = members.iter().find(|(name, _)| name == "type");
        let own = own.and_then(|(_, value)| serde_json::from_str::<Cow<'_, str>>(value.get()).ok());
        let named = [own.as_deref(), self.kind.as_deref()];
        let id_in = *named.into_iter().flatten().find_map(|name| self.ids.get(name))?;
        // With both, the route says what is wrong.
        let is_renamed = id_in == IdIn::Insert && is_there(DOCUMENT_ID) && !is_there("id");
        let kept = members.iter().filter_map(|(name, value)| match &**name {
            INGEST => None,
            DOCUMENT_ID if id_in == IdIn::OtherKey => None,
            DOCUMENT_ID if is_renamed => Some((Cow::Borrowed("id"), value)),
            name => Some((Cow::Borrowed(name), value)),
        });
        let mut body = String::with_capacity(text.len());
        for (name, value) in kept {
            body.push(if body.is_empty() { '{' } else { ',' });
            body.push_str(&serde_json::to_string(&name).ok()?);
            body.push(':');
            body.push_str(value.get());
        }
        if body.is_empty() {
            body.push('{');
        }
        body.push('}');
        let holds = if is_renamed { Holds::Document } else { Holds::Message };
        Some((body, holds))
    }
}

/// Names this delivery, and no other one.
pub(super) fn handle(delivery: Delivery) -> Arc<str> {
    format!("{}:{}", delivery.offset, delivery.count).into()
}

/// What a handle names.
pub(super) fn delivery(handle: &str) -> Option<Delivery> {
    let (offset, count) = handle.split_once(':')?;
    Some(Delivery { offset: offset.parse().ok()?, count: count.parse().ok()? })
}

/// The members of an object in their order, those that are there twice too.
struct Members<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &RawValue>()? {
                    members.push((Cow::Owned(member.0), member.1));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::defaults;

    fn recipe(kind: Option<&str>) -> Recipe {
        let mut config = defaults();
        config.message.types.insert("portal.login".to_owned(), "event".to_owned());
        config.message.types.insert("cache".to_owned(), "nothing".to_owned());
        Recipe::new([7; 32], kind.map(str::to_owned), None, 0, &config)
    }

    fn message(recipe: &Recipe, text: &str) -> QueueMessage {
        let place = Place { offset: 30, bytes: 10, number: 4 };
        recipe.message(place, text.to_owned(), Delivery { offset: 30, count: 2 })
    }

    /// The body, and whether it was told to be a document.
    fn body(kind: Option<&str>, text: &str) -> (String, bool) {
        let message = message(&recipe(kind), text);
        (message.body, message.line.is_some_and(|line| line.holds == Holds::Document))
    }

    #[test]
    fn an_exported_event_keeps_its_id_and_a_document_with_a_key_does_not() {
        let event = r#"{"_id":{"$oid":"65f0c0ffee65f0c0ffee65f0"},"user_id":1,"m":{"_id":2},"_ingest":{"h":1}}"#;
        let expected = r#"{"id":{"$oid":"65f0c0ffee65f0c0ffee65f0"},"user_id":1,"m":{"_id":2}}"#;
        assert_eq!(body(Some("event"), event), (expected.to_owned(), true));
        assert_eq!(body(Some("portal.login"), event), (expected.to_owned(), true));
        let session = r#"{"_id":1,"session_id":"s","_ingest":{}}"#;
        assert_eq!(body(Some("session"), session), (r#"{"session_id":"s"}"#.to_owned(), false));
        assert_eq!(body(Some("session"), r#"{"_id":1}"#), ("{}".to_owned(), false));
    }

    #[test]
    fn the_lines_own_type_comes_before_the_one_of_the_command_line() {
        let line = r#"{"_id":"a","type":"event"}"#;
        assert_eq!(body(Some("session"), line), (r#"{"id":"a","type":"event"}"#.to_owned(), true));
        let unknown = r#"{"_id":"a","type":"click"}"#;
        assert_eq!(body(Some("session"), unknown).0, r#"{"type":"click"}"#);
    }

    #[test]
    fn what_has_no_route_or_cannot_be_read_is_left_as_it_is() {
        for (kind, line) in [
            (None, r#"{"_id":1}"#),
            (Some("nothing"), r#"{"_id":1}"#),
            (Some("cache"), r#"{"_id":1}"#),
            (Some("event"), r#"{"_id":1"#),
            (Some("event"), r#"{"a":"\"_id\""}"#),
            (Some("event"), r#"{"a":{"_id":1}}"#),
            (Some("event"), r#"["_id"]"#),
        ] {
            assert_eq!(body(kind, line), (line.to_owned(), false), "{line}");
        }
        let both = r#"{"_id":1,"id":2,"_id":3}"#;
        assert_eq!(body(Some("event"), both), (both.to_owned(), false));
    }

    #[test]
    fn a_line_has_the_same_identity_at_every_delivery() {
        let first = message(&recipe(None), "{}");
        assert_eq!((first.receive_count, &*first.receipt_handle), (2, "30:2"));
        assert_eq!(delivery("30:2"), Some(Delivery { offset: 30, count: 2 }));
        let line = first.line.expect("a line");
        assert_eq!((&line.id[..32], &line.id[32..]), (&[7; 32][..], &30_u64.to_be_bytes()[..]));
        assert_eq!((line.sequence, line.time), (31, None));
    }
}
