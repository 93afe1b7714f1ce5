//! A message as a caller makes it, and what becomes of it before it waits: checked as a worker would
//! read it, packed where that pays, and marked with the span in which it is made.

use serde::Serialize;

use crate::decode::encoding::{self, Encoding};
use crate::message::origin::{ID_ATTRIBUTE, TIME_ATTRIBUTE};
use crate::message::{
    Attribute, QueueMessage, Reason, Rejection, attribute_text, attribute_text_in_any_case,
};
use crate::queue::{Outgoing, SEND_BYTES_MAX};
use crate::telemetry::TRACE_ATTRIBUTES;

use super::checked;
use super::json;
use super::limits::{ATTRIBUTES_MAX, check_attribute, check_group, group_of, is_text};
use super::settings::{Checks, Compression};
use super::trace;

/// The attributes of an identity: their names, type and values. A UUID has 36 characters, and a time
/// 13 digits until the year 2286.
const IDENTITY_BYTES: usize =
    ID_ATTRIBUTE.len() + TIME_ATTRIBUTE.len() + 2 * "String".len() + 36 + 13;
const IDENTITY_ATTRIBUTES: usize = 2;

/// Why a message is none: the field and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadMessage(String);

/// A message to be sent: an [`Event`](super::Event), a [`Session`](super::Session), a
/// [`Cache`](super::Cache), or one of your own routes. What is wrong with it is told when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message(Box<Draft>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Draft {
    body: Result<String, String>,
    route: Route,
    attributes: Vec<(String, Attribute)>,
    group: Option<String>,
    /// What names the group where none is given: the key of the document.
    key: Option<String>,
    gets_identity: bool,
    is_ready: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    BuiltIn,
    Own(Option<String>),
}

/// What a producer's settings say of each message.
#[derive(Debug, Clone, Copy)]
pub struct Making {
    pub compression: Compression,
    pub fifo: bool,
    pub checks: Checks,
}

impl Message {
    /// A message for a route of your own: `type_name` names it, `fields` is what serializes to one
    /// JSON object without a field `type`.
    #[must_use]
    pub fn new<T: Serialize + ?Sized>(type_name: &str, fields: &T) -> Self {
        Self::of(of_type(type_name, fields), Route::Own(Some(type_name.to_owned())), None)
    }

    /// A message of this JSON text, which is one object and names its own type.
    #[must_use]
    pub fn body(json: impl Into<String>) -> Self {
        Self::of(Ok(json.into()), Route::Own(None), None)
    }

    /// One whose route is built in.
    pub(super) fn built_in(body: Result<String, String>, key: String) -> Self {
        Self::of(body, Route::BuiltIn, Some(key))
    }

    /// One that whoever made it has checked.
    pub(crate) fn as_it_is(message: Outgoing, gets_identity: bool) -> Self {
        let Outgoing { body, attributes, group, deduplication: _ } = message;
        let draft = Self::of(Ok(body), Route::Own(None), None).0;
        Self(Box::new(Draft { attributes, group, gets_identity, is_ready: true, ..*draft }))
    }

    fn of(body: Result<String, String>, route: Route, key: Option<String>) -> Self {
        Self(Box::new(Draft {
            body,
            route,
            attributes: Vec::new(),
            group: None,
            key,
            gets_identity: true,
            is_ready: false,
        }))
    }

