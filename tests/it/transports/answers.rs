//! What is made of an answer: of what SQS says, and of what is none of SQS.

use longshore::message::Attribute;
use longshore::queue::QueueFaultKind;

use super::*;

by_each_transport! {
    a_message_arrives_as_it_was_sent,
    what_is_unknown_or_null_in_an_answer_is_passed_over,
    an_answer_without_anything_in_it_has_no_messages,
    an_answer_of_another_form_is_none,
    an_entry_without_an_answer_has_failed,
}

async fn a_message_arrives_as_it_was_sent(transport: Transport) {
    let body = "{\"type\":\"event\",\"text\":\"caf\u{e9} \u{1f6a2} <&> \\\\ \u{7f}\"}\r\n\t";
    let message = json!({
        "MessageId": "m\u{e9}", "ReceiptHandle": "h+/=\"", "Body": body, "MD5OfBody": "wrong",
        "Attributes": {
            "SentTimestamp": "1795341605123", "ApproximateReceiveCount": "3", "SenderId": "AROA:session",
            "ApproximateFirstReceiveTimestamp": "1795341605124", "AWSTraceHeader": "Root=1-5759e988",
        },
        "MessageAttributes": {
            "n": { "DataType": "Number.int", "StringValue": "7" },
            "b": { "DataType": "Binary", "BinaryValue": "AP8Q" },
            "\u{e9}": { "DataType": "String", "StringValue": "\u{0}\u{ffff}" },
        },
    });
    // Once with what JSON may leave, once with escapes all over.
    let plain = json!({ "Messages": [message] }).to_string();
    let escaped: String = plain
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect();
    for answer in [plain, escaped] {
        let case = Case::new(transport, move |_, _| Reply::with(200, "", &answer)).await;
        let message = case.queue.receive(10, NOW, None).await.expect("received").remove(0);
        assert_eq!(
            (message.message_id.as_str(), &*message.receipt_handle, message.body.as_str()),
            ("m\u{e9}", "h+/=\"", body)
        );
        assert_eq!((message.sent_ms, message.receive_count), (1_795_341_605_123, 3));
        assert_eq!(message.sender.as_deref(), Some("AROA"));
        assert_eq!(message.trace_header.as_deref(), Some("Root=1-5759e988"));
        let attributes = [
            ("b".to_owned(), Attribute::Binary(vec![0, 255, 16])),
            ("n".to_owned(), Attribute::Text("7".to_owned())),
            ("\u{e9}".to_owned(), Attribute::Text("\u{0}\u{ffff}".to_owned())),
        ];
        assert_eq!(message.attributes, attributes);
    }
}

async fn what_is_unknown_or_null_in_an_answer_is_passed_over(transport: Transport) {
    let answer = json!({ "More": [{}], "Messages": [{
        "MessageId": "m", "ReceiptHandle": "h", "Body": null, "MessageAttributes": null, "More": { "deep": [null] },
        "Attributes": { "SentTimestamp": "1", "More": "?" },
    }] });
    let case = Case::new(transport, move |_, _| Reply::json(&answer)).await;
    assert_eq!(case.receive().await.expect("received"), [""]);
}

async fn an_answer_without_anything_in_it_has_no_messages(transport: Transport) {
    for body in ["", "{}", r#"{"Messages":[]}"#, r#"{"Messages":null}"#] {
        let case = Case::new(transport, |_, _| Reply::with(200, "", body)).await;
        assert_eq!(case.receive().await.expect("received"), [""; 0], "{body}");
    }
}

async fn an_answer_of_another_form_is_none(transport: Transport) {
    for body in [
        "<html>Welcome</html>",
        r#"{"Messages":[{"MessageId":"m""#,
        r#"{"Messages":[{"MessageId":7}]}"#,
        r#"{"Messages":[{"Attributes":{"SentTimestamp":1795341605123}}]}"#,
        r#"{"Messages":[{"MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"?"}}}]}"#,
        r#"{"Messages":[{"Body":"\ud83d"}]}"#,
    ] {
        let case = Case::new(transport, |_, _| Reply::with(200, "", body)).await;
        let fault = case.receive().await.expect_err(body);
        assert_eq!(fault.kind, QueueFaultKind::Unavailable, "{fault}");
        assert!(
            fault.text.contains("answered HTTP status 200, without an error of SQS"),
            "{fault}"
        );
    }
}

async fn an_entry_without_an_answer_has_failed(transport: Transport) {
    for body in ["", "{}", r#"{"Successful":[{"Id":"7"}],"Failed":null}"#] {
        let case = Case::new(transport, |_, _| Reply::with(200, "", body)).await;
        let outcomes = case.delete().await;
        assert!(
            matches!(outcomes.as_deref(), Ok([EntryOutcome::Failed(_)])),
            "{body}: {outcomes:?}"
        );
    }
}

/// Status, headers and body of what may be answered instead.
const REFUSALS: &[(u16, &str, &str)] = &[
    (
        400,
        "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\n",
        r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"}"#,
    ),
    (400, "", r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"}"#),
    (400, "x-amzn-errortype: InvalidAddress:http://internal.amazon.com/\r\n", "{}"),
    (
        403,
        "",
        r#"{"code":"AccessDenied","Message":"User: arn:aws:iam::1:user/w is not authorized"}"#,
    ),
    (403, "x-amzn-errortype: ExpiredToken\r\n", r#"{"message":"x-amz-security-token:SECRET"}"#),
    (403, "", r#"{"__type":"InvalidClientTokenId","message":"The security token is invalid"}"#),
    (400, "x-amzn-query-error: KMS.AccessDeniedException;Sender\r\n", "{}"),
    (400, "", r#"{"__type":"KmsThrottled"}"#),
    (
        400,
        "",
        r#"{"__type":"com.amazon.coral.availability#ThrottlingException","message":"Rate exceeded"}"#,
    ),
    (403, "x-amzn-query-error: RequestThrottled;Sender\r\n", ""),
    (403, "", r#"{"__type":"OverLimit"}"#),
    (429, "", ""),
    (500, "", r#"{"__type":"InternalFailure","message":"we\nbroke"}"#),
    (503, "", "<html>Service Unavailable</html>"),
    (503, "x-amzn-errortype: AccessDenied\r\n", "<html>Service Unavailable</html>"),
    (502, "", ""),
    (404, "", "{}"),
    (403, "", "[]"),
    (302, "Location: http://127.0.0.1:1/\r\n", ""),
    (500, "", r#"{"__type":7,"message":[]}"#),
];

/// Kind and text of the fault are those of the other transport, for each of the three calls.
#[tokio::test]
async fn a_refusal_is_the_same_fault_by_either_transport() {
    for (status, headers, body) in REFUSALS {
        let mut told = Vec::new();
        for transport in [Transport::Lean, Transport::Sdk] {
            let case = Case::new(transport, |_, _| Reply::with(*status, headers, body)).await;
            let faults = [
                case.receive().await.expect_err("a fault"),
                case.delete().await.expect_err("a fault"),
                case.queue.change_visibility(&["h".into()], NOW).await.expect_err("a fault"),
            ];
            assert_eq!(case.server.asked().len(), 3, "each was sent once");
            told.push(faults.map(|fault| {
                assert!(!fault.text.contains("SECRET"), "{fault}");
                (fault.kind, fault.text.replace(&case.server.endpoint, "ENDPOINT"))
            }));
        }
        assert_eq!(told[0], told[1], "{status} {headers} {body}");
    }
}
