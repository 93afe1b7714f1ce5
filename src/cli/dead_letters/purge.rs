//! `longshore dead-letters purge`: deletes them for good.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use bson::{Document, doc};
use clap::Args;
use serde_json::json;

use crate::cli::exit::EXIT_FOUND;
use crate::cli::output::Output;
use crate::dead_letter::search::Standing;
use crate::mongo_manager::Documents;

use super::asked;
use super::exported;
use super::which::Which;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters purge --group 5f2c91d07a3be846
  longshore dead-letters purge --user 123 --yes
  longshore dead-letters purge --until 2026-09-01T00:00:00Z --yes
  longshore dead-letters purge --exported letters.ndjson
  longshore dead-letters purge --replayed --until 7d
  longshore dead-letters purge --all

Deleted letters are gone for good. Letters that were replayed are deleted too. --exported deletes exactly the letters of a file that `export` has written. Messages that are rejected after the command has started stay. On a terminal the command asks first; elsewhere give --yes. With --user it also says how many letters name no user at all, because their message could not be decoded or the fields of `dead_letters.user_fields` hold no key: letters of this user may be among them. Letters that a worker is about to write are not found yet.

Exit status: 0 if all were deleted, 1 if you answered no, 2 if they could not be deleted.")]
pub struct PurgeArgs {
    #[command(flatten)]
    which: Which,
    /// Exactly the letters in this file of `export`
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    exported: Option<PathBuf>,
    /// All letters, where nothing else says which
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print JSON, also on a terminal
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where nothing says which, or that it is meant; where the database cannot be reached, or does not
/// allow it.
pub async fn purge(letters: &Documents, args: PurgeArgs) -> Result<ExitCode> {
    let output = Output::json_if(args.json);
    let is_of_user = args.which.user().is_some();
    let filters = meant(letters, args.which, args.exported.as_deref(), args.all).await?;
    if !args.yes {
        asked::check()?;
        let mut found = 0;
        for filter in &filters {
            found += letters.count(filter.clone()).await?;
        }
        if !asked::is_meant(&format!("Delete {found} dead letters for good?"))? {
            say(output, 0, None);
            return Ok(ExitCode::from(EXIT_FOUND));
        }
    }
    let mut purged = 0;
    for filter in filters {
        purged += letters.delete(filter).await?;
    }
    let without_user = if is_of_user { Some(letters.count(without_user()).await?) } else { None };
    say(output, purged, without_user);
    Ok(ExitCode::SUCCESS)
}

/// Filters that find those that are meant, and together all of them.
async fn meant(
    letters: &Documents,
    which: Which,
    exported: Option<&Path>,
    all: bool,
) -> Result<Vec<Document>> {
    let mut search = which.search(letters, Standing::Either).await?;
    match (exported, search.is_for_all(), all) {
        (Some(path), true, _) => return Ok(exported::filters(&exported::read(path)?)),
        (None, true, false) => bail!(
            "say which dead letters are to be deleted, by a group or a filter, --exported or --all"
        ),
        (Some(_), false, _) | (None, false, true) => {
            bail!("--exported or --all and a filter do not go together: leave one of them out")
        }
        (None, ..) => {}
    }
    // What comes while somebody thinks about it is not what was counted.
    search.before_now();
    Ok(vec![search.filter()])
}

/// Those that name nobody, also of schema version 1.
fn without_user() -> Document {
    doc! { "users.0": { "$exists": false } }
}

fn say(output: Output, purged: u64, without_user: Option<u64>) {
    output.line(
        || match without_user {
            None | Some(0) => format!("{purged} dead letters deleted"),
            Some(others) => format!(
                "{purged} dead letters deleted; {others} other letters name no user, and could be about this one: `longshore dead-letters export` has their bodies"
            ),
        },
        || json!({ "purged": purged, "without_user": without_user }),
    );
}
