//! Which route a message asks for.

use std::fmt;
use std::sync::Arc;

/// What the names that could be a message's type say. Those of envelopes are asked first, because
/// rules and policies control who may set them; then the body's own `type`, then the message
/// attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Named(Named),
    /// None names a route. All that were asked, in their order.
    Unnamed(Vec<Asked>),
}

/// The route that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub route: Arc<str>,
    /// The body's own `type` names this route, and so is no field of the message.
    pub by_body: bool,
    /// Another route, which a name that was asked later names.
    pub other: Option<Arc<str>>,
}

/// A name that was asked, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub place: AskedIn,
    /// None where it is not text.
    pub name: Option<String>,
}

/// Where a name stands that could be a message's type. As text it continues "the type in".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedIn {
    DetailType,
    CloudEvent,
    /// `ce-type`, of a `CloudEvents` event whose attributes are the envelope.
    CloudEventAttribute,
    Field,
    Attribute,
    /// Nobody knows any more.
    Message,
}

impl fmt::Display for AskedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DetailType => "detail-type",
            Self::CloudEvent => "the CloudEvents type",
            Self::CloudEventAttribute => "the attribute ce-type",
            Self::Field => "the field type",
            Self::Attribute => "the attribute type",
            Self::Message => "the message",
        })
    }
}

impl Kind {
    #[must_use]
    pub fn named(&self) -> Option<&Named> {
        match self {
            Self::Named(named) => Some(named),
            Self::Unnamed(_) => None,
        }
    }

    /// The name of the route.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.named().map(|named| &*named.route)
    }
}
