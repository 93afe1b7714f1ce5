//! A call that extends the visibility of messages, from its sending to its answer.

use std::sync::OnceLock;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Shared by the messages that the call is about, the extender, and whoever gives such a message
/// back: the queue obeys the call that it applies last, and that may be the one sent first.
#[derive(Debug)]
pub struct Extension {
    /// When the extender stops to wait for the answer, and asks again. The call may still be
    /// applied after that.
    gives_up_at: Instant,
    answered: CancellationToken,
    /// When the answer came, and the numbers of the messages that the queue has hidden.
    granted: OnceLock<(Instant, Vec<u64>)>,
}

impl Extension {
    #[must_use]
    pub fn new(gives_up_at: Instant) -> Self {
        Self { gives_up_at, answered: CancellationToken::new(), granted: OnceLock::new() }
    }

    /// The answer is there, however late: these messages are hidden by the call.
    pub fn answer(&self, granted: Vec<u64>) {
        // A call has one answer.
        let _ = self.granted.set((Instant::now(), granted));
        self.answered.cancel();
    }

    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answered.is_cancelled()
    }

    /// Whether the extender waits for the answer.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        !self.is_answered() && self.gives_up_at > Instant::now()
    }

    /// When the queue said that it hides the message with this number; `None` where it did not.
    #[must_use]
    pub fn has_hidden(&self, number: u64) -> Option<Instant> {
        self.granted.get().filter(|(_, granted)| granted.contains(&number)).map(|(at, _)| *at)
    }

    pub async fn answered(&self) {
        self.answered.cancelled().await;
    }

    /// Until the answer is there, or the extender does not wait for it any more.
    pub async fn over(&self) {
        tokio::select! {
            biased;
            () = self.answered() => {}
            () = sleep_until(self.gives_up_at) => {}
        }
    }
}
