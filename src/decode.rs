//! From a body to a record: unpack, open envelopes, convert JSON to BSON, and find out type and
//! origin. Pure.
//!
//! - **Body.** One JSON object, with a byte order mark or without, plain or in at most
//!   [`ENVELOPES_MAX`] envelopes ([`envelope`]), packed at most once ([`encoding`]). An attribute
//!   `content-encoding` is about the layer that it came with: the body of the SQS message, or the
//!   `Message` of an SNS notification that carries it among its own attributes.
//! - **Type.** The first of these that names a route, `message.types` mapping each: the types of
//!   envelopes, the outermost first, because rules and policies control who may set them; the body's
//!   own `type`; the attribute `type`, the innermost first. A body whose own `type`
//!   names a route is a plain message and no SNS or EventBridge envelope, whatever else it holds.
//! - **Origin.** The first of these that is there: the origin in the innermost envelope; the
//!   attributes `longshore-time` and `longshore-id` (and `longshore-sequence`, of a replay);
//!   `SentTimestamp`, `SequenceNumber` and `MessageId`. The innermost envelope is nearest to the
//!   producer, so what a topic or bus delivers twice is one message. All are the same at every
//!   redelivery.
//!
//! Whatever the body is, nothing panics, and time and memory stay linear in its size and in the
//! bound on its unpacked size:
//! - each of at most [`ENVELOPES_MAX`] + 1 layers is searched and parsed once or twice, and an
//!   inner one is shorter than the one around it;
//! - the parser goes 100 levels deep at most, and no value is looked at again at the level around
//!   it;
//! - names are hashed to find one that is there twice, and numbers that need a second look are
//!   found in one walk of the text;
//! - the bounds on the BSON and on what is unpacked end the work where they are passed, not
//!   after it;
//! - only the attributes of an SNS notification are sorted (by name), and so are top-level names
//!   for the hash of an insert;
//! - where even that is more memory than there is room for now, [`decode_within`] stops there and
//!   says so.

pub mod encoding;
pub mod envelope;
mod extended;
pub mod json;
mod naming;
mod numbers;
pub(crate) mod place;
#[cfg(test)]
mod tests;
mod undecoded;
mod unreadable;
mod unwrapped;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::bson::Fields;
use crate::message::origin::given_time;
use crate::message::{
    Attribute, Identity, Layer, Layers, Origin, Place, QueueMessage, Reason, Record, Rejection,
    attribute_text, attribute_text_in_any_case,
};
use encoding::{Encoding, Unpacked};
pub use envelope::Envelopes;
use envelope::Signature;
use json::Bounds;
use naming::Names;
pub use undecoded::Undecoded;
pub use unwrapped::{Around, Unwrapped};

/// Envelopes around one body. SNS around EventBridge or CloudEvents is two; more than one further
/// is a loop or an attack.
pub const ENVELOPES_MAX: usize = 3;

/// What a message may be: the section `message`.
#[derive(Debug, Clone)]
pub struct MessageConfig {
    /// How far a version may be ahead of `SentTimestamp`: 0 to 10 years.
    pub version_skew_max: Duration,
    /// Bytes of one body after decompression: 1 KiB to 16 MiB.
    pub decompressed_bytes_max: usize,
    /// How many times its packed bytes a body may unpack to, where that is more than 64 KiB: 10 to
    /// 100,000. A sender pays for what is packed, and a worker for what comes out.
    pub unpack_ratio_max: usize,
    /// Bytes of one message's fields as BSON: 1 KiB to 16 MiB.
    pub document_bytes_max: usize,
    /// Names that could be a type to route names.
    pub types: BTreeMap<String, String>,
    /// Which envelopes are opened.
    pub envelopes: Envelopes,
    /// The names of all routes: the loader fills it in.
    pub routes: BTreeSet<Arc<str>>,
}

impl MessageConfig {
    /// How much may come out of a packed body.
    #[must_use]
    pub fn unpacked(&self) -> Unpacked {
        Unpacked { bytes_max: self.decompressed_bytes_max, ratio_max: self.unpack_ratio_max }
    }

    /// The route that this name of a type names.
    fn route(&self, name: &str) -> Option<&Arc<str>> {
        let name = self.types.get(name).map_or(name, String::as_str);
        self.routes.get(name)
    }
}

/// Reads a message, whatever memory that takes: within the bounds of `settings` and of a document.
///
/// # Errors
/// Where it is rejected: see [`Undecoded::Rejected`].
pub fn decode(message: &QueueMessage, settings: &MessageConfig) -> Result<Record, Rejection> {
    Ok(decode_within(message, settings, usize::MAX)?)
}

/// Reads a message with at most `room` bytes of memory for its unpacked text and the record
/// together.
///
/// # Errors
/// Where it is rejected, or needs more room.
pub fn decode_within(
    message: &QueueMessage,
    settings: &MessageConfig,
    room: usize,
) -> Result<Record, Undecoded> {
    let mut opened = Opened { room, ..Opened::default() };
    let (fields, bytes) = opened
        .layer(&message.body, &message.attributes, settings)
        .map_err(|undecoded| undecoded.within(opened.layers))?;
    let kind = opened.names.kind(&fields, |name| settings.route(name));
    let origin = origin(opened.signature, message)?;
    let sender = message.sender.clone();
    let layers = opened.layers;
    Ok(Record { kind, origin, sent_ms: message.sent_ms, sender, layers, fields, bytes })
}

