//! What became of the letters: each that was left, and the sum.

use std::collections::BTreeMap;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::shown;
use super::letter::{Ended, Why};
use crate::cli::output::{self, Output, harmless};

/// People are told so many of those that were left for one cause.
const TOLD_MAX: u64 = 3;

pub(super) struct Report {
    output: Output,
    bar: ProgressBar,
    letters: u64,
    put_back: u64,
    left: BTreeMap<Why, u64>,
}

impl Report {
    pub(super) fn new(output: Output, letters: usize) -> Self {
        let letters = letters as u64;
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(letters).with_style(style);
        Self { output, bar, letters, put_back: 0, left: BTreeMap::new() }
    }

    pub(super) fn tell(&mut self, ended: &Ended) {
        self.bar.inc(1);
        let left = match ended {
            Ended::PutBack => {
                self.put_back += 1;
                return;
            }
            Ended::Left(left) => left,
        };
        let count = self.left.entry(left.why).or_default();
        *count += 1;
        let why = left.why.name();
        if matches!(self.output, Output::People) && *count > TOLD_MAX {
            return;
        }
        self.bar.suspend(|| {
            let text = &left.text;
            match self.output {
                Output::People => output::print(&format!(
                    "{} stays ({why}): {}",
                    harmless(&left.message_id),
                    harmless(text)
                )),
                Output::Json => shown::print(
                    &json!({ "message_id": left.message_id, "outcome": "stay", "why": why, "text": text }),
                ),
            }
        });
    }

    /// Returns whether all were put back.
    pub(super) fn finish(self) -> bool {
        self.bar.finish_and_clear();
        let Self { output, letters, put_back, left, .. } = self;
        let stay: u64 = left.values().sum();
        // Because it was stopped, or somebody else saw to them.
        let untouched = letters.saturating_sub(put_back + stay);
        output.line(
            || {
                let mut told = vec![format!("{} dead letters put back", HumanCount(put_back))];
                let stay = |(why, count): (&Why, &u64)| {
                    format!("{} stay ({})", HumanCount(*count), why.name())
                };
                told.extend(left.iter().map(stay));
                if untouched > 0 {
                    told.push(format!("{} were not looked at", HumanCount(untouched)));
                }
                told.join(", ")
            },
            || {
                let left: BTreeMap<_, _> =
                    left.iter().map(|(why, count)| (why.name(), count)).collect();
                json!({ "put_back": put_back, "stay": stay, "stay_by": left, "not_looked_at": untouched })
            },
        );
        stay == 0 && untouched == 0
    }
}