    /// In this message group: 1 to 128 ASCII letters, digits and punctuation. A FIFO queue delivers
    /// a group in order; a standard queue is fair between groups. Where SQS takes a message of a call and
    /// fails an earlier one of its group, the two change places in the queue; a worker still knows their order. Without it a message of a built-in
    /// type is in the group of its key on a FIFO queue, and in none on a standard one.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.0.group = Some(group.into());
        self
    }

    /// With a text attribute beside those of the producer. Eight at most.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.attributes.push((name.into(), Attribute::Text(value.into())));
        self
    }

    /// Makes it what is sent, once. `now_ms` is the time of the sending.
    ///
    /// # Errors
    /// Where a worker or SQS would refuse it.
    pub(super) fn make_ready(&mut self, making: Making, now_ms: i64) -> Result<(), BadMessage> {
        if self.0.is_ready {
            // Another producer gave it back.
            return self.0.choose_group(making.fifo).map_err(BadMessage);
        }
        self.0.make_ready(making, now_ms).map_err(BadMessage)?;
        self.0.is_ready = true;
        Ok(())
    }

    pub(super) fn gets_identity(&self) -> bool {
        self.0.gets_identity
    }

    /// Bytes of a ready message with its identity, as SQS counts them.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// What is sent of a ready message, but for its identity.
    pub(crate) fn into_outgoing(self) -> Outgoing {
        let Draft { body, attributes, group, .. } = *self.0;
        Outgoing { body: body.unwrap_or_default(), attributes, group, deduplication: None }
    }
}

impl Draft {
    fn make_ready(&mut self, making: Making, now_ms: i64) -> Result<(), String> {
        // What is refused is dropped.
        let body = std::mem::replace(&mut self.body, Ok(String::new()))?;
        self.check_attributes()?;
        self.choose_group(making.fifo)?;
        let most = checked::unpacked_bytes_max(making.checks);
        if body.len() > most {
            return Err(format!(
                "the body has {} bytes, and workers read {most} at most: send less in one message, or say in ProducerConfig::checks what yours read",
                body.len()
            ));
        }
        // SQS refuses both, and in a text of JSON an escape means the same.
        let body = if body.contains(['\u{fffe}', '\u{ffff}']) {
            body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
        } else {
            body
        };
        let tried = match self.packed(&body, making.compression) {
            Some((encoding, packed)) => {
                match self.try_body(packed, Some(encoding), now_ms, making.checks) {
                    // What packs very well is refused packed: a worker pays for what comes out of it.
                    Err(rejection) if rejection.reason == Reason::TooLarge => {
                        self.attributes.retain(|(name, _)| name != encoding::ATTRIBUTE);
                        self.try_body(body, None, now_ms, making.checks)
                    }
                    tried => tried,
                }
            }
            None => self.try_body(body, None, now_ms, making.checks),
        };
        tried.map_err(|rejection| rejection.text)?;
        self.add_trace();
        Ok(())
    }

