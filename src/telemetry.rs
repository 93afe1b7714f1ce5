//! What is seen of a worker: counts, logs, and later metrics and traces.

pub mod counters;
pub mod logging;
pub mod signals;
