//! Which route a message asks for.

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
    /// Continues "the type in".
    pub place: &'static str,
    /// None where it is not text.
    pub name: Option<String>,
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
