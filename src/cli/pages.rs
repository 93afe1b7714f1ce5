//! `longshore completions` and `longshore man`: made from the same definitions as the command line
//! itself.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore completions bash > /etc/bash_completion.d/longshore
  longshore completions zsh > \"${fpath[1]}/_longshore\"
  longshore completions fish > ~/.config/fish/completions/longshore.fish")]
pub struct CompletionsArgs {
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore man | man -l -
  longshore man check | man -l -
  longshore man --out /usr/local/share/man/man1")]
pub struct ManArgs {
    /// The page of one command; without it that of longshore itself
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
    /// Write a page for every command into this folder, which is made if need be
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,
}

/// Prints a shell's completion script.
pub fn completions(mut command: Command, args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "longshore", &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

/// Prints a man page, or writes all of them.
///
/// # Errors
/// Where there is no such command, or the folder cannot be written.
pub fn man(mut command: Command, args: &ManArgs) -> Result<ExitCode> {
    // Hands the options of all commands down to each, and gives each its full name.
    command.build();
    if let Some(folder) = &args.out {
        let to = || format!("cannot write man pages to {}", folder.display());
        fs::create_dir_all(folder).with_context(to)?;
        clap_mangen::generate_to(command, folder).with_context(to)?;
        return Ok(ExitCode::SUCCESS);
    }
    let page = match &args.command {
        None => command,
        Some(name) => match command.find_subcommand(name) {
            Some(found) => {
                let display_name = format!("longshore-{name}");
                found.clone().display_name(display_name)
            }
            None => bail!("there is no command {name}: `longshore --help` lists them"),
        },
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text)?;
    output::print(String::from_utf8_lossy(&text).trim_end());
    Ok(ExitCode::SUCCESS)
}
