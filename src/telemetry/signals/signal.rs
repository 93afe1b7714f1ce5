//! What every signal can do.

use crate::telemetry::counters::Counters;
use crate::telemetry::instruments::Instruments;
use crate::telemetry::recent::Recent;

/// Something that happened.
pub trait Signal {
    fn count(&self, _: &Counters) {}
    fn measure(&self, _: &Instruments) {}
    /// Keeps what the status page shows of it.
    fn remember(&self, _: &Recent) {}
    fn log(&self) {}
}
