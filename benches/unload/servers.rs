//! The queue's server in a process of its own, and queues in it, filled.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use longshore::config::Config;
use longshore::dev::portal::{Load, PortalMessage};
use longshore::dev::sqs;
use longshore::queue::BATCH_MAX;
use longshore::queue::QueueConfig;
use longshore::queue::sqs::{Credentials, SendOutcome, SqsQueue};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::bare_loop::client;

/// Send calls in flight while a queue is filled.
const SENDS_MAX: usize = 8;

/// Of the queues: long, so that no message comes back while the machine is busy.
const VISIBILITY_TIMEOUT_S: &str = "600";

/// Resolves when stdin ends: the process that started this one is gone or done with it.
pub async fn stdin_ended() -> Result<()> {
    tokio::task::spawn_blocking(|| {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())
    })
    .await??;
    Ok(())
}

/// Serves SQS, and prints where, until stdin ends.
pub async fn serve_sqs() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    tokio::select! {
        served = sqs::serve(listener) => served,
        ended = stdin_ended() => ended,
    }
}

/// The server's process. It ends with this value, or with this process, however that ends.
pub struct SqsServer {
    pub endpoint: String,
    _process: Child,
}

impl SqsServer {
    pub async fn start() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve-sqs")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the queue's server")?;
        let stdout = process.stdout.take().context("the queue's server has no stdout")?;
        let mut endpoint = String::new();
        BufReader::new(stdout).read_line(&mut endpoint).await?;
        Ok(Self { endpoint: endpoint.trim().to_owned(), _process: process })
    }

    /// Makes a queue and sends it the load.
    pub async fn filled_queue(&self, name: &str, load: &Load, config: &Config) -> Result<SqsQueue> {
        let queue = self.queue(name, config).await?;
        fill(&queue, load).await?;
        Ok(queue)
    }

    /// Makes a queue, if it is not there.
    pub async fn queue(&self, name: &str, config: &Config) -> Result<SqsQueue> {
        let made = client(&self.endpoint)
            .create_queue()
            .queue_name(name)
            .attributes("VisibilityTimeout".into(), VISIBILITY_TIMEOUT_S)
            .send();
        let url = made.await?.queue_url.context("the queue's server gave no URL")?;
        let settings = QueueConfig {
            url: Some(url),
            endpoint_url: Some(self.endpoint.clone()),
            ..config.queue.clone()
        };
        Ok(SqsQueue::connect(&settings, Credentials::Local).await?.0)
    }
}

async fn fill(queue: &SqsQueue, load: &Load) -> Result<()> {
    let sends = load.messages.chunks(BATCH_MAX).map(|chunk| {
        let entries: Vec<_> = chunk.iter().map(PortalMessage::outgoing).collect();
        async move {
            let outcomes = queue.send_batch(&entries).await?;
            match outcomes.iter().find(|outcome| !matches!(outcome, SendOutcome::Sent { .. })) {
                Some(outcome) => bail!("cannot send the load: {outcome:?}"),
                None => Ok(()),
            }
        }
    });
    let sends: Vec<_> = sends.collect();
    stream::iter(sends).buffer_unordered(SENDS_MAX).try_collect().await
}
