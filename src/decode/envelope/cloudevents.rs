//! CloudEvents 1.0, in structured and in binary mode. Structured is what has a `specversion` and, beside
//! it, a `source` or data: no plain message has these.

use std::borrow::Cow;

use super::super::encoding;
use super::names::{Names, broken, placed, required, string};
use super::opened::{Envelope, NO_DATA, Signature};
use crate::message::origin::{read_id, read_time};
use crate::message::{Asked, AskedIn, Attribute, Layer, Place, Reason, Rejection};

const VERSION: &str = "1.0";

/// A CloudEvents event in structured mode.
pub(super) fn cloudevent<'t>(names: &Names<'t>) -> Result<Option<Envelope<'t>>, Rejection> {
    let (Some(version), Some(_)) =
        (names.specversion, names.source.or(names.data).or(names.data_base64))
    else {
        return Ok(None);
    };
    // Some encoders write the version as the number that it looks like.
    let is_this = string(Some(version)).is_some_and(|version| version == VERSION)
        || [VERSION, "1"].contains(&version.get());
    let strings = [names.id, names.source, names.event_type].map(string);
    if !is_this {
        // A field of this name is nothing rare beside an envelope's other names.
        let is_whole = strings.iter().all(Option::is_some);
        return if is_whole {
            Err(other_version().at(Place::value("specversion")))
        } else {
            Ok(None)
        };
    }
    let beside = ", beside specversion";
    let id = required("CloudEvents", "id", names.id, beside)?;
    let source = required("CloudEvents", "source", names.source, beside)?;
    let kind = required("CloudEvents", "type", names.event_type, beside)?;
    let time = match names.time {
        None => None,
        Some(_) => Some(string(names.time).ok_or_else(|| {
            broken("CloudEvents: time is not a string: send RFC 3339").at(Place::value("time"))
        })?),
    };
    let kind = Asked { place: AskedIn::CloudEvent, name: Some(kind.into_owned()) };
    let signature = cloudevent_signature(kind, &source, &id, time.as_deref())?;
    let (body, layer) = match (names.data, names.data_base64) {
        (Some(data), None) => (Cow::Borrowed(data.get()), Layer::Data),
        (None, Some(_)) => {
            let bytes = string(names.data_base64).and_then(|text| encoding::base64(&text));
            let bytes = bytes.ok_or_else(|| broken("CloudEvents: data_base64 is not base64"));
            let text = String::from_utf8(placed("data_base64", bytes)?).map_err(|_| {
                Rejection::new(Reason::BadJson, "CloudEvents: data_base64 is not UTF-8")
            });
            (Cow::Owned(placed("data_base64", text)?), Layer::DataBase64)
        }
        (Some(_), Some(_)) => {
            return Err(broken("CloudEvents: data and data_base64 are both there: send one")
                .at(Place::name("data_base64")));
        }
        // "data" is optional, and null is none (CloudEvents 1.0, JSON format, 3.1).
        (None, None) => (Cow::Borrowed(NO_DATA), Layer::Data),
    };
    Ok(Some(Envelope {
        signature,
        body,
        place: "the data of the CloudEvents event",
        layer,
        attributes: Vec::new(),
    }))
}

/// The signature of a CloudEvents event in binary mode, whose body is the data and whose attributes
/// have the prefix `ce-`.
///
/// # Errors
/// Where `ce-specversion` is there and the others are not as they must be.
pub fn binary_cloudevent(
    attributes: &[(String, Attribute)],
) -> Result<Option<Signature>, Rejection> {
    // As the names of headers, where the case of these says nothing (CloudEvents 1.0, HTTP binding).
    let named = |wanted: &str| {
        let as_it_is = attributes.iter().find(|(name, _)| name == wanted);
        as_it_is.or_else(|| attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)))
    };
    let text = |wanted: &str| match named(wanted) {
        None => Ok(None),
        Some((_, Attribute::Text(text))) => Ok(Some(text.as_str())),
        Some((_, Attribute::Binary(_))) => Err(broken(&format!(
            "CloudEvents: attribute {wanted} is not text: send it with the data type String"
        ))),
    };
    let Some(version) = text("ce-specversion")? else { return Ok(None) };
    if version != VERSION {
        return Err(other_version());
    }
    let attribute = |name: &str| {
        text(name)?.ok_or_else(|| {
            broken(&format!(
                "CloudEvents: attribute {name} is missing beside ce-specversion: send it"
            ))
        })
    };
    let (kind, source, id) = (attribute("ce-type")?, attribute("ce-source")?, attribute("ce-id")?);
    let kind = Asked { place: AskedIn::CloudEventAttribute, name: Some(kind.to_owned()) };
    let signature = cloudevent_signature(kind, source, id, text("ce-time")?);
    // They stand in attributes, not in the body.
    signature.map(Some).map_err(|rejection| Rejection { place: None, ..rejection })
}

fn other_version() -> Rejection {
    broken(
        "CloudEvents: specversion is not 1.0: send the event as 1.0, or leave cloudevents out of message.envelopes",
    )
}

fn cloudevent_signature(
    kind: Asked,
    source: &str,
    id: &str,
    time: Option<&str>,
) -> Result<Signature, Rejection> {
    // Source and id together are unique (CloudEvents 1.0, "id"). Neither has control characters, so
    // a line feed parts them.
    let is_bad = |text: &str| text.is_empty() || text.chars().any(char::is_control);
    if let Some((name, _)) =
        [("source", source), ("id", id)].into_iter().find(|(_, text)| is_bad(text))
    {
        return Err(Rejection::new(
            Reason::BadKey,
            "CloudEvents: source or id is empty or has control characters: send both as plain text",
        )
        .at(Place::value(name)));
    }
    let time = placed("time", time.map(|time| read_time("CloudEvents time", time)).transpose())?;
    // Together they may be too long: the longer one is to be made shorter.
    let longer = if source.len() > id.len() { "source" } else { "id" };
    let id = read_id("CloudEvents source and id", &format!("{source}\n{id}"));
    Ok(Signature { kind: Some(kind), time, id: placed(longer, id)? })
}
