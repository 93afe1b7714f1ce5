//! `longshore check`: would the worker run here, and what would hurt it later. A line each: fine,
//! or what to do.

mod bound;
mod database;
mod finding;
mod indexes;
mod letter_queue;
mod live;
mod observability;
mod queue;
mod rights;
mod settings;

use std::process::ExitCode;

use clap::Args;

use crate::config::load::Loaded;
use crate::queue::sqs::Credentials;

use super::exit::EXIT_FOUND;
use super::output::Output;
use finding::Findings;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore check
  longshore --config /etc/longshore.toml check --create-indexes
  longshore check --print
  longshore check --print-role > role.js
  longshore check --print-role operator
  longshore check --live
  longshore check --json | jq 'select(.status == \"fail\")'

On a terminal each line begins with ok, note, warn or FAIL; elsewhere it is JSON. The command changes nothing, unless --create-indexes asks for it. It tries the queue's permissions by calls that have no effect. It may run beside a worker.

Exit status: 0 if nothing failed, 1 if something did, 2 if the configuration cannot be read.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct CheckArgs {
    /// Print the settings in force and where each comes from, with secrets as stars, and check
    /// nothing
    #[arg(long, conflicts_with = "create_indexes")]
    print: bool,
    /// Print the command that makes a role of the database with the least rights, for mongosh, and check
    /// nothing
    #[arg(
        long,
        value_name = "FOR",
        num_args = 0..=1,
        default_missing_value = "worker",
        conflicts_with_all = ["print", "create_indexes"]
    )]
    print_role: Option<rights::Role>,
    /// Make the indexes that are missing, after naming the documents that would make that fail
    #[arg(long)]
    create_indexes: bool,
    /// Ask the worker that runs on this machine whether it is alive, and check nothing else
    #[arg(long, conflicts_with_all = ["print", "print_role", "create_indexes"])]
    live: bool,
    /// Print JSON lines, also on a terminal
    #[arg(long)]
    json: bool,
}

impl CheckArgs {
    fn output(&self) -> Output {
        Output::json_if(self.json)
    }
}

/// Runs every check, whatever another found, or prints the settings or a role.
///
/// # Errors
/// Where the role of no database is asked for.
pub async fn check(loaded: &Loaded, args: CheckArgs) -> anyhow::Result<ExitCode> {
    let output = args.output();
    if args.print {
        settings::print(loaded, output);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(role) = args.print_role {
        rights::print(&loaded.config, role, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let found = if args.live {
        live::check(&loaded.config).await
    } else {
        all(loaded, args.create_indexes).await
    };
    found.print(output);
    Ok(if found.failed() { ExitCode::from(EXIT_FOUND) } else { ExitCode::SUCCESS })
}

async fn all(loaded: &Loaded, create_indexes: bool) -> Findings {
    let mut all = settings::check(loaded);
    // Queue and database, where it takes logins by IAM, are asked with the same ones.
    let credentials = Credentials::chain(&loaded.config.queue);
    let (database, queue) = tokio::join!(
        database::check(&loaded.config, &credentials, create_indexes),
        queue::check(&loaded.config, credentials.clone())
    );
    all.extend(database);
    all.extend(queue);
    all.extend(observability::check(&loaded.config).await);
    all
}
