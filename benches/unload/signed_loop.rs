//! The floor of the lean transport: receive ten, delete ten, signed and sent as a worker does it, and
//! nothing else.

use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use longshore::config::load::defaults;
use longshore::queue::sqs::{Credentials, Operation, SqsQueue};
use longshore::queue::{BATCH_MAX, EntryOutcome, Queue, QueueConfig, Transport};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::bare_loop::{LOOPS, WAIT};

#[derive(Debug, Args)]
pub struct SignedLoop {
    endpoint: String,
    queue_url: String,
}

impl SignedLoop {
    /// Deletes what comes until SIGTERM, and tells its calls in the words of the worker's log.
    pub async fn run(self) -> Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let settings = QueueConfig {
            url: Some(self.queue_url),
            endpoint_url: Some(self.endpoint),
            transport: Transport::Lean,
            ..defaults().queue
        };
        let queue = Arc::new(SqsQueue::connect(&settings, Credentials::Local).await?.0);
        eprintln!("{}", json!({"message": "started"}));
        let mut loops = JoinSet::new();
        for _ in 0..LOOPS {
            loops.spawn(receive_and_delete(Arc::clone(&queue)));
        }
        tokio::select! {
            _ = terminate.recv() => {}
            // None ends but by a failure.
            Some(ended) = loops.join_next() => return ended?,
        }
        let [receive, delete] =
            [Operation::Receive, Operation::Delete].map(|operation| queue.calls().of(operation));
        eprintln!(
            "{}",
            json!({"message": "ended", "calls.receive": receive, "calls.delete": delete})
        );
        Ok(())
    }
}

async fn receive_and_delete(queue: Arc<SqsQueue>) -> Result<()> {
    loop {
        let received = queue.receive(BATCH_MAX, WAIT, None).await?;
        let handles: Vec<_> = received.into_iter().map(|message| message.receipt_handle).collect();
        let deleted = queue.delete(&handles).await?;
        let is_done = |outcome: &EntryOutcome| *outcome == EntryOutcome::Done;
        ensure!(deleted.iter().all(is_done), "deletes failed: {deleted:?}");
    }
}
