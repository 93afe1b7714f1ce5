//! The proxy that fails on purpose, before it is believed: each fault does what its name says, seen
//! by the worker's own adapter on this side and by the state of the queue on the other.

use std::sync::Arc;
use std::time::Duration;

use longshore::message::QueueMessage;
use longshore::queue::sqs::{Operation, SqsQueue};
use longshore::queue::{BATCH_MAX, EntryOutcome, Queue, QueueFaultKind};
use longshore::queue::{Outgoing, SendOutcome};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::support::fault_proxy::{Fault, FaultProxy, SETTLING};
use crate::support::sqs::{Kind, SqsServer, connect};
use crate::support::until;

const NOW: Duration = Duration::ZERO;
/// For what is expected to come at once: a bound, never reached.
const SOON: Duration = Duration::from_secs(10);

/// A queue that nothing comes back to by itself, as the worker sees it and as it is.
struct Bench {
    proxy: FaultProxy,
    through: SqsQueue,
    behind: SqsQueue,
    _server: SqsServer,
}

impl Bench {
    async fn new() -> Self {
        Self::with(&json!({ "VisibilityTimeout": "600" })).await
    }

    async fn with(attributes: &Value) -> Self {
        let server = SqsServer::start(Kind::Embedded).await;
        let url = server.create_queue(attributes).await;
        let proxy = FaultProxy::start(server.endpoint(), 7).await;
        let through = connect(proxy.endpoint(), &url).await.expect("connect through the proxy").0;
        let behind = server.connect(&url).await.0;
        Self { proxy, through, behind, _server: server }
    }

    async fn send(&self, bodies: &[&str]) {
        let entries: Vec<_> = bodies
            .iter()
            .map(|body| Outgoing { body: (*body).to_owned(), ..Outgoing::default() })
            .collect();
        let outcomes = self.behind.send_batch(&entries).await.expect("send");
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, SendOutcome::Sent { .. })),
            "{outcomes:?}"
        );
    }

    /// Messages that can be received, and messages that are hidden.
    async fn state(&self) -> (u64, u64) {
        let facts = self.behind.facts().await.expect("facts");
        (facts.messages, facts.messages_in_flight)
    }

    async fn receive(&self) -> Vec<QueueMessage> {
        self.through.receive(BATCH_MAX, SOON, None).await.expect("receive")
    }

    async fn fails(&self) -> QueueFaultKind {
        self.through.receive(BATCH_MAX, NOW, None).await.expect_err("a fault").kind
    }
}

fn handles(messages: &[QueueMessage]) -> Vec<Arc<str>> {
    messages.iter().map(|message| message.receipt_handle.clone()).collect()
}

#[tokio::test]
async fn a_healthy_proxy_changes_nothing_and_counts_everything() {
    let bench = Bench::new().await;
    bench.send(&["a", "b"]).await;
    let messages = bench.receive().await;
    assert_eq!((messages.len(), bench.state().await), (2, (0, 2)));
    bench.through.change_visibility(&handles(&messages), SOON).await.expect("hide on");
    assert_eq!(bench.proxy.observed().hidden.len(), 2);
    assert_eq!(
        bench.through.change_visibility(&handles(&messages), NOW).await.expect("give back"),
        [EntryOutcome::Done, EntryOutcome::Done]
    );
    assert_eq!(bench.proxy.observed().hidden.len(), 0);
    let messages = bench.receive().await;
    assert_eq!(
        bench.through.delete(&handles(&messages)).await.expect("delete"),
        [EntryOutcome::Done, EntryOutcome::Done]
    );
    assert_eq!(bench.state().await, (0, 0));
    let observed = bench.proxy.observed();
    assert_eq!(Operation::ALL.map(|operation| observed.calls(operation)), [2, 1, 2, 0, 1, 0]);
    assert!(
        Operation::ALL.into_iter().all(|operation| observed.in_progress(operation) == 0)
            && observed.hidden.is_empty()
    );
    assert_eq!(observed.received.values().collect::<Vec<_>>(), [&2, &2]);
    assert_eq!(
        (&observed.received, observed.extra_receives(), observed.extra_receives_max()),
        (&observed.delivered, 2, 1)
    );
    assert!(observed.all_injected().is_empty() && observed.attempts.is_empty());
}

