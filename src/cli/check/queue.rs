//! The queue: that it answers, what it says about itself, and what this process may do with it.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::Config;
use crate::queue::sqs::{Access, Credentials, Probe, QueueFacts, SqsQueue};
use crate::worker::VISIBILITY_TIMEOUT_MIN;

use super::bound::SERVER_MAX;
use super::finding::Findings;
use super::letter_queue;

/// Below this, a sick database and a few deploys can make the queue's own redrive policy take
/// messages away from the worker.
const MAX_RECEIVE_COUNT_MIN: u32 = 10;

/// Below this, a night's outage of the database loses messages.
const RETENTION_MIN: Duration = Duration::from_hours(24);

/// The longest that SQS keeps a message.
const RETENTION_MAX_DAYS: u64 = 14;

pub(super) async fn check(config: &Config, credentials: Credentials) -> Findings {
    let mut findings = Findings::default();
    // Unless it says otherwise: a standard queue promises less.
    let mut is_fifo = false;
    if timeout(SERVER_MAX, ask(config, credentials, &mut is_fifo, &mut findings)).await.is_err() {
        findings.fail(
            "queue",
            format!(
                "not all was answered within {} s: check the network to SQS",
                SERVER_MAX.as_secs()
            ),
        );
    }
    producers(config, is_fifo, &mut findings);
    findings
}

async fn ask(
    config: &Config,
    credentials: Credentials,
    is_fifo: &mut bool,
    findings: &mut Findings,
) {
    let (queue, facts) = match SqsQueue::connect(&config.queue, credentials.clone()).await {
        Ok(connected) => connected,
        Err(fault) => return findings.fail("queue", fault.text),
    };
    *is_fifo = facts.fifo;
    connection(&queue, findings);
    attributes(&facts, findings);
    visibility_timeout(config, &facts, findings);
    redrive_policy(&facts, findings);
    retention(&facts, findings);
    permissions(queue.probe().await, findings);
    letter_queue::check(config, &facts, credentials, findings).await;
}

fn connection(queue: &SqsQueue, findings: &mut Findings) {
    const CHECK: &str = "queue connection";
    if queue.is_insecure() {
        findings.warn(CHECK, queue.way());
    } else {
        findings.ok(CHECK, queue.way());
    }
}

fn attributes(facts: &QueueFacts, findings: &mut Findings) {
    let QueueFacts { arn, messages, messages_in_flight, messages_delayed, .. } = facts;
    let kind = if facts.fifo { "FIFO" } else { "standard" };
    findings.ok("queue", format!("{arn}, {kind}: {messages} waiting, {messages_in_flight} in flight, {messages_delayed} delayed"));
}

/// What is held is extended in time; a message that outlives its timeout all the same, because SQS
/// cannot be reached for a while, is received by another worker too. So the timeout should cover a
/// write that needs all its retries.
fn visibility_timeout(config: &Config, facts: &QueueFacts, findings: &mut Findings) {
    const CHECK: &str = "visibility timeout";
    let effective = config.queue.visibility_timeout.unwrap_or(facts.visibility_timeout);
    let (worst, write_timeout) = worst_write(config);
    let seconds = effective.as_secs();
    if effective < VISIBILITY_TIMEOUT_MIN {
        let min = VISIBILITY_TIMEOUT_MIN.as_secs();
        findings.fail(CHECK, format!("{seconds} s is too short to write anything in: set queue.visibility_timeout to {min}s or more"));
    } else if effective < worst {
        let (worst, budget) = (worst.as_secs_f64().ceil(), config.retry.budget.as_secs_f64());
        findings.warn(
            CHECK,
            format!(
                "{seconds} s is less than the worst batch takes, {worst} s (retry.budget {budget} s and a write timeout of {} s): where \
                 SQS cannot be reached to extend it, messages are received twice; set queue.visibility_timeout to {worst}s or more",
                write_timeout.as_secs_f64()
            ),
        );
    } else {
        findings.ok(
            CHECK,
            format!("{seconds} s, and the worst batch takes {} s", worst.as_secs_f64().ceil()),
        );
    }
}

/// How long a write can take until the gate closes, and the longest write timeout in it.
fn worst_write(config: &Config) -> (Duration, Duration) {
    let dead_letters = config.dead_letter_collection();
    let timeouts = config
        .collections
        .values()
        .chain([&dead_letters])
        .map(|collection| collection.write_concern.timeout);
    let write_timeout = timeouts.max().unwrap_or_default();
    (config.retry.budget + write_timeout, write_timeout)
}

