//! What is answered, read from the body where it lies: a text is borrowed unless it has escapes,
//! and then unescaped once.
//!
//! An answer of another form than the protocol's is not half read. Nothing of it goes into an error:
//! it may hold the bodies of messages.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::message::Attribute;

/// A text of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

/// `Cow` alone is never borrowed within an `Option`.
impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

/// A message as SQS sends it. What it lacks is the worker's to judge.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message<'a> {
    #[serde(borrow, rename = "MessageId")]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub receipt_handle: Option<Text<'a>>,
    #[serde(borrow)]
    pub body: Option<Text<'a>>,
    #[serde(borrow, rename = "Attributes")]
    pub system: Option<System<'a>>,
    /// In the order of the answer.
    #[serde(default, rename = "MessageAttributes", deserialize_with = "attributes")]
    pub attributes: Vec<(String, Attribute)>,
}

/// What the queue itself says of a message.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct System<'a> {
    #[serde(borrow)]
    pub sent_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub approximate_receive_count: Option<Text<'a>>,
    #[serde(borrow)]
    pub message_group_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub sequence_number: Option<Text<'a>>,
    #[serde(borrow)]
    pub sender_id: Option<Text<'a>>,
    #[serde(borrow, rename = "AWSTraceHeader")]
    pub trace_header: Option<Text<'a>>,
}

/// The messages of a receive's answer; `None` where it cannot be read. A body without a byte has
/// none, as the AWS SDK takes it.
pub fn messages(body: &[u8]) -> Option<Vec<Message<'_>>> {
    #[derive(Default, Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, rename = "Messages")]
        messages: Option<Vec<Message<'a>>>,
    }
    Some(read::<Answer<'_>>(body)?.messages.unwrap_or_default())
}

/// Of a message for which there was no room.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Unread {
    pub message_id: Option<String>,
    pub receipt_handle: Option<String>,
    #[serde(rename = "Attributes")]
    pub place: Option<Place>,
}

/// Where it stands in a FIFO queue.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Place {
    pub message_group_id: Option<String>,
    pub sequence_number: Option<String>,
}

/// The handles of a receive's answer; `None` where it cannot be read.
pub fn handles(answer: &[u8]) -> Option<Vec<Unread>> {
    #[derive(Default, Deserialize)]
    struct Answer {
        #[serde(rename = "Messages")]
        messages: Option<Vec<Unread>>,
    }
    Some(read::<Answer>(answer)?.messages.unwrap_or_default())
}

/// What became of each entry of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Batch<'a> {
    #[serde(borrow)]
    pub successful: Option<Vec<Done<'a>>>,
    #[serde(borrow)]
    pub failed: Option<Vec<Failed<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Done<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Failed<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub code: Option<Text<'a>>,
    #[serde(borrow)]
    pub message: Option<Text<'a>>,
}

/// The answer to a delete or a change of visibility; `None` where it cannot be read.
pub fn batch(body: &[u8]) -> Option<Batch<'_>> {
    read(body)
}

/// UTF-8 is checked once, of the whole, and no more for each text.
fn read<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> Option<T> {
    if body.is_empty() {
        return Some(T::default());
    }
    serde_json::from_str(str::from_utf8(body).ok()?).ok()
}

