//! Why a message is rejected: the reason, the text for people, and the place in the body.

use super::place::{Layers, Place};
use super::reason::Reason;

/// Why a message is rejected. The code is one word for logs, metrics and the dead letter; the text
/// names the thing, the place and what to do. Of the message it holds names, and as values only the type that
/// no route has, the name of the encoding, the sender's id and how far ahead a time is; each is cut to 64
/// characters, and what does not print is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub reason: Reason,
    pub text: String,
    /// The server's error code, where the server refused the write.
    pub code: Option<i32>,
    /// Where in the body, if it is there. Behind a pointer: results of every stage have room for it.
    pub place: Option<Box<Place>>,
}

impl Rejection {
    #[must_use]
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), code: None, place: None }
    }

    /// One of the server's, with its code.
    #[must_use]
    pub fn by_server(text: impl Into<String>, code: Option<i32>) -> Self {
        Self { code, ..Self::new(Reason::StoreRejected, text) }
    }

    /// The same with the place where the body is wrong.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(Box::new(place));
        self
    }

    /// The same where the place, if there is one, is of a text inside of these layers.
    #[must_use]
    pub fn within(mut self, layers: Layers) -> Self {
        if let Some(place) = &mut self.place {
            place.layers = layers;
        }
        self
    }
}