/// Gets out of a message what its layers are around, as far as they open.
#[must_use]
pub fn unwrapped(message: &QueueMessage, settings: &MessageConfig) -> Unwrapped {
    let kept = Some(Unwrapped::body(&message.body));
    let mut opened = Opened { room: usize::MAX, kept, ..Opened::default() };
    // Why it went no further is for those to tell who decode it.
    let _ = opened.layer(&message.body, &message.attributes, settings);
    opened.kept.unwrap_or_default()
}

/// What the layers around a body said.
#[derive(Default)]
struct Opened {
    /// Bytes of memory that are left for the text to unpack and for the record.
    room: usize,
    /// How many were opened.
    envelopes: usize,
    is_unpacked: bool,
    /// All of them, in which the text is that is being read.
    layers: Layers,
    names: Names,
    /// Of the innermost envelope.
    signature: Option<Signature>,
    /// The texts themselves, for [`unwrapped()`] only: they are copies.
    kept: Option<Unwrapped>,
}

impl Opened {
    /// Goes through one layer, and so inwards to the body. Gives its fields and the size of its
    /// text.
    fn layer(
        &mut self,
        text: &str,
        attributes: &[(String, Attribute)],
        settings: &MessageConfig,
    ) -> Result<(Fields, usize), Undecoded> {
        if let Some(kind) = attribute_text(attributes, "type") {
            self.names.of_attributes.push(kind.to_owned());
        }
        let encoding = attribute_text_in_any_case(attributes, encoding::ATTRIBUTE);
        match encoding.map(Encoding::named).transpose()? {
            None | Some(Encoding::Identity) => self.unpacked_layer(text, attributes, settings),
            Some(_) if self.is_unpacked => Err(Rejection::new(
                Reason::BadEncoding,
                "the message is packed twice: pack it once",
            )
            .at(Place::whole())
            .into()),
            Some(packed) => {
                self.is_unpacked = true;
                let text = packed
                    .unpack_within(text, settings.unpacked(), self.room)
                    .map_err(|undecoded| undecoded.at(Place::whole()))?;
                self.room -= text.len();
                self.enter(Layer::Packed, packed, &text);
                self.unpacked_layer(&text, attributes, settings)
            }
        }
    }

    fn unpacked_layer(
        &mut self,
        text: &str,
        attributes: &[(String, Attribute)],
        settings: &MessageConfig,
    ) -> Result<(Fields, usize), Undecoded> {
        // A byte order mark is none of the text (RFC 8259, 8.1).
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if settings.envelopes.cloudevents
            && let Some(signature) = envelope::binary_cloudevent(attributes)?
        {
            // The attributes are the envelope, and say that the text is the data, which may be none.
            self.sign(signature);
            let text = if text.trim_ascii().is_empty() { envelope::NO_DATA } else { text };
            if let Some(kept) = &mut self.kept {
                text.clone_into(&mut kept.text);
            }
            return Ok((json::fields_within(text, self.bounds(settings))?, text.len()));
        }
        let names_route = |name: &str| settings.route(name).is_some();
        let Some(envelope) = envelope::open(text, settings.envelopes, names_route)? else {
            return Ok((json::fields_within(text, self.bounds(settings))?, text.len()));
        };
        self.envelopes += 1;
        if self.envelopes > ENVELOPES_MAX {
            return Err(Rejection::new(
                Reason::BadEnvelope,
                format!("the body is in more than {ENVELOPES_MAX} envelopes: use raw message delivery, or wrap it less"),
            )
            .at(Place::whole())
            .into());
        }
        self.sign(envelope.signature);
        self.enter(envelope.layer, Encoding::Identity, &envelope.body);
        let layer = self.layer(&envelope.body, &envelope.attributes, settings);
        layer.map_err(|undecoded| undecoded.inside(envelope.place))
    }

    fn enter(&mut self, layer: Layer, encoding: Encoding, text: &str) {
        self.layers.push(layer);
        if let Some(kept) = &mut self.kept {
            kept.enter(layer, encoding, text);
        }
    }

    fn bounds(&self, settings: &MessageConfig) -> Bounds {
        Bounds { document: settings.document_bytes_max, memory: self.room }
    }

    fn sign(&mut self, mut signature: Signature) {
        self.names.of_envelopes.extend(signature.kind.take());
        self.signature = Some(signature);
    }
}

fn origin(signature: Option<Signature>, message: &QueueMessage) -> Result<Origin, Rejection> {
    let Some(Signature { time, id, .. }) = signature else {
        return Ok(Origin::of_attributes(message)?.unwrap_or_else(|| Origin::of_queue(message)));
    };
    let (identity, time) = match time {
        Some(time) => (Identity::Given, time),
        // A replay has the first SentTimestamp in the attribute.
        None => (
            Identity::GivenWithoutTime,
            given_time(message)?.unwrap_or_else(|| Origin::of_queue(message).time),
        ),
    };
    Ok(Origin { identity, time, sequence: 0, id: id.into() })
}
