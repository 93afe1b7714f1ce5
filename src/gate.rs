//! When to stop asking: the gate between the queue and a sick store.
//!
//! Open, messages are received. A batch that could not be written within its retry budget closes it; from then on nothing
//! is received, because each receive burns a count that the queue's redrive policy reads. The batch that closed the gate
//! becomes the [`Probe`]: it alone is kept and tried on under backoff, and opens the gate when the store takes it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::telemetry::signals::{GateClosed, GateOpened, Signals};

/// Shared by pollers and lanes; clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    state: Arc<watch::Sender<State>>,
    signals: Signals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

impl Gate {
    #[must_use]
    pub fn new(signals: Signals) -> Self {
        Self { state: Arc::new(watch::Sender::new(State::Open)), signals }
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.state.borrow() == State::Open
    }

    /// Waits until the gate is open.
    pub async fn opened(&self) {
        self.wait_for(State::Open).await;
    }

    /// Waits until the gate is closed.
    pub async fn closed(&self) {
        self.wait_for(State::Closed).await;
    }

    async fn wait_for(&self, wanted: State) {
        // The sender lives as long as this gate, so the wait cannot fail.
        let _ = self.state.subscribe().wait_for(|state| *state == wanted).await;
    }

    /// Closes the gate for `cause`. The one that closed it gets the probe; `None` says that another has it.
    #[must_use = "without the probe the batch is to be released"]
    pub fn close(&self, cause: &str) -> Option<Probe> {
        let closed_now = self.state.send_if_modified(|state| std::mem::replace(state, State::Closed) == State::Open);
        closed_now.then(|| {
            self.signals.emit(&GateClosed { cause });
            Probe { gate: self.clone() }
        })
    }
}

/// The right and the duty to find out whether the store is well again. There is one while the gate is closed.
///
/// When it is dropped the gate opens: either its batch was written, or it was given back and the next batch received must
/// find out.
pub struct Probe {
    gate: Gate,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.gate.state.send_replace(State::Open);
        self.gate.signals.emit(&GateOpened);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_one_batch_probes_and_its_end_opens_the_gate() {
        let gate = Gate::new(Signals::default());
        assert!(gate.is_open());
        let probe = gate.close("no primary").expect("the first to close it probes");
        assert!(gate.close("no primary").is_none());
        gate.closed().await;
        drop(probe);
        gate.opened().await;
        assert!(gate.close("again").is_some());
    }
}
