//! What a few bytes could make a worker or a database pay.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use longshore::bson::DOCUMENT_BYTES_MAX;
use longshore::message::{Attribute, Reason};
use longshore::queue::Outgoing;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::json;

use crate::support::surroundings::{Surroundings, plain};

/// Strings in one array: 12 MB as BSON, and as many entries of an index.
const STRINGS: usize = 820_000;

#[tokio::test]
async fn an_array_of_820_000_strings_in_an_indexed_field_reaches_no_index() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let strings = "\"x\",".repeat(STRINGS);
    let body = format!(
        "{{\"type\":\"event\",\"event_type\":\"login\",\"user_id\":[{}]}}",
        strings.trim_end_matches(',')
    );
    let bytes = compress_to_vec(body.as_bytes(), CompressionLevel::Fastest);
    let attributes = vec![("content-encoding".to_owned(), Attribute::Text("zstd".to_owned()))];
    let attack = Outgoing { body: STANDARD.encode(bytes), attributes, ..Outgoing::default() };
    let good = |number: usize| {
        plain(&json!({ "type": "event", "user_id": number, "event_type": "login" }))
    };
    let mut messages: Vec<_> = (0..20).map(good).collect();
    (0..5).for_each(|place| messages.insert(place * 4, attack.clone()));
    surroundings.send(&messages).await;
    // With the bounds of the defaults it is too large before anyone looks at its values.
    let mut config = surroundings.config();
    config.message.decompressed_bytes_max = DOCUMENT_BYTES_MAX;
    config.message.unpack_ratio_max = 100_000;
    config.message.document_bytes_max = DOCUMENT_BYTES_MAX;
    let counts = surroundings.unload(config).await;
    assert_eq!(counts.dead_lettered, [(Reason::BadValue, 5)].into());
    assert_eq!(surroundings.documents("events").await.len(), 20);
    let letters = surroundings.documents("dead_letters").await;
    let text = letters[0].get_str("text");
    assert!(text.is_ok_and(|text| text.starts_with("`user_id` is an array")), "{:?}", letters[0]);
}

#[tokio::test]
async fn a_route_that_lists_its_senders_takes_nothing_from_others() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let message = plain(&json!({ "type": "cache", "user_id": 1, "data": 1 }));
    let mut config = surroundings.config();
    config.routes.get_mut("cache").expect("built in").senders = vec!["AROASOMEBODY".to_owned()];
    surroundings.send(std::slice::from_ref(&message)).await;
    let counts = surroundings.unload(config.clone()).await;
    assert_eq!(counts.dead_lettered, [(Reason::SenderDenied, 1)].into());
    let letters = surroundings.documents("dead_letters").await;
    let text = letters[0].get_str("text").expect("text");
    let sender = text.strip_prefix("the sender `").and_then(|text| text.split('`').next());
    let sender = sender.unwrap_or_else(|| panic!("the queue names no sender: {text}"));
    config.routes.get_mut("cache").expect("built in").senders = vec![sender.to_owned()];
    surroundings.send(&[message]).await;
    let counts = surroundings.unload(config).await;
    assert_eq!((counts.written_total, counts.dead_lettered), (1, [].into()));
}
