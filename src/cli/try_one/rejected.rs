//! A message that would become a dead letter: why, what usually fixes it, and where in the body.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::mark;
use super::unwrapped::Unwrapped;
use crate::cli::locate::{self, Span};
use crate::config::Config;
use crate::message::place::{Layer, Spot, Step};
use crate::message::{Place, QueueMessage, Reason, Rejection};

#[derive(Debug, Serialize)]
pub(super) struct Rejected {
    reason: &'static str,
    text: String,
    fix: &'static str,
    place: Option<Found>,
}

/// A place that was found.
#[derive(Debug, Serialize)]
struct Found {
    /// The way from the text inside of these layers: names, and indexes. It ends in null where its rest is
    /// left out because its names are long.
    path: Vec<Value>,
    /// What that text is inside of, from outside inwards: none where a field of the outermost envelope is
    /// wrong.
    inside: Vec<&'static str>,
    /// Which text the figures below are of: `body`, or `unpacked` where the place is in what was packed.
    of: &'static str,
    /// From 1 on; columns are characters.
    line: usize,
    column: usize,
    /// The first one, and the first one behind.
    bytes: [usize; 2],
    /// The lines around it, with the mark.
    #[serde(skip)]
    marked: String,
}

impl Rejected {
    pub(super) fn new(message: &QueueMessage, rejection: &Rejection, config: &Config) -> Self {
        let Rejection { reason, text, place, .. } = rejection;
        let found = place.as_ref().and_then(|place| found(message, place, *reason, config));
        Self { reason: reason.code(), text: text.clone(), fix: reason.fix(), place: found }
    }

    pub(super) fn people(&self) -> String {
        let Self { reason, text, fix, place } = self;
        let mut told = format!("rejected    {reason}: {text}\nfix         {fix}");
        if let Some(Found { of, marked, inside, line, column, .. }) = place {
            let of = if *of == "body" {
                "of the body".to_owned()
            } else {
                format!("of the text inside ({})", inside.join(", "))
            };
            // Writing to a text does not fail.
            let _ = write!(told, "\nplace       line {line} column {column} {of}\n\n{marked}");
        }
        told
    }
}

/// The place in the body; or, of what was packed, in the text that came out. None where there is nothing
/// to mark.
fn found(message: &QueueMessage, place: &Place, reason: Reason, config: &Config) -> Option<Found> {
    let body = &message.body;
    let (inner, is_whole) = Unwrapped::body(body).inside(place.layers, config.message.unpacked());
    let whole = Place::whole();
    let span = locate::span(&inner.text, if is_whole { place } else { &whole });
    let (text, span, of) = match inner.in_body(&span) {
        Some(span) => (body.as_str(), span, "body"),
        None => (inner.text.as_str(), span, "unpacked"),
    };
    // An empty text is marked by the quote in front of it, an empty body not at all.
    let span = if span.is_empty() {
        locate::span(text, &Place { spot: Spot::Byte(span.start.checked_sub(1)?), ..whole })
    } else {
        span
    };
    let mark::Position { line, column } = mark::position(text, span.start);
    let Span { start, end } = span;
    Some(Found {
        path: place.steps.iter().map(step).chain(place.is_cut.then_some(Value::Null)).collect(),
        inside: place.layers.iter().map(layer).collect(),
        of,
        line,
        column,
        bytes: [start, end],
        marked: mark::marked(text, &(start..end), reason.code()),
    })
}

fn step(step: &Step) -> Value {
    match step {
        Step::Name(name) => json!(name),
        Step::Index(index) => json!(index),
    }
}

fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Packed => "packed",
        Layer::SnsMessage => "sns.Message",
        Layer::Detail | Layer::DetailText => "eventbridge.detail",
        Layer::Data => "cloudevents.data",
        Layer::DataBase64 => "cloudevents.data_base64",
    }
}
