//! The last that a worker says: all that it did, by name for programs and in words for people.

use std::time::Duration;

use crate::telemetry::counters::{Counts, each_counter};

use super::signal::Signal;
use super::words::{self, QueueCalls, listed};

/// The target of the one line with every figure, for JSON and the journal.
pub const ENDED_IN_FIGURES: &str = "longshore::ended";

/// The target of the few lines that say the same to people, on a terminal.
pub const ENDED_IN_WORDS: &str = "longshore::ended::in_words";

/// A worker has settled what it held, or given it back, and is about to exit.
pub struct WorkerEnded {
    /// Everything held was written and deleted; otherwise some of it was given back.
    pub drained: bool,
    pub ran: Duration,
    pub counts: Counts,
    pub calls: QueueCalls,
}

impl Signal for WorkerEnded {
    fn log(&self) {
        let Self { drained, ran, counts, calls } = self;
        macro_rules! ended {
            ($(
                $(#[doc = $help:literal])*
                $name:ident: $kind:ident $(<$label:ident> $(, each in $each:ident)?)? => $shown:ident;
            )*) => {
                tracing::info!(
                    target: ENDED_IN_FIGURES,
                    drained,
                    ran = ?ran,
                    $($name = counts.$name, $($($each = listed(&counts.$each),)?)?)*
                    calls.receive = calls.receive,
                    calls.delete = calls.delete,
                    calls.change_visibility = calls.change_visibility,
                    calls.other = calls.other,
                    "ended"
                )
            };
        }
        each_counter!(ended);
        for line in words::of(*drained, *ran, counts, *calls) {
            tracing::info!(target: ENDED_IN_WORDS, "{line}");
        }
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
            dead_lettered_total: 3,
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
        let lines = lines.0.lock().unwrap().clone();
        let lines = String::from_utf8(lines).expect("text");
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let (figures, words): (Vec<_>, Vec<_>) =
            lines.partition(|line| line["target"] == ENDED_IN_FIGURES);
        assert!(words.len() > 1 && words.iter().all(|line| line["target"] == ENDED_IN_WORDS));
        assert_eq!(figures.len(), 1, "all figures are in one line");
        let line = &figures[0];
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