#[tokio::test]
async fn a_reset_before_it_acted_leaves_the_queue_as_it_was() {
    let bench = Bench::new().await;
    bench.send(&["a"]).await;
    bench.proxy.next(1, Operation::Receive, Fault::ResetBefore);
    assert_eq!(bench.fails().await, QueueFaultKind::Unavailable);
    assert_eq!(bench.state().await, (1, 0));
    let messages = bench.receive().await;
    bench.proxy.next(1, Operation::Delete, Fault::ResetBefore);
    assert!(bench.through.delete(&handles(&messages)).await.is_err());
    assert_eq!(
        (bench.state().await, bench.proxy.observed().injected(Fault::ResetBefore)),
        ((0, 1), 2)
    );
}

#[tokio::test]
async fn a_reset_after_it_acted_loses_the_answer_only() {
    let bench = Bench::new().await;
    bench.send(&["a"]).await;
    let messages = bench.receive().await;
    bench.proxy.next(1, Operation::Delete, Fault::ResetAfter);
    let fault = bench.through.delete(&handles(&messages)).await.expect_err("no answer");
    assert_eq!((fault.kind, bench.state().await), (QueueFaultKind::Unavailable, (0, 0)));
    assert_eq!(bench.proxy.observed().injected(Fault::ResetAfter), 1);
}

#[tokio::test]
async fn a_lost_receive_hides_its_messages() {
    let bench = Bench::new().await;
    bench.send(&["a", "b"]).await;
    bench.proxy.next(1, Operation::Receive, Fault::ResetAfter);
    assert_eq!(bench.fails().await, QueueFaultKind::Unavailable);
    assert_eq!(bench.state().await, (0, 2));
    assert!(bench.through.receive(BATCH_MAX, NOW, None).await.expect("receive").is_empty());
    let observed = bench.proxy.observed();
    assert_eq!((observed.received.len(), observed.delivered.len()), (2, 0));
}

#[tokio::test]
async fn the_same_attempt_gets_the_messages_of_a_lost_fifo_receive() {
    let bench = Bench::with(&json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "600" })).await;
    let outgoing =
        Outgoing { body: "a".to_owned(), group: Some("g".to_owned()), ..Outgoing::default() };
    bench.behind.send_batch(&[outgoing]).await.expect("send");
    bench.proxy.next(1, Operation::Receive, Fault::ResetAfter);
    bench.through.receive(BATCH_MAX, SOON, Some("one")).await.expect_err("no answer");
    assert!(bench.through.receive(BATCH_MAX, NOW, Some("two")).await.expect("receive").is_empty());
    let found = bench.through.receive(BATCH_MAX, NOW, Some("one")).await.expect("receive");
    assert_eq!((found.len(), found[0].receive_count), (1, 1));
    assert_eq!(bench.through.delete(&handles(&found)).await.expect("delete"), [EntryOutcome::Done]);
    assert_eq!(bench.state().await, (0, 0));
    let observed = bench.proxy.observed();
    let attempts: Vec<_> =
        observed.attempts.iter().map(|(attempt, fault)| (attempt.as_str(), *fault)).collect();
    assert_eq!(attempts, [("one", Some(Fault::ResetAfter)), ("two", None), ("one", None)]);
    assert_eq!(observed.extra_receives(), 0);
}

