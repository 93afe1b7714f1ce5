//! What the driver's connection pools do, counted from its events.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use mongodb::event::cmap::CmapEvent;

use crate::telemetry::signals::Signals;

/// Counters over the pools of all servers of one client, since it was made. Updated by the driver,
/// read by metrics.
#[derive(Debug, Default)]
pub(super) struct PoolCounters {
    created: AtomicU64,
    closed: AtomicU64,
    checked_out: AtomicU64,
    checked_in: AtomicU64,
    checkouts_failed: AtomicU64,
    cleared: AtomicU64,
    signals: OnceLock<Signals>,
}

/// The counters at one moment. Each is exact; two of them may be of slightly different moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Connections made, without those that only watch the servers.
    pub created_total: u64,
    pub closed_total: u64,
    /// How often an operation took a connection.
    pub checked_out_total: u64,
    pub checked_in_total: u64,
    /// How often an operation got none.
    pub checkouts_failed_total: u64,
    /// How often a pool was emptied, as after a lost connection or a stepdown.
    pub cleared_total: u64,
}

impl PoolCounts {
    /// Connections that are there now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.created_total.saturating_sub(self.closed_total)
    }

    /// Connections that an operation holds now.
    #[must_use]
    pub fn in_use(&self) -> u64 {
        self.checked_out_total.saturating_sub(self.checked_in_total)
    }
}

impl PoolCounters {
    /// Called by the driver while it works: must not block.
    pub(super) fn record(&self, event: &CmapEvent) {
        if let Some(signals) = self.signals.get() {
            match event {
                CmapEvent::ConnectionReady(ready) => {
                    signals.instruments().connection_created(ready.duration);
                }
                CmapEvent::ConnectionCheckedOut(checked_out) => {
                    signals.instruments().connection_waited(checked_out.duration);
                }
                _ => {}
            }
        }
        let counter = match event {
            CmapEvent::ConnectionCreated(_) => &self.created,
            CmapEvent::ConnectionClosed(_) => &self.closed,
            CmapEvent::ConnectionCheckedOut(_) => &self.checked_out,
            CmapEvent::ConnectionCheckedIn(_) => &self.checked_in,
            CmapEvent::ConnectionCheckoutFailed(_) => &self.checkouts_failed,
            CmapEvent::PoolCleared(_) => &self.cleared,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Durations are told to `signals` from now on.
    pub(super) fn tell(&self, signals: Signals) {
        // Told once, by the worker that has the manager.
        let _ = self.signals.set(signals);
    }

    pub(super) fn counts(&self) -> PoolCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PoolCounts {
            created_total: read(&self.created),
            closed_total: read(&self.closed),
            checked_out_total: read(&self.checked_out),
            checked_in_total: read(&self.checked_in),
            checkouts_failed_total: read(&self.checkouts_failed),
            cleared_total: read(&self.cleared),
        }
    }
}
