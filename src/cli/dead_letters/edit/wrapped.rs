//! A text put back into what it was got out of. Only the bytes of its own value change.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::cli::locate;
use crate::decode::Around;
use crate::message::{Layer, Place};

/// Puts the innermost text into the one around it, that into the next, and so on to the body.
///
/// # Errors
/// Where it stands as JSON in an envelope and is none.
pub(super) fn wrapped(around: &[Around], text: &str) -> Result<String> {
    around.iter().rev().try_fold(text.to_owned(), |inner, around| put(around, &inner))
}

fn put(around: &Around, inner: &str) -> Result<String> {
    let outer = &around.text;
    match around.layer {
        Layer::Packed => Ok(around.encoding.pack(inner)?),
        Layer::SnsMessage => replaced(outer, "Message", &quoted(inner)?),
        Layer::DetailText => replaced(outer, "detail", &quoted(inner)?),
        Layer::Detail => replaced(outer, "detail", json("detail", inner)?),
        Layer::DataBase64 => replaced(outer, "data_base64", &quoted(&STANDARD.encode(inner))?),
        Layer::Data => {
            let data = json("data", inner)?;
            // It may have come without any, which is read as an object without names.
            replaced(outer, "data", data).or_else(|_| with_data(outer, data))
        }
    }
}

fn quoted(text: &str) -> Result<String> {
    Ok(serde_json::to_string(text)?)
}

/// The text as one JSON value. A comma in the wrong place could be a field of the envelope.
fn json<'t>(name: &str, text: &'t str) -> Result<&'t str> {
    let value: &RawValue = serde_json::from_str(text).with_context(|| {
        format!("the program gives a text that is no JSON, and `{name}` of the envelope holds JSON")
    })?;
    Ok(value.get())
}

fn replaced(outer: &str, name: &'static str, value: &str) -> Result<String> {
    let bare = without_mark(outer);
    let span = locate::value(bare, &Place::value(name))
        .with_context(|| format!("the envelope has no `{name}`"))?;
    let begin = outer.len() - bare.len();
    let (before, behind) = (&outer[..begin + span.start], &outer[begin + span.end..]);
    Ok(format!("{before}{value}{behind}"))
}

fn with_data(outer: &str, data: &str) -> Result<String> {
    let end = outer.rfind('}').context("the envelope has no end")?;
    let (before, behind) = outer.split_at(end);
    Ok(format!(r#"{before},"data":{data}{behind}"#))
}

/// A byte order mark is none of the text.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
