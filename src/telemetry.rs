//! What is seen of a worker: counts, measures, logs, traces, and what its status page shows.

pub mod counters;
pub mod folds;
pub mod instruments;
mod journal;
pub mod labels;
pub mod logging;
pub mod metrics;
pub mod otlp;
mod producer;
pub mod recent;
mod sampler;
pub mod signals;
pub mod spans;
pub mod watchdog;

pub use producer::{TRACE_ATTRIBUTES, trace_id};
