//! What a worker uses of SQS, on the embedded server and on moto: the same, or the difference is
//! stated.

use std::sync::Arc;
use std::time::Duration;

use longshore::clock::{Clock, SystemClock};
use longshore::message::{Attribute, QueueMessage};
use longshore::queue::sqs::{Access, Credentials, Operation, SqsQueue};
use longshore::queue::{BATCH_MAX, EntryOutcome, Queue, QueueFaultKind, Transport};
use longshore::queue::{Outgoing, SendOutcome};
use serde_json::json;
use tokio::time::Instant;

use crate::support::sqs::{Canned, Kind, SqsServer, connect, connect_by, settings};

/// Makes one test per server and transport of each function.
macro_rules! on_each_server {
    ($($name:ident,)*) => {
        on_each_server! { embedded Embedded Lean: $($name,)* }
        on_each_server! { embedded_by_sdk Embedded Sdk: $($name,)* }
        on_each_server! { moto Moto Lean: $($name,)* }
        on_each_server! { moto_by_sdk Moto Sdk: $($name,)* }
    };
    ($module:ident $kind:ident $transport:ident: $($name:ident,)*) => {
        mod $module {
            use longshore::queue::Transport;

            use crate::support::sqs::{Kind, SqsServer};

            $(#[tokio::test]
            async fn $name() {
                super::$name(SqsServer::start(Kind::$kind).await.by(Transport::$transport)).await;
            })*
        }
    };
}

on_each_server! {
    attributes_of_a_queue_are_read_at_connect,
    what_is_sent_is_received_with_all_its_attributes,
    the_trace_header_is_passed_on,
    a_receive_brings_no_more_than_was_asked_for,
    a_long_poll_ends_when_a_message_comes,
    a_long_poll_without_messages_ends_empty_in_time,
    what_is_deleted_does_not_come_again,
    a_bad_handle_does_not_hold_back_its_neighbours,
    an_old_handle_hides_and_deletes_nothing,
    a_message_given_back_comes_at_once_and_counts,
    a_message_that_nobody_deletes_comes_again,
    hiding_a_deleted_message_longer_is_stale,
    a_message_is_hidden_for_twelve_hours_at_most,
    a_fifo_group_waits_for_its_first_message,
    a_queue_that_is_not_there_is_missing,
    a_batch_over_the_limit_is_refused,
    permissions_are_probed_without_a_change,
    requests_are_counted_by_operation,
}

/// Long enough to be sure that nothing expires meanwhile.
const LONG: &str = "600";
/// For what is expected to come at once: a bound, never reached.
const SOON: Duration = Duration::from_secs(10);
const NOW: Duration = Duration::ZERO;

async fn queue(server: &SqsServer, visibility_timeout: &str) -> (SqsQueue, String) {
    let url = server.create_queue(&json!({ "VisibilityTimeout": visibility_timeout })).await;
    (server.connect(&url).await.0, url)
}

async fn send(queue: &SqsQueue, bodies: &[&str]) {
    let entries: Vec<_> = bodies
        .iter()
        .map(|body| Outgoing { body: (*body).to_owned(), ..Outgoing::default() })
        .collect();
    let outcomes = queue.send_batch(&entries).await.expect("send");
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, SendOutcome::Sent { .. })),
        "{outcomes:?}"
    );
}

/// Receives until `count` messages are there; servers need not give all at once.
async fn receive(queue: &SqsQueue, count: usize) -> Vec<QueueMessage> {
    let mut all = Vec::new();
    while all.len() < count {
        let some =
            queue.receive((count - all.len()).min(BATCH_MAX), SOON, None).await.expect("receive");
        assert!(!some.is_empty(), "{} of {count} messages came", all.len());
        all.extend(some);
    }
    all
}

fn handles(messages: &[QueueMessage]) -> Vec<Arc<str>> {
    messages.iter().map(|message| message.receipt_handle.clone()).collect()
}

fn bodies(messages: &[QueueMessage]) -> Vec<&str> {
    let mut bodies: Vec<_> = messages.iter().map(|message| message.body.as_str()).collect();
    bodies.sort_unstable();
    bodies
}

