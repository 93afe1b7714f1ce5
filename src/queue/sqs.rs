//! Amazon SQS as a [`Queue`]: the only user of the AWS SDK.
//!
//! The SDK does what it is good at: settings, credentials, endpoints, and the calls that are rare.
//! The three that are nearly all calls go by one of two transports, of which `lean` costs a fraction
//! of what `sdk` does; `wire` has what both say and understand. What to do about a failure is the
//! pipeline's: nothing is retried here, each call has a bound of its own, and every error becomes a
//! [`QueueFault`] with a kind and one line of text. Certificates are checked against the roots of the
//! machine, or those in the file that `SSL_CERT_FILE` names.

mod address;
mod batch;
mod calls;
mod client;
mod connect;
mod connects;
mod credentials;
mod endpoint;
mod facts;
mod fault;
mod given;
mod lean;
mod login;
mod probe;
mod profile;
mod proxy;
mod received;
mod region;
mod sdk;
mod send;
mod single_flight;
mod url;
mod ways;
mod wire;
mod wish;

use std::sync::Arc;
use std::time::Duration;

use self::wire::{ATTRIBUTE_NAMES, ChangeVisibility, Delete, Receive, SYSTEM_ATTRIBUTE_NAMES};
use super::{BATCH_MAX, Brought, EntryOutcome, Queue, QueueFault, Room};

pub use self::calls::{ApiCalls, Operation};
pub use self::client::SqsQueue;
pub use self::connect::URL_UNSET;
pub use self::connects::{Connects, Stream};
pub use self::credentials::{Chain, Credentials};
pub use self::facts::{QueueFacts, RedrivePolicy};
pub use self::given::Given;
pub use self::probe::{Access, Probe};

/// How much longer than its long poll a receive may take. Given up too early, it leaves messages
/// hidden that nobody holds.
const RECEIVE_GRACE: Duration = Duration::from_secs(10);

impl Queue for SqsQueue {
    fn tells_size(&self) -> bool {
        self.lean.is_some()
    }

    async fn receive_into(
        &self,
        max: usize,
        wait: Duration,
        attempt: Option<&str>,
        room: &mut impl Room,
    ) -> Result<Brought, QueueFault> {
        debug_assert!(
            (1..=BATCH_MAX).contains(&max),
            "a receive takes 1 to {BATCH_MAX} messages, not {max}"
        );
        let call = Receive {
            queue_url: &self.address.url,
            message_system_attribute_names: SYSTEM_ATTRIBUTE_NAMES,
            message_attribute_names: ATTRIBUTE_NAMES,
            max_number_of_messages: max,
            visibility_timeout: self.visibility_timeout.map(whole_seconds),
            wait_time_seconds: whole_seconds(wait),
            attempt_id: attempt,
        };
        let limit = wait + RECEIVE_GRACE;
        if let Some(lean) = &self.lean {
            return self.receive_by(lean, &call, limit, room).await;
        }
        // The SDK reads what comes: there is room for the largest answer.
        let messages = self.receive_by_sdk(&call, limit).await?;
        Ok(Brought { messages, are_unread: false })
    }

    async fn delete(&self, handles: &[Arc<str>]) -> Result<Vec<EntryOutcome>, QueueFault> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let call = Delete { queue_url: &self.address.url, entries: handles };
        match &self.lean {
            Some(lean) => self.delete_by(lean, &call).await,
            None => self.delete_by_sdk(&call).await,
        }
    }

    async fn change_visibility(
        &self,
        handles: &[Arc<str>],
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let call = ChangeVisibility {
            queue_url: &self.address.url,
            entries: handles,
            visibility_timeout: whole_seconds(timeout),
        };
        match &self.lean {
            Some(lean) => self.change_visibility_by(lean, &call).await,
            None => self.change_visibility_by_sdk(&call).await,
        }
    }
}

/// SQS takes whole seconds; a fraction is cut off.
fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
