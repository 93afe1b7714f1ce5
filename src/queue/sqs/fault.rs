//! Errors of either transport, to a kind that decides what to do and one line that tells people what to do.
//!
//! SQS speaks JSON but keeps the error codes of its older query protocol in a header, which the SDK
//! prefers; other servers send the newer names. Both are read.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>

use std::error::Error;
use std::time::Duration;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use super::address::QueueAddress;
use super::calls::Operation;
use super::profile::Chosen;
use crate::queue::{QueueFault, QueueFaultKind};

/// The longest text that is quoted from a server or the SDK.
const QUOTE_MAX: usize = 300;

/// A failed request of the SDK.
pub(super) fn of_call<E>(
    error: &SdkError<E>,
    operation: Operation,
    address: &QueueAddress,
) -> QueueFault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            let said = Said {
                code: answer.err().code(),
                message: answer.err().message(),
                status: answer.raw().status().as_u16(),
            };
            of_answer(said, operation, address)
        }
        SdkError::ResponseError(answer) => of_answer(
            Said { code: None, message: None, status: answer.raw().status().as_u16() },
            operation,
            address,
        ),
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            unreachable(&chain(error.source()), operation, address)
        }
        // What fails before a request is sent is mostly the credentials; the SDK has no type for it
        // here.
        other => {
            let cause = chain(other.source());
            if is_about_credentials(&cause) {
                no_credentials(&cause, &Chosen::None)
            } else {
                unreachable(&cause, operation, address)
            }
        }
    }
}

/// A request that took longer than its bound.
pub(super) fn timed_out(
    limit: Duration,
    operation: Operation,
    address: &QueueAddress,
) -> QueueFault {
    unreachable(&format!("no answer within {} s", limit.as_secs()), operation, address)
}

/// No credentials could be loaded. `cause` is what the SDK says.
pub(super) fn no_credentials(cause: &str, chosen: &Chosen) -> QueueFault {
    // Then follows a list of all providers and why each had none, which is long and says the same.
    let cause = cause.split(". Attempted:").next().unwrap_or(cause);
    let text = match chosen {
        Chosen::None => format!(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in AWS_PROFILE, or run where a role is \
             attached ({cause})"
        ),
        Chosen::Missing(profile) => format!(
            "no AWS credentials: no AWS configuration file has the profile {profile} of AWS_PROFILE; correct the name, or set \
             AWS_CONFIG_FILE to the file that has it"
        ),
        Chosen::Empty(profile) => format!(
            "no AWS credentials: the profile {profile} of AWS_PROFILE gives none; fix it, set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or run where a role is attached ({cause})"
        ),
    };
    QueueFault { kind: QueueFaultKind::Denied, text }
}

/// A server that is asked for system attributes and sends none.
pub(super) fn without_times(address: &QueueAddress) -> QueueFault {
    unusable(format!(
        "cannot receive from queue {}: {} sends messages without SentTimestamp, though MessageSystemAttributeNames asks for it, and without \
         their times no two updates could be told apart: use a server that sends what SQS sends",
        address.name(),
        address.server()
    ))
}

/// Something that no other kind describes.
pub(super) fn unusable(text: String) -> QueueFault {
    QueueFault { kind: QueueFaultKind::Unavailable, text }
}

/// A server that cannot be spoken with.
pub(super) fn unreachable(cause: &str, operation: Operation, address: &QueueAddress) -> QueueFault {
    unusable(format!(
        "cannot {} queue {}: {} does not answer{}: {cause}; check the network{}",
        operation.aim(),
        address.name(),
        address.server(),
        address.by_proxy(),
        address.said_by()
    ))
}

/// What the server says of itself where it did not do what it was asked.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub code: Option<&'a str>,
    pub message: Option<&'a str>,
    pub status: u16,
}

impl Said<'_> {
    fn code(&self) -> &str {
        self.code.map(bare_code).unwrap_or_default()
    }

    /// Code and message for people. Messages about signatures quote the request with its session
    /// token: left out.
    fn quoted(&self, kind: QueueFaultKind) -> String {
        let code = match self.code() {
            "" => format!("HTTP status {}", self.status),
            code => code.to_owned(),
        };
        match self.message {
            Some(message) if kind != QueueFaultKind::Denied || code.contains("AccessDenied") => {
                one_line(&format!("{code}: {message}"))
            }
            _ => code,
        }
    }
}

