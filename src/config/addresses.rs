//! Addresses and regions of AWS, as settings take them.

use super::kinds::Text;

/// An HTTP address. A password has no place in it: AWS credentials come from the AWS chain.
pub(crate) const ENDPOINT: Text = Text {
    expected: "an address that begins with https:// or http://, without quotes and without a login",
    accepts: |text| after_scheme(text).is_some(),
};

pub(crate) const QUEUE_URL: Text = Text {
    expected: "the URL of a queue as SQS gives it, such as https://sqs.eu-west-1.amazonaws.com/123456789012/portal, without quotes and \
               without a login",
    accepts: |text| {
        let path = after_scheme(text).and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
        path.is_some_and(|path| !path.trim_matches('/').is_empty())
    },
};

fn after_scheme(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let is_address = !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.contains(|c: char| c.is_whitespace() || c == '@');
    is_address.then_some(rest)
}

pub(crate) const REGION: Text = Text {
    expected: "an AWS region such as eu-west-1",
    accepts: |text| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    },
};
