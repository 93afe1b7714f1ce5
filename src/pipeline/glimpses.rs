//! Looks into messages that are refused though they could be read: they are decoded once more, which good
//! ones never are, and so nothing has to be carried along for this.

use std::sync::Arc;

use crate::bson::Fields;
use crate::config::Config;
use crate::dead_letter::{Glimpse, Glimpses};
use crate::decode::decode_within;
use crate::message::{Key, Kind, QueueMessage};
use crate::route::{ID, key_of};

use super::intake::at_once;

/// By the configuration in force.
pub(super) struct Looks(pub Arc<Config>);

impl Looks {
    fn key(&self, kind: &Kind, fields: &Fields) -> Option<Key> {
        let route = self.0.routes.get(kind.route()?)?;
        key_of(fields, route.kind.key().unwrap_or(ID))
    }
}

impl Glimpses for Looks {
    /// What needs more room than a message may have right after its receive is not looked into.
    fn of(&self, message: &QueueMessage, is_readable: bool) -> Glimpse {
        let room = message.bytes() + at_once(message);
        let Some(record) =
            is_readable.then(|| decode_within(message, &self.0.message, room).ok()).flatten()
        else {
            let named = message.text("type").filter(|name| !name.is_empty());
            let route =
                named.map(|name| self.0.message.types.get(name).map_or(name, String::as_str));
            return route.map(Glimpse::of_kind).unwrap_or_default();
        };
        let kind = match &record.kind {
            Kind::Named(named) => Some(&*named.route),
            Kind::Unnamed(asked) => {
                let mut names = asked.iter().filter_map(|asked| asked.name.as_deref());
                names.find(|name| !name.is_empty())
            }
        };
        let fields = &record.fields;
        Glimpse {
            key: self.key(&record.kind, fields),
            users: self
                .0
                .dead_letters
                .user_fields
                .iter()
                .filter_map(|name| key_of(fields, name))
                .collect(),
            ..kind.map(Glimpse::of_kind).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;
    use crate::config::defaults;
    use crate::message::Attribute;

    fn of(kind: &str, body: &str) -> Glimpse {
        let attributes = vec![("type".to_owned(), Attribute::Text(kind.to_owned()))];
        let body = body.to_owned();
        let message = QueueMessage { body, attributes, ..QueueMessage::default() };
        Looks(Arc::new(defaults())).of(&message, true)
    }

    fn glimpse(kind: &str, key: Option<Key>, user: Option<Key>) -> Glimpse {
        Glimpse { key, users: user.into_iter().collect(), ..Glimpse::of_kind(kind) }
    }

    #[test]
    fn a_message_that_can_be_read_says_whose_it_is() {
        let text = |text: &str| Some(Key::Text(text.to_owned()));
        assert_eq!(
            of("session", r#"{"session_id": "s-1", "user_id": 7, "nonsense": 1}"#),
            glimpse("session", text("s-1"), Some(Key::Integer(7)))
        );
        assert_eq!(
            of("event", r#"{"id": "e-1", "user_id": "u"}"#),
            glimpse("event", text("e-1"), text("u"))
        );
        assert_eq!(
            of("cache", r#"{"user_id": 1.5}"#),
            glimpse("cache", None, None),
            "a key that is none"
        );
    }

    #[test]
    fn a_message_without_a_route_says_what_it_asked_for() {
        assert_eq!(
            of("evnet", r#"{"user_id": 7, "id": "e-1"}"#),
            glimpse("evnet", None, Some(Key::Integer(7)))
        );
        assert_eq!(of("evnet", r#"{"type": "other"}"#).kind.as_deref(), Some("other"));
    }

    #[test]
    fn a_message_that_cannot_be_read_says_what_its_attribute_says() {
        assert_eq!(of("event", r#"{"user_id": 7"#), glimpse("event", None, None));
    }

    #[test]
    fn each_field_that_names_a_user_is_kept() {
        let mut config = defaults();
        config.dead_letters.user_fields = vec!["owner".to_owned(), "user_id".to_owned()];
        let message = QueueMessage {
            body: r#"{"type": "event", "user_id": 7, "owner": "ada"}"#.to_owned(),
            ..QueueMessage::default()
        };
        let looks = Looks(Arc::new(config));
        let users = [Key::Text("ada".to_owned()), Key::Integer(7)];
        assert_eq!(looks.of(&message, true).users, users);
        assert_eq!(looks.of(&message, false), Glimpse::default(), "it could not be read");
    }

    #[test]
    fn what_unpacks_to_more_than_there_is_room_for_is_not_looked_into() {
        let text = format!(r#"{{"user_id": 7, "data": "{}"}}"#, "x".repeat(1 << 20));
        let packed = STANDARD.encode(compress_to_vec(text.as_bytes(), CompressionLevel::Fastest));
        let attribute =
            |name: &str, value: &str| (name.to_owned(), Attribute::Text(value.to_owned()));
        let message = QueueMessage {
            body: packed,
            attributes: vec![attribute("content-encoding", "zstd"), attribute("type", "event")],
            ..QueueMessage::default()
        };
        assert!(message.bytes() < 8_192, "{}", message.bytes());
        let looks = Looks(Arc::new(defaults()));
        assert_eq!(looks.of(&message, true), Glimpse::of_kind("event"));
    }
}
