//! The last line of a worker: all that it did, by name.

use std::time::Duration;

use crate::telemetry::counters::Counts;

use super::Signal;

/// A worker has settled what it held, or given it back, and is about to exit.
pub struct WorkerEnded {
    /// Everything held was written and deleted; else some of it was given back.
    pub drained: bool,
    pub ran: Duration,
    pub counts: Counts,
    pub calls: QueueCalls,
}

/// Requests to the queue, failed ones included: what AWS bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCalls {
    pub receive: u64,
    pub delete: u64,
    pub change_visibility: u64,
    pub other: u64,
}

impl Signal for WorkerEnded {
    fn log(&self) {
        // Without `..`: a new counter does not compile until it stands here.
        let Counts {
            receives_total,
            receives_empty_total,
            receives_failed_total,
            received_total,
            redelivered_total,
            overdrawn_total,
            in_flight_messages_peak,
            in_flight_bytes_peak,
            outgrown_total,
            batches_written_total,
            written_total,
            joined_total,
            already_there_total,
            stale_total,
            writes_failed_total,
            deleted_total,
            deletes_failed_total,
            deletes_abandoned_total,
            stale_handles_total,
            released_total,
            extended_total,
            extends_failed_total,
            gate_closed_total,
            slowed_total,
            dead_lettered,
        } = &self.counts;
        let reasons: Vec<_> =
            dead_lettered.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        tracing::info!(
            drained = self.drained,
            ran = ?self.ran,
            receives_total,
            receives_empty_total,
            receives_failed_total,
            received_total,
            redelivered_total,
            overdrawn_total,
            in_flight_messages_peak,
            in_flight_bytes_peak,
            outgrown_total,
            batches_written_total,
            written_total,
            joined_total,
            already_there_total,
            stale_total,
            writes_failed_total,
            dead_lettered_total = dead_lettered.values().sum::<u64>(),
            dead_lettered = reasons.join(", "),
            deleted_total,
            deletes_failed_total,
            deletes_abandoned_total,
            stale_handles_total,
            released_total,
            extended_total,
            extends_failed_total,
            gate_closed_total,
            slowed_total,
            calls.receive = self.calls.receive,
            calls.delete = self.calls.delete,
            calls.change_visibility = self.calls.change_visibility,
            calls.other = self.calls.other,
            "ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;
    use crate::message::Reason;

    /// A place for log lines that a test can read.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_last_line_names_all_that_was_done() {
        let counts = Counts {
            received_total: 12,
            deleted_total: 11,
            dead_lettered: [(Reason::BadJson, 2), (Reason::BadKey, 1)].into(),
            ..Counts::default()
        };
        let calls = QueueCalls { receive: 4, delete: 3, change_visibility: 2, other: 1 };
        let (lines, ran) = (Lines::default(), Duration::from_secs(90));
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            WorkerEnded { drained: true, ran, counts, calls }.log();
        });
        let line: Value =
            serde_json::from_slice(&lines.0.lock().unwrap()).expect("one line of JSON");
        for (name, value) in [
            ("message", Value::from("ended")),
            ("drained", true.into()),
            ("ran", "90s".into()),
            ("received_total", 12.into()),
            ("deleted_total", 11.into()),
            ("stale_total", 0.into()),
            ("dead_lettered_total", 3.into()),
            ("dead_lettered", "bad_json: 2, bad_key: 1".into()),
            ("calls.receive", 4.into()),
            ("calls.delete", 3.into()),
            ("calls.change_visibility", 2.into()),
            ("calls.other", 1.into()),
        ] {
            assert_eq!(line[name], value, "{name}");
        }
    }
}
