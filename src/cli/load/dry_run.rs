//! What would become of the lines, without a database.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::task::yield_now;

use super::bad_lines::BadLines;
use super::input::Input;
use super::ledger::{Delivery, Mark, Place};
use super::recipe::Recipe;
use super::report::{Report, reason_of};
use crate::cli::output::Output;
use crate::config::Config;
use crate::pipeline::trial::{Outcome, Trial};
use crate::stop::Stop;
use crate::store::mongo::check_write;

/// Lines between two looks at whether to stop.
const LINES_AT_ONCE: u64 = 256;

/// What was seen of the lines so far.
#[derive(Default)]
struct Seen {
    mark: Mark,
    by_collection: BTreeMap<String, u64>,
    expired: u64,
    /// Not yet in the file of bad lines.
    bad: Vec<Place>,
}

/// Looks at all lines, names the bad ones, and says what the others are for. Gives whether all were looked at and
/// none is bad.
pub(super) async fn dry_run(
    input: &Input,
    recipe: &Recipe,
    limits: (&Config, usize, usize),
    output: Output,
    bad_lines: Option<BadLines>,
    stop: &Stop,
) -> bool {
    let mut report = Report::new(output, input.bytes, Mark::default());
    let mut seen = Seen::default();
    let looked = seen.look(input, recipe, limits, &mut report, bad_lines, stop).await;
    if let Err(error) = &looked {
        report.broken(&format!("{error:#}"));
    }
    report.end();
    let is_stopped = looked.is_err() || stop.is_draining();
    seen.tell(output, is_stopped);
    seen.mark.bad == 0 && !is_stopped
}

impl Seen {
    /// # Errors
    /// Where the file cannot be read on, or a bad line not be kept.
    async fn look(
        &mut self,
        input: &Input,
        recipe: &Recipe,
        (config, growth, bytes_max): (&Config, usize, usize),
        report: &mut Report,
        mut bad_lines: Option<BadLines>,
        stop: &Stop,
    ) -> Result<()> {
        let unread = "cannot read further";
        let mut reader = input.lines(Mark::default(), bytes_max).context(unread)?;
        let trial = Trial::new(config, growth, check_write);
        while let Some((place, text)) = reader.next().context(unread)? {
            let outcome = text.map(|text| {
                let delivery = Delivery { offset: place.offset, count: 1 };
                trial.of(&recipe.message(place, text, delivery)).outcome
            });
            match outcome {
                Ok(Outcome::Write { collection, .. }) => {
                    *self.by_collection.entry(collection).or_default() += 1;
                    self.mark.loaded += 1;
                }
                Ok(Outcome::Expired { .. }) => {
                    self.expired += 1;
                    self.mark.loaded += 1;
                }
                Ok(Outcome::Rejected(rejection)) => {
                    let kind = (rejection.reason, rejection.place.as_deref());
                    report.bad(place.number, kind, &rejection.text);
                    self.bad(place);
                }
                Err(why) => {
                    let kind = (reason_of(place, bytes_max), None);
                    report.bad(place.number, kind, &format!("the line {why}"));
                    self.bad(place);
                }
            }
            self.mark.offset = place.offset + place.bytes;
            if (self.mark.loaded + self.mark.bad).is_multiple_of(LINES_AT_ONCE) {
                report.update(self.mark, false);
                self.keep(&mut bad_lines, input)?;
                yield_now().await;
                if stop.is_draining() {
                    break;
                }
            }
        }
        self.keep(&mut bad_lines, input)
    }

    fn bad(&mut self, place: Place) {
        self.mark.bad += 1;
        self.bad.push(place);
    }

    fn keep(&mut self, bad_lines: &mut Option<BadLines>, input: &Input) -> Result<()> {
        if let Some(bad_lines) = bad_lines {
            bad_lines.append(&self.bad, input).with_context(|| bad_lines.failed())?;
        }
        self.bad.clear();
        Ok(())
    }

    fn tell(&self, output: Output, is_stopped: bool) {
        let Self { mark: Mark { loaded, bad, .. }, by_collection, expired, .. } = self;
        output.line(
            || {
                let counts = by_collection.iter().map(|(name, count)| format!("{count} for {name}"));
                let counts: Vec<_> = counts.collect();
                let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
                let expired = match expired {
                    0 => String::new(),
                    count => format!("; {count} of them are older than the ttl of their collection, and would not be written"),
                };
                let stopped = if is_stopped { "; stopped before the end" } else { "" };
                format!("{loaded} would be loaded{counts}, {bad} are bad; nothing was written to the database{expired}{stopped}")
            },
            || json!({"would_load": loaded, "by_collection": by_collection, "expired": expired, "bad": bad, "stopped": is_stopped}),
        );
    }
}
