//! `longshore dead-letters purge`: deletes them for good.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use bson::{Document, doc};
use clap::Args;
use serde_json::json;

use crate::cli::exit::EXIT_FOUND;
use crate::cli::output::Output;
use crate::mongo_manager::Documents;

use super::which::Which;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters purge --group 5f2c91d07a3be846
  longshore dead-letters purge --user 123 --yes
  longshore dead-letters purge --until 2026-09-01T00:00:00Z --yes
  longshore dead-letters purge --all

They are gone for good: `export` keeps them elsewhere first. What is dead-lettered after the command began stays. On a terminal you are asked, elsewhere --yes says that it is meant. \
With --user it also says how many letters name no user at all, because their bodies could not be read, or what stands in the fields of `dead_letters.user_fields` is no key: theirs may be among them.

Exit status: 0 if all were deleted, 1 if you said no, 2 if they could not be.")]
pub struct PurgeArgs {
    #[command(flatten)]
    which: Which,
    /// All of them, where nothing else says which
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// JSON also on a terminal
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where nothing says which, or that it is meant; where the database cannot be reached, or does not
/// allow it.
pub async fn purge(letters: &Documents, args: PurgeArgs) -> Result<ExitCode> {
    let output = Output::json_if(args.json);
    let is_of_user = args.which.user().is_some();
    let mut search = args.which.search(letters).await?;
    match (search.is_for_all(), args.all) {
        (true, false) => {
            bail!("say which dead letters are to be deleted, by a group or a filter, or --all")
        }
        (false, true) => bail!("--all and a filter do not go together: leave one of them out"),
        _ => {}
    }
    // What comes while somebody thinks about it is not what was counted.
    search.before_now();
    let filter = search.filter();
    if !args.yes {
        if !io::stdin().is_terminal() {
            bail!("nobody can be asked here: --yes says that it is meant");
        }
        if !is_meant(letters.count(filter.clone()).await?)? {
            say(output, 0, None);
            return Ok(ExitCode::from(EXIT_FOUND));
        }
    }
    let purged = letters.delete(filter).await?;
    let without_user = if is_of_user { Some(letters.count(without_user()).await?) } else { None };
    say(output, purged, without_user);
    Ok(ExitCode::SUCCESS)
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
                "{purged} dead letters deleted; {others} others name no user, and could be of this one: `longshore dead-letters export` has their bodies"
            ),
        },
        || json!({ "purged": purged, "without_user": without_user }),
    );
}

/// Asks at the terminal, beside what goes to standard output.
fn is_meant(letters: u64) -> io::Result<bool> {
    let mut answer = String::new();
    eprint!("Delete {letters} dead letters for good? [y/N] ");
    io::stderr().flush()?;
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