async fn attributes_of_a_queue_are_read_at_connect(server: SqsServer) {
    let dead = server.create_queue(&json!({})).await;
    let (_, dead) = server.connect(&dead).await;
    let policy = json!({ "deadLetterTargetArn": dead.arn, "maxReceiveCount": 12 }).to_string();
    let url = server.create_queue(&json!({ "VisibilityTimeout": "77", "MessageRetentionPeriod": "86400", "RedrivePolicy": policy })).await;
    let (queue, facts) = server.connect(&url).await;
    assert_eq!(facts.visibility_timeout, Duration::from_secs(77));
    assert_eq!(facts.message_retention, Some(Duration::from_hours(24)));
    assert!(!facts.fifo);
    assert!(
        facts.arn.starts_with("arn:aws:sqs:us-east-1:")
            && facts.arn.ends_with(url.rsplit('/').next().unwrap()),
        "{}",
        facts.arn
    );
    let redrive = facts.redrive.expect("a redrive policy");
    assert_eq!((redrive.dead_letter_arn, redrive.max_receive_count), (dead.arn, 12));

    send(&queue, &["a", "b", "c"]).await;
    receive(&queue, 1).await;
    let facts = queue.facts().await.expect("facts");
    assert_eq!((facts.messages, facts.messages_in_flight, facts.messages_delayed), (2, 1, 0));
}

async fn what_is_sent_is_received_with_all_its_attributes(server: SqsServer) {
    let (queue, url) = queue(&server, LONG).await;
    let body = "{\"type\":\"event\",\"text\":\"caf\u{e9} \u{1f6a2} <&>\"}";
    let sent = server
        .call(
            "SendMessage",
            &json!({ "QueueUrl": url, "MessageBody": body, "MessageAttributes": {
                "type": { "DataType": "String", "StringValue": "event" },
                "count": { "DataType": "Number", "StringValue": "42" },
                "blob": { "DataType": "Binary", "BinaryValue": "AP8Q" },
            }}),
        )
        .await;
    let message = receive(&queue, 1).await.remove(0);
    assert_eq!(message.message_id, sent["MessageId"]);
    assert_eq!(message.body, body);
    let expected = [
        ("blob".to_owned(), Attribute::Binary(vec![0, 255, 16])),
        ("count".to_owned(), Attribute::Text("42".to_owned())),
        ("type".to_owned(), Attribute::Text("event".to_owned())),
    ];
    assert_eq!(message.attributes, expected);
    assert_eq!((message.receive_count, message.fifo), (1, None));
    let age = SystemClock::default().now_ms() - message.sent_ms;
    assert!((-1_000..60_000).contains(&age), "sent {age} ms ago");

    // And by our own sending.
    let outgoing =
        Outgoing { body: body.to_owned(), attributes: expected.to_vec(), ..Outgoing::default() };
    queue.send_batch(&[outgoing]).await.expect("send");
    let message = receive(&queue, 1).await.remove(0);
    assert_eq!((message.body.as_str(), message.attributes), (body, expected.to_vec()));
}

/// The embedded server drops it.
async fn the_trace_header_is_passed_on(server: SqsServer) {
    let (queue, url) = queue(&server, LONG).await;
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    let system = json!({ "AWSTraceHeader": { "DataType": "String", "StringValue": header } });
    server
        .call(
            "SendMessage",
            &json!({ "QueueUrl": url, "MessageBody": "{}", "MessageSystemAttributes": system }),
        )
        .await;
    let message = receive(&queue, 1).await.remove(0);
    match server.kind {
        Kind::Embedded => assert_eq!(message.trace_header, None),
        Kind::Moto => assert_eq!(message.trace_header.as_deref(), Some(header)),
    }
}

