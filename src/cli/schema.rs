//! `longshore schema`: what messages and the configuration file may be, as JSON Schema, for editors
//! and for producers' own tests.

mod extended;
pub mod messages;
mod reference;
mod route;
mod times;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::output;
use crate::config::{self, Config, nearest};

/// What stands for the file where `--config` has none: no argument and no variable can be it.
const NO_FILE: &str = "\0";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore schema > messages.schema.json
  longshore schema event | check-jsonschema --schemafile - event.json
  longshore --config /etc/longshore.toml schema order
  longshore schema --config > longshore.schema.json

Prints JSON Schema, draft 2020-12. Without ROUTE one document holds all routes of the configuration in force, each in `$defs`. The schema describes the message itself, with its type in the body, not the envelope around it. Every message that the worker takes is valid. Some valid messages are rejected all the same, for example for their size, a time too far ahead, or a name that is there twice. docs/SCHEMA.md lists these cases, and `longshore try` decides.

With --config and no file, prints the schema of the configuration file, and reads no configuration. An editor with taplo (VS Code: Even Better TOML) completes and \
checks a file that begins with the line `#:schema ./longshore.schema.json`.

Exit status: 0, or 2 if there is no such route or the configuration is wrong.")]
pub struct SchemaArgs {
    /// The route whose messages are meant; without it all routes
    #[arg(value_name = "ROUTE")]
    route: Option<String>,
    /// Without a file: the schema of the configuration file itself. With one: read it, as elsewhere
    // The option of all commands, whose value is optional here.
    #[arg(long, short, value_name = "FILE", num_args = 0..=1, default_missing_value = NO_FILE)]
    config: Option<PathBuf>,
}

/// Whether the schema of the configuration file is asked for, and no file is given.
pub(super) fn is_of_the_configuration(config: Option<&Path>) -> bool {
    config.is_some_and(|file| file == Path::new(NO_FILE))
}

/// Prints the schema of the configuration file.
///
/// # Errors
/// Where a route is asked for as well.
pub(super) fn configuration(args: &SchemaArgs) -> Result<ExitCode> {
    if let Some(route) = &args.route {
        bail!("give a route or --config without a file, not both: {route}");
    }
    output::print(&format!("{:#}", config::schema::document()));
    Ok(ExitCode::SUCCESS)
}

/// Prints the schema of the messages.
///
/// # Errors
/// Where there is no such route.
pub(super) fn schema(config: &Config, args: &SchemaArgs) -> Result<ExitCode> {
    let document = match &args.route {
        None => messages::of_all(config).context(
            "no message can be valid: there is no route, for all are switched off, or message.types gives their names away",
        )?,
        Some(name) => messages::of_route(config, name).with_context(|| {
            if config.routes.contains_key(name) {
                return format!("no type names the route {name}: message.types gives its name to another");
            }
            let names: Vec<&str> = config.routes.keys().map(String::as_str).collect();
            match names.as_slice() {
                [] => format!("there is no route {name}, and no other: all are switched off"),
                names => {
                    let meant = nearest::name(name, names.iter().copied());
                    let meant = meant.map(|meant| format!(", did you mean {meant}?"));
                    let names = names.join(", ");
                    format!("there is no route {name}{} (routes: {names})", meant.unwrap_or_default())
                }
            }
        })?,
    };
    output::print(&format!("{document:#}"));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Cli;
    use super::*;

    #[test]
    fn the_file_behind_config_may_be_left_out_and_is_read_where_it_is_given() {
        let is_of_the_file = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).expect("a command");
            is_of_the_configuration(cli.settings.config.as_deref())
        };
        assert!(is_of_the_file("longshore schema --config"));
        assert!(is_of_the_file("longshore --set queue.wait=5s schema -c"));
        for line in [
            "longshore schema",
            "longshore schema event",
            "longshore schema --config longshore.toml event",
            "longshore --config longshore.toml schema event",
        ] {
            assert!(!is_of_the_file(line), "{line}");
        }
    }
}
