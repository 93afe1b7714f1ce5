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
            "\"majority\", a number from 1 to {} or the name of a tag set (inf and nan are numbers); 0 asks for no acknowledgement, and a message is deleted only after one",
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
        // What TOML cannot hand over as a number comes as its text: `inf`, `nan`.
        let is_number = text.parse::<f64>().is_ok();
        let is_name = text.len() <= 128 && text.bytes().all(plain) && !is_number;
        is_name.then_some(Acknowledgement::Tag(text))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_spells_a_number_is_no_tag_set() {
        for text in ["inf", "nan", " NaN ", "Infinity", "+inf", "-nan", "1e1", "0x1"] {
            assert_eq!(Members.read(&json!(text)), None, "{text}");
        }
        for text in ["info", "nantes", "e1"] {
            let tag = Acknowledgement::Tag(text.to_owned());
            assert_eq!(Members.read(&json!(text)), Some(tag), "{text}");
        }
    }
}
