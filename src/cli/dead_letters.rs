//! `longshore dead-letters`: what was refused, why, and what becomes of it.

mod asked;
mod collect;
#[cfg(feature = "edit")]
mod edit;
#[cfg(not(feature = "edit"))]
#[path = "dead_letters/no_edit.rs"]
mod edit;
mod emptying;
mod export;
mod exported;
mod groups;
mod list;
mod purge;
mod redrive;
mod replay;
mod show;
mod shown;
mod which;
mod written;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::config::Config;
use crate::mongo_manager::{Documents, MongoManager};
use crate::queue::sqs::Credentials;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters groups
  longshore dead-letters list --reason bad_time --since 2h
  longshore dead-letters show 883ac385-1b21-4acb-8761-2b7f54c75a77
  longshore dead-letters replay --group 5f2c91d07a3be846 --dry-run
  longshore dead-letters replay --group 5f2c91d07a3be846 --edit '.user_id |= tonumber'
  longshore dead-letters redrive --dry-run
  longshore dead-letters export --group 5f2c91d07a3be846 --out letters.ndjson
  longshore dead-letters purge --user 123

A dead letter (or letter) is the record of a message that can never be written: its reason, body and attributes. A group is the letters that failed alike: for the same reason, at the same place, in messages of the same type from the same sender. `groups` and `list` leave out letters that were replayed, unless the message was rejected again: --replayed shows them. docs/DEAD_LETTERS.md has every reason, with what usually fixes it.")]
pub struct DeadLettersArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show groups of dead letters that failed alike, the newest first
    Groups(groups::GroupsArgs),
    /// Show one line for each dead letter, the newest first
    List(list::ListArgs),
    /// Show one dead letter, and what would become of its message today
    Show(show::ShowArgs),
    /// Write whole dead letters as NDJSON
    Export(export::ExportArgs),
    /// Send the messages of dead letters again, to the queue or directly to the database
    Replay(replay::ReplayArgs),
    /// Move dead letters from the queue of `dead_letters.queue` to the collection, where the other commands find them
    Collect(collect::CollectArgs),
    /// Put back messages that SQS itself moved to the dead-letter queue of the queue
    Redrive(redrive::RedriveArgs),
    /// Delete dead letters for good
    Purge(purge::PurgeArgs),
}

/// # Errors
/// Where the database cannot be reached, or does not allow to ask; and what is wrong with the arguments.
pub async fn dead_letters(config: Config, args: DeadLettersArgs) -> Result<ExitCode> {
    // Of these the database knows nothing.
    if let Command::Redrive(args) = args.command {
        return redrive::redrive(&config, args).await;
    }
    let credentials = Credentials::chain(&config.queue).provider();
    let manager = MongoManager::connect_with(&config.db, credentials).await?;
    let letters = Documents::of(&manager, &config.dead_letters.collection);
    match args.command {
        Command::Groups(args) => groups::groups(&letters, args).await,
        Command::List(args) => list::list(&letters, args).await,
        Command::Show(args) => show::show(&config, &letters, args).await,
        Command::Export(args) => export::export(&letters, args).await,
        Command::Replay(args) => replay::replay(&config, &manager, &letters, args).await,
        Command::Collect(args) => collect::collect(&config, &manager, args).await,
        Command::Redrive(args) => redrive::redrive(&config, args).await,
        Command::Purge(args) => purge::purge(&letters, args).await,
    }
}
