//! What an opened envelope gives.

use std::borrow::Cow;

use crate::message::{Asked, Attribute, Layer};
use crate::time::Time;

/// What a CloudEvents event without data holds.
pub const NO_DATA: &str = "{}";

/// Who sent a message and which type the sender gave it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// In the sender's words, not yet mapped to a route.
    pub kind: Option<Asked>,
    /// Where the envelope has a time.
    pub time: Option<Time>,
    pub id: Vec<u8>,
}

/// An envelope that was opened.
#[derive(Debug)]
pub struct Envelope<'t> {
    pub signature: Signature,
    /// What it holds, still as text.
    pub body: Cow<'t, str>,
    /// Where in the envelope that stands, as text and as a layer.
    pub place: &'static str,
    pub layer: Layer,
    /// The message attributes that it carries; SNS only.
    pub attributes: Vec<(String, Attribute)>,
}
