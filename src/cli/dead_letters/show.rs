//! `longshore dead-letters show`: one of them, with what would become of it today.

use std::process::ExitCode;

use anyhow::Result;
use bson::{Bson, Document};
use clap::Args;

use crate::cli::output::{self, Output};
use crate::cli::try_one;
use crate::config::Config;
use crate::dead_letter::message_of;
use crate::message::Reason;
use crate::mongo_manager::Documents;

use super::{shown, which};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters show 883ac385-1b21-4acb-8761-2b7f54c75a77
  longshore --config /etc/longshore.toml dead-letters show 883ac385-1b21-4acb-8761-2b7f54c75a77

`today` is what the configuration in force would do with the message: the same as `longshore try` says, with the place of the fault marked. Faults that only the database finds (id_conflict, store_rejected) are not looked for.

Exit status: 0, or 2 if there is no such dead letter.")]
pub struct ShowArgs {
    /// The id of the message, as the log, `list` and `groups` give it, or the _id of the record
    #[arg(value_name = "ID")]
    id: String,
    /// Print a JSON line, also on a terminal
    #[arg(long)]
    json: bool,
}

/// Fields that are shown to people, in this order, where they hold something.
const SHOWN: [&str; 17] = [
    "message_id",
    "_id",
    "dead_lettered",
    "first_dead_lettered",
    "times",
    "message_ids",
    "sent",
    "receive_count",
    "route",
    "type",
    "key",
    "users",
    "sender",
    "message_group",
    "place",
    "trace_id",
    "server_code",
];

/// Those that say nothing of what was refused once.
const OF_MANY: [&str; 3] = ["first_dead_lettered", "times", "message_ids"];

/// # Errors
/// Where there is none, or the database cannot be asked.
pub async fn show(config: &Config, letters: &Documents, args: ShowArgs) -> Result<ExitCode> {
    let record = &which::record(letters, &args.id, &[]).await?;
    let output = Output::json_if(args.json);
    let today = match message_of(record) {
        Some(message) => Some(try_one::told(config, &message, output)?.text),
        None => None,
    };
    match output {
        Output::People => output::print(&people(record, today.as_deref())),
        Output::Json => shown::print(&line(record, today.as_deref())),
    }
    Ok(ExitCode::SUCCESS)
}

fn people(record: &Document, today: Option<&str>) -> String {
    let mut lines = Vec::new();
    let mut tell = |name: &str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("{name:<19} {text}"));
        }
    };
    let code = shown::field(record, "reason");
    tell("reason", &format!("{code}: {}", shown::field(record, "text")));
    if let Some(reason) = Reason::ALL.iter().find(|reason| reason.code() == code) {
        tell("meaning", reason.meaning());
        tell("fix", reason.fix());
    }
    let is_once = record.get_i32("times").unwrap_or(1) == 1;
    for name in SHOWN.iter().filter(|name| !is_once || !OF_MANY.contains(name)) {
        tell(name, &shown::field(record, name));
    }
    for replay in record.get_array("replays").into_iter().flatten().filter_map(Bson::as_document) {
        let told = |name: &str| shown::field(replay, name);
        let how = match told("message_id") {
            id if id.is_empty() => "into the database".to_owned(),
            id => format!("as {id}"),
        };
        let edit = match told("edit") {
            edit if edit.is_empty() => edit,
            edit => format!(", edited by {edit}"),
        };
        tell("replayed", &format!("{} by {}, {how}{edit}", told("at"), told("by")));
    }
    let today = today.unwrap_or("the record has no body, so nothing can be tried");
    format!("{}\n\ntoday, with the configuration in force:\n{today}", lines.join("\n"))
}

/// What `try` says is a line of JSON itself, whose documents have their fields in order.
fn line(record: &Document, today: Option<&str>) -> String {
    let (letter, today) = (shown::line(record), today.unwrap_or("null"));
    format!("{{\"letter\":{letter},\"today\":{today}}}")
}