/// A value is binary where it has bytes, otherwise text; custom type labels (`Number.int`) are not
/// kept, and what has no value is left out.
fn attributes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, Attribute)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Value<'a> {
        #[serde(borrow)]
        string_value: Option<Text<'a>>,
        #[serde(borrow)]
        binary_value: Option<Text<'a>>,
    }
    struct Attributes;
    impl<'de> Visitor<'de> for Attributes {
        type Value = Vec<(String, Attribute)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("attributes by name")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, Option<Value<'de>>>()? {
                let Some(value) = value else { continue };
                let value = match (value.binary_value, value.string_value) {
                    (Some(text), _) => Attribute::Binary(
                        BASE64_STANDARD
                            .decode(text.0.as_bytes())
                            .map_err(|_| Error::custom("bytes that are not base64"))?,
                    ),
                    (None, Some(text)) => Attribute::Text(text.into_string()),
                    (None, None) => continue,
                };
                all.push((name, value));
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(Attributes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn one(message: &Value) -> String {
        json!({ "Messages": [message] }).to_string()
    }

    #[test]
    fn a_text_without_escapes_is_borrowed_and_one_with_them_unescaped() {
        let body =
            r#"{"Messages":[{"MessageId":"m","Body":"{\"a\":\"caf\u00e9 \ud83d\udea2\"}\n"}]}"#;
        let all = messages(body.as_bytes()).expect("readable");
        assert!(matches!(&all[0].id, Some(Text(Cow::Borrowed("m")))));
        let text = all[0].body.clone().expect("a body").into_string();
        assert_eq!(text, "{\"a\":\"caf\u{e9} \u{1f6a2}\"}\n");
    }

    #[test]
    fn what_is_unknown_or_null_is_passed_over() {
        let message = json!({ "MessageId": null, "Body": "b", "MD5OfBody": "?", "More": { "deep": [1, { "a": null }] },
            "Attributes": { "SentTimestamp": "1", "SenderId": null, "ApproximateFirstReceiveTimestamp": "2" } });
        let body = one(&message);
        let all = messages(body.as_bytes()).expect("readable");
        let system = all[0].system.as_ref().expect("attributes");
        assert_eq!((&all[0].id, &system.sender_id), (&None, &None));
        assert_eq!(system.sent_timestamp, Some("1".to_owned().into()));
    }

    #[test]
    fn handles_alone_are_read_of_an_answer_without_room() {
        let message = json!({ "MessageId": "m", "ReceiptHandle": "h/+\"=", "Body": "{\"ReceiptHandle\":\"no\"}",
            "Attributes": { "MessageGroupId": "g", "SenderId": "s", "SequenceNumber": "18" },
            "MessageAttributes": { "ReceiptHandle": { "StringValue": "nor this" } } });
        let read = handles(one(&message).as_bytes()).expect("readable");
        assert_eq!(read[0].message_id.as_deref(), Some("m"));
        assert_eq!(read[0].receipt_handle.as_deref(), Some("h/+\"="));
        let place = read[0].place.as_ref().expect("a place");
        let (group, sequence) = (&place.message_group_id, &place.sequence_number);
        assert_eq!((group.as_deref(), sequence.as_deref()), (Some("g"), Some("18")));
        assert!(handles(&one(&message).as_bytes()[..100]).is_none(), "half an answer");
        assert_eq!(handles(b"{}").map(|read| read.len()), Some(0));
    }

    #[test]
    fn an_answer_without_messages_has_none() {
        for body in ["", "{}", r#"{"Messages":[]}"#, r#"{"Messages":null}"#, " { } "] {
            assert_eq!(messages(body.as_bytes()).map(|all| all.len()), Some(0), "{body}");
        }
        assert!(batch(b"").expect("readable").successful.is_none());
    }

    #[test]
    fn an_answer_of_another_form_is_not_half_read() {
        for body in [
            "<html>Welcome</html>",
            "\u{feff}{}",
            "null",
            "7",
            r#"{"Messages":{}}"#,
            r#"{"Messages":[{"MessageId":7}]}"#,
            r#"{"Messages":[{"Attributes":{"SentTimestamp":1795341605123}}]}"#,
            r#"{"Messages":[{"Attributes":[]}]}"#,
            r#"{"Messages":[{"MessageAttributes":{"a":"x"}}]}"#,
            r#"{"Messages":[{"MessageAttributes":7}]}"#,
            r#"{"Messages":[{"MessageAttributes":{"a":{"BinaryValue":"not base64"}}}]}"#,
            r#"{"Messages":[{"Body":"\ud83d"}]}"#,
            r#"{"Messages":[{"Body":"a"}]} more"#,
            r#"{"Messages":[{"Body":"a"}"#,
        ] {
            assert!(messages(body.as_bytes()).is_none(), "{body}");
        }
        assert!(messages(b"{\"Messages\":[{\"Body\":\"\xff\"}]}").is_none());
        assert!(batch(br#"{"Failed":[{"Id":1}]}"#).is_none());
    }

    #[test]
    fn attributes_are_text_or_bytes() {
        let body = one(&json!({ "MessageAttributes": {
            "n": { "DataType": "Number.int", "StringValue": "7" },
            "b": { "DataType": "Binary", "BinaryValue": "AP8Q", "StringValue": "both" },
            "none": { "DataType": "String" },
            "null": null,
        }}));
        let all = messages(body.as_bytes()).expect("readable");
        let mut found = all[0].attributes.clone();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            found,
            [
                ("b".to_owned(), Attribute::Binary(vec![0, 255, 16])),
                ("n".to_owned(), Attribute::Text("7".to_owned()))
            ]
        );
        assert!(messages(one(&json!({ "MessageAttributes": null })).as_bytes()).is_some());
    }

    #[test]
    fn entries_that_failed_are_read_with_what_is_said_of_them() {
        let body = br#"{"Successful":[{"Id":"0"},{}],"Failed":[{"Id":"1","Code":"InternalError","SenderFault":false}]}"#;
        let read = batch(body).expect("readable");
        let done = read.successful.expect("some");
        assert_eq!((done.len(), &done[0].id), (2, &Some("0".to_owned().into())));
        let failed = &read.failed.expect("some")[0];
        assert_eq!(
            (&failed.code, &failed.message),
            (&Some("InternalError".to_owned().into()), &None)
        );
    }

    proptest! {
        #[test]
        fn whatever_a_message_holds_arrives_as_it_was(
            body in ".{0,200}|[\\x00-\\x7f]{0,80}",
            id in "\\PC{1,20}",
            texts in prop::collection::btree_map("[a-z.]{1,8}", ".{0,40}", 0..5),
            bytes in prop::collection::btree_map("[A-Z]{1,8}", prop::collection::vec(any::<u8>(), 0..40), 0..5),
        ) {
            let mut wanted = Vec::new();
            let mut sent = serde_json::Map::new();
            for (name, text) in &texts {
                sent.insert(name.clone(), json!({ "DataType": "String", "StringValue": text }));
                wanted.push((name.clone(), Attribute::Text(text.clone())));
            }
            for (name, bytes) in &bytes {
                sent.insert(name.clone(), json!({ "DataType": "Binary", "BinaryValue": BASE64_STANDARD.encode(bytes) }));
                wanted.push((name.clone(), Attribute::Binary(bytes.clone())));
            }
            let answer = one(&json!({ "MessageId": id, "Body": body, "MessageAttributes": sent }));
            let read = messages(answer.as_bytes()).expect("readable").remove(0);
            prop_assert_eq!(read.id.expect("an id").into_string(), id);
            prop_assert_eq!(read.body.expect("a body").into_string(), body);
            let mut found = read.attributes;
            found.sort_by(|a, b| a.0.cmp(&b.0));
            wanted.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn no_answer_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (messages(&body), batch(&body));
        }

        #[test]
        fn an_answer_that_was_cut_is_never_read(cut in 0.0..1.0_f64) {
            let whole = one(&json!({ "MessageId": "m", "ReceiptHandle": "h", "Body": "{\"a\":1}", "Attributes": { "SentTimestamp": "1" } }));
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a place in a short text")]
            let at = 1 + ((whole.len() - 1) as f64 * cut) as usize;
            prop_assert!(messages(&whole.as_bytes()[..at]).is_none() || at == whole.len());
        }
    }
}
