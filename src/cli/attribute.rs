//! Attributes of messages on the command line.

use crate::producer::limits::check_attribute;

/// Reads `NAME=VALUE` of the command line.
///
/// # Errors
/// Where SQS would refuse it.
pub(super) fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE, for example source=import")?;
    check_attribute(name, value)?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_sqs_takes_them() {
        assert_eq!(attribute("source=a=b"), Ok(("source".to_owned(), "a=b".to_owned())));
        for text in [
            "source",
            "=v",
            "a=",
            "a b=v",
            ".a=v",
            "a.=v",
            "a..b=v",
            "AWS.x=v",
            "amazon.x=v",
            &format!("{}=v", "n".repeat(257)),
        ] {
            assert!(attribute(text).is_err(), "{text}");
        }
    }
}
