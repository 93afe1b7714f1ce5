//! When to stop asking: the gate between the queue and a sick store.
//!
//! Open, messages are received. A batch that could not be written within its retry budget closes
//! it; from then on nothing is received, because each receive burns a count that the queue's
//! redrive policy reads. The batch that closed the gate becomes the [`Probe`]: it alone is kept and
//! tried on under backoff, and opens the gate when the store takes it.
//!
//! Everything else that is held is given back, but only once the gate is shut: closed, and with no
//! receive in progress that would bring it straight back.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::store::WriteTrouble;
use crate::telemetry::signals::{GateClosed, GateOpened, Signals};

/// Shared by pollers and lanes; clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
    signals: Signals,
}

/// Not a `watch` channel, which wakes those who wait in random order: the same calls shall make the
/// same run.
#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
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
        signals.gauges().gate_open.set(1);
        Self { shared: Arc::default(), signals }
    }

    #[must_use]
    pub fn state(&self) -> GateState {
        self.inner().state()
    }

    /// Waits until the gate stands otherwise than `state`, and says how.
    pub async fn left(&self, state: GateState) -> GateState {
        self.until(|inner| inner.state() != state).await.state()
    }

    /// Waits until the gate is open.
    pub async fn opened(&self) {
        self.until(|inner| !inner.closed).await;
    }

    /// Whether no receive is in progress.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.inner().receiving == 0
    }

    /// Waits until no receive is in progress.
    pub async fn quiet(&self) {
        self.until(|inner| inner.receiving == 0).await;
    }

    /// Takes leave to receive, if the gate is open. The receive is in progress until the
    /// [`Receiving`] is dropped.
    #[must_use]
    pub fn receive(&self) -> Option<Receiving> {
        let is_open = self.change(|inner| {
            inner.receiving += usize::from(!inner.closed);
            !inner.closed
        });
        is_open.then(|| Receiving { gate: self.clone() })
    }

    /// Closes the gate for `cause`. The one that closed it gets the probe; `None` says that another
    /// has it.
    #[must_use = "without the probe the batch is to be given back"]
    pub fn close(&self, trouble: WriteTrouble, cause: &str) -> Option<Probe> {
        let closed_now = self.change(|inner| !std::mem::replace(&mut inner.closed, true));
        closed_now.then(|| {
            self.signals.gauges().gate_open.set(0);
            self.signals.emit(&GateClosed { trouble, cause });
            Probe { gate: self.clone(), proven: false }
        })
    }

    fn inner(&self) -> Inner {
        *self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let changed = change(&mut self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.changed.notify_waiters();
        changed
    }

    async fn until(&self, reached: impl Fn(Inner) -> bool) -> Inner {
        loop {
            // Made before the look, so that no change between look and wait is missed.
            let changed = self.shared.changed.notified();
            let inner = self.inner();
            if reached(inner) {
                return inner;
            }
            changed.await;
        }
    }
}

/// A receive in progress.
pub struct Receiving {
    gate: Gate,
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.gate.change(|inner| inner.receiving -= 1);
    }
}

/// The right and the duty to find out whether the store is well again. There is one while the gate
/// is closed.
///
/// When it is dropped the gate opens: either its batch was written, or it was given back and the
/// next batch received must find out.
pub struct Probe {
    gate: Gate,
    proven: bool,
}

impl Probe {
    /// The store has taken its batch.
    pub fn prove(mut self) {
        self.proven = true;
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.gate.change(|inner| inner.closed = false);
        self.gate.signals.gauges().gate_open.set(1);
        self.gate.signals.emit(&GateOpened { proven: self.proven });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_one_batch_probes_and_its_end_opens_the_gate() {
        let gate = Gate::new(Signals::default());
        let probe = gate
            .close(WriteTrouble::Unavailable, "no primary")
            .expect("the first to close it probes");
        assert!(gate.close(WriteTrouble::Unavailable, "no primary").is_none());
        assert!(gate.receive().is_none());
        drop(probe);
        gate.opened().await;
        assert!(gate.close(WriteTrouble::Unavailable, "again").is_some());
    }

    #[tokio::test]
    async fn the_gate_is_shut_when_the_last_receive_has_run_out() {
        let gate = Gate::new(Signals::default());
        let receiving = gate.receive().expect("it is open");
        let _probe = gate.close(WriteTrouble::Unavailable, "no primary");
        assert_eq!(gate.state(), GateState::Closed);
        drop(receiving);
        assert_eq!(gate.left(GateState::Closed).await, GateState::Shut);
    }
}
