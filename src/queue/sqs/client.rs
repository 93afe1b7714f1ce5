//! One queue at SQS and the way of every call to it: counted, bounded, and told of. What is asked of
//! the queue stands in the files beside this one.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use futures_util::FutureExt;
use tokio::time::Instant;

use super::address::QueueAddress;
use super::calls::{ApiCalls, Operation};
use super::fault;
use super::lean::Lean;
use crate::queue::{QueueFault, Transport};
use crate::telemetry::signals::{QueueCalled, Signals};

/// The longest that a call other than a receive may take, connecting included.
pub(super) const CALL_MAX: Duration = Duration::from_secs(10);

/// One SQS queue. Its connections are pooled, so one value serves all tasks of a process.
#[derive(Debug)]
pub struct SqsQueue {
    pub(super) client: Client,
    /// What receives, deletes and hides, unless the SDK does.
    pub(super) lean: Option<Lean>,
    pub(super) address: QueueAddress,
    /// As the queue said at connect; it cannot change.
    pub(super) fifo: bool,
    /// Asked for at each receive where it is configured; otherwise the queue's own holds.
    pub(super) visibility_timeout: Option<Duration>,
    pub(super) calls: Arc<ApiCalls>,
    /// How calls to it are told, where it is another queue than messages are received from.
    pub(super) other: Option<Arc<str>>,
    pub(super) signals: Signals,
}

impl SqsQueue {
    /// By the SDK, of no known kind yet, and told to nobody.
    pub(super) fn new(address: QueueAddress, client: Client) -> Self {
        Self {
            client,
            lean: None,
            address,
            fifo: false,
            visibility_timeout: None,
            calls: Arc::default(),
            other: None,
            signals: Signals::default(),
        }
    }

    /// The same queue, whose calls are told to `signals`.
    #[must_use]
    pub fn told_to(self, signals: Signals) -> Self {
        Self { signals, ..self }
    }

    /// The same queue, told to the same signals as `main` and counted with it, under a name of its own.
    #[must_use]
    pub fn beside(self, main: &Self, name: Arc<str>) -> Self {
        let (calls, signals) = (Arc::clone(&main.calls), main.signals.clone());
        Self { calls, signals, other: Some(name), ..self }
    }

    /// The requests made so far, by operation. AWS bills by request.
    #[must_use]
    pub fn calls(&self) -> &Arc<ApiCalls> {
        &self.calls
    }

    /// The queue's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.address.name()
    }

    /// The URL of the queue, as configured.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.address.url
    }

    /// Where requests go, who said so, and how they are kept from others, for people.
    #[must_use]
    pub fn way(&self) -> String {
        format!("{}, by the {} transport", self.address.way(), self.transport().name())
    }

    /// What receives, deletes and hides.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match self.lean {
            Some(_) => Transport::Lean,
            None => Transport::Sdk,
        }
    }

    /// Whether others on the network could read what is said.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        let url = &self.address.endpoint.url;
        url.is_plain() && !url.is_this_machine()
    }

    /// One request by the SDK, whose failure is put into words. Its future is of kilobytes, which
    /// every future that waits for it would hold too, also where it goes by the lean transport.
    pub(super) fn call<O, E>(
        &self,
        operation: Operation,
        limit: Duration,
        request: impl Future<Output = Result<O, SdkError<E>>>,
    ) -> impl Future<Output = Result<O, QueueFault>>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let request = Box::pin(request);
        self.bounded(operation, limit, async move {
            request.await.map_err(|error| fault::of_call(&error, operation, &self.address))
        })
    }

    /// Counts, bounds and tells of one request by either transport.
    pub(super) fn bounded<O>(
        &self,
        operation: Operation,
        limit: Duration,
        request: impl Future<Output = Result<O, QueueFault>>,
    ) -> impl Future<Output = Result<O, QueueFault>> {
        let request = tokio::time::timeout(limit, request).map(move |answer| {
            answer.unwrap_or_else(|_| Err(fault::timed_out(limit, operation, &self.address)))
        });
        self.told(operation, request)
    }

    /// Counts and tells of one request that has a bound.
    pub(super) fn told<O>(
        &self,
        operation: Operation,
        request: impl Future<Output = Result<O, QueueFault>>,
    ) -> impl Future<Output = Result<O, QueueFault>> {
        self.calls.count(operation);
        let asked = Instant::now();
        // No `await` of its own: what waits would have room for the request twice.
        request.inspect(move |answer| {
            let error = answer.as_ref().err().map(|fault| fault.kind.name());
            self.signals.emit(&QueueCalled {
                operation: operation.name(),
                other: self.other.as_deref(),
                took: asked.elapsed(),
                error,
            });
        })
    }
}
