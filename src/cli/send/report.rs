//! What became of the lines: a bar while it goes on, each line that was not sent by its number, and
//! the sum.

use std::io;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::output::Output;

/// Between two looks of the bar at itself.
const TICK: Duration = Duration::from_millis(200);

/// Counts, and tells as it goes.
pub(super) struct Report {
    output: Output,
    /// On standard error, and only where that is a terminal.
    bar: ProgressBar,
    sent: u64,
    bad: u64,
    failed: u64,
}

impl Report {
    /// `input_bytes`: how long the input is, where that is known.
    pub(super) fn new(output: Output, input_bytes: Option<u64>) -> Self {
        let (bar, template) = match input_bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {percent:>3} % {msg}, {eta} left"),
            None => (ProgressBar::new_spinner(), "{spinner} {msg} in {elapsed}"),
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_message("0 sent");
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { output, bar, sent: 0, bad: 0, failed: 0 }
    }

    /// A line that is no message.
    pub(super) fn bad(&mut self, line: u64, line_bytes: u64, reason: &str) {
        self.bad += 1;
        self.tell(line, "bad", reason);
        self.bar.inc(line_bytes);
    }

    /// A message, whose line took `line_bytes`.
    pub(super) fn message(&mut self, line: u64, line_bytes: u64, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.sent += 1;
                self.bar.set_message(format!("{} sent", HumanCount(self.sent)));
            }
            Err(reason) => {
                self.failed += 1;
                self.tell(line, "failed", &reason);
            }
        }
        self.bar.inc(line_bytes);
    }

    /// The input cannot be read any further.
    pub(super) fn broken(&self, error: &io::Error) {
        self.bar.suspend(|| {
            self.output.line(
                || format!("cannot read further: {error}"),
                || json!({"outcome": "broken", "reason": error.to_string()}),
            );
        });
    }

    fn tell(&self, line: u64, outcome: &str, reason: &str) {
        self.bar.suspend(|| {
            self.output.line(
                || match outcome {
                    "bad" => format!("line {line} {reason}; not sent"),
                    _ => format!("line {line} could not be sent: {reason}"),
                },
                || json!({"line": line, "outcome": outcome, "reason": reason}),
            );
        });
    }

    /// The sum. `stopped_after` is the last line that was looked at, where that was not the end of
    /// the input. Returns whether every line was sent.
    pub(super) fn finish(self, stopped_after: Option<u64>) -> bool {
        self.bar.finish_and_clear();
        let Self { output, sent, bad, failed, .. } = self;
        output.line(
            || {
                let rest = stopped_after.map_or_else(String::new, |line| format!("; stopped, nothing after line {line} was sent"));
                format!("{sent} sent, {bad} bad, {failed} failed{rest}")
            },
            || json!({"sent": sent, "bad": bad, "failed": failed, "stopped_after_line": stopped_after}),
        );
        bad == 0 && failed == 0 && stopped_after.is_none()
    }
}
