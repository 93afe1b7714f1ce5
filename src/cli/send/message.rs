//! A line of NDJSON as a message: checked here, so that a bad one costs itself and not the call
//! that it would be part of.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::decode::json;
use crate::message::Attribute;
use crate::message::origin::{ID_ATTRIBUTE as ID, TIME_ATTRIBUTE as TIME};
use crate::producer::Message;
use crate::producer::limits::{ATTRIBUTES_MAX, check_group};
use crate::queue::{Outgoing, SEND_BYTES_MAX};

/// Where the group of a message comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grouping {
    None,
    /// One for all.
    Id(String),
    /// The value of a field, text or a number.
    Field(String),
}

/// How lines become messages.
#[derive(Debug)]
pub(super) struct Recipe {
    attributes: Vec<(String, Attribute)>,
    grouping: Grouping,
    /// Whether each message gets an identity of its own.
    identity: bool,
}

impl Recipe {
    /// # Errors
    /// Where the settings do not go together or with the queue.
    pub(super) fn new(
        attributes: Vec<(String, String)>,
        grouping: Grouping,
        identity: bool,
        fifo: bool,
    ) -> Result<Self> {
        if fifo && grouping == Grouping::None {
            bail!(
                "a FIFO queue takes no message without a group: give --group-id TEXT or --group-by FIELD"
            );
        }
        if let Grouping::Id(id) = &grouping
            && let Err(problem) = check_group(id)
        {
            bail!("--group-id {problem}");
        }
        let identity_attributes = if identity { 2 } else { 0 };
        if attributes.len() + identity_attributes > ATTRIBUTES_MAX {
            bail!(
                "SQS takes {ATTRIBUTES_MAX} attributes at most, {ID} and {TIME} among them: give fewer, or --no-identity"
            );
        }
        for (place, (name, _)) in attributes.iter().enumerate() {
            if identity && [ID, TIME].contains(&name.as_str()) {
                bail!(
                    "each message gets an attribute {name} of its own: leave it out, or give --no-identity"
                );
            }
            if attributes[..place].iter().any(|(earlier, _)| earlier == name) {
                bail!("attribute {name} is given twice");
            }
        }
        let attributes =
            attributes.into_iter().map(|(name, value)| (name, Attribute::Text(value))).collect();
        Ok(Self { attributes, grouping, identity })
    }

    /// Makes a message of a line.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub(super) fn message(&self, body: String) -> Result<Message, String> {
        check_body(&body)?;
        let group = match &self.grouping {
            Grouping::None => None,
            Grouping::Id(id) => Some(id.clone()),
            Grouping::Field(field) => Some(group_of(&body, field)?),
        };
        let attributes = self.attributes.clone();
        let outgoing = Outgoing { body, attributes, group, deduplication: None };
        // The producer adds the identity.
        let message = Message::as_it_is(outgoing, self.identity);
        let bytes = message.bytes();
        if bytes > SEND_BYTES_MAX {
            return Err(format!(
                "has {bytes} bytes with its attributes, and a message may have {SEND_BYTES_MAX} at most"
            ));
        }
        Ok(message)
    }
}

/// A line must be one JSON object in characters that SQS takes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn check_body(body: &str) -> Result<(), String> {
    if body.starts_with('[') {
        return Err(
            "begins a JSON array, and a line is one JSON object: `jq -c '.[]'` turns an array into lines"
                .to_owned(),
        );
    }
    // What is JSON may still be no message: routes and settings are the worker's.
    if !body.starts_with('{') || serde_json::from_str::<IgnoredAny>(body).is_err() {
        json::fields(body).map_err(|rejection| of_a_line(&rejection.text))?;
    }
    if body.contains(['\u{fffe}', '\u{ffff}']) {
        return Err(
            "holds U+FFFE or U+FFFF, which SQS refuses: write it as \\ufffe or \\uffff".to_owned()
        );
    }
    Ok(())
}

/// What a worker would say of a body, said of a line.
fn of_a_line(text: &str) -> String {
    text.strip_prefix("the body ").unwrap_or(text).replace(" (line 1 column ", " (column ")
}

