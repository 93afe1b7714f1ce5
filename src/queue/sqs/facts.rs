//! What a queue says about itself.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::calls::Operation;
use super::client::{CALL_MAX, SqsQueue};
use super::fault;
use crate::queue::{MESSAGE_BYTES_MAX, QueueFault};

/// Attributes of a queue. The counts are approximate, and late by up to a minute at AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFacts {
    pub arn: String,
    /// How long a received message is hidden, unless changed.
    pub visibility_timeout: Duration,
    pub fifo: bool,
    /// Where messages go that were received too often. Without one, a message comes again until it
    /// expires.
    pub redrive: Option<RedrivePolicy>,
    /// Waiting to be received.
    pub messages: u64,
    /// Received, neither deleted nor visible again.
    pub messages_in_flight: u64,
    /// Not yet visible for the first time.
    pub messages_delayed: u64,
    /// The largest message that it takes, attributes included.
    pub message_bytes_max: usize,
    /// How long a message is kept from its sending on.
    pub message_retention: Option<Duration>,
}

/// The queue's own dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedrivePolicy {
    pub dead_letter_arn: String,
    /// A message that was received this often goes there instead of being received again.
    pub max_receive_count: u32,
}

impl QueueFacts {
    /// The queue's name: the last part of its ARN.
    #[must_use]
    pub fn name(&self) -> &str {
        self.arn.rsplit(':').next().unwrap_or_default()
    }

    /// All messages that are in the queue: waiting, in flight and delayed.
    #[must_use]
    pub const fn messages_in_all(&self) -> u64 {
        self.messages + self.messages_in_flight + self.messages_delayed
    }
}

impl SqsQueue {
    /// Asks the queue for its attributes.
    ///
    /// # Errors
    /// Where the call fails, or the answer lacks what a worker must know.
    pub async fn facts(&self) -> Result<QueueFacts, QueueFault> {
        self.facts_within(CALL_MAX).await
    }

    /// The URLs of the queues whose redrive policies name this one, up to a thousand.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn dead_letter_sources(&self) -> Result<Vec<String>, QueueFault> {
        let request = self
            .client
            .list_dead_letter_source_queues()
            .queue_url(&self.address.url)
            .max_results(1_000);
        Ok(self.call(Operation::ListSources, CALL_MAX, request.send()).await?.queue_urls)
    }

    pub(super) async fn facts_within(&self, limit: Duration) -> Result<QueueFacts, QueueFault> {
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(&self.address.url)
            .attribute_names(QueueAttributeName::All);
        let output = self.call(Operation::GetAttributes, limit, request.send()).await?;
        read(&output.attributes.unwrap_or_default()).map_err(|problem| {
            fault::unusable(format!(
                "queue {} {problem}: is {} really SQS?",
                self.address.name(),
                self.address.server()
            ))
        })
    }
}

fn read(attributes: &HashMap<QueueAttributeName, String>) -> Result<QueueFacts, &'static str> {
    let number = |name| attributes.get(&name).and_then(|text| text.parse::<u64>().ok());
    let redrive =
        attributes.get(&QueueAttributeName::RedrivePolicy).filter(|text| !text.is_empty());
    Ok(QueueFacts {
        arn: attributes
            .get(&QueueAttributeName::QueueArn)
            .cloned()
            .ok_or("does not tell its QueueArn")?,
        visibility_timeout: number(QueueAttributeName::VisibilityTimeout)
            .map(Duration::from_secs)
            .ok_or("does not tell its VisibilityTimeout")?,
        fifo: attributes.get(&QueueAttributeName::FifoQueue).is_some_and(|text| text == "true"),
        redrive: redrive
            .map(|text| redrive_policy(text).ok_or("has a RedrivePolicy that cannot be read"))
            .transpose()?,
        messages: number(QueueAttributeName::ApproximateNumberOfMessages).unwrap_or(0),
        messages_in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .unwrap_or(0),
        messages_delayed: number(QueueAttributeName::ApproximateNumberOfMessagesDelayed)
            .unwrap_or(0),
        message_bytes_max: number(QueueAttributeName::MaximumMessageSize)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(MESSAGE_BYTES_MAX),
        message_retention: number(QueueAttributeName::MessageRetentionPeriod)
            .map(Duration::from_secs),
    })
}

/// JSON; `maxReceiveCount` is a number or, as some tools write it, the same as text.
fn redrive_policy(text: &str) -> Option<RedrivePolicy> {
    let policy: Value = serde_json::from_str(text).ok()?;
    let count = policy.get("maxReceiveCount")?;
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    Some(RedrivePolicy {
        dead_letter_arn: policy.get("deadLetterTargetArn")?.as_str()?.to_owned(),
        max_receive_count: u32::try_from(count).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(QueueAttributeName, &str)]) -> HashMap<QueueAttributeName, String> {
        let mut all = HashMap::from([
            (QueueAttributeName::QueueArn, "arn:aws:sqs:eu-west-1:123456789012:portal".to_owned()),
            (QueueAttributeName::VisibilityTimeout, "30".to_owned()),
        ]);
        all.extend(pairs.iter().map(|(name, value)| (name.clone(), (*value).to_owned())));
        all
    }

    #[test]
    fn all_facts_are_read() {
        let facts = read(&attributes(&[
            (QueueAttributeName::FifoQueue, "true"),
            (
                QueueAttributeName::RedrivePolicy,
                r#"{"deadLetterTargetArn":"arn:d","maxReceiveCount":5}"#,
            ),
            (QueueAttributeName::ApproximateNumberOfMessages, "7"),
            (QueueAttributeName::ApproximateNumberOfMessagesNotVisible, "8"),
            (QueueAttributeName::ApproximateNumberOfMessagesDelayed, "9"),
            (QueueAttributeName::MaximumMessageSize, "262144"),
            (QueueAttributeName::MessageRetentionPeriod, "345600"),
        ]));
        let expected = QueueFacts {
            arn: "arn:aws:sqs:eu-west-1:123456789012:portal".to_owned(),
            visibility_timeout: Duration::from_secs(30),
            fifo: true,
            redrive: Some(RedrivePolicy {
                dead_letter_arn: "arn:d".to_owned(),
                max_receive_count: 5,
            }),
            messages: 7,
            messages_in_flight: 8,
            messages_delayed: 9,
            message_bytes_max: 262_144,
            message_retention: Some(Duration::from_hours(96)),
        };
        assert_eq!(facts, Ok(expected));
    }

    #[test]
    fn a_receive_count_in_quotes_is_read_too() {
        let facts = read(&attributes(&[(
            QueueAttributeName::RedrivePolicy,
            r#"{"deadLetterTargetArn":"arn:d","maxReceiveCount":"5"}"#,
        )]));
        assert_eq!(facts.unwrap().redrive.map(|policy| policy.max_receive_count), Some(5));
    }

    #[test]
    fn what_a_worker_must_know_is_not_guessed() {
        assert!(read(&HashMap::new()).is_err());
        assert!(read(&attributes(&[(QueueAttributeName::VisibilityTimeout, "soon")])).is_err());
        assert!(read(&attributes(&[(QueueAttributeName::RedrivePolicy, "{}")])).is_err());
        assert_eq!(read(&attributes(&[])).unwrap().redrive, None);
    }

    #[test]
    fn a_queue_that_does_not_tell_its_largest_message_takes_the_largest_there_is() {
        assert_eq!(read(&attributes(&[])).unwrap().message_bytes_max, MESSAGE_BYTES_MAX);
    }
}