fn redrive_policy(facts: &QueueFacts, findings: &mut Findings) {
    const CHECK: &str = "redrive policy";
    match &facts.redrive {
        None => findings.warn(
            CHECK,
            "none: Longshore dead-letters what it cannot write, but a message that no worker ever finishes is received again until its retention ends; set a redrive policy with a maxReceiveCount of at least 10, and one more for each worker",
        ),
        Some(policy) if policy.max_receive_count < MAX_RECEIVE_COUNT_MIN => findings.warn(
            CHECK,
            format!(
                "maxReceiveCount is {}: crashes and failed writes count too, and could move good messages to {}; set it to \
                 at least {MAX_RECEIVE_COUNT_MIN}, and one more for each worker",
                policy.max_receive_count, policy.dead_letter_arn
            ),
        ),
        Some(policy) => findings.ok(CHECK, format!("to {} after {} receives", policy.dead_letter_arn, policy.max_receive_count)),
    }
}

fn retention(facts: &QueueFacts, findings: &mut Findings) {
    const CHECK: &str = "message retention";
    let Some(retention) = facts.message_retention else {
        return findings.note(CHECK, "the queue does not tell its MessageRetentionPeriod");
    };
    let hours = retention.as_secs_f64() / 3_600.0;
    if retention < RETENTION_MIN {
        findings.warn(
            CHECK,
            format!(
                "{hours:.1} h: an outage of the database that lasts longer loses messages; set MessageRetentionPeriod to days \
                 ({RETENTION_MAX_DAYS} at most)"
            ),
        );
    } else {
        findings.ok(
            CHECK,
            format!(
                "{:.1} days: an outage may last that long before messages are lost",
                hours / 24.0
            ),
        );
    }
}

fn permissions(probes: Vec<Probe>, findings: &mut Findings) {
    const CHECK: &str = "permissions";
    for Probe { permission, access } in probes {
        match access {
            Access::Allowed => findings.ok(CHECK, permission),
            Access::Denied(text) => findings.fail(CHECK, format!("{permission}: {text}")),
            Access::NotTried(text) => findings.note(CHECK, format!("{permission}: {text}")),
            Access::Unknown(text) => findings.warn(CHECK, format!("{permission}: {text}")),
        }
    }
}

