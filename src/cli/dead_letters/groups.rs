//! `longshore dead-letters groups`: what failed alike.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use comfy_table::{Cell, CellAlignment, Table, presets};
use indicatif::HumanCount;
use serde_json::json;

use crate::cli::output::{self, Output};
use crate::dead_letter::group::Group;
use crate::dead_letter::search::Standing;
use crate::mongo_manager::Documents;

use super::shown;
use super::which::Which;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters groups
  longshore dead-letters groups --since 1d
  longshore dead-letters groups --json | jq 'select(.letters > 100)'

The group with the newest letter comes first. `first` is the time of its first letter, `sample` the message id of its newest one. Letters that were replayed, and were not rejected again, are left out: --replayed shows them. In a place, [] stands for any item of a list.")]
pub struct GroupsArgs {
    #[command(flatten)]
    which: Which,
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Print JSON lines, also on a terminal
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where the database cannot be asked.
pub async fn groups(letters: &Documents, args: GroupsArgs) -> Result<ExitCode> {
    let search = args.which.search(letters, Standing::Stands).await?;
    let groups = letters.groups(&search, Some(args.limit)).await?;
    match Output::json_if(args.json) {
        Output::People if groups.is_empty() => output::print("no dead letters"),
        Output::People => {
            output::print(&table(&groups).to_string());
            if groups.len() == usize::try_from(args.limit).unwrap_or(usize::MAX) {
                output::print("there may be more: --limit shows them");
            }
        }
        Output::Json => {
            for group in &groups {
                shown::print(&line(group));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(groups: &[Group]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header([
        "group", "letters", "reason", "place", "type", "sender", "first", "last", "sample",
    ]);
    for Group { alike, letters, first, last, sample } in groups {
        let letters = HumanCount(*letters).to_string();
        table.add_row([
            Cell::new(alike.id()),
            Cell::new(letters).set_alignment(CellAlignment::Right),
            Cell::new(output::harmless(&alike.reason)),
            Cell::new(shown::text(alike.place.as_deref())),
            Cell::new(shown::text(alike.kind.as_deref())),
            Cell::new(shown::text(alike.sender.as_deref())),
            Cell::new(shown::second(first.millis())),
            Cell::new(shown::second(last.millis())),
            Cell::new(shown::text(sample.as_deref())),
        ]);
    }
    table
}

fn line(Group { alike, letters, first, last, sample }: &Group) -> serde_json::Value {
    json!({
        "group": alike.id(),
        "letters": letters,
        "reason": alike.reason,
        "place": alike.place,
        "type": alike.kind,
        "sender": alike.sender,
        "first": shown::time(first.millis()),
        "last": shown::time(last.millis()),
        "sample": sample,
    })
}
