//! The `w` of a write concern, as settings write it.

use serde_json::Value;

use super::kinds::Kind;
use super::{literal, schema_values};
use crate::store::Acknowledgement;

/// The `w` of a write concern.
pub(crate) struct Members;

impl Members {
    /// A replica set has at most 50 members (MongoDB manual, "Limits and Thresholds").
    const MAX: u8 = 50;
}

impl Kind for Members {
    type Value = Acknowledgement;

    fn expected(&self) -> String {
        format!(
            "\"majority\", a number from 1 to {} or the name of a tag set; 0 asks for no acknowledgement, and a message is deleted only after one",
            Self::MAX
        )
    }

    fn read(&self, raw: &Value) -> Option<Acknowledgement> {
        let text = match raw {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        if text == "majority" {
            return Some(Acknowledgement::Majority);
        }
        if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return text
                .parse()
                .ok()
                .filter(|members| (1..=Self::MAX).contains(members))
                .map(Acknowledgement::Members);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        (text.len() <= 128 && text.bytes().all(plain)).then_some(Acknowledgement::Tag(text))
    }

    fn show(&self, value: &Acknowledgement) -> String {
        match value {
            Acknowledgement::Majority => literal::text("majority"),
            Acknowledgement::Members(members) => members.to_string(),
            Acknowledgement::Tag(name) => literal::text(name),
        }
    }

    fn schema(&self) -> Value {
        schema_values::members(Self::MAX)
    }
}