/// What no look at the queue can find out.
fn producers(config: &Config, is_fifo: bool, findings: &mut Findings) {
    const CHECK: &str = "producers";
    findings.note(
        CHECK,
        "without the message attributes longshore-id and longshore-time, or an envelope or event id of its own, a message that is sent \
         again or redriven counts as a new one",
    );
    let version_fields: BTreeSet<&str> =
        config.routes.values().filter_map(|route| route.kind.version_field()).collect();
    if version_fields.is_empty() {
        return;
    }
    let fields = version_fields.into_iter().collect::<Vec<_>>().join(", ");
    if !is_fifo {
        findings.note(
            CHECK,
            format!(
                "of two updates of one key that were sent within one millisecond, a standard queue does not tell which is newer: give them \
                 their version field ({fields}) with microseconds, or a longshore-id that rises"
            ),
        );
    }
    findings.note(
        CHECK,
        format!(
            "EventBridge gives the time in whole seconds: where updates of one key come through it within a second, give them their version \
             field ({fields})"
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;
    use crate::config;
    use crate::queue::sqs::RedrivePolicy;

    fn facts() -> QueueFacts {
        QueueFacts {
            arn: "arn:aws:sqs:eu-west-1:123456789012:portal".to_owned(),
            visibility_timeout: Duration::from_mins(2),
            fifo: false,
            redrive: Some(RedrivePolicy {
                dead_letter_arn: "arn:aws:sqs:eu-west-1:123456789012:dlq".to_owned(),
                max_receive_count: 10,
            }),
            messages: 7,
            messages_in_flight: 8,
            messages_delayed: 9,
            message_bytes_max: 1024 * 1024,
            message_retention: Some(Duration::from_hours(96)),
        }
    }

    fn found(look: impl FnOnce(&mut Findings), check: &str) -> (Status, String) {
        let mut findings = Findings::default();
        look(&mut findings);
        let found = findings.of(check);
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0].0, found[0].1.to_owned())
    }

    #[test]
    fn the_visibility_timeout_is_held_against_the_worst_batch() {
        let mut config = config::defaults();
        let look = |config: &Config, seconds| {
            let facts = QueueFacts { visibility_timeout: Duration::from_secs(seconds), ..facts() };
            found(|findings| visibility_timeout(config, &facts, findings), "visibility timeout")
        };
        assert_eq!(
            look(&config, 40),
            (Status::Ok, "40 s, and the worst batch takes 40 s".to_owned())
        );
        let (status, text) = look(&config, 30);
        assert!(
            status == Status::Warn && text.contains("set queue.visibility_timeout to 40s or more"),
            "{text}"
        );
        assert_eq!(look(&config, 4).0, Status::Fail);
        // A route's own write timeout counts, and so does what is configured instead of the queue's
        // own.
        config.collections.get_mut("events").expect("built in").write_concern.timeout =
            Duration::from_mins(1);
        let (status, text) = look(&config, 40);
        assert!(status == Status::Warn && text.contains("90s or more"), "{text}");
        config.queue.visibility_timeout = Some(Duration::from_mins(2));
        assert_eq!(look(&config, 40).0, Status::Ok);
    }

    #[test]
    fn a_redrive_policy_that_is_missing_or_hasty_is_a_warning() {
        let look = |count: Option<u32>| {
            let redrive = count.map(|max_receive_count| RedrivePolicy {
                dead_letter_arn: "arn:d".to_owned(),
                max_receive_count,
            });
            let facts = QueueFacts { redrive, ..facts() };
            found(|findings| redrive_policy(&facts, findings), "redrive policy")
        };
        assert_eq!(look(Some(10)).0, Status::Ok);
        let (status, text) = look(Some(9));
        assert!(
            status == Status::Warn
                && text.contains("maxReceiveCount is 9")
                && text.contains("arn:d"),
            "{text}"
        );
        let (status, text) = look(None);
        assert!(
            status == Status::Warn && text.contains("is received again until its retention ends"),
            "{text}"
        );
    }

    #[test]
    fn what_no_queue_can_order_is_noted() {
        let mut config = config::defaults();
        let look = |config: &Config, is_fifo| {
            let mut findings = Findings::default();
            producers(config, is_fifo, &mut findings);
            findings
                .of("producers")
                .into_iter()
                .map(|(_, text)| text.to_owned())
                .collect::<Vec<_>>()
        };
        let standard = look(&config, false);
        assert_eq!(standard.len(), 3);
        assert!(
            standard[1].contains("within one millisecond")
                && standard[1].contains("(last_accessed, updated)"),
            "{standard:?}"
        );
        assert!(
            standard[2].contains("EventBridge gives the time in whole seconds"),
            "{standard:?}"
        );
        assert_eq!(look(&config, true), [standard[0].clone(), standard[2].clone()]);
        config.routes.retain(|name, _| name == "event");
        assert_eq!(look(&config, false), [standard[0].clone()], "events have no order to keep");
    }

    #[test]
    fn a_retention_below_a_day_is_a_warning() {
        let look = |retention| {
            let facts = QueueFacts { message_retention: retention, ..facts() };
            found(|findings| super::retention(&facts, findings), "message retention")
        };
        assert_eq!(look(Some(Duration::from_hours(24))).0, Status::Ok);
        assert_eq!(look(Some(Duration::from_mins(30))).0, Status::Warn);
        assert_eq!(look(None).0, Status::Note);
    }

    #[test]
    fn a_denied_permission_fails_and_an_unclear_one_warns() {
        let look = |access| {
            found(
                |findings| {
                    permissions(vec![Probe { permission: "sqs:DeleteMessage", access }], findings);
                },
                "permissions",
            )
        };
        assert_eq!(look(Access::Allowed), (Status::Ok, "sqs:DeleteMessage".to_owned()));
        assert_eq!(
            look(Access::Denied("t".to_owned())),
            (Status::Fail, "sqs:DeleteMessage: t".to_owned())
        );
        assert_eq!(look(Access::NotTried("t".to_owned())).0, Status::Note);
        assert_eq!(look(Access::Unknown("t".to_owned())).0, Status::Warn);
    }
}
