//! The queue that dead letters are sent to, where one is configured.

use std::time::Duration;

use crate::config::Config;
use crate::queue::sqs::{Credentials, Operation, QueueFacts, SqsQueue};
use crate::worker::letter_queue::{SETTING, mixed_up, settings};

use super::finding::Findings;

const CHECK: &str = "dead-letter queue";

/// Below this, a holiday loses dead letters that nobody has looked at. SQS keeps messages for 4 days unless it is
/// told otherwise, and for 14 at most.
const RETENTION_MIN: Duration = Duration::from_hours(7 * 24);

/// `main` is what the queue says that messages are received from.
pub(super) async fn check(
    config: &Config,
    main: &QueueFacts,
    credentials: Credentials,
    findings: &mut Findings,
) {
    let Some(settings) = settings(config) else { return };
    let facts = match SqsQueue::connect_named(SETTING, &settings, credentials).await {
        Ok((_, facts)) => facts,
        Err(fault) => return findings.fail(CHECK, fault.text),
    };
    if let Some(problem) = mixed_up(main, &facts) {
        return findings.fail(CHECK, format!("{SETTING} {problem}"));
    }
    let QueueFacts { arn, messages, .. } = &facts;
    findings.ok(CHECK, format!("{arn}: {messages} waiting for `longshore dead-letters collect`"));
    let permission = Operation::Send.permission();
    findings.note(CHECK, format!("{permission}: not tried: it would send a message"));
    if let Some(retention) = facts.message_retention.filter(|retention| *retention < RETENTION_MIN)
    {
        let days = retention.as_secs_f64() / 86_400.0;
        findings.warn(
            CHECK,
            format!(
                "dead letters that nobody collects are lost after {days:.1} days: set its MessageRetentionPeriod to 14 days (1209600)"
            ),
        );
    }
    if let Some(policy) = &facts.redrive {
        let to = &policy.dead_letter_arn;
        findings.warn(
            CHECK,
            format!("its redrive policy moves dead letters that are received {} times to {to}, where nobody collects them: remove the redrive policy", policy.max_receive_count),
        );
    }
    if facts.message_bytes_max < main.message_bytes_max {
        let (takes, comes) = (facts.message_bytes_max, main.message_bytes_max);
        findings.note(
            CHECK,
            format!("it takes messages of up to {takes} bytes, and the queue has messages of up to {comes} bytes: larger dead letters go to the collection"),
        );
    }
}
