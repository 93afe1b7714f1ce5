//! Amazon SQS as a [`Queue`]: the only user of the AWS SDK.
//!
//! The SDK does what it is good at (credentials, signing, the wire); what to do about a failure is
//! the pipeline's: the SDK's own retries are off, each call has a bound of its own, and every error
//! becomes a [`QueueFault`] with a kind and one line of text. Certificates are checked against the
//! roots of the machine, or those in the file that `SSL_CERT_FILE` names.

mod address;
mod batch;
mod calls;
mod client;
mod connect;
mod endpoint;
mod facts;
mod fault;
mod probe;
mod profile;
mod proxy;
mod received;
mod region;
mod send;
mod url;
mod ways;
mod wish;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageSystemAttributeName,
};

use self::client::CALL_MAX;
use super::{BATCH_MAX, EntryOutcome, Queue, QueueFault};
use crate::message::QueueMessage;

pub use self::calls::{ApiCalls, Operation};
pub use self::client::SqsQueue;
pub use self::connect::Credentials;
pub use self::facts::{QueueFacts, RedrivePolicy};
pub use self::probe::{Access, Probe};
pub use self::send::{Outgoing, SEND_BYTES_MAX, SendOutcome};

/// How much longer than its long poll a receive may take. Given up too early, it leaves messages
/// hidden that nobody holds.
const RECEIVE_GRACE: Duration = Duration::from_secs(10);

impl Queue for SqsQueue {
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        attempt: Option<&str>,
    ) -> Result<Vec<QueueMessage>, QueueFault> {
        debug_assert!(
            (1..=BATCH_MAX).contains(&max),
            "a receive takes 1 to {BATCH_MAX} messages, not {max}"
        );
        let request = self
            .client
            .receive_message()
            .queue_url(&self.address.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .wait_time_seconds(whole_seconds(wait))
            .set_message_system_attribute_names(Some(vec![
                MessageSystemAttributeName::SentTimestamp,
                MessageSystemAttributeName::ApproximateReceiveCount,
                MessageSystemAttributeName::MessageGroupId,
                MessageSystemAttributeName::SequenceNumber,
                MessageSystemAttributeName::SenderId,
                MessageSystemAttributeName::AwsTraceHeader,
            ]))
            .message_attribute_names("All")
            .set_visibility_timeout(self.visibility_timeout.map(whole_seconds))
            .set_receive_request_attempt_id(attempt.map(str::to_owned));
        let output = self.call(Operation::Receive, wait + RECEIVE_GRACE, request.send()).await?;
        let messages = output.messages.unwrap_or_default();
        if received::has_no_times(&messages) {
            return Err(fault::without_times(&self.address));
        }
        Ok(messages
            .into_iter()
            .filter_map(|message| received::message(message, self.fifo))
            .collect())
    }

    async fn delete(&self, handles: &[Arc<str>]) -> Result<Vec<EntryOutcome>, QueueFault> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let entries = batch::entries(handles, |id, handle| {
            DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(&*handle).build()
        })?;
        let request = self
            .client
            .delete_message_batch()
            .queue_url(&self.address.url)
            .set_entries(Some(entries));
        let output = self.call(Operation::Delete, CALL_MAX, request.send()).await?;
        Ok(batch::outcomes(
            handles.len(),
            output.successful.iter().map(|entry| entry.id.as_str()),
            &output.failed,
        ))
    }

    async fn change_visibility(
        &self,
        handles: &[Arc<str>],
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let seconds = whole_seconds(timeout);
        let entries = batch::entries(handles, |id, handle| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id)
                .receipt_handle(&*handle)
                .visibility_timeout(seconds)
                .build()
        })?;
        let request = self
            .client
            .change_message_visibility_batch()
            .queue_url(&self.address.url)
            .set_entries(Some(entries));
        let output = self.call(Operation::ChangeVisibility, CALL_MAX, request.send()).await?;
        Ok(batch::outcomes(
            handles.len(),
            output.successful.iter().map(|entry| entry.id.as_str()),
            &output.failed,
        ))
    }
}

/// SQS takes whole seconds; a fraction is cut off.
fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
