//! What holds for any bytes at all that arrive as a message: the body of each fuzz target, and of
//! the tests that run its corpus without a fuzzer.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use longshore::bson::{DOCUMENT_BYTES_MAX, Fields};
use longshore::cli::output::Output;
use longshore::cli::try_one;
use longshore::config::Config;
use longshore::config::load::defaults;
use longshore::decode::{decode, json};
use longshore::message::origin::ID_BYTES_MAX;
use longshore::message::{Attribute, QueueMessage, Record, Rejection};
use longshore::route::Router;

use super::reference;

/// Far above what a corpus file unpacks to, and small enough for a fuzzer to pass often.
const UNPACKED_BYTES_MAX: usize = 64 * 1024;
/// A place of 512 bytes and one name more, and the sentence around them.
const TEXT_BYTES_MAX: usize = 2_048;

/// A body by itself: it becomes exactly the document that the reference makes of it, or is rejected
/// where that rejects.
///
/// # Panics
/// Where that does not hold.
pub fn body(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match (json::fields(&text), reference::document(&text)) {
        (Ok(fields), Some(wanted)) => {
            assert_eq!(document(&fields), wanted, "the document is not the one that the text says");
        }
        (Err(rejection), None) => check_rejection(&rejection),
        (Ok(_), None) => panic!("read, though it must be rejected"),
        (Err(rejection), Some(_)) => panic!("rejected, though it can be stored: {rejection:?}"),
    }
}

/// A message with attributes, written as in HTTP: a line `name: value` for each, an empty line, the
/// body. A line `raw` stands for base64, so that a fuzzer can change what is packed: the rest is
/// encoded first.
///
/// # Panics
/// Where anything but a sound record or a sound rejection comes of it, or the second time another
/// one.
pub fn message(bytes: &[u8]) {
    static CONFIG: LazyLock<(Config, Router<()>)> = LazyLock::new(|| {
        let mut config = defaults();
        config.message.version_skew_max = Duration::from_hours(1);
        config.message.decompressed_bytes_max = UNPACKED_BYTES_MAX;
        config.message.unpack_ratio_max = 100_000;
        config.message.document_bytes_max = DOCUMENT_BYTES_MAX;
        config.message.types = [("com.example.login".to_owned(), "event".to_owned())].into();
        let router = Router::new(&config.routes, config.message.version_skew_max, |_| ());
        (config, router)
    });
    let (config, router) = &*CONFIG;
    let message = written(bytes);
    match (decode(&message, &config.message), decode(&message, &config.message)) {
        (Ok(record), Ok(again)) => {
            assert_eq!(
                (&record.kind, &record.origin, &record.fields, record.bytes),
                (&again.kind, &again.origin, &again.fields, again.bytes)
            );
            check_record(&record, message.body.len());
            if let Err(rejection) = router.route(&record) {
                check_rejection(&rejection);
            }
        }
        (Err(rejection), Err(again)) => {
            assert_eq!(rejection, again);
            check_rejection(&rejection);
        }
        (first, second) => panic!("decided in two ways: {first:?} and {second:?}"),
    }
}

/// The same message as `longshore try` tells it to people: all of it on their terminal, bounded where it
/// is rejected.
///
/// # Panics
/// Where that does not hold.
pub fn told(bytes: &[u8]) {
    static CONFIG: LazyLock<Config> = LazyLock::new(defaults);
    let told = try_one::told(&CONFIG, &written(bytes), Output::People).expect("a text");
    let is_obeyed =
        |char: char| char != '\n' && (char.is_control() || "\u{200f}\u{202e}".contains(char));
    assert!(!told.text.contains(is_obeyed), "{:?}", told.text);
    assert!(!told.is_rejected || told.text.len() < 3 * TEXT_BYTES_MAX, "{} bytes", told.text.len());
}

fn written(bytes: &[u8]) -> QueueMessage {
    let at = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = at.map_or((&[][..], bytes), |at| (&bytes[..at], &bytes[at + 2..]));
    let head = String::from_utf8_lossy(head);
    let attributes = head.lines().filter_map(|line| line.split_once(": "));
    QueueMessage {
        message_id: "00000000-0000-4000-8000-000000000001".to_owned(),
        body: if head.lines().any(|line| line == "raw") {
            STANDARD.encode(body)
        } else {
            String::from_utf8_lossy(body).into_owned()
        },
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), Attribute::Text(value.to_owned())))
            .collect(),
        sent_ms: 1_795_341_600_000,
        receive_count: 1,
        ..QueueMessage::default()
    }
}

fn check_record(record: &Record, body_bytes: usize) {
    if let Some(named) = record.kind.named() {
        assert!(!named.route.is_empty(), "a route without a name");
        assert_ne!(named.other.as_ref(), Some(&named.route), "one route, and not two");
    }
    assert!(
        (1..=ID_BYTES_MAX).contains(&record.origin.id.len()),
        "an origin's id of {} bytes",
        record.origin.id.len()
    );
    assert!(
        record.bytes <= body_bytes.max(UNPACKED_BYTES_MAX),
        "{} bytes of a body of {body_bytes}",
        record.bytes
    );
    let bytes = document(&record.fields);
    assert!(bytes.len() <= DOCUMENT_BYTES_MAX, "a document of {} bytes", bytes.len());
    let parsed: bson::Document =
        bson::deserialize_from_slice(&bytes).expect("what was read is BSON");
    // Not the same bytes again where a name is there twice, or a length or a text is not as the
    // specification wants it.
    assert_eq!(
        bson::serialize_to_vec(&parsed).expect("BSON"),
        bytes,
        "not the canonical BSON of {parsed}"
    );
    check_names(&parsed, 1);
}

fn check_names(document: &bson::Document, level: usize) {
    assert!(level <= json::LEVELS_MAX, "more levels than are taken");
    for (name, value) in document {
        assert!(!name.starts_with('$') && !name.contains('\0'), "{name:?} cannot be stored");
        check_value(value, level + 1);
    }
}

fn check_value(value: &bson::Bson, level: usize) {
    match value {
        bson::Bson::Document(document) => check_names(document, level),
        bson::Bson::Array(items) => {
            assert!(level <= json::LEVELS_MAX, "more levels than are taken");
            for item in items {
                check_value(item, level + 1);
            }
        }
        _ => {}
    }
}

/// A line of a log, for people: there, not too long, and on one line.
fn check_rejection(rejection: &Rejection) {
    let text = &rejection.text;
    assert!((1..=TEXT_BYTES_MAX).contains(&text.len()), "a reason of {} bytes", text.len());
    assert!(!text.contains(char::is_control), "control characters in {text:?}");
}

/// The fields as the document they are.
fn document(fields: &Fields) -> Vec<u8> {
    let length = i32::try_from(fields.bytes() + 5).expect("bounded");
    let mut bytes = length.to_le_bytes().to_vec();
    fields.iter().for_each(|field| bytes.extend_from_slice(field.element));
    bytes.push(0);
    bytes
}
