//! `longshore check`: would the worker run here, and what would hurt it later. A line each: fine, or what to do.

mod database;
mod finding;
mod indexes;
mod queue;
mod settings;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::config::load::Loaded;

use super::EXIT_FOUND;
use super::output::Output;

/// The longest that the checks of one server take together, but for the building of indexes.
const SERVER_MAX: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore check
  longshore --config /etc/longshore.toml check --create-indexes
  longshore check --print
  longshore check --json | jq 'select(.status == \"fail\")'

Each line begins with ok, note, warn or FAIL. Nothing is changed, unless --create-indexes asks for it. The queue's permissions \
are tried by calls without an effect.

Exit status: 0 if nothing failed, 1 if something did, 2 if the configuration cannot be read.")]
pub struct CheckArgs {
    /// Print the settings in force and where each comes from, with secrets as stars, and check nothing
    #[arg(long, conflicts_with = "create_indexes")]
    print: bool,
    /// Make the indexes that are missing, after naming the documents that would make that fail
    #[arg(long)]
    create_indexes: bool,
    /// JSON lines also on a terminal
    #[arg(long)]
    json: bool,
}

impl CheckArgs {
    fn output(&self) -> Output {
        Output::json_if(self.json)
    }
}

/// Runs every check, whatever another found, or prints the settings.
pub async fn check(loaded: &Loaded, args: CheckArgs) -> ExitCode {
    let output = args.output();
    if args.print {
        settings::print(loaded, output);
        return ExitCode::SUCCESS;
    }
    let mut all = settings::check(loaded);
    let (database, queue) = tokio::join!(database::check(&loaded.config, args.create_indexes), queue::check(&loaded.config));
    all.extend(database);
    all.extend(queue);
    all.print(output);
    if all.failed() { ExitCode::from(EXIT_FOUND) } else { ExitCode::SUCCESS }
}