/// An error answer, or one that is none of SQS.
pub(super) fn of_answer(
    said: Said<'_>,
    operation: Operation,
    address: &QueueAddress,
) -> QueueFault {
    let kind = kind(said.code(), said.status);
    let quoted = said.quoted(kind);
    let (name, aim) = (address.name(), operation.aim());
    let text = match kind {
        QueueFaultKind::Missing => {
            format!(
                "queue {name} does not exist at {}, or is not yours to see: check {}",
                address.server(),
                address.what_to_check()
            )
        }
        QueueFaultKind::Throttled if said.code() == "OverLimit" => {
            format!(
                "cannot {aim} queue {name}: too many messages are in flight over all its consumers: run fewer, or delete faster"
            )
        }
        QueueFaultKind::Throttled => {
            format!("cannot {aim} queue {name} so often ({quoted}): asking more slowly")
        }
        QueueFaultKind::Denied => {
            format!(
                "not allowed to {aim} queue {name} ({quoted}): {}",
                cure(said, operation, address)
            )
        }
        QueueFaultKind::Unavailable => {
            let (server, proxy) = (address.server(), address.by_proxy());
            let cure = match said.code() {
                // A proxy, a load balancer, or another server.
                "" => format!(", without an error of SQS: check the network{}", address.said_by()),
                _ => String::new(),
            };
            format!("cannot {aim} queue {name}: {server}{proxy} answered {quoted}{cure}")
        }
    };
    QueueFault { kind, text }
}

fn kind(code: &str, status: u16) -> QueueFaultKind {
    match code {
        "RequestThrottled"
        | "RequestThrottledException"
        | "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "SlowDown"
        | "OverLimit" => QueueFaultKind::Throttled,
        "NonExistentQueue" | "QueueDoesNotExist" | "QueueDeletedRecently" | "InvalidAddress" => {
            QueueFaultKind::Missing
        }
        code if of_key(code) => {
            if code.contains("Throttl") {
                QueueFaultKind::Throttled
            } else {
                QueueFaultKind::Denied
            }
        }
        code if is_denial(code) => QueueFaultKind::Denied,
        _ => match status {
            429 => QueueFaultKind::Throttled,
            // Without a code of SQS it may be a proxy's; that is no throttling either.
            401 | 403 | 407 => QueueFaultKind::Denied,
            _ => QueueFaultKind::Unavailable,
        },
    }
}

/// The queue's encryption key: `KmsAccessDenied` and its like, `KMS.AccessDeniedException` on the
/// query protocol.
fn of_key(code: &str) -> bool {
    code.starts_with("Kms") || code.starts_with("KMS.")
}

fn is_denial(code: &str) -> bool {
    [
        "AccessDenied",
        "AuthFailure",
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignature",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClient",
    ]
    .iter()
    .any(|denial| code.starts_with(denial))
}

/// What to do about a denial.
fn cure(said: Said<'_>, operation: Operation, address: &QueueAddress) -> String {
    match said.code() {
        _ if said.message.is_some_and(|message| message.contains("scoped to a valid region")) => {
            format!("requests are signed for {}: check queue.region", address.region)
        }
        code if of_key(code) => {
            // SQS encrypts what is sent, and asks for the key that it did so with.
            let actions = if operation == Operation::Send {
                "kms:GenerateDataKey and kms:Decrypt"
            } else {
                "kms:Decrypt"
            };
            format!("allow {actions} on the queue's key, and see that the key is enabled")
        }
        code if code.starts_with("ExpiredToken") => {
            "get new AWS credentials: these have expired".to_owned()
        }
        code if code.starts_with("AccessDenied")
            || code.starts_with("NotAuthorized")
            || code.is_empty() =>
        {
            format!("allow {} on the queue to this identity", operation.permission())
        }
        code if code.starts_with("Request") || code.contains("Signature") => {
            "check the AWS secret access key, and this machine's clock".to_owned()
        }
        _ => "check the AWS credentials".to_owned(),
    }
}

