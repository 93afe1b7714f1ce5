//! When to stop asking: the gate between the queue and a sick store.
//!
//! Open, messages are received. A batch that could not be written within its retry budget closes it; from then on nothing
//! is received, because each receive burns a count that the queue's redrive policy reads. The batch that closed the gate
//! becomes the [`Probe`]: it alone is kept and tried on under backoff, and opens the gate when the store takes it.
//!
//! Everything else that is held is given back, but only once the gate is shut: closed, and with no receive in progress that
//! would bring it straight back.

use std::sync::Arc;

use tokio::sync::watch;

use crate::telemetry::signals::{GateClosed, GateOpened, Signals};

/// Shared by pollers and lanes; clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<watch::Sender<Inner>>,
    signals: Signals,
}

#[derive(Debug, Clone, Copy, Default)]
struct Inner {
    closed: bool,
    /// Receives in progress.
    receiving: usize,
}

/// How the gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateState {
    Open,
    /// No receive starts, some are in progress.
    Closed,
    /// Closed, and nothing is being received.
    Shut,
}

impl Inner {
    fn state(self) -> GateState {
        match self {
            Self { closed: false, .. } => GateState::Open,
            Self { receiving: 0, .. } => GateState::Shut,
            Self { .. } => GateState::Closed,
        }
    }
}

impl Gate {
    #[must_use]
    pub fn new(signals: Signals) -> Self {
        Self { inner: Arc::new(watch::Sender::new(Inner::default())), signals }
    }

    #[must_use]
    pub fn state(&self) -> GateState {
        self.inner.borrow().state()
    }

    /// Waits until the gate stands otherwise than `state`, and says how.
    pub async fn left(&self, state: GateState) -> GateState {
        // The sender lives as long as this gate, so the wait cannot fail.
        let changed = self.inner.subscribe().wait_for(|inner| inner.state() != state).await.map(|inner| inner.state());
        changed.unwrap_or(GateState::Open)
    }

    /// Waits until the gate is open.
    pub async fn opened(&self) {
        let _ = self.inner.subscribe().wait_for(|inner| !inner.closed).await;
    }

    /// Whether no receive is in progress.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.inner.borrow().receiving == 0
    }

    /// Waits until no receive is in progress.
    pub async fn quiet(&self) {
        let _ = self.inner.subscribe().wait_for(|inner| inner.receiving == 0).await;
    }

    /// Takes leave to receive, if the gate is open. The receive is in progress until the [`Receiving`] is dropped.
    #[must_use]
    pub fn receive(&self) -> Option<Receiving> {
        let is_open = self.inner.send_if_modified(|inner| {
            inner.receiving += usize::from(!inner.closed);
            !inner.closed
        });
        is_open.then(|| Receiving { gate: self.clone() })
    }

    /// Closes the gate for `cause`. The one that closed it gets the probe; `None` says that another has it.
    #[must_use = "without the probe the batch is to be given back"]
    pub fn close(&self, cause: &str) -> Option<Probe> {
        let closed_now = self.inner.send_if_modified(|inner| !std::mem::replace(&mut inner.closed, true));
        closed_now.then(|| {
            self.signals.emit(&GateClosed { cause });
            Probe { gate: self.clone() }
        })
    }
}

/// A receive in progress.
pub struct Receiving {
    gate: Gate,
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.gate.inner.send_modify(|inner| inner.receiving -= 1);
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
        self.gate.inner.send_modify(|inner| inner.closed = false);
        self.gate.signals.emit(&GateOpened);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_one_batch_probes_and_its_end_opens_the_gate() {
        let gate = Gate::new(Signals::default());
        let probe = gate.close("no primary").expect("the first to close it probes");
        assert!(gate.close("no primary").is_none());
        assert!(gate.receive().is_none());
        drop(probe);
        gate.opened().await;
        assert!(gate.close("again").is_some());
    }

    #[tokio::test]
    async fn the_gate_is_shut_when_the_last_receive_has_run_out() {
        let gate = Gate::new(Signals::default());
        let receiving = gate.receive().expect("it is open");
        let _probe = gate.close("no primary");
        assert_eq!(gate.state(), GateState::Closed);
        drop(receiving);
        assert_eq!(gate.left(GateState::Closed).await, GateState::Shut);
    }
}