#[tokio::test]
async fn latency_delays_and_silence_never_answers() {
    let bench = Bench::new().await;
    bench.send(&["a"]).await;
    let delay = Duration::from_millis(300);
    bench.proxy.next(1, Operation::Receive, Fault::Latency(delay));
    bench.proxy.next(1, Operation::Delete, Fault::Silence);
    let asked = Instant::now();
    let messages = bench.receive().await;
    assert!(asked.elapsed() >= delay);
    let handles = handles(&messages);
    let silent = bench.through.delete(&handles);
    tokio::pin!(silent);
    let noticed =
        until("the proxy is silent", async || bench.proxy.observed().injected(Fault::Silence) == 1);
    tokio::select! {
        _ = &mut silent => panic!("it answered"),
        () = noticed => {}
    }
    // Others are answered meanwhile.
    assert_eq!(bench.through.delete(&handles).await.expect("delete"), [EntryOutcome::Done]);
    assert!(timeout(NOW, silent).await.is_err());
    assert_eq!(bench.proxy.observed().injected(Fault::Latency(delay)), 1);
}

#[tokio::test]
async fn every_error_is_one_of_its_kind_and_nothing_is_passed_on() {
    for (fault, kind) in [
        (Fault::Unavailable, QueueFaultKind::Unavailable),
        (Fault::Throttled, QueueFaultKind::Throttled),
        (Fault::ExpiredToken, QueueFaultKind::Denied),
        (Fault::Denied, QueueFaultKind::Denied),
        (Fault::Missing, QueueFaultKind::Missing),
    ] {
        let bench = Bench::new().await;
        bench.send(&["a"]).await;
        let messages = bench.receive().await;
        bench.proxy.always(&Operation::ALL, fault);
        // Often enough for both of what AWS says for one thing.
        for _ in 0..10 {
            assert_eq!(bench.fails().await, kind, "{fault:?}");
            assert_eq!(
                bench.through.delete(&handles(&messages)).await.expect_err("a fault").kind,
                kind
            );
            assert_eq!(
                bench
                    .through
                    .change_visibility(&handles(&messages), NOW)
                    .await
                    .expect_err("a fault")
                    .kind,
                kind
            );
            assert_eq!(bench.through.facts().await.expect_err("a fault").kind, kind);
        }
        assert_eq!((bench.state().await, bench.proxy.observed().injected(fault)), ((0, 1), 40));
        bench.proxy.heal();
        assert_eq!(
            bench.through.delete(&handles(&messages)).await.expect("healed"),
            [EntryOutcome::Done]
        );
    }
}

#[tokio::test]
async fn of_a_partial_failure_some_entries_are_done() {
    let bench = Bench::new().await;
    bench.send(&["a", "b", "c"]).await;
    let handles = handles(&bench.receive().await);
    for (operation, kind) in SETTLING.into_iter().zip([2, 1]) {
        bench.proxy.next(1, operation, Fault::PartialFailure);
        let outcomes = match operation {
            Operation::Delete => bench.through.delete(&handles).await,
            _ => bench.through.change_visibility(&handles[..kind], NOW).await,
        };
        for (place, outcome) in outcomes.expect("an answer").iter().enumerate() {
            match place % 2 {
                0 => assert!(
                    matches!(outcome, EntryOutcome::Failed(text) if text.starts_with("InternalError")),
                    "{outcome:?}"
                ),
                _ => assert_eq!(*outcome, EntryOutcome::Done),
            }
        }
        assert_eq!(bench.state().await, (0, 2), "what failed is as it was");
    }
    assert_eq!(bench.proxy.observed().injected(Fault::PartialFailure), 2);
}

#[tokio::test]
async fn a_stale_handle_does_nothing_to_its_message() {
    let bench = Bench::new().await;
    bench.send(&["a", "b"]).await;
    let handles = handles(&bench.receive().await);
    bench.proxy.next(1, Operation::Delete, Fault::StaleHandles);
    assert_eq!(
        bench.through.delete(&handles).await.expect("an answer"),
        [EntryOutcome::Stale, EntryOutcome::Done]
    );
    bench.proxy.next(1, Operation::ChangeVisibility, Fault::StaleHandles);
    assert_eq!(
        bench.through.change_visibility(&handles[..1], NOW).await.expect("an answer"),
        [EntryOutcome::Stale]
    );
    assert_eq!(
        (bench.state().await, bench.proxy.observed().injected(Fault::StaleHandles)),
        ((0, 1), 2)
    );
}

