//! What is asked, how it is signed, and what a refusal of the signature changes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use longshore::queue::sqs::{Credentials, SqsQueue};
use longshore::queue::{QueueConfig, QueueFaultKind};

use super::*;
use crate::support::sqs::settings;

by_each_transport! {
    a_request_says_what_is_wanted_and_who_wants_it,
    a_path_of_the_endpoint_stays_before_the_queues,
    a_server_at_an_ipv6_address_is_asked,
    a_wrong_clock_is_set_right_by_the_server,
    a_denial_is_no_fault_of_the_clock,
}

/// What each of the three calls sends.
async fn sent(transport: Transport, path: &str) -> (String, Vec<Asked>) {
    let server = Scripted::start(|_, asked| match asked.action() {
        "ReceiveMessage" => Reply::json(&json!({})),
        _ => done(),
    });
    let endpoint = format!("{}{path}", server.endpoint);
    let settings = QueueConfig {
        transport,
        visibility_timeout: Some(Duration::from_secs(45)),
        ..settings(Some(&endpoint), URL)
    };
    let queue = SqsQueue::connect(&settings, Credentials::Local).await.expect("connected").0;
    queue.receive(10, Duration::from_secs(20), Some("attempt")).await.expect("received");
    queue.delete(&["h\"1".into(), "h2".into()]).await.expect("deleted");
    queue.change_visibility(&["h1".into()], Duration::from_secs(7)).await.expect("changed");
    (server.endpoint.clone(), server.asked())
}

async fn a_request_says_what_is_wanted_and_who_wants_it(transport: Transport) {
    let (endpoint, asked) = sent(transport, "").await;
    let wanted = [
        (
            "ReceiveMessage",
            json!({
                "QueueUrl": URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, "VisibilityTimeout": 45, "ReceiveRequestAttemptId": "attempt",
                "MessageSystemAttributeNames": ["SentTimestamp", "ApproximateReceiveCount", "MessageGroupId", "SequenceNumber", "SenderId", "AWSTraceHeader"],
                "MessageAttributeNames": ["All"],
            }),
        ),
        (
            "DeleteMessageBatch",
            json!({ "QueueUrl": URL, "Entries": [{ "Id": "0", "ReceiptHandle": "h\"1" }, { "Id": "1", "ReceiptHandle": "h2" }] }),
        ),
        (
            "ChangeMessageVisibilityBatch",
            json!({ "QueueUrl": URL, "Entries": [{ "Id": "0", "ReceiptHandle": "h1", "VisibilityTimeout": 7 }] }),
        ),
    ];
    assert_eq!(asked.len(), wanted.len());
    for (asked, (action, body)) in asked.iter().zip(wanted) {
        assert_eq!((asked.action(), asked.json()), (action, body));
        assert_eq!(asked.line, "POST / HTTP/1.1");
        assert_eq!(asked.header("host"), endpoint.trim_start_matches("http://"));
        assert_eq!(asked.header("content-type"), "application/x-amz-json-1.0");
        assert_eq!(asked.header("x-amzn-query-mode"), "true");
        assert!(asked.header("user-agent").contains("longshore"), "{asked:?}");
        assert_eq!(asked.header("authorization"), signed_by_aws(asked), "{asked:?}");
    }
}

async fn a_path_of_the_endpoint_stays_before_the_queues(transport: Transport) {
    for (path, line) in [("/", "POST / HTTP/1.1"), ("/sqs~1/x", "POST /sqs~1/x/ HTTP/1.1")] {
        for asked in sent(transport, path).await.1 {
            assert_eq!(asked.line, line);
            assert_eq!(asked.header("authorization"), signed_by_aws(&asked), "{asked:?}");
        }
    }
}

