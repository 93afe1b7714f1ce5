//! `longshore dead-letters list`: one line for each.

use std::process::ExitCode;

use anyhow::Result;
use bson::Document;
use clap::Args;
use comfy_table::{Table, presets};

use crate::cli::output::{self, Output};
use crate::dead_letter::search::Standing;
use crate::mongo_manager::Documents;

use super::shown;
use super::which::Which;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters list
  longshore dead-letters list --type event --since 2026-11-28T10:00:00Z --limit 100
  longshore dead-letters list --user 123 --json | jq -r .message_id

Letters that were replayed, and were not rejected again, are left out: --replayed shows them. Bodies and attributes are not shown: `export` has them.")]
pub struct ListArgs {
    #[command(flatten)]
    which: Which,
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Print JSON lines, also on a terminal
    #[arg(long)]
    json: bool,
}

/// What may be large, and is not shown here.
const UNSHOWN: [&str; 2] = ["body", "attributes"];

/// # Errors
/// Where the database cannot be asked.
pub async fn list(letters: &Documents, args: ListArgs) -> Result<ExitCode> {
    let filter = args.which.search(letters, Standing::Stands).await?.filter();
    let found = letters.find(filter.clone(), shown::newest(), args.limit, &UNSHOWN).await?;
    match Output::json_if(args.json) {
        Output::People if found.is_empty() => output::print("no dead letters"),
        Output::People => {
            output::print(&table(&found).to_string());
            let (shown, all) = (found.len() as u64, letters.count(filter).await?);
            if all > shown {
                output::print(&format!("{shown} of {all}: --limit shows more"));
            }
        }
        Output::Json => {
            for record in &found {
                shown::print(&shown::line(record));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(found: &[Document]) -> Table {
    const FIELDS: [&str; 7] =
        ["dead_lettered", "reason", "place", "type", "sender", "message_id", "text"];
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(FIELDS);
    for record in found {
        table.add_row(FIELDS.map(|name| match record.get_datetime(name) {
            Ok(time) => shown::second(time.timestamp_millis()),
            Err(_) => shown::field(record, name),
        }));
    }
    table
}
