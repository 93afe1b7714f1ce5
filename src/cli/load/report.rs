//! What became of the lines: a bar while it goes on, each bad line by its number, and the sum.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;

use super::alike::Alike;
use super::ledger::{Mark, Place as LinePlace};
use crate::cli::output::{Output, failed, harmless, say};
use crate::message::{Place, Reason};
use crate::telemetry::counters::Counts;

/// Between two looks of the bar at itself.
const TICK: Duration = Duration::from_millis(200);

/// Tells as it goes.
pub(super) struct Report {
    output: Output,
    /// On standard error, and only where that is a terminal.
    bar: ProgressBar,
    has_bad: bool,
    alike: Alike,
}

/// Of a line that can be no message: it is too long, or no text.
pub(super) fn reason_of(place: LinePlace, bytes_max: usize) -> Reason {
    if place.bytes > bytes_max as u64 { Reason::TooLarge } else { Reason::BadJson }
}

/// How the load ended.
pub(super) enum Ended {
    /// Every line of the file has its end.
    Complete,
    /// It was stopped, or the file cannot be read any further; what to do then.
    Stopped(String),
}

impl Report {
    /// `bytes`: how long the file is.
    pub(super) fn new(output: Output, bytes: u64, from: Mark) -> Self {
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(bytes).with_style(style).with_message("0 loaded");
        bar.set_position(from.offset);
        // What an earlier run did says nothing of how fast this one is.
        bar.reset_eta();
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { output, bar, has_bad: from.bad > 0, alike: Alike::default() }
    }

    pub(super) fn update(&self, mark: Mark, is_away: bool) {
        let bad = match mark.bad {
            0 => String::new(),
            bad => format!(", {} bad", HumanCount(bad)),
        };
        let away = if is_away { "; the database takes no writes, waiting for it" } else { "" };
        self.bar.set_position(mark.offset);
        self.bar.set_message(format!("{} loaded{bad}{away}", HumanCount(mark.loaded)));
    }

    /// A line that was refused, for this reason at this place. It is told, or counted where others like it were
    /// told.
    pub(super) fn bad(&mut self, line: u64, (reason, place): (Reason, Option<&Place>), text: &str) {
        self.has_bad = true;
        if !self.alike.is_told(reason, place) {
            return;
        }
        // The body is one line: which one is said.
        let mut text = text.replace(" (line 1 column ", " (column ");
        if reason == Reason::MissingType {
            text += ", or `--type NAME` for all lines that name none";
        }
        self.tell(
            || format!("line {line} is bad ({reason}): {}; not loaded", harmless(&text)),
            || json!({"line": line, "outcome": "bad", "reason": reason.code(), "text": text}),
        );
    }

    /// The file cannot be read or the progress not be kept any further.
    pub(super) fn broken(&self, why: &str) {
        self.tell(
            || format!("cannot go on: {}", harmless(why)),
            || json!({"outcome": "broken", "reason": why}),
        );
    }

    fn tell(&self, people: impl FnOnce() -> String, json: impl FnOnce() -> serde_json::Value) {
        self.bar.suspend(|| self.output.line(people, json));
    }

    /// Takes the bar away, and says how many lines were bad and not told.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
        for (reason, place, lines) in self.alike.rest() {
            self.output.line(
                || {
                    let at = if place.is_empty() { String::new() } else { format!(" at {}", harmless(place)) };
                    format!("{lines} more lines are bad in the same way ({reason}{at}); not loaded")
                },
                || json!({"more": lines, "outcome": "bad", "reason": reason.code(), "place": place}),
            );
        }
    }

    /// The sum. `counts` are those of this run alone. Returns whether every line was loaded.
    pub(super) fn finish(&self, mark: Mark, counts: &Counts, ended: &Ended) -> bool {
        self.end();
        let Mark { loaded, bad, line, .. } = mark;
        let (already_there, stale) = (counts.already_there_total, counts.stale_total);
        let stopped_after = match ended {
            Ended::Complete => None,
            Ended::Stopped(_) => Some(line),
        };
        let people = || {
            let known = match (already_there, stale) {
                (0, 0) => String::new(),
                (there, 0) => format!("; {there} were there already"),
                (0, stale) => format!("; {stale} were not newer than what is there"),
                (there, stale) => format!(
                    "; {there} were there already, {stale} were not newer than what is there"
                ),
            };
            let rest = match ended {
                Ended::Complete => String::new(),
                Ended::Stopped(what) => {
                    format!("; stopped, all lines up to {line} are done: {what}")
                }
            };
            // Who corrects the file itself makes another one of it.
            let fix = match (loaded, bad) {
                (_, 0) => "",
                (0, _) => {
                    "; one line is one JSON object: `jq -c . FILE` makes such lines of objects that stand over several, and CSV has to be turned into JSON first"
                }
                _ => {
                    "; correct the bad lines in a file of their own (--bad FILE copies them) and load that: in an edited copy of this file, events without an id would be new events"
                }
            };
            format!("{loaded} loaded, {bad} bad{known}{rest}{fix}")
        };
        self.output.line(
            people,
            || json!({"loaded": loaded, "bad": bad, "already_there": already_there, "stale": stale, "stopped_after_line": stopped_after}),
        );
        // Or what could not be told would look like what was not loaded.
        if failed().is_some() {
            say(&format!("longshore: {}", people()));
        }
        bad == 0 && !self.has_bad && stopped_after.is_none()
    }
}
