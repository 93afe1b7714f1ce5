//! An error answer: its code from wherever it stands, and the server's words.

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::Value;

/// What a server says instead of doing what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: Option<String>,
    pub message: Option<String>,
}

/// The code of the older query protocol, `CODE;Sender`.
const QUERY_ERROR: &str = "x-amzn-query-error";
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Reads it in the order of the AWS SDK: the query protocol's header, the header of the newer one,
/// then the body. A body that is not JSON says nothing, and then its headers do not count either:
/// somebody else than SQS wrote it.
pub fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> Refusal {
    let nothing = Refusal { status, code: None, message: None };
    let said = match body {
        [] => Value::Null,
        _ => match serde_json::from_slice::<Value>(body) {
            Ok(said) => said,
            Err(_) => return nothing,
        },
    };
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let text =
        |names: &[&str]| names.iter().find_map(|name| said.get(name)?.as_str()).map(str::to_owned);
    let query = header(QUERY_ERROR)
        .and_then(|value| value.split_once(';'))
        .map(|(code, _)| Cow::Borrowed(code));
    let code = query.or_else(|| {
        let named = header(ERROR_TYPE).map(Cow::Borrowed);
        let code = named.or_else(|| text(&["code", "__type"]).map(Cow::Owned))?;
        Some(Cow::Owned(without_namespace(&code).to_owned()))
    });
    Refusal {
        code: code.map(Cow::into_owned).filter(|code| !code.is_empty()),
        message: text(&["message", "Message", "errorMessage"]),
        ..nothing
    }
}

/// `com.amazonaws.sqs#QueueDoesNotExist:http://...` is `QueueDoesNotExist`.
fn without_namespace(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or(code);
    code.split_once('#').map_or(code, |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> (Option<String>, Option<String>) {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .collect();
        let said = refusal(400, &headers, body.as_bytes());
        (said.code, said.message)
    }

    fn said(code: &str, message: &str) -> (Option<String>, Option<String>) {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        (some(code), some(message))
    }

    #[test]
    fn a_code_is_read_from_header_and_body_and_the_older_one_wins() {
        let body = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"}"#;
        assert_eq!(of(&[], body), said("QueueDoesNotExist", "none"));
        let query = (QUERY_ERROR, "AWS.SimpleQueueService.NonExistentQueue;Sender");
        assert_eq!(of(&[query], body), said("AWS.SimpleQueueService.NonExistentQueue", "none"));
        let newer = (ERROR_TYPE, "ThrottlingException:http://internal.amazon.com/coral/");
        assert_eq!(of(&[newer], body), said("ThrottlingException", "none"));
        assert_eq!(of(&[newer], ""), said("ThrottlingException", ""));
        assert_eq!(of(&[(QUERY_ERROR, "no semicolon")], body), said("QueueDoesNotExist", "none"));
        assert_eq!(of(&[], r#"{"code":"A","__type":"B","Message":"m"}"#), said("A", "m"));
        assert_eq!(of(&[], r#"{"errorMessage":"m"}"#), said("", "m"));
    }

    #[test]
    fn what_is_not_of_sqs_says_nothing() {
        for body in ["<html>Service Unavailable</html>", "{", "\u{1f}\u{8b}"] {
            assert_eq!(of(&[(ERROR_TYPE, "AccessDenied")], body), said("", ""), "{body}");
        }
        assert_eq!(of(&[], r#"{"__type":7,"message":[]}"#), said("", ""));
        assert_eq!(of(&[], "[]"), said("", ""));
    }

    proptest::proptest! {
        #[test]
        fn no_refusal_panics(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = refusal(500, &HeaderMap::new(), &body);
        }
    }
}
