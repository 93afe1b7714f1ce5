//! Attributes of messages on the command line.

/// Attributes of one message (SQS).
pub(super) const ATTRIBUTES_MAX: usize = 10;

/// Characters of an attribute's name (SQS).
const NAME_CHARS_MAX: usize = 256;

/// Reads `NAME=VALUE` of the command line.
///
/// # Errors
/// Where SQS would refuse it.
pub(super) fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE, for example source=import")?;
    let lower = name.to_ascii_lowercase();
    let is_reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let is_odd = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if is_reserved
        || is_odd
        || !(1..=NAME_CHARS_MAX).contains(&name.len())
        || !name.bytes().all(allowed)
    {
        return Err(format!(
            "a name has 1 to {NAME_CHARS_MAX} ASCII letters, digits, _ - and single dots inside, and does not begin with AWS. or Amazon."
        ));
    }
    if value.is_empty() {
        return Err("SQS takes no empty value".to_owned());
    }
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
