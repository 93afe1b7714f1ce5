//! `longshore try`: what would become of one message. No server is asked: it is the intake of a worker up
//! to the command that would be sent, by the same code as the dry run of a queue.

mod input;
mod mark;
mod rejected;
mod report;
mod unwrapped;
mod written;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::config::Config;
use crate::config::shares;
use crate::message::QueueMessage;
use crate::pipeline::trial::Trial;
use crate::queue::MESSAGE_BYTES_MAX;
use crate::store::mongo::check_write;

use super::exit::EXIT_FOUND;
use super::output::{self, Output};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore try message.json
  longshore try --body '{\"type\":\"cache\",\"user_id\":5,\"data\":{}}'
  tail -1 events.ndjson | longshore --config /etc/longshore.toml try --attribute type=event
  longshore try --json message.json | jq .command

Shows the route, the document as Extended JSON, and the command that would be sent. Or, if the message would be rejected: the reason, what usually fixes it, and the place of the fault in the body. Neither the queue nor the database is asked, and MONGO_CACHE_URI is not needed. So faults that only the database finds (id_conflict, store_rejected) are not shown. An event without an id gets an `_id` made of the id and the time of its SQS message. `try` makes up that id, and the time unless --sent gives it, so the worker's `_id` will differ.

Exit status: 0 if the message would be written, or deleted unwritten because it is older than the ttl of its collection; 1 if it would become a dead letter; 2 if it could \
not be read or the configuration is wrong.")]
pub struct TryArgs {
    #[command(flatten)]
    message: input::Given,
    /// Print a JSON line, also on a terminal; its documents are canonical Extended JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where the message cannot be read.
pub fn try_one(config: &Config, args: TryArgs) -> Result<ExitCode> {
    let output = Output::json_if(args.json);
    let told = told(config, &input::message(args.message)?, output)?;
    output::print(&told.text);
    Ok(if told.is_rejected { ExitCode::from(EXIT_FOUND) } else { ExitCode::SUCCESS })
}

/// What the command says of a message.
#[derive(Debug)]
pub struct Told {
    /// Without the end of its last line.
    pub text: String,
    pub is_rejected: bool,
}

/// What would become of `message`.
///
/// # Errors
/// Where what would be sent is no BSON, which cannot be.
pub fn told(config: &Config, message: &QueueMessage, output: Output) -> Result<Told> {
    let growth = shares::growth(config, MESSAGE_BYTES_MAX);
    let tried = Trial::new(config, growth, check_write).of(message);
    let report = report::of(config, message, tried)?;
    Ok(Told {
        text: match output {
            Output::People => report.people(),
            Output::Json => report.json()?,
        },
        is_rejected: report.is_rejected(),
    })
}