async fn a_receive_brings_no_more_than_was_asked_for(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    let sent: Vec<_> = (0..BATCH_MAX).map(|number| number.to_string()).collect();
    send(&queue, &sent.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let some = queue.receive(3, SOON, None).await.expect("receive");
    assert!((1..=3).contains(&some.len()), "{}", some.len());
    let rest = receive(&queue, BATCH_MAX - some.len()).await;
    let mut all = bodies(&some);
    all.extend(bodies(&rest));
    all.sort_unstable();
    assert_eq!(all, sent);
    assert_eq!(queue.receive(BATCH_MAX, NOW, None).await.expect("receive").len(), 0);
}

async fn a_long_poll_ends_when_a_message_comes(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    let start = Instant::now();
    let (received, ()) =
        tokio::join!(queue.receive(BATCH_MAX, Duration::from_secs(20), None), async {
            // A round trip on the same server, so that the receive is there first.
            assert_eq!(queue.facts().await.expect("facts").messages, 0);
            send(&queue, &["late"]).await;
        });
    assert_eq!(bodies(&received.expect("receive")), ["late"]);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

async fn a_long_poll_without_messages_ends_empty_in_time(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    let start = Instant::now();
    assert_eq!(
        queue.receive(BATCH_MAX, Duration::from_secs(1), None).await.expect("receive").len(),
        0
    );
    assert!((Duration::from_millis(900)..SOON).contains(&start.elapsed()), "{:?}", start.elapsed());
}

async fn what_is_deleted_does_not_come_again(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    send(&queue, &["a", "b", "c"]).await;
    let messages = receive(&queue, 3).await;
    let (keep, delete): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.body == "b");
    assert_eq!(
        queue.delete(&handles(&delete)).await.expect("delete"),
        [EntryOutcome::Done, EntryOutcome::Done]
    );
    assert_eq!(
        queue.change_visibility(&handles(&keep), NOW).await.expect("give back"),
        [EntryOutcome::Done]
    );
    assert_eq!(bodies(&receive(&queue, 1).await), ["b"]);
    let facts = queue.facts().await.expect("facts");
    assert_eq!((facts.messages, facts.messages_in_flight), (0, 1));
    assert_eq!(queue.delete(&[]).await.expect("nothing"), []);
}

/// At AWS and moto a bad handle fails alone. To the embedded server every delete is done.
async fn a_bad_handle_does_not_hold_back_its_neighbours(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    send(&queue, &["a", "b"]).await;
    let good = handles(&receive(&queue, 2).await);
    let outcomes = queue
        .delete(&[good[0].clone(), "no-such-handle".into(), good[1].clone()])
        .await
        .expect("delete");
    let bad = match server.kind {
        Kind::Embedded => EntryOutcome::Done,
        Kind::Moto => EntryOutcome::Stale,
    };
    assert_eq!(outcomes, [EntryOutcome::Done, bad, EntryOutcome::Done]);
    let facts = queue.facts().await.expect("facts");
    assert_eq!((facts.messages, facts.messages_in_flight), (0, 0));
}

/// AWS answers that a delete with the handle of an earlier receive is done, and does not delete a
/// message that was received again since. The embedded server does the same; moto takes any handle
/// for its message's.
async fn an_old_handle_hides_and_deletes_nothing(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    send(&queue, &["a"]).await;
    let old = handles(&receive(&queue, 1).await);
    assert_eq!(queue.change_visibility(&old, NOW).await.expect("give back"), [EntryOutcome::Done]);
    let new = handles(&receive(&queue, 1).await);
    assert_ne!(old, new);
    let hidden = queue.change_visibility(&old, Duration::from_secs(30)).await.expect("an answer");
    assert_eq!(queue.delete(&old).await.expect("an answer"), [EntryOutcome::Done]);
    let (outcome, left) = match server.kind {
        Kind::Embedded => (EntryOutcome::Stale, 1),
        Kind::Moto => (EntryOutcome::Done, 0),
    };
    assert_eq!(
        (hidden, queue.facts().await.expect("facts").messages_in_flight),
        (vec![outcome], left)
    );
    assert_eq!(queue.delete(&new).await.expect("an answer"), [EntryOutcome::Done]);
    assert_eq!(queue.facts().await.expect("facts").messages_in_flight, 0);
}

async fn a_message_given_back_comes_at_once_and_counts(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    send(&queue, &["a", "b"]).await;
    let first = receive(&queue, 2).await;
    assert_eq!(
        queue.change_visibility(&handles(&first), NOW).await.expect("give back"),
        [EntryOutcome::Done, EntryOutcome::Done]
    );
    let again = receive(&queue, 2).await;
    assert_eq!(bodies(&again), ["a", "b"]);
    assert!(again.iter().all(|message| message.receive_count == 2));
    assert!(again.iter().all(|message| first.iter().any(|before| before.message_id
        == message.message_id
        && before.sent_ms == message.sent_ms)));
    assert_eq!(queue.change_visibility(&[], NOW).await.expect("nothing"), []);
}

async fn a_message_that_nobody_deletes_comes_again(server: SqsServer) {
    let (queue, _) = queue(&server, "1").await;
    send(&queue, &["a"]).await;
    for count in 1..=3 {
        assert_eq!(receive(&queue, 1).await[0].receive_count, count);
    }
}

async fn hiding_a_deleted_message_longer_is_stale(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    send(&queue, &["a", "b"]).await;
    let both = handles(&receive(&queue, 2).await);
    assert_eq!(queue.delete(&both[..1]).await.expect("delete"), [EntryOutcome::Done]);
    let outcomes = queue.change_visibility(&both, Duration::from_mins(1)).await.expect("an answer");
    assert_eq!(outcomes, [EntryOutcome::Stale, EntryOutcome::Done]);
}

/// The embedded server allows it.
async fn a_message_is_hidden_for_twelve_hours_at_most(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    send(&queue, &["a"]).await;
    let handle = handles(&receive(&queue, 1).await);
    let outcomes = queue
        .change_visibility(&handle, Duration::from_secs(12 * 3_600 + 1))
        .await
        .expect("an answer");
    match server.kind {
        Kind::Embedded => assert_eq!(outcomes, [EntryOutcome::Done]),
        Kind::Moto => assert_eq!(
            outcomes,
            [EntryOutcome::Failed("InvalidParameterValue: Visibility timeout invalid".to_owned())]
        ),
    }
}

/// AWS would give the same messages again for the same attempt; neither server does. Moto numbers
/// only what was not sent in a batch.
async fn a_fifo_group_waits_for_its_first_message(server: SqsServer) {
    let attributes = json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": LONG });
    let (queue, facts) = server.connect(&server.create_queue(&attributes).await).await;
    assert!(facts.fifo);
    for (body, group) in [("g1-a", "g1"), ("g1-b", "g1"), ("g2-a", "g2"), ("g1-c", "g1")] {
        let outgoing = Outgoing {
            body: body.to_owned(),
            group: Some(group.to_owned()),
            ..Outgoing::default()
        };
        let sent = queue.send_batch(&[outgoing]).await.expect("send");
        assert!(matches!(sent[0], SendOutcome::Sent { .. }), "{sent:?}");
    }
    let first = queue.receive(1, SOON, Some("attempt-1")).await.expect("receive");
    assert_eq!(bodies(&first), ["g1-a"]);
    assert_eq!(first[0].fifo.as_ref().map(|fifo| fifo.group.as_str()), Some("g1"));
    // While it is held, its group waits and others do not.
    assert_eq!(
        bodies(&queue.receive(BATCH_MAX, NOW, Some("attempt-1")).await.expect("receive")),
        ["g2-a"]
    );
    assert_eq!(
        bodies(&queue.receive(BATCH_MAX, NOW, Some("attempt-2")).await.expect("receive")),
        [""; 0]
    );
    // Given back, it comes before the ones behind it.
    assert_eq!(
        queue.change_visibility(&handles(&first), NOW).await.expect("give back"),
        [EntryOutcome::Done]
    );
    let again = queue.receive(1, SOON, Some("attempt-3")).await.expect("receive");
    assert_eq!((bodies(&again), again[0].receive_count), (vec!["g1-a"], 2));
    assert_eq!(queue.delete(&handles(&again)).await.expect("delete"), [EntryOutcome::Done]);
    let next = receive(&queue, 1).await;
    assert_eq!(bodies(&next), ["g1-b"]);
    let sequence = |message: &QueueMessage| message.fifo.as_ref().map_or(0, |fifo| fifo.sequence);
    match server.kind {
        Kind::Embedded => {
            assert!(0 < sequence(&again[0]) && sequence(&again[0]) < sequence(&next[0]));
        }
        Kind::Moto => assert_eq!((sequence(&again[0]), sequence(&next[0])), (0, 0)),
    }
}

async fn a_queue_that_is_not_there_is_missing(server: SqsServer) {
    let (queue, url) = queue(&server, LONG).await;
    let other = format!("{url}-gone");
    let fault = connect(server.endpoint(), &other).await.expect_err("no such queue");
    assert_eq!(fault.kind, QueueFaultKind::Missing, "{fault}");
    assert!(fault.text.contains("check queue.url") && fault.text.contains(&other), "{fault}");

    server.call("DeleteQueue", &json!({ "QueueUrl": url })).await;
    for fault in [
        queue.receive(1, NOW, None).await.expect_err("the queue is gone"),
        queue.delete(&["h".into()]).await.expect_err("the queue is gone"),
        queue.change_visibility(&["h".into()], NOW).await.expect_err("the queue is gone"),
        queue.send_batch(&[Outgoing::default()]).await.expect_err("the queue is gone"),
    ] {
        assert_eq!(fault.kind, QueueFaultKind::Missing, "{fault}");
    }
}

async fn a_batch_over_the_limit_is_refused(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    let eleven = vec![Arc::<str>::from("h"); BATCH_MAX + 1];
    assert!(queue.delete(&eleven).await.is_err());
    assert!(queue.change_visibility(&eleven, NOW).await.is_err());
    assert!(queue.send_batch(&vec![Outgoing::default(); BATCH_MAX + 1]).await.is_err());
}

async fn permissions_are_probed_without_a_change(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    send(&queue, &["a"]).await;
    let before = queue.facts().await.expect("facts");
    for probe in queue.probe().await {
        match probe.permission {
            "sqs:ReceiveMessage" => {
                assert!(matches!(probe.access, Access::NotTried(_)), "{probe:?}");
            }
            _ => assert_eq!(probe.access, Access::Allowed, "{probe:?}"),
        }
    }
    assert_eq!(queue.facts().await.expect("facts"), before);
    assert_eq!(receive(&queue, 1).await[0].receive_count, 1);
}

async fn requests_are_counted_by_operation(server: SqsServer) {
    let (queue, _) = queue(&server, LONG).await;
    send(&queue, &["a", "b"]).await;
    let messages = receive(&queue, 1).await;
    queue.change_visibility(&handles(&messages), Duration::from_mins(1)).await.expect("hide");
    queue.delete(&handles(&messages)).await.expect("delete");
    queue.delete(&[]).await.expect("nothing");
    queue.dead_letter_sources().await.expect("an answer");
    assert_eq!(Operation::ALL.map(|operation| queue.calls().of(operation)), [1; 6]);
}

#[tokio::test]
async fn every_error_of_sqs_has_its_kind_over_the_wire() {
    for (status, code, kind) in [
        (400, "AWS.SimpleQueueService.NonExistentQueue", QueueFaultKind::Missing),
        (400, "QueueDoesNotExist", QueueFaultKind::Missing),
        (403, "AccessDenied", QueueFaultKind::Denied),
        (403, "InvalidClientTokenId", QueueFaultKind::Denied),
        (403, "SignatureDoesNotMatch", QueueFaultKind::Denied),
        (403, "ExpiredToken", QueueFaultKind::Denied),
        (400, "KMS.AccessDeniedException", QueueFaultKind::Denied),
        (400, "KMS.ThrottlingException", QueueFaultKind::Throttled),
        (403, "RequestThrottled", QueueFaultKind::Throttled),
        (400, "ThrottlingException", QueueFaultKind::Throttled),
        (403, "OverLimit", QueueFaultKind::Throttled),
        (503, "SlowDown", QueueFaultKind::Throttled),
        (500, "InternalError", QueueFaultKind::Unavailable),
        (503, "ServiceUnavailable", QueueFaultKind::Unavailable),
    ] {
        let server = Canned::error(status, code, "x-amz-security-token:SECRET").await;
        let fault = connect(&server.endpoint, "http://h/0/portal").await.expect_err(code);
        assert_eq!(fault.kind, kind, "{code}: {fault}");
        assert!(fault.text.contains("portal") && !fault.text.contains('\n'), "{fault}");
        assert!(
            kind != QueueFaultKind::Denied
                || code.contains("AccessDenied")
                || !fault.text.contains("SECRET"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_not_of_sqs_is_unavailable() {
    for (status, body) in [
        (503, "<html>Service Unavailable</html>"),
        (502, ""),
        (200, "<html>Welcome</html>"),
        (404, "{}"),
        (200, "{}"),
    ] {
        let server = Canned::body(status, body).await;
        let fault = connect(&server.endpoint, "http://h/0/portal").await.expect_err("not SQS");
        assert_eq!(fault.kind, QueueFaultKind::Unavailable, "{status} {body}: {fault}");
    }
}

/// A server may leave entries out of its answer, or answer for ones that were not asked about.
#[tokio::test]
async fn an_entry_without_an_answer_has_failed() {
    let attributes =
        json!({ "QueueArn": "arn:aws:sqs:us-east-1:0:portal", "VisibilityTimeout": "30" });
    let failed = json!([{ "Id": "1", "SenderFault": false, "Code": "InternalError", "Message": "we broke" }]);
    let answer = json!({ "Attributes": attributes, "Successful": [{ "Id": "2" }, { "Id": "9" }], "Failed": failed });
    let server = Canned::body(200, &answer.to_string()).await;
    for transport in [Transport::Lean, Transport::Sdk] {
        let connected = connect_by(transport, &server.endpoint, "http://h/0/portal").await;
        let queue = connected.expect("connect").0;
        let handles = ["a", "b", "c"].map(Arc::from);
        for outcomes in [queue.delete(&handles).await, queue.change_visibility(&handles, NOW).await]
        {
            let outcomes = outcomes.expect("an answer");
            assert!(
                matches!(&outcomes[0], EntryOutcome::Failed(text) if text.contains("did not answer")),
                "{outcomes:?}"
            );
            assert_eq!(
                outcomes[1..],
                [EntryOutcome::Failed("InternalError: we broke".to_owned()), EntryOutcome::Done]
            );
        }
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_settled_does_not_hold_back_its_neighbours() {
    let good = json!({ "MessageId": "m", "ReceiptHandle": "h", "Attributes": { "SentTimestamp": "1795341605123" } });
    let messages = json!([{}, { "MessageId": "no handle", "Body": "{}" }, good]);
    let attributes =
        json!({ "QueueArn": "arn:aws:sqs:us-east-1:0:portal", "VisibilityTimeout": "30" });
    let server =
        Canned::body(200, &json!({ "Attributes": attributes, "Messages": messages }).to_string())
            .await;
    for transport in [Transport::Lean, Transport::Sdk] {
        let connected = connect_by(transport, &server.endpoint, "http://h/0/portal").await;
        let queue = connected.expect("connect").0;
        let received = queue.receive(BATCH_MAX, NOW, None).await.expect("receive");
        assert_eq!(received.len(), 1);
        assert_eq!(
            (received[0].message_id.as_str(), received[0].body.as_str(), received[0].receive_count),
            ("m", "", 1)
        );
    }
}

#[tokio::test]
async fn a_server_without_system_attributes_is_one_error_and_not_one_for_each_message() {
    let message = |id: &str| json!({ "MessageId": id, "ReceiptHandle": id, "Body": "{}" });
    let attributes =
        json!({ "QueueArn": "arn:aws:sqs:us-east-1:0:portal", "VisibilityTimeout": "30" });
    let body = json!({ "Attributes": attributes, "Messages": [message("a"), message("b")] });
    let server = Canned::body(200, &body.to_string()).await;
    for transport in [Transport::Lean, Transport::Sdk] {
        let connected = connect_by(transport, &server.endpoint, "http://h/0/portal").await;
        let queue = connected.expect("connect").0;
        let fault = queue.receive(BATCH_MAX, NOW, None).await.expect_err("no times");
        assert!(fault.text.contains("without SentTimestamp"), "{fault}");
    }
}

#[tokio::test]
async fn a_server_that_nobody_runs_is_named_within_the_bound() {
    let silent = Canned::silent().await;
    let gone = Canned::silent().await.endpoint.clone();
    for endpoint in [&silent.endpoint, &gone] {
        let start = Instant::now();
        let fault = connect(endpoint, "http://h/0/portal").await.expect_err("nobody answers");
        assert_eq!(fault.kind, QueueFaultKind::Unavailable, "{fault}");
        assert!(
            fault.text.contains(endpoint) && fault.text.contains("queue.endpoint_url"),
            "{fault}"
        );
        assert!(start.elapsed() < Duration::from_secs(15));
    }
}

#[tokio::test]
async fn local_credentials_never_reach_aws() {
    let aws = settings(None, "https://sqs.eu-west-1.amazonaws.com/123456789012/portal");
    let fault = SqsQueue::connect(&aws, Credentials::Local).await.expect_err("no endpoint");
    assert_eq!(fault.kind, QueueFaultKind::Denied);
    assert!(fault.text.contains("queue.endpoint_url"), "{fault}");
}
