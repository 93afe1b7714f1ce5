//! A message with its layers taken off, for who changes what is inside and puts them on again.

use super::encoding::Encoding;
use crate::message::Layer;

/// What is inside of a message, and what it was got out of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unwrapped {
    /// The texts around it, from the body of the message inwards.
    pub around: Vec<Around>,
    /// The innermost text: the record's, or the one that does not open. With a byte order mark where it
    /// came with one. Of a CloudEvents event without data it is the `{}` that is read in its place.
    pub text: String,
}

/// A text that another one was got out of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    pub text: String,
    /// How the next text stands in it.
    pub layer: Layer,
    /// How the next text is packed, of [`Layer::Packed`] only.
    pub encoding: Encoding,
}

impl Unwrapped {
    pub(super) fn body(text: &str) -> Self {
        Self { around: Vec::new(), text: text.to_owned() }
    }

    /// The text that was the innermost is around this one.
    pub(super) fn enter(&mut self, layer: Layer, encoding: Encoding, text: &str) {
        let text = std::mem::replace(&mut self.text, text.to_owned());
        self.around.push(Around { text, layer, encoding });
    }
}
