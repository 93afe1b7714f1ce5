//! The names that tell envelopes, and what is said of one that is not as it must be.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::{Place, Reason, Rejection};

/// The names that tell envelopes, with their values as text. Others are skipped.
#[derive(Deserialize)]
pub(super) struct Names<'t> {
    #[serde(borrow, rename = "Type")]
    pub(super) sns_type: Option<&'t RawValue>,
    #[serde(borrow, rename = "MessageId")]
    pub(super) message_id: Option<&'t RawValue>,
    #[serde(borrow, rename = "TopicArn")]
    pub(super) topic_arn: Option<&'t RawValue>,
    #[serde(borrow, rename = "Message")]
    pub(super) message: Option<&'t RawValue>,
    #[serde(borrow, rename = "Timestamp")]
    pub(super) timestamp: Option<&'t RawValue>,
    #[serde(borrow, rename = "MessageAttributes")]
    pub(super) message_attributes: Option<&'t RawValue>,
    #[serde(borrow, rename = "Token")]
    pub(super) token: Option<&'t RawValue>,
    #[serde(borrow, rename = "detail-type")]
    pub(super) detail_type: Option<&'t RawValue>,
    #[serde(borrow)]
    pub(super) detail: Option<&'t RawValue>,
    #[serde(borrow)]
    pub(super) account: Option<&'t RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'t RawValue>,
    #[serde(borrow)]
    pub(super) source: Option<&'t RawValue>,
    #[serde(borrow)]
    pub(super) time: Option<&'t RawValue>,
    #[serde(borrow)]
    pub(super) specversion: Option<&'t RawValue>,
    #[serde(borrow, rename = "type")]
    pub(super) event_type: Option<&'t RawValue>,
    #[serde(borrow)]
    pub(super) data: Option<&'t RawValue>,
    #[serde(borrow)]
    pub(super) data_base64: Option<&'t RawValue>,
}

/// The value as a string, if it is one.
pub(super) fn string(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let raw = value?.get();
    let inside = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inside))
    }
}

/// The value of a name that an envelope must have, as a string.
pub(super) fn required<'t>(
    envelope: &str,
    name: &'static str,
    value: Option<&'t RawValue>,
    beside: &str,
) -> Result<Cow<'t, str>, Rejection> {
    string(value).ok_or_else(|| {
        let text = format!("{envelope}: {name} is missing, or not a string{beside}: correct the sender, or leave such envelopes out of message.envelopes");
        broken(&text).at(if value.is_some() { Place::value(name) } else { Place::missing(name) })
    })
}

/// What the field `name` of an envelope holds, or why it is rejected, at that field.
pub(super) fn placed<T>(name: &'static str, read: Result<T, Rejection>) -> Result<T, Rejection> {
    read.map_err(|rejection| rejection.at(Place::value(name)))
}

pub(super) fn broken(text: &str) -> Rejection {
    Rejection::new(Reason::BadEnvelope, text)
}
