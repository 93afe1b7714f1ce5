//! What wraps a body on its way: an SNS notification, an EventBridge event, a CloudEvents 1.0
//! event.
//!
//! An envelope is recognised by names that only it has, several of them and with values of their
//! types, so that a plain message that happens to have a field `Message` or `detail` stays plain. What
//! else its specification requires is then asked for by name. Forms:
//! - SNS: "Amazon SNS message formats" (HTTP/HTTPS notification JSON, which SQS gets too unless
//!   delivery is raw)
//! - EventBridge: "AWS service event metadata" (the fields that every event has)
//! - CloudEvents 1.0: the specification's required attributes, the JSON event format, and
//!   attributes with the prefix `ce-`

mod cloudevents;
mod names;
mod opened;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::cloudevents::binary_cloudevent;
use self::cloudevents::cloudevent;
use self::names::{Names, broken, placed, required, string};
pub use self::opened::{Envelope, NO_DATA, Signature};
use crate::message::origin::{read_id, read_time};
use crate::message::{Asked, AskedIn, Attribute, Layer, Place, Rejection};

/// Which envelopes are opened: the setting `message.envelopes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelopes {
    pub sns: bool,
    pub eventbridge: bool,
    pub cloudevents: bool,
}

impl Envelopes {
    pub const ALL: Self = Self { sns: true, eventbridge: true, cloudevents: true };
}

/// Opens the envelope that the text is, if it is one. A text whose own `type` names a route, by
/// `names_route`, is a message, whatever its other names look like; but of CloudEvents `type` is the
/// envelope's.
///
/// # Errors
/// Where it is an envelope and is broken.
pub fn open(
    text: &str,
    opened: Envelopes,
    names_route: impl Fn(&str) -> bool,
) -> Result<Option<Envelope<'_>>, Rejection> {
    // Without one of these there is no envelope, and the text is parsed once only.
    if ![r#""TopicArn""#, r#""detail-type""#, r#""specversion""#]
        .iter()
        .any(|name| text.contains(name))
    {
        return Ok(None);
    }
    // What is no JSON object, or has a name twice, is reported by the conversion, which knows the
    // place.
    let Ok(names) = serde_json::from_str::<Names>(text) else { return Ok(None) };
    let is_plain = string(names.event_type).is_some_and(|kind| names_route(&kind));
    if opened.sns
        && !is_plain
        && let Some(envelope) = sns(&names)?
    {
        return Ok(Some(envelope));
    }
    if opened.eventbridge
        && !is_plain
        && let Some(envelope) = eventbridge(&names)?
    {
        return Ok(Some(envelope));
    }
    if opened.cloudevents { cloudevent(&names) } else { Ok(None) }
}

fn sns<'t>(names: &Names<'t>) -> Result<Option<Envelope<'t>>, Rejection> {
    let (Some(kind), Some(id), Some(_)) =
        (string(names.sns_type), string(names.message_id), string(names.topic_arn))
    else {
        return Ok(None);
    };
    match (kind.as_ref(), string(names.token)) {
        ("Notification", _) => {}
        ("UnsubscribeConfirmation", Some(_)) => {
            return Err(broken(
                "SNS: this tells that a subscription has ended, nothing is to be confirmed: its SubscribeURL brings the subscription back",
            )
            .at(Place::value("Type")));
        }
        (_, Some(_)) => {
            return Err(broken(
                "SNS: this is a request to confirm a subscription, not a notification: confirm it by its SubscribeURL",
            )
            .at(Place::value("Type")));
        }
        (_, None) => return Ok(None),
    }
    let body = required("SNS", "Message", names.message, "")?;
    let timestamp = required("SNS", "Timestamp", names.timestamp, "")?;
    let signature = Signature {
        kind: None,
        time: Some(placed("Timestamp", read_time("SNS Timestamp", &timestamp))?),
        id: placed("MessageId", read_id("SNS MessageId", &id))?,
    };
    let attributes = sns_attributes(names.message_attributes)?;
    let (place, layer) = ("the Message of the SNS notification", Layer::SnsMessage);
    Ok(Some(Envelope { signature, body, place, layer, attributes }))
}

fn sns_attributes(value: Option<&RawValue>) -> Result<Vec<(String, Attribute)>, Rejection> {
    #[derive(Deserialize)]
    struct SnsAttribute {
        #[serde(rename = "Type")]
        kind: String,
        #[serde(rename = "Value")]
        value: String,
    }

    let Some(value) = value else { return Ok(Vec::new()) };
    let attributes: BTreeMap<String, SnsAttribute> =
        serde_json::from_str(value.get()).map_err(|_| {
            broken("SNS: MessageAttributes are not objects with Type and Value")
                .at(Place::value("MessageAttributes"))
        })?;
    // Nothing here asks for a binary one.
    let texts =
        attributes.into_iter().filter(|(_, attribute)| !attribute.kind.starts_with("Binary"));
    Ok(texts.map(|(name, attribute)| (name, Attribute::Text(attribute.value))).collect())
}

fn eventbridge<'t>(names: &Names<'t>) -> Result<Option<Envelope<'t>>, Rejection> {
    let (Some(kind), Some(_), Some(_)) =
        (string(names.detail_type), string(names.source), string(names.account))
    else {
        return Ok(None);
    };
    let id = required("EventBridge", "id", names.id, "")?;
    let time = required("EventBridge", "time", names.time, "")?;
    let Some(detail) = names.detail else {
        return Err(broken(
            "EventBridge: detail is missing, or null: send {} where there is nothing to say",
        )
        .at(Place::missing("detail")));
    };
    let (body, layer) = match string(Some(detail)) {
        // As EventBridge Scheduler sends what its target is given.
        Some(text) if text.trim_ascii_start().starts_with('{') => (text, Layer::DetailText),
        None if detail.get().starts_with('{') => (Cow::Borrowed(detail.get()), Layer::Detail),
        _ => {
            return Err(broken(
                "EventBridge: detail is neither an object nor a text that holds one: send one JSON object",
            )
            .at(Place::value("detail")));
        }
    };
    let signature = Signature {
        kind: Some(Asked { place: AskedIn::DetailType, name: Some(kind.into_owned()) }),
        time: Some(placed("time", read_time("EventBridge time", &time))?),
        id: placed("id", read_id("EventBridge id", &id))?,
    };
    Ok(Some(Envelope {
        signature,
        body,
        place: "the detail of the EventBridge event",
        layer,
        attributes: Vec::new(),
    }))
}
