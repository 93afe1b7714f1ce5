//! The one task of a producer: sends what waits until nothing more comes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep_until, timeout};

use crate::queue::{QueueFault, QueueFaultKind, Sent};

use super::outbox::{Batch, Next};
use super::receipt::Pending;
use super::shared::Shared;

/// How long a call may take. Queues bound their calls themselves; this is for one that does not.
const CALL_MAX: Duration = Duration::from_secs(15);

/// Runs until the producer is closed and nothing waits, or is let go.
pub async fn run(shared: Arc<Shared>) {
    let ending = Ending(shared);
    let shared = &*ending.0;
    tokio::select! {
        biased;
        () = send_all(shared) => {}
        // Ends never.
        () = shared.tally.folds.run() => {}
    }
}

async fn send_all(shared: &Shared) {
    let mut calls = FuturesUnordered::new();
    loop {
        let wait_until = match shared.next() {
            Next::Send(batch) => {
                calls.push(call(shared, batch));
                continue;
            }
            Next::Wait(until) => Some(until),
            Next::Over => return,
            Next::Idle => None,
        };
        let waits = async {
            match wait_until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shared.let_go.cancelled() => return,
            Some((batch, answer)) = calls.next(), if !calls.is_empty() => {
                shared.answered(batch, answer);
            }
            () = shared.wake.notified() => {}
            () = waits => {}
        }
    }
}

async fn call(shared: &Shared, batch: Batch<Pending>) -> (Batch<Pending>, Sent) {
    let answer = timeout(CALL_MAX, shared.queue.send(&batch.messages)).await;
    let answer = answer.unwrap_or_else(|_| {
        let text = format!("no answer within {} s", CALL_MAX.as_secs());
        Err(QueueFault { kind: QueueFaultKind::Unavailable, text })
    });
    (batch, answer)
}

/// Tells whoever waits, and the log, when the task has ended: by itself, or because its runtime
/// dropped it.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let abandoned = self.0.end();
        if abandoned > 0 {
            tracing::error!(
                messages = abandoned,
                "a producer ended before all of its messages were sent: drain it before the runtime ends, and give it the time"
            );
        }
    }
}
