//! The queue's server in a process of its own, and queues in it, filled.

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore::config::Config;
use longshore::dev::mongod::Mongod;
use longshore::dev::portal::{Load, PortalMessage};
use longshore::dev::sqs;
use longshore::queue::BATCH_MAX;
use longshore::queue::QueueConfig;
use longshore::queue::SendOutcome;
use longshore::queue::sqs::{Credentials, SqsQueue};
use tokio::net::TcpListener;

use crate::bare_loop::client;
use crate::part::{Running, stdin_ended};

/// Send calls in flight while a queue is filled.
const SENDS_MAX: usize = 8;

/// Of the queues: long, so that no message comes back while the machine is busy.
const VISIBILITY_TIMEOUT_S: &str = "600";

/// Serves SQS, and prints where, until stdin ends.
pub async fn serve_sqs() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    tokio::select! {
        served = sqs::serve(listener) => served,
        ended = stdin_ended() => ended,
    }
}

/// The queue's and the database.
pub struct Servers {
    pub sqs: SqsServer,
    pub mongod: Mongod,
}

/// The queue's server. It ends with this value.
pub struct SqsServer(Running);

impl SqsServer {
    pub async fn start() -> Result<Self> {
        Ok(Self(Running::start(&["serve-sqs"]).await?))
    }

    /// As a URL.
    pub fn endpoint(&self) -> &str {
        &self.0.address
    }

    /// Makes a queue and sends it the load.
    pub async fn filled_queue(&self, name: &str, load: &Load, config: &Config) -> Result<SqsQueue> {
        let queue = self.queue(name, config).await?;
        fill(&queue, load).await?;
        Ok(queue)
    }

    pub async fn delete(&self, queue: &SqsQueue) -> Result<()> {
        client(self.endpoint()).delete_queue().queue_url(queue.url()).send().await?;
        Ok(())
    }

    /// Makes a queue, if it is not there.
    pub async fn queue(&self, name: &str, config: &Config) -> Result<SqsQueue> {
        let made = client(self.endpoint())
            .create_queue()
            .queue_name(name)
            .attributes("VisibilityTimeout".into(), VISIBILITY_TIMEOUT_S)
            .send();
        let url = made.await?.queue_url.context("the queue's server gave no URL")?;
        let settings = QueueConfig {
            url: Some(url),
            endpoint_url: Some(self.endpoint().to_owned()),
            ..config.queue.clone()
        };
        Ok(SqsQueue::connect(&settings, Credentials::Local).await?.0)
    }
}

/// Sends the load.
pub async fn fill(queue: &SqsQueue, load: &Load) -> Result<()> {
    let sends = load.messages.chunks(BATCH_MAX).map(|chunk| async move {
        let entries: Vec<_> = chunk.iter().map(PortalMessage::outgoing).collect();
        let outcomes = queue.send_batch(&entries).await?;
        match outcomes.iter().find(|outcome| !matches!(outcome, SendOutcome::Sent { .. })) {
            Some(outcome) => bail!("cannot send the load: {outcome:?}"),
            None => Ok(()),
        }
    });
    let sends: Vec<_> = sends.collect();
    stream::iter(sends).buffer_unordered(SENDS_MAX).try_collect().await
}