#[tokio::test]
async fn a_duplicate_comes_with_a_handle_of_its_own_that_is_as_good() {
    let bench = Bench::new().await;
    bench.send(&["a", "b", "c", "d"]).await;
    bench.proxy.next(2, Operation::Receive, Fault::Duplicates);
    let first = bench.receive().await;
    assert_eq!(first.len(), 6, "the second half of the copies is put off");
    assert_eq!(
        (first[0].message_id.as_str(), first[0].body.as_str()),
        (first[4].message_id.as_str(), first[4].body.as_str())
    );
    assert_ne!(first[0].receipt_handle, first[4].receipt_handle);
    let late = bench.through.receive(BATCH_MAX, NOW, None).await.expect("receive");
    let ids = |messages: &[QueueMessage]| {
        messages.iter().map(|message| message.message_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&late), ids(&first[2..4]));
    // Each through another handle: the two that came twice at once, and the two that came again.
    assert_eq!(
        bench.through.delete(&handles(&first[4..])).await.expect("delete"),
        [EntryOutcome::Done, EntryOutcome::Done]
    );
    assert_eq!(
        bench.through.change_visibility(&handles(&late), NOW).await.expect("give back"),
        [EntryOutcome::Done, EntryOutcome::Done]
    );
    assert_eq!(bench.state().await, (2, 0));
    let observed = bench.proxy.observed();
    assert_eq!((observed.extra_receives(), observed.injected(Fault::Duplicates)), (0, 2));
    assert_eq!(observed.delivered.values().collect::<Vec<_>>(), [&2; 4]);
}

#[tokio::test]
async fn a_duplicate_never_makes_an_answer_larger_than_was_asked_for() {
    let bench = Bench::new().await;
    bench.send(&["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    bench.proxy.always(&[Operation::Receive], Fault::Duplicates);
    let mut delivered = 0;
    for max in [1, 2, 3, 4, 10, 10, 10] {
        let messages = bench.through.receive(max, NOW, None).await.expect("receive");
        assert!(messages.len() <= max, "{} of {max}", messages.len());
        delivered += messages.len();
    }
    assert_eq!(delivered, 16, "each twice");
}

#[tokio::test]
async fn a_fault_by_chance_happens_now_and_then_the_same_for_the_same_seed() {
    let faults = async || {
        let bench = Bench::new().await;
        bench.proxy.chance(0.5, &[Operation::Receive], Fault::Throttled);
        let mut faults = Vec::new();
        for _ in 0..40 {
            faults.push(bench.through.receive(1, NOW, None).await.is_err());
        }
        assert_eq!(
            bench.proxy.observed().injected(Fault::Throttled),
            faults.iter().filter(|is_fault| **is_fault).count() as u64
        );
        faults
    };
    let first = faults().await;
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(faults().await, first);
}

#[tokio::test]
async fn a_trace_header_is_put_where_the_test_wants_it() {
    let bench = Bench::new().await;
    bench.send(&["a"]).await;
    bench.proxy.trace_headers(|message| {
        (message["Body"] == "a").then(|| "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned())
    });
    assert_eq!(
        bench.receive().await[0].trace_header.as_deref(),
        Some("Root=1-5759e988-bd862e3fe1be46a994272793")
    );
    bench.send(&["b"]).await;
    assert_eq!(bench.receive().await[0].trace_header, None);
}

#[tokio::test]
async fn a_receive_acts_although_nobody_waits_for_its_answer() {
    let bench = Bench::new().await;
    assert!(
        timeout(Duration::from_millis(200), bench.through.receive(BATCH_MAX, SOON, None))
            .await
            .is_err()
    );
    bench.send(&["a"]).await;
    until("the abandoned long poll hides the message", async || bench.state().await == (0, 1))
        .await;
    assert!(bench.proxy.observed().delivered.is_empty());
}
