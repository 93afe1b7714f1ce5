//! A proxy between a worker and an SQS server that fails as a test's plan says: what an SQS in the
//! same process never does.
//!
//! It reads the JSON protocol of SQS, one operation per request, named in `X-Amz-Target`. A fault
//! is decided per call, from a seed; it counts what it did, and how often each message was given
//! out, so that a test knows from outside of the worker. Signatures are not renewed: the server
//! behind it must not check them.

mod answers;
mod batch;
mod deliveries;
mod exchange;
mod observations;
mod plan;

use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use longshore::queue::sqs::Operation;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use exchange::Exchange;
pub use observations::Observations;
pub use plan::{Fault, SETTLING};

/// A proxy on a free port of this machine, gone when dropped.
pub struct FaultProxy {
    endpoint: String,
    exchange: Arc<Exchange>,
    server: JoinHandle<()>,
}

impl FaultProxy {
    /// Stands before the server at `upstream` (`http://host:port`), and does nothing wrong until it
    /// is told to.
    pub async fn start(upstream: &str, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let exchange = Arc::new(Exchange::new(upstream, seed));
        let server = tokio::spawn(accept(listener, Arc::clone(&exchange)));
        Self { endpoint, exchange, server }
    }

    /// What `queue.endpoint_url` is to be.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The next `calls` of one operation meet the fault. Of several faults in the plan a call meets
    /// the first, and every latency before it.
    pub fn next(&self, calls: u32, operation: Operation, fault: Fault) {
        self.exchange.plan().next(calls, operation, fault);
    }

    /// Each call of these operations meets the fault with this probability.
    pub fn chance(&self, probability: f64, operations: &[Operation], fault: Fault) {
        self.exchange.plan().chance(probability, operations, fault);
    }

    /// Each call of these operations meets the fault.
    pub fn always(&self, operations: &[Operation], fault: Fault) {
        self.chance(1.0, operations, fault);
    }

    /// Does nothing wrong any more. Calls that are never answered stay so.
    pub fn heal(&self) {
        self.exchange.plan().clear();
    }

    /// Puts the system attribute `AWSTraceHeader` into received messages where `header` gives one:
    /// the embedded server drops it.
    pub fn trace_headers(&self, header: fn(message: &Value) -> Option<String>) {
        self.exchange.deliveries().trace_header = Some(header);
    }

    /// Puts the system attribute `SenderId` into received messages where `sender` gives one: of the
    /// embedded server all have the same.
    pub fn senders(&self, sender: fn(message: &Value) -> Option<String>) {
        self.exchange.deliveries().sender = Some(sender);
    }

    /// What it did so far.
    pub fn observed(&self) -> Observations {
        self.exchange.observed().clone()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Accepts connections for ever. They end with this future, which owns their tasks.
async fn accept(listener: TcpListener, exchange: Arc<Exchange>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // A close without an answer is then a reset, as of a server that died.
        if stream.set_nodelay(true).and_then(|()| stream.set_zero_linger()).is_err() {
            continue;
        }
        let exchange = Arc::clone(&exchange);
        connections.spawn(async move {
            let service = service_fn(|request| exchange.answer(request));
            // Its error is the reset that was asked for, or a client that went away.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
