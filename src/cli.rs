//! The command line: one file per command. Output is for people on a terminal, JSON lines otherwise.

#[cfg(feature = "dev")]
pub mod demo;
#[cfg(feature = "dev")]
pub mod dev;
pub mod output;
pub mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::config::load::{Loaded, Sources, load};

/// Something the user must mend before the command can do its work: configuration, credentials, a server that is not there.
pub const EXIT_START: u8 = 2;

/// The command ran and what it found or left is not in order.
pub const EXIT_FOUND: u8 = 1;

/// Unloads Amazon SQS into MongoDB: nothing lost, nothing doubled, in any order.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub settings: Settings,
    #[command(subcommand)]
    pub command: Command,
}

/// Where settings come from, beside the environment.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// Configuration file: TOML, or a web2py `appconfig.ini`
    #[arg(long, short, global = true, value_name = "FILE", env = "LONGSHORE_CONFIG")]
    pub config: Option<PathBuf>,
    /// One setting, over file and environment; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive from the queue and write to the database until SIGTERM
    Run(run::RunArgs),
    /// The worker with a queue and a database on this machine, to try it out
    #[cfg(feature = "dev")]
    Dev(dev::DevArgs),
    /// A portal's load through `dev`, and a look at what the database then holds
    #[cfg(feature = "dev")]
    #[command(hide = true)]
    Demo(demo::DemoArgs),
}

/// Parses the command line, runs the command, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            // One line: the chain of causes, without a stack trace.
            eprintln!("longshore: {error:#}");
            ExitCode::from(EXIT_START)
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let settings = cli.settings;
    match cli.command {
        Command::Run(args) => with_runtime(&settings.load()?.config, |config| run::run(config, args)),
        #[cfg(feature = "dev")]
        Command::Dev(args) => with_runtime(&settings.load()?.config, |config| dev::dev(config, args)),
        #[cfg(feature = "dev")]
        Command::Demo(args) => with_runtime(&settings.load()?.config, |config| demo::demo(config, args)),
    }
}

impl Settings {
    /// Reads all layers.
    ///
    /// # Errors
    /// All that is wrong with them, one line each.
    pub fn load(&self) -> anyhow::Result<Loaded> {
        // Lossy: a variable that is not UTF-8 is none of ours, or its value is then reported as unreadable.
        let environment =
            std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into())).collect();
        Ok(load(Sources { file: self.config.clone(), environment, flags: self.set.clone() })?)
    }
}

/// Starts logging and the runtime, and runs the command in it.
fn with_runtime<F: Future<Output = anyhow::Result<ExitCode>>>(
    config: &Config,
    command: impl FnOnce(Config) -> F,
) -> anyhow::Result<ExitCode> {
    crate::telemetry::logging::init(&config.log)?;
    let runtime = match config.worker.threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        threads => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?,
    };
    let ended = runtime.block_on(command(config.clone()));
    // A call that hangs must not keep the process.
    runtime.shutdown_background();
    ended
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("give KEY=VALUE, for example queue.wait=10s")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
