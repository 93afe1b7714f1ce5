//! How a worker is told to stop: first to drain, then, at the deadline or a second signal, to let
//! go.

use tokio_util::sync::CancellationToken;

/// Shared by all stages; clones are the same switch.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    drain: CancellationToken,
    let_go: CancellationToken,
}

impl Stop {
    /// Receive nothing more; write what is held, delete it, and end.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Release at once what is not written yet, and end.
    pub fn let_go(&self) {
        self.drain.cancel();
        self.let_go.cancel();
    }

    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    #[must_use]
    pub fn is_letting_go(&self) -> bool {
        self.let_go.is_cancelled()
    }

    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    pub async fn letting_go(&self) {
        self.let_go.cancelled().await;
    }
}
