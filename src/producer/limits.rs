//! What SQS takes of a message's attributes and group.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>

use sha2::{Digest, Sha256};

use crate::hex::Hex;

/// Attributes of one message.
pub const ATTRIBUTES_MAX: usize = 10;

/// Characters of an attribute's name.
const NAME_CHARS_MAX: usize = 256;

/// Characters of a group or deduplication id.
const GROUP_CHARS_MAX: usize = 128;

/// # Errors
/// Where SQS would refuse an attribute of this name and value.
pub fn check_attribute(name: &str, value: &str) -> Result<(), String> {
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
    Ok(())
}

/// # Errors
/// Where SQS would not take it as a message group.
pub fn check_group(group: &str) -> Result<(), String> {
    if is_group(group) {
        return Ok(());
    }
    Err(format!(
        "cannot be a group: SQS takes 1 to {GROUP_CHARS_MAX} ASCII letters, digits and punctuation"
    ))
}

fn is_group(group: &str) -> bool {
    (1..=GROUP_CHARS_MAX).contains(&group.len())
        && group.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The group of a key: the key itself, or a hash of one that is no group.
pub fn group_of(key: &str) -> String {
    if is_group(key) {
        return key.to_owned();
    }
    Hex::of(Sha256::digest(key)).to_string()
}

/// Whether SQS takes the text as it is: a message or the value of an attribute.
pub fn is_text(text: &str) -> bool {
    text.chars().all(|char| match char {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        char => char >= ' ',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_no_group_has_a_group_of_its_own() {
        assert_eq!(group_of("s-81"), "s-81");
        for key in ["", "a b", "é", &"x".repeat(129)] {
            assert!(is_group(&group_of(key)) && group_of(key).len() == 64, "{key}");
        }
        assert_ne!(group_of("a b"), group_of("a  b"));
    }

    #[test]
    fn what_sqs_takes_as_text_is_told() {
        assert!(is_text("a\tb\r\n\u{10ffff}"));
        for text in ["\0", "\u{1b}[m", "\u{ffff}"] {
            assert!(!is_text(text), "{text:?}");
        }
    }
}
