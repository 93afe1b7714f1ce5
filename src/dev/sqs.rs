//! An SQS server in this process or, through [`serve`], in one of its own. On loopback only; it
//! forgets everything at its end.
//!
//! It speaks the protocol that the SDKs speak, but is not AWS: deletes never fail, few limits are
//! checked, `AWSTraceHeader` is not kept. `tests/it/sqs.rs` lists where it differs for a worker.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use rustack_sqs_core::config::SqsConfig;
use rustack_sqs_core::handler::RustackSqsHandler;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use rustack_sqs_model::input::{CreateQueueInput, GetQueueAttributesInput};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// The account in its queue URLs and ARNs.
const ACCOUNT: &str = "000000000000";

/// The region in its ARNs. Requests of other regions are served too.
pub const REGION: &str = "us-east-1";

/// An SQS server on a free port of this machine, gone when dropped.
#[derive(Debug)]
pub struct EmbeddedSqs {
    address: SocketAddr,
    provider: Arc<RustackSqs>,
    server: JoinHandle<()>,
}

impl EmbeddedSqs {
    /// Starts the server on the running tokio runtime.
    ///
    /// # Errors
    /// Where no port of the loopback address can be had.
    pub async fn start() -> Result<Self> {
        Self::start_at(0).await
    }

    /// The same on this port; 0 is a free one.
    ///
    /// # Errors
    /// Where the port is taken.
    pub async fn start_at(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| {
            format!("cannot listen on port {port} of 127.0.0.1 for the embedded SQS")
        })?;
        let address =
            listener.local_addr().context("cannot tell the address of the embedded SQS")?;
        let provider = provider(address);
        let server = tokio::spawn(accept(listener, Arc::clone(&provider)));
        Ok(Self { address, provider, server })
    }

    /// What `queue.endpoint_url` is to be.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a queue, a FIFO one if the name ends in `.fifo`, and returns its URL. The same queue
    /// again is no error. `attributes` are those of the API: `VisibilityTimeout`, `RedrivePolicy`
    /// and so on.
    ///
    /// # Errors
    /// Where the name or an attribute is refused, or the queue is there with others.
    pub async fn create_queue(&self, name: &str, attributes: &[(&str, &str)]) -> Result<String> {
        let attributes: HashMap<_, _> =
            attributes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let input =
            CreateQueueInput { queue_name: name.to_owned(), attributes, tags: HashMap::new() };
        let output = self
            .provider
            .create_queue(input)
            .await
            .map_err(|error| anyhow!("cannot create queue {name}: {}", error.message))?;
        output.queue_url.ok_or_else(|| anyhow!("the embedded SQS gave no URL for queue {name}"))
    }

    /// What tells how many messages that queue holds.
    #[must_use]
    pub fn depth(&self, queue_url: &str) -> Depth {
        Depth { queue_url: queue_url.to_owned(), provider: Arc::clone(&self.provider) }
    }
}

/// How many messages a queue holds.
#[derive(Debug, Clone)]
pub struct Depth {
    queue_url: String,
    provider: Arc<RustackSqs>,
}

impl Depth {
    /// All that was sent and not deleted: waiting, hidden or delayed. Unlike AWS's this is exact.
    ///
    /// # Errors
    /// Where there is no such queue, or the answer lacks a number.
    pub async fn messages(&self) -> Result<u64> {
        const NAMES: [&str; 3] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ];
        let input = GetQueueAttributesInput {
            queue_url: self.queue_url.clone(),
            attribute_names: NAMES.map(str::to_owned).into(),
        };
        let answer = self.provider.get_queue_attributes(input).await;
        let attributes =
            answer.map_err(|error| anyhow!("cannot ask the queue: {}", error.message))?.attributes;
        NAMES
            .iter()
            .map(|name| {
                let number = attributes.get(*name).and_then(|text| text.parse::<u64>().ok());
                number.ok_or_else(|| anyhow!("the embedded SQS does not tell {name}"))
            })
            .sum()
    }
}

impl Drop for EmbeddedSqs {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves SQS on `listener` until dropped: for a process of its own, as benchmarks need it.
///
/// # Errors
/// Where the listener has no address.
pub async fn serve(listener: TcpListener) -> Result<()> {
    let address =
        listener.local_addr().context("the listener for the embedded SQS has no address")?;
    accept(listener, provider(address)).await;
    Ok(())
}

/// The queues. URLs that it hands out lead to `address`; nothing is read from the environment.
fn provider(address: SocketAddr) -> Arc<RustackSqs> {
    Arc::new(RustackSqs::new(SqsConfig {
        skip_signature_validation: true,
        default_region: REGION.to_owned(),
        account_id: ACCOUNT.to_owned(),
        host: address.ip().to_string(),
        port: address.port(),
    }))
}

/// Accepts connections for ever. They end with this future, which owns their tasks.
async fn accept(listener: TcpListener, provider: Arc<RustackSqs>) {
    let settings = SqsHttpConfig {
        skip_signature_validation: true,
        region: REGION.to_owned(),
        credential_provider: None,
    };
    let service = SqsHttpService::new(Arc::new(RustackSqsHandler::new(provider)), settings);
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, mostly: some connection must end first.
                    tracing::warn!(%error, "the embedded SQS cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        // Without it each small answer may wait 40 ms for an acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a client of the embedded SQS was gone at once");
            continue;
        }
        let service = service.clone();
        connections.spawn(async move {
            // No timeout for a request's head: idle clients keep their connections.
            let connection = http1::Builder::new()
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the embedded SQS broke");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_dropped_server_closes_its_connections() {
        let server = EmbeddedSqs::start().await.unwrap();
        let mut client = TcpStream::connect(server.address).await.unwrap();
        drop(server);
        // The end of the stream, or a reset where the connection was not accepted yet.
        assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn queue_urls_lead_to_the_server_that_made_them() {
        let (one, two) = (EmbeddedSqs::start().await.unwrap(), EmbeddedSqs::start().await.unwrap());
        for server in [&one, &two] {
            let url =
                server.create_queue("portal.fifo", &[("VisibilityTimeout", "30")]).await.unwrap();
            assert_eq!(url, format!("{}/{ACCOUNT}/portal.fifo", server.endpoint_url()));
            assert_eq!(
                server.create_queue("portal.fifo", &[("VisibilityTimeout", "30")]).await.unwrap(),
                url
            );
        }
        let error = one.create_queue("no spaces", &[]).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot create queue no spaces"), "{error}");
    }
}
