//! The message of the command line: as a queue would hand it over.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::clock::{Clock, SystemClock};
use crate::message::{Attribute, QueueMessage};
use crate::producer::limits::ATTRIBUTES_MAX;
use crate::queue::MESSAGE_BYTES_MAX;
use crate::time;

use super::mark::{Position, position};

use super::super::attribute::attribute;

/// The id of the message: of one that the queue would give its identity, it becomes part of the
/// document's.
const MESSAGE_ID: &str = "longshore-try";

/// What the command line says of it.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// The body; - is standard input. At most 1 MiB with all attributes, as SQS takes it
    #[arg(value_name = "FILE", conflicts_with = "body")]
    file: Option<PathBuf>,
    /// The body itself
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// A text attribute of the message; may be repeated, 10 times at most
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,
    /// Who sent it, for routes with `senders`: the id that the queue gives, of which the part before the colon counts
    #[arg(long, value_name = "ID")]
    sender: Option<String>,
    /// When it was sent: RFC 3339, or epoch seconds or milliseconds. Now unless given
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    sent: Option<i64>,
}

/// # Errors
/// Where the input cannot be read, or SQS would not take it.
pub(super) fn message(given: Given) -> Result<QueueMessage> {
    let body = match given.body {
        Some(body) => body,
        None => read(given.file.as_deref().unwrap_or(Path::new("-")))?,
    };
    let sent_ms = given.sent.unwrap_or_else(|| SystemClock::default().now_ms());
    let message = QueueMessage {
        message_id: MESSAGE_ID.to_owned(),
        body,
        attributes: attributes(given.attribute)?,
        sent_ms,
        receive_count: 1,
        // As the queue's own is read: behind the colon stands the session of a role.
        sender: given.sender.map(|id| id.split(':').next().unwrap_or_default().into()),
        ..QueueMessage::default()
    };
    // SQS counts the data type of an attribute too, which is `String`.
    let bytes = message.bytes() + message.attributes.len() * "String".len();
    if bytes > MESSAGE_BYTES_MAX {
        bail!(
            "the message has {bytes} bytes, and SQS takes {MESSAGE_BYTES_MAX} at most, attributes included"
        );
    }
    if message.body.is_empty() {
        bail!(
            "SQS takes no empty body: give a message as a file, on standard input or with --body"
        );
    }
    check_chars("the body", &message.body)?;
    for (name, value) in &message.attributes {
        if let Attribute::Text(text) = value {
            check_chars(&format!("attribute {name}"), text)?;
        }
    }
    Ok(message)
}

/// # Errors
/// Where the text has a character that SQS does not take: it would never be delivered.
fn check_chars(what: &str, text: &str) -> Result<()> {
    let is_taken =
        |char: char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    let Some(at) = text.find(|char| !is_taken(char)) else { return Ok(()) };
    let char = text[at..].chars().next().map_or(0, u32::from);
    let Position { line, column } = position(text, at);
    bail!(
        "{what} has the character U+{char:04X} at line {line} column {column}, and SQS does not take it: leave it out, or write it as the JSON escape \\u{char:04x}"
    )
}

fn attributes(given: Vec<(String, String)>) -> Result<Vec<(String, Attribute)>> {
    let mut attributes: Vec<_> =
        given.into_iter().map(|(name, value)| (name, Attribute::Text(value))).collect();
    attributes.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Some(twice) = attributes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        bail!("attribute {} is given twice", twice[0].0);
    }
    if attributes.len() > ATTRIBUTES_MAX {
        bail!("SQS takes {ATTRIBUTES_MAX} attributes at most: give fewer");
    }
    Ok(attributes)
}

/// The whole input as text. One byte too many is read, so that what is too large is not cut.
fn read(path: &Path) -> Result<String> {
    let failed = || format!("cannot read {}", path.display());
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        if path.to_string_lossy().starts_with('{') && !path.exists() {
            bail!(
                "this is a message and no file: give it with --body, or - and the message on standard input"
            );
        }
        Box::new(File::open(path).with_context(failed)?)
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    input.take(most).read_to_end(&mut bytes).with_context(failed)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // The cut may go through a character; that it is too large is told above.
        Err(error) if error.as_bytes().len() > MESSAGE_BYTES_MAX => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            bail!(
                "{} is not UTF-8 from byte {at} on, and SQS takes text only: send bytes in base64, packed with the attribute content-encoding",
                if path == Path::new("-") {
                    "standard input".to_owned()
                } else {
                    path.display().to_string()
                }
            )
        }
    }
}

/// Reads a time of the command line, in milliseconds since the epoch.
///
/// # Errors
/// Where it is none.
pub(super) fn time(text: &str) -> Result<i64, String> {
    time::from_text(text).map(time::Time::millis).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(body: &str, attributes: &[(&str, &str)]) -> Given {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Given {
            file: None,
            body: Some(body.to_owned()),
            attribute: attributes.iter().map(owned).collect(),
            sender: None,
            sent: None,
        }
    }

    #[test]
    fn a_message_is_as_a_queue_would_hand_it_over() {
        let given = Given {
            sender: Some("AROAEXAMPLE:session".to_owned()),
            sent: Some(time("2026-11-22T10:00:00Z").expect("a time")),
            ..args("{}", &[("type", "event"), ("a", "1")])
        };
        let message = message(given).expect("sound");
        assert_eq!(
            (message.sender.as_deref(), message.sent_ms),
            (Some("AROAEXAMPLE"), 1_795_341_600_000)
        );
        assert_eq!((message.text("type"), message.attributes[0].0.as_str()), (Some("event"), "a"));
    }

    #[test]
    fn what_sqs_would_not_take_is_no_message() {
        let problem = |args| message(args).expect_err("refused").to_string();
        assert!(problem(args("{}", &[("a", "1"), ("a", "2")])).contains("twice"));
        let names: Vec<String> = (0..11).map(|number| format!("n{number}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        assert!(problem(args("{}", &many)).contains("10 attributes at most"));
        let large = "x".repeat(MESSAGE_BYTES_MAX + 1);
        assert!(problem(args(&large, &[])).contains("1048577 bytes"));
        // Name, value, and the name of the data type.
        let fits = "x".repeat(MESSAGE_BYTES_MAX - 8);
        assert!(message(args(&fits, &[("a", "1")])).is_ok());
        let large = format!("{fits}x");
        assert!(problem(args(&large, &[("a", "1")])).contains("1048577 bytes"));
    }

    #[test]
    fn a_body_that_sqs_never_delivers_is_no_message() {
        let problem = |args| message(args).expect_err("refused").to_string();
        assert!(problem(args("", &[])).starts_with("SQS takes no empty body"));
        let told = problem(args("{\"a\":\n \"é\u{1}\"}", &[]));
        assert!(told.starts_with("the body has the character U+0001 at line 2 column 4"), "{told}");
        assert!(problem(args("\u{ffff}", &[])).contains("U+FFFF"));
        assert!(problem(args("{}", &[("a", "\u{0}")])).starts_with("attribute a has"));
        assert!(message(args("{}\t\r\n\u{7f}\u{85}\u{fffd}\u{10000}\u{10ffff}", &[])).is_ok());
    }
}
