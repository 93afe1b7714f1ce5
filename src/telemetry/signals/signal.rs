//! What every signal can do.

use crate::telemetry::counters::Counters;
use crate::telemetry::folds::Kind;
use crate::telemetry::instruments::Instruments;
use crate::telemetry::recent::Recent;

/// Something that happened.
pub trait Signal {
    fn count(&self, _: &Counters) {}
    fn measure(&self, _: &Instruments) {}
    /// Keeps what the status page shows of it.
    fn remember(&self, _: &Recent) {}
    /// What makes it the same as others, where a sender can make many: the log has one line a second
    /// of these, by [`Folds`](crate::telemetry::folds::Folds).
    fn kind(&self) -> Option<Kind<'_>> {
        None
    }
    fn log(&self) {}
}