/// A code without what AWS puts around it: `AWS.SimpleQueueService.` before it, or a service's name
/// and `#`.
pub(super) fn bare_code(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code)
}

/// All causes of an error in one line, none twice.
pub(super) fn chain(error: Option<&(dyn Error + 'static)>) -> String {
    let mut text = String::new();
    for cause in std::iter::successors(error, |&error| error.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    one_line(&text)
}

fn is_about_credentials(cause: &str) -> bool {
    ["credential", "identity"].iter().any(|word| cause.contains(word))
}

/// One line of at most [`QUOTE_MAX`] characters, whatever a server sent.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let mut line = words.join(" ").trim_end_matches('.').to_owned();
    if let Some((cut, _)) = line.char_indices().nth(QUOTE_MAX) {
        line.truncate(cut);
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::{Endpoint, SaidBy};
    use super::super::url::ServerUrl;
    use super::*;

    fn fault(code: &str, message: &str, status: u16) -> QueueFault {
        let code = (!code.is_empty()).then_some(code);
        of_answer(Said { code, message: Some(message), status }, Operation::Receive, &address())
    }

    fn address() -> QueueAddress {
        let url = "https://sqs.eu-west-1.amazonaws.com";
        QueueAddress {
            url: format!("{url}/123456789012/portal"),
            setting: "queue.url",
            region: "eu-west-1".to_owned(),
            endpoint: Endpoint {
                url: ServerUrl::parse(url).expect("a URL").without_path(),
                said_by: SaidBy::QueueUrl,
            },
            proxy: None,
        }
    }

    fn cure_of(code: &str, message: &str, operation: Operation) -> String {
        cure(Said { code: Some(code), message: Some(message), status: 403 }, operation, &address())
    }

    #[test]
    fn who_said_where_requests_go_is_to_be_checked() {
        let blamed = |said_by| {
            let endpoint = Endpoint { said_by, ..address().endpoint };
            let address = QueueAddress { endpoint, ..address() };
            unreachable("refused", Operation::Receive, &address).text
        };
        for (said_by, blame) in [
            (SaidBy::EndpointUrl, "check the network and queue.endpoint_url"),
            (
                SaidBy::Variable("AWS_ENDPOINT_URL_SQS"),
                "check the network and AWS_ENDPOINT_URL_SQS",
            ),
            (SaidBy::Profile, "check the network and endpoint_url in the AWS profile"),
            (SaidBy::QueueUrl, "check the network and queue.url"),
        ] {
            assert!(blamed(said_by).ends_with(blame), "{}", blamed(said_by));
        }
        let proxy = Some(("http://proxy:3128".to_owned(), "HTTPS_PROXY"));
        let text =
            unreachable("refused", Operation::Receive, &QueueAddress { proxy, ..address() }).text;
        assert!(text.contains("does not answer through the proxy http://proxy:3128"), "{text}");
        assert!(
            text.ends_with("check the network, the proxy (HTTPS_PROXY) and queue.url"),
            "{text}"
        );
        let said = Said { code: None, message: None, status: 502 };
        let proxy = Some(("http://proxy:3128".to_owned(), "HTTPS_PROXY"));
        let text = of_answer(said, Operation::Receive, &QueueAddress { proxy, ..address() }).text;
        assert!(
            text.ends_with(
                "through the proxy http://proxy:3128 of HTTPS_PROXY answered HTTP status 502, without an error of SQS: check the network, \
                 the proxy (HTTPS_PROXY) and queue.url"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_profile_that_is_chosen_is_not_asked_for_again() {
        let text = |chosen: Chosen| no_credentials("none", &chosen).text;
        assert!(text(Chosen::None).contains("name a profile in AWS_PROFILE"));
        for (chosen, says) in [
            (Chosen::Missing("p".to_owned()), "no AWS configuration file has the profile p"),
            (Chosen::Empty("p".to_owned()), "the profile p of AWS_PROFILE gives none"),
        ] {
            let text = text(chosen);
            assert!(text.contains(says) && !text.contains("name a profile"), "{text}");
        }
    }

    #[test]
    fn a_signature_for_another_region_blames_the_region() {
        let message = "Credential should be scoped to a valid region.";
        assert_eq!(
            cure_of("InvalidSignatureException", message, Operation::Receive),
            "requests are signed for eu-west-1: check queue.region"
        );
    }

    #[test]
    fn every_known_code_has_its_kind() {
        for (kind, codes) in [
            (
                QueueFaultKind::Throttled,
                &[
                    "RequestThrottled",
                    "ThrottlingException",
                    "Throttling",
                    "OverLimit",
                    "KmsThrottled",
                ][..],
            ),
            (
                QueueFaultKind::Throttled,
                &["KMS.ThrottlingException", "SlowDown", "AWS.SimpleQueueService.OverLimit"],
            ),
            (
                QueueFaultKind::Missing,
                &[
                    "AWS.SimpleQueueService.NonExistentQueue",
                    "com.amazonaws.sqs#QueueDoesNotExist",
                    "InvalidAddress",
                ],
            ),
            (
                QueueFaultKind::Denied,
                &[
                    "AccessDenied",
                    "AccessDeniedException",
                    "InvalidClientTokenId",
                    "SignatureDoesNotMatch",
                ],
            ),
            (
                QueueFaultKind::Denied,
                &[
                    "ExpiredToken",
                    "ExpiredTokenException",
                    "UnrecognizedClientException",
                    "KmsAccessDenied",
                ],
            ),
            (
                QueueFaultKind::Denied,
                &["KMS.AccessDeniedException", "KmsDisabled", "InvalidSecurity"],
            ),
            (
                QueueFaultKind::Unavailable,
                &["InternalError", "ServiceUnavailable", "UnsupportedOperation", "Surprise"],
            ),
        ] {
            for code in codes {
                let fault = fault(code, "", 400);
                assert_eq!(fault.kind, kind, "{code}");
                assert!(fault.text.contains("portal"), "{}", fault.text);
            }
        }
    }

    #[test]
    fn without_a_code_the_status_decides() {
        for (status, kind) in [
            (429, QueueFaultKind::Throttled),
            (403, QueueFaultKind::Denied),
            (404, QueueFaultKind::Unavailable),
            (500, QueueFaultKind::Unavailable),
            (503, QueueFaultKind::Unavailable),
        ] {
            let fault = fault("", "", status);
            assert_eq!(fault.kind, kind);
            assert!(fault.text.contains(&format!("HTTP status {status}")), "{}", fault.text);
        }
    }

    #[test]
    fn a_denial_names_the_permission_and_who_was_denied() {
        let fault = fault(
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/w is not authorized to perform: sqs:receivemessage",
            403,
        );
        assert!(fault.text.contains("allow sqs:ReceiveMessage"), "{}", fault.text);
        assert!(fault.text.contains("user/w"), "{}", fault.text);
    }

    #[test]
    fn a_denial_of_the_key_names_what_the_call_needs_of_it() {
        let cure = |code, operation| cure_of(code, "", operation);
        assert!(cure("KmsAccessDenied", Operation::Receive).starts_with("allow kms:Decrypt on"));
        assert!(
            cure("KMS.AccessDeniedException", Operation::Send)
                .starts_with("allow kms:GenerateDataKey and kms:Decrypt on")
        );
    }

    #[test]
    fn a_signature_error_does_not_quote_the_request_with_its_token() {
        let message = "The request signature we calculated does not match.\nThe Canonical String should have been\n'x-amz-security-token:FQoSECRET'";
        for code in [
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "ExpiredToken",
            "IncompleteSignature",
        ] {
            let fault = fault(code, message, 403);
            assert!(!fault.text.contains("SECRET") && !fault.text.contains('\n'), "{}", fault.text);
        }
    }

    #[test]
    fn a_text_is_one_line_of_bounded_length() {
        let long = fault("InternalError", &"caf\u{e9}\r\n\t".repeat(1_000), 500).text;
        assert!(
            !long.contains(['\n', '\r', '\t'])
                && long.chars().count() < 500
                && long.ends_with("..."),
            "{long}"
        );
        assert!(
            fault("InternalError", "Please\ttry again.", 500)
                .text
                .ends_with("InternalError: Please try again")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_of_a_server_panics(code in ".{0,40}", message in ".{0,400}", status in 0_u16..1_000) {
            proptest::prop_assert!(!fault(&code, &message, status).text.contains('\n'));
        }
    }
}
