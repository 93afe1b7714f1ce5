//! The floor of the SDK: receive ten, delete ten, and nothing else. No worker on it can cost less.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use clap::Args;
use longshore::dev::sqs::REGION;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// Loops side by side: more make it no faster here.
pub const LOOPS: usize = 8;

/// The most that a receive or a delete takes (SQS).
const BATCH: i32 = 10;

/// Of a long poll, whole seconds; only the last ones wait.
pub const WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct BareLoop {
    endpoint: String,
    queue_url: String,
}

/// Requests so far.
#[derive(Debug, Default)]
struct Calls {
    receive: AtomicU64,
    delete: AtomicU64,
}

impl BareLoop {
    /// Deletes what comes until SIGTERM, and tells its calls in the words of the worker's log.
    pub async fn run(self) -> Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let (client, calls) = (client(&self.endpoint), Arc::new(Calls::default()));
        eprintln!("{}", json!({"message": "started"}));
        let mut loops = JoinSet::new();
        for _ in 0..LOOPS {
            loops.spawn(receive_and_delete(
                client.clone(),
                self.queue_url.clone(),
                Arc::clone(&calls),
            ));
        }
        tokio::select! {
            _ = terminate.recv() => {}
            // None ends but by a failure.
            Some(ended) = loops.join_next() => return ended?,
        }
        let [receive, delete] =
            [&calls.receive, &calls.delete].map(|counter| counter.load(Ordering::Relaxed));
        eprintln!(
            "{}",
            json!({"message": "ended", "calls.receive": receive, "calls.delete": delete})
        );
        Ok(())
    }
}

async fn receive_and_delete(client: Client, queue_url: String, calls: Arc<Calls>) -> Result<()> {
    loop {
        calls.receive.fetch_add(1, Ordering::Relaxed);
        let received = client
            .receive_message()
            .queue_url(&queue_url)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(i32::try_from(WAIT.as_secs())?)
            .send()
            .await?;
        let mut entries = Vec::with_capacity(received.messages().len());
        for (place, message) in received.messages.unwrap_or_default().into_iter().enumerate() {
            let handle = message.receipt_handle.context("a message without receipt handle")?;
            entries.push(
                DeleteMessageBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(handle)
                    .build()?,
            );
        }
        if entries.is_empty() {
            continue;
        }
        calls.delete.fetch_add(1, Ordering::Relaxed);
        let deleted = client
            .delete_message_batch()
            .queue_url(&queue_url)
            .set_entries(Some(entries))
            .send()
            .await?;
        ensure!(deleted.failed.is_empty(), "deletes failed: {:?}", deleted.failed);
    }
}

/// With the same settings as the worker's own: nothing retried, nothing watched.
pub fn client(endpoint: &str) -> Client {
    let settings = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("longshore", "local", None, None, "benchmark"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(settings)
}
