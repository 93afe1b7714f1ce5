//! When a pipeline that was told to stop has had its time, and how it ends then.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::stop::Stop;

/// What is kept of `worker.drain_timeout` for giving messages back.
const LET_GO_BEFORE: Duration = Duration::from_secs(2);

/// Waits until what is left is to be given back, written or not: near the end of the drain timeout, or at a
/// second signal.
pub async fn is_late(stop: &Stop, drain_timeout: Duration) {
    stop.draining().await;
    tokio::select! {
        () = sleep(drain_timeout.saturating_sub(LET_GO_BEFORE)) => {}
        () = stop.letting_go() => {}
    }
}

/// Has what is left given back. False where the pipeline did not end in time.
#[must_use = "what could not be given back is to be told"]
pub async fn let_go(stop: &Stop, pipeline: impl Future<Output = ()>) -> bool {
    stop.let_go();
    timeout(LET_GO_BEFORE, pipeline).await.is_ok()
}