/// What the server expects of the request that it got, by AWS's own crate.
fn signed_by_aws(asked: &Asked) -> String {
    let identity =
        aws_credential_types::Credentials::new("longshore", "local", None, None, "test").into();
    let (_, names) = asked.header("authorization").split_once("SignedHeaders=").expect("signed");
    let names: Vec<_> = names.split(',').next().expect("names").split(';').collect();
    let headers = names.iter().filter(|name| **name != "x-amz-date");
    let headers = headers.map(|name| (*name, asked.header(name)));
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sqs")
        .time(time(asked))
        .settings(SigningSettings::default())
        .build()
        .expect("complete");
    let path = asked.line.split(' ').nth(1).expect("a path");
    let url = format!("http://{}{path}", asked.header("host"));
    let body = SignableBody::Bytes(&asked.body);
    let request = SignableRequest::new("POST", url, headers, body).expect("signable");
    let (signed, _) = sign(request, &params.into()).expect("signed").into_parts();
    let authorization = signed.headers().find(|(name, _)| *name == "authorization");
    authorization.expect("an authorization").1.to_owned()
}

/// When a request says that it was made.
fn time(asked: &Asked) -> SystemTime {
    let date = asked.header("x-amz-date");
    let date = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).expect("a date");
    let time = date.to_zoned(jiff::tz::TimeZone::UTC).expect("a time").timestamp();
    UNIX_EPOCH + Duration::from_secs(time.as_second().try_into().expect("after 1970"))
}

async fn a_server_at_an_ipv6_address_is_asked(transport: Transport) {
    let Ok(server) = Scripted::at("[::1]:0", |_, _| Reply::json(&one("a"))) else {
        eprintln!("NOT RUN: this machine has no IPv6");
        return;
    };
    let queue = connect_by(transport, &server.endpoint, URL).await.expect("connected").0;
    assert_eq!(queue.receive(10, NOW, None).await.expect("received").len(), 1);
    let asked = &server.asked()[0];
    assert_eq!(asked.header("host"), server.endpoint.trim_start_matches("http://"));
    assert_eq!(asked.header("authorization"), signed_by_aws(asked));
}

/// The lean transport sends what was refused again at once; the SDK, which is to repeat nothing,
/// leaves it at that.
async fn a_wrong_clock_is_set_right_by_the_server(transport: Transport) {
    for (code, off) in [
        ("RequestTimeTooSkewed", 3_600),
        ("SignatureDoesNotMatch", -3_600),
        ("InvalidSignatureException", 86_400),
    ] {
        let now = move || {
            let here = jiff::Timestamp::now().as_second();
            jiff::Timestamp::from_second(here + off).expect("a time")
        };
        let case = Case::new(transport, move |_, asked| {
            let date = now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let date = format!("Date: {date}\r\n");
            let signed = time(asked).duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
            if now().as_second().abs_diff(signed.try_into().expect("a time")) < 300 {
                return Reply::with(200, &date, &one("a").to_string());
            }
            let query = format!("{date}x-amzn-query-error: {code};Sender\r\n");
            Reply::with(
                403,
                &query,
                &json!({ "__type": code, "message": "Signature expired" }).to_string(),
            )
        })
        .await;
        let first = case.receive().await;
        match transport {
            Transport::Lean => assert_eq!(first.expect("corrected"), ["a"]),
            Transport::Sdk => {
                assert_eq!(first.expect_err("refused").kind, QueueFaultKind::Denied, "{code}");
            }
        }
        assert_eq!(case.receive().await.expect("corrected"), ["a"], "{code}");
        let signed = case
            .server
            .asked()
            .iter()
            .map(|asked| asked.header("x-amz-date").to_owned())
            .collect::<Vec<_>>();
        let wanted = if transport == Transport::Lean { 3 } else { 2 };
        assert_eq!(signed.len(), wanted, "refused once: {signed:?}");
    }
}

async fn a_denial_is_no_fault_of_the_clock(transport: Transport) {
    let case = Case::new(transport, |_, _| {
        Reply::with(403, "", r#"{"__type":"AccessDeniedException","message":"no"}"#)
    })
    .await;
    assert_eq!(case.receive().await.expect_err("denied").kind, QueueFaultKind::Denied);
    assert_eq!(case.server.asked().len(), 1, "asked once");
}