fn group_of(body: &str, field: &str) -> Result<String, String> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(body).map_err(|_| "is not one JSON object".to_owned())?;
    let value = fields
        .get(field)
        .ok_or_else(|| format!("has no field {field}, which --group-by asks for"))?;
    let group = match serde_json::from_str(value.get()) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Number(_)) => value.get().to_owned(),
        _ => {
            return Err(format!(
                "field {field} is neither text nor a number: --group-by takes its value for the group"
            ));
        }
    };
    check_group(&group).map_err(|problem| format!("field {field} {problem}"))?;
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::attribute_text;

    fn recipe(grouping: Grouping, fifo: bool) -> Recipe {
        Recipe::new(vec![("source".to_owned(), "import".to_owned())], grouping, true, fifo)
            .expect("sound")
    }

    fn problem(body: &str) -> String {
        recipe(Grouping::Field("user".to_owned()), true).message(body.to_owned()).expect_err("bad")
    }

    #[test]
    fn a_message_has_the_attributes_and_the_group_of_all() {
        let message = recipe(Grouping::Id("all".to_owned()), false).message("{}".to_owned());
        let message = message.expect("good").into_outgoing();
        assert_eq!(attribute_text(&message.attributes, "source"), Some("import"));
        assert_eq!((message.group.as_deref(), message.body.as_str()), (Some("all"), "{}"));
    }

    #[test]
    fn a_message_is_grouped_by_its_field() {
        let recipe = recipe(Grouping::Field("user".to_owned()), true);
        for (body, group) in [
            (r#"{"user":"a-1"}"#, "a-1"),
            (r#"{"user":123}"#, "123"),
            (r#"{"user":"\u0061"}"#, "a"),
        ] {
            let message = recipe.message(body.to_owned()).expect("good").into_outgoing();
            assert_eq!(message.group.as_deref(), Some(group));
        }
    }

    #[test]
    fn a_bad_line_says_what_is_wrong_with_it() {
        for (body, expected) in [
            (
                "{\"user\":1,}",
                "is not JSON: a comma stands before a closing bracket at field user: leave it out (column",
            ),
            ("{\"user\":True}", "is not JSON: field user is Python's True: encode with json.dumps"),
            ("[1]", "begins a JSON array, and a line is one JSON object: `jq -c '.[]'`"),
            ("[", "begins a JSON array"),
            ("7", "is a single JSON value: send one JSON object"),
            ("user=1", "is not JSON"),
            ("{\"user\":\"\u{ffff}\"}", "holds U+FFFE or U+FFFF"),
            ("{}", "has no field user"),
            (r#"{"user":null}"#, "neither text nor a number"),
            (r#"{"user":"a b"}"#, "field user cannot be a group"),
            (r#"{"user":""}"#, "field user cannot be a group"),
        ] {
            assert!(problem(body).contains(expected), "{body}: {}", problem(body));
        }
    }

    #[test]
    fn a_message_may_be_as_large_as_sqs_takes_with_its_attributes() {
        let recipe = recipe(Grouping::None, false);
        let body = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        let overhead = recipe.message(body(100)).expect("good").bytes() - 100;
        let message = |bytes| recipe.message(body(bytes));
        assert_eq!(
            message(SEND_BYTES_MAX - overhead).map(|message| message.bytes()),
            Ok(SEND_BYTES_MAX)
        );
        assert!(
            message(SEND_BYTES_MAX - overhead + 1)
                .is_err_and(|text| text.contains("1048577 bytes with its attributes"))
        );
    }

    #[test]
    fn what_sqs_would_refuse_of_every_message_is_refused_before_the_first() {
        let text = |attributes: &[&str], grouping, identity, fifo| {
            let attributes =
                attributes.iter().map(|name| ((*name).to_owned(), "v".to_owned())).collect();
            Recipe::new(attributes, grouping, identity, fifo)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        assert!(
            text(&[], Grouping::None, true, true).contains("--group-id TEXT or --group-by FIELD")
        );
        assert!(
            text(&[], Grouping::Id("a b".to_owned()), true, true)
                .contains("--group-id cannot be a group")
        );
        assert!(text(&["a", "b", "a"], Grouping::None, true, false).contains("twice"));
        assert!(text(&[ID], Grouping::None, true, false).contains("--no-identity"));
        assert_eq!(text(&[ID, TIME], Grouping::None, false, false), "");
        let nine = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        assert!(text(&nine, Grouping::None, true, false).contains("10 attributes at most"));
        assert_eq!(text(&nine, Grouping::None, false, false), "");
    }
}
