//! What would become of the lines, without a database.

use std::collections::BTreeMap;
use std::io;

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

/// Looks at all lines, names the bad ones, and says what the others are for. Gives whether none is bad.
///
/// # Errors
/// Where the file cannot be read, or a bad line not be kept.
pub(super) async fn dry_run(
    input: &Input,
    recipe: &Recipe,
    (config, growth, bytes_max): (&Config, usize, usize),
    output: Output,
    mut bad_lines: Option<BadLines>,
    stop: &Stop,
) -> io::Result<bool> {
    let mut bad = Vec::new();
    let mut report = Report::new(output, input.bytes, Mark::default());
    let mut reader = input.lines(Mark::default(), bytes_max)?;
    let trial = Trial::new(config, growth, check_write);
    let (mut by_collection, mut expired) = (BTreeMap::<String, u64>::new(), 0_u64);
    let mut mark = Mark::default();
    while let Some((place, text)) = reader.next()? {
        let outcome = text.map(|text| {
            let delivery = Delivery { offset: place.offset, count: 1 };
            trial.of(&recipe.message(place, text, delivery)).outcome
        });
        mark.loaded += u64::from(!matches!(outcome, Err(_) | Ok(Outcome::Rejected(_))));
        match outcome {
            Ok(Outcome::Write { collection, .. }) => {
                *by_collection.entry(collection).or_default() += 1;
            }
            Ok(Outcome::Expired { .. }) => expired += 1,
            Ok(Outcome::Rejected(rejection)) => {
                mark.bad += 1;
                bad.push(place);
                let kind = (rejection.reason, rejection.place.as_deref());
                report.bad(place.number, kind, &rejection.text);
            }
            Err(why) => {
                mark.bad += 1;
                bad.push(place);
                let kind = (reason_of(place, bytes_max), None);
                report.bad(place.number, kind, &format!("the line {why}"));
            }
        }
        mark.offset = place.offset + place.bytes;
        if (mark.loaded + mark.bad).is_multiple_of(LINES_AT_ONCE) {
            report.update(mark, false);
            keep(&mut bad_lines, &mut bad, input)?;
            yield_now().await;
            if stop.is_draining() {
                break;
            }
        }
    }
    keep(&mut bad_lines, &mut bad, input)?;
    report.end();
    let is_stopped = stop.is_draining();
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
            format!("{} would be loaded{counts}, {} are bad; nothing was written{expired}{stopped}", mark.loaded, mark.bad)
        },
        || json!({"would_load": mark.loaded, "by_collection": by_collection, "expired": expired, "bad": mark.bad, "stopped": is_stopped}),
    );
    Ok(mark.bad == 0 && !is_stopped)
}

fn keep(bad_lines: &mut Option<BadLines>, bad: &mut Vec<Place>, input: &Input) -> io::Result<()> {
    if let Some(bad_lines) = bad_lines {
        bad_lines.append(bad, input)?;
    }
    bad.clear();
    Ok(())
}