    fn check_attributes(&self) -> Result<(), String> {
        let most = ATTRIBUTES_MAX - IDENTITY_ATTRIBUTES;
        if self.attributes.len() > most {
            return Err(format!(
                "the message has {} attributes of its own: SQS takes {ATTRIBUTES_MAX}, {ID_ATTRIBUTE} and {TIME_ATTRIBUTE} among them, so give {most} at most",
                self.attributes.len()
            ));
        }
        for (place, (name, value)) in self.attributes.iter().enumerate() {
            let Attribute::Text(value) = value else { continue };
            let shown = crate::message::shown_name(name);
            check_attribute(name, value).map_err(|text| format!("attribute {shown}: {text}"))?;
            if !is_text(value) {
                return Err(format!(
                    "attribute {shown} holds a character that SQS does not take: leave out control characters"
                ));
            }
            if [ID_ATTRIBUTE, TIME_ATTRIBUTE].contains(&name.as_str()) {
                return Err(format!(
                    "attribute {shown} is the producer's: leave it out, or give an event an id of its own"
                ));
            }
            if self.attributes[..place].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!("attribute {shown} is given twice"));
            }
        }
        Ok(())
    }

    fn choose_group(&mut self, fifo: bool) -> Result<(), String> {
        if let Some(group) = &self.group {
            return check_group(group).map_err(|text| format!("the message's group {text}"));
        }
        if fifo {
            let key = self.key.as_deref().ok_or(
                "a FIFO queue takes no message without a group: name it with Message::group",
            )?;
            self.group = Some(group_of(key));
        }
        Ok(())
    }

    /// The body packed, where it should be and that makes it smaller.
    fn packed(&self, body: &str, compression: Compression) -> Option<(&'static str, String)> {
        let (name, encoding, above) = match compression {
            Compression::Off => return None,
            Compression::Gzip { above } => ("gzip", Encoding::Gzip, above),
            Compression::Zstd { above } => ("zstd", Encoding::Zstd, above),
        };
        let has_room = self.attributes.len() + IDENTITY_ATTRIBUTES < ATTRIBUTES_MAX;
        let is_packed = attribute_text_in_any_case(&self.attributes, encoding::ATTRIBUTE).is_some();
        if body.len() <= above || !has_room || is_packed {
            return None;
        }
        let packed = encoding.pack(body).ok()?;
        let with_attribute = packed.len() + encoding::ATTRIBUTE.len() + "String".len() + name.len();
        (with_attribute < body.len()).then_some((name, packed))
    }

    /// Takes a body, packed or not, and asks what a worker would say.
    fn try_body(
        &mut self,
        body: String,
        packed: Option<&'static str>,
        now_ms: i64,
        checks: Checks,
    ) -> Result<(), Rejection> {
        if let Some(name) = packed {
            let value = Attribute::Text(name.to_owned());
            self.attributes.push((encoding::ATTRIBUTE.to_owned(), value));
        }
        self.body = Ok(String::new());
        let bytes = self.bytes() + body.len();
        if bytes > SEND_BYTES_MAX {
            let text = format!(
                "the message has {bytes} bytes with its attributes, and SQS takes {SEND_BYTES_MAX} at most: send less in one message"
            );
            return Err(Rejection::new(Reason::TooLarge, text));
        }
        let attributes = std::mem::take(&mut self.attributes);
        let message = QueueMessage { body, attributes, sent_ms: now_ms, ..QueueMessage::default() };
        let said = match (&self.route, checks) {
            (Route::BuiltIn, Checks::Defaults) => checked::by_built_in_routes(&message),
            (Route::BuiltIn, _) => checked::by_any_routes(&message, None, checks),
            (Route::Own(name), _) => checked::by_any_routes(&message, name.as_deref(), checks),
        };
        (self.body, self.attributes) = (Ok(message.body), message.attributes);
        said
    }

    /// Adds the current span, as far as there is room for it.
    fn add_trace(&mut self) {
        let [parent, _] = TRACE_ATTRIBUTES;
        if attribute_text(&self.attributes, parent).is_some() {
            return;
        }
        for (name, value) in trace::context() {
            let bytes = name.len() + "String".len() + value.len();
            let has_room = self.attributes.len() + IDENTITY_ATTRIBUTES < ATTRIBUTES_MAX
                && self.bytes() + bytes <= SEND_BYTES_MAX;
            if has_room && is_text(&value) {
                self.attributes.push((name, Attribute::Text(value)));
            }
        }
    }

    fn bytes(&self) -> usize {
        let attributes =
            self.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.bytes());
        let identity = if self.gets_identity { IDENTITY_BYTES } else { 0 };
        self.body.as_ref().map_or(0, String::len) + attributes.sum::<usize>() + identity
    }
}

/// `fields` with the field `type` before them.
fn of_type<T: Serialize + ?Sized>(type_name: &str, fields: &T) -> Result<String, String> {
    if type_name.is_empty() {
        return Err("the name of the type is empty: name a route".to_owned());
    }
    let fields = json::text(None, fields)?;
    let Some(inside) = fields.strip_prefix('{') else {
        return Err(format!(
            "the fields of a message must serialize to one JSON object, and these do not (type {})",
            crate::message::shown_name(type_name)
        ));
    };
    let name = serde_json::Value::from(type_name);
    let comma = if inside == "}" { "" } else { "," };
    Ok(format!(r#"{{"type":{name}{comma}{inside}"#))
}
