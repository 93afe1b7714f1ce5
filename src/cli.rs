//! The command line: one file per command. Output is for people on a terminal, JSON lines
//! otherwise.

mod attribute;
pub mod check;
pub mod dead_letters;
#[cfg(feature = "dev")]
pub mod demo;
#[cfg(feature = "dev")]
pub mod dev;
mod exit;
pub mod load;
mod locate;
pub mod output;
pub mod packed;
mod pages;
pub mod run;
pub mod schema;
pub mod send;
pub mod stats;
pub mod try_one;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

pub use self::exit::{EXIT_FOUND, EXIT_START};
use crate::config::Config;
#[cfg(feature = "dev")]
use crate::config::left_out::LeftOut;
#[cfg(feature = "dev")]
use crate::config::load::load_local;
use crate::config::load::{Loaded, Source, Sources, environment, load};
#[cfg(feature = "dev")]
use crate::dev::double::addresses::{DEV_URL, WRITTEN};
use crate::telemetry::otlp::Otlp;
use crate::worker::Observability;

/// Columns of a help text: longer lines are hard to read.
const WIDTH: usize = 100;

/// The same in every build.
macro_rules! examples_of_run {
    () => {
        "  export MONGO_CACHE_URI=mongodb://db.example/portal
  export LONGSHORE__QUEUE__URL=https://sqs.eu-west-1.amazonaws.com/123456789012/portal
  longshore check
  longshore run

Every setting can come from a file, the environment or a flag: `longshore check --print` shows all of them. AWS \
credentials and the region are found as by other AWS tools (environment, profile, role)."
    };
}

/// Unloads Amazon SQS into MongoDB: nothing lost, nothing doubled, in any order.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, max_term_width = WIDTH, propagate_version = true)]
#[command(after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub settings: Settings,
    #[command(subcommand)]
    pub command: Command,
}

/// Of commands that this program has: one that is built without `dev` shows none of it.
#[cfg(feature = "dev")]
const EXAMPLES: &str = concat!("Examples:\n  longshore dev\n", examples_of_run!());
#[cfg(not(feature = "dev"))]
const EXAMPLES: &str = concat!("Examples:\n", examples_of_run!());

/// Where settings come from, beside the environment.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// Configuration file: TOML, or a web2py `appconfig.ini`
    #[arg(long, short, global = true, value_name = "FILE", env = "LONGSHORE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Set one setting, over file and environment; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive from the queue and write to the database until SIGTERM
    Run(run::RunArgs),
    /// Check configuration, database, queue and indexes, and say what to do about each
    Check(check::CheckArgs),
    /// Send NDJSON to the queue
    Send(send::SendArgs),
    /// Load NDJSON, or what mongoexport wrote, into the database without a queue
    Load(load::LoadArgs),
    /// Find, export, replay and delete the messages that were rejected (dead letters)
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Show how many documents the collections hold, and their size
    Stats(stats::StatsArgs),
    /// Show what would become of one message, without any server
    Try(try_one::TryArgs),
    /// Print the JSON Schema of messages, or of the configuration file
    Schema(schema::SchemaArgs),
    /// Run a worker with a private queue and database on this machine, to try it out or to test producers
    #[cfg(feature = "dev")]
    Dev(dev::DevArgs),
    /// Send the load of a web portal through a private worker, and check what the database then holds
    #[cfg(feature = "dev")]
    #[command(hide = true)]
    Demo(demo::DemoArgs),
    /// Print the completion script of a shell
    Completions(pages::CompletionsArgs),
    /// Print a man page, or write all of them to a folder
    Man(pages::ManArgs),
}

/// Parses the command line, runs the command, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let cli = parsed(&std::env::args_os().collect::<Vec<_>>()).unwrap_or_else(|error| error.exit());
    let ended = match (dispatch(cli), output::failed()) {
        (Ok(_), Some(error)) => Err(anyhow!("cannot write to standard output: {error}")),
        (ended, _) => ended,
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            // The chain of causes without a stack trace; of a configuration a line for each error.
            for line in format!("{error:#}").lines() {
                output::say(&format!("longshore: {}", output::harmless(line)));
            }
            ExitCode::from(EXIT_START)
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let settings = cli.settings;
    match cli.command {
        Command::Run(args) => {
            let loaded = settings.load()?;
            with_telemetry(&loaded.config, Otlp::from_env, |config, otlp| {
                run::run(config, args, Observability { otlp, settings: shown(&loaded) })
            })
        }
        Command::Check(args) => {
            let loaded = settings.load()?;
            with_runtime(&loaded.config, async |_| check::check(&loaded, args).await)
        }
        Command::Send(args) => {
            with_runtime(&settings.load()?.config, |config| send::send(config, args))
        }
        Command::Load(args) => {
            let mut loaded = settings.load()?;
            // Bad lines are told on standard output already.
            default_log_level(&mut loaded, "error");
            with_runtime(&loaded.config, |config| load::load(config, args))
        }
        Command::DeadLetters(args) => with_runtime(&settings.load()?.config, |config| {
            dead_letters::dead_letters(config, args)
        }),
        Command::Stats(args) => {
            with_runtime(&settings.load()?.config, |config| stats::stats(config, args))
        }
        Command::Try(args) => try_one::try_one(&settings.load()?.config, args),
        Command::Schema(args) if schema::is_of_the_configuration(settings.config.as_deref()) => {
            schema::configuration(&args)
        }
        Command::Schema(args) => schema::schema(&settings.load()?.config, &args),
        #[cfg(feature = "dev")]
        Command::Dev(args) => {
            let (loaded, left_out) = settings.load_local("info,rustack_sqs_core=warn")?;
            with_telemetry(&loaded.config, Otlp::from_env, |config, otlp| {
                dev::dev(config, left_out, args, Observability { otlp, settings: shown(&loaded) })
            })
        }
        #[cfg(feature = "dev")]
        Command::Demo(args) => {
            let (loaded, left_out) = settings.load_local("error")?;
            with_runtime(&loaded.config, |config| demo::demo(config, left_out, args))
        }
        Command::Completions(args) => Ok(pages::completions(Cli::command(), &args)),
        Command::Man(args) => pages::man(Cli::command(), &args),
    }
}

impl Settings {
    /// Reads all layers.
    ///
    /// # Errors
    /// All that is wrong with them, one line each.
    pub fn load(&self) -> anyhow::Result<Loaded> {
        Ok(load(self.sources())?)
    }

    /// Reads all layers but what points at a real queue or database, for commands that never touch one,
    /// and says what that was. Where no layer sets a log level it is `log_level`.
    ///
    /// # Errors
    /// All that is wrong with them, one line each.
    #[cfg(feature = "dev")]
    pub fn load_local(&self, log_level: &str) -> anyhow::Result<(Loaded, LeftOut)> {
        let mut sources = self.sources();
        // What an earlier `dev --env` wrote is no setting of anybody's, and would beat the file.
        if sources.environment.iter().any(|(name, _)| name == DEV_URL) {
            let is_of_dev = |name: &String| WRITTEN.contains(&name.as_str());
            sources.environment.retain(|(name, _)| !is_of_dev(name));
        }
        let (mut loaded, left_out) = load_local(sources)?;
        default_log_level(&mut loaded, log_level);
        Ok((loaded, left_out))
    }

    fn sources(&self) -> Sources {
        let (file, flags) = (self.config.clone(), self.set.clone());
        Sources { file, environment: environment(), flags }
    }
}

/// The log level where no layer sets one.
fn default_log_level(loaded: &mut Loaded, level: &str) {
    let mut unset = loaded.effective.iter().filter(|setting| setting.source == Source::Default);
    if unset.any(|setting| setting.key == "log.level") {
        level.clone_into(&mut loaded.config.log.level);
    }
}

/// Every setting in force, as the status page shows it.
fn shown(loaded: &Loaded) -> Vec<[String; 3]> {
    loaded
        .effective
        .iter()
        .map(|setting| [setting.key.clone(), setting.value.clone(), setting.source.to_string()])
        .collect()
}

/// Starts the runtime and logging, and runs the command.
fn with_runtime<F: Future<Output = anyhow::Result<ExitCode>>>(
    config: &Config,
    command: impl FnOnce(Config) -> F,
) -> anyhow::Result<ExitCode> {
    with_telemetry(config, || Ok(Otlp::default()), |config, _| command(config))
}

/// Starts the runtime, logging, and what sends traces and metrics, and runs the command.
fn with_telemetry<F: Future<Output = anyhow::Result<ExitCode>>>(
    config: &Config,
    otlp: impl FnOnce() -> anyhow::Result<Otlp>,
    command: impl FnOnce(Config, Otlp) -> F,
) -> anyhow::Result<ExitCode> {
    let runtime = match config.worker.threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        threads => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?,
    };
    let ended = {
        // What sends has its connections on this runtime.
        let _inside = runtime.enter();
        let otlp = otlp()?;
        crate::telemetry::logging::init(&config.log, otlp.tracer())?;
        runtime.block_on(command(config.clone(), otlp))
    };
    // A call that hangs must not keep the process.
    runtime.shutdown_background();
    ended
}

/// The command line. Of an argument that stands both before and behind the command clap keeps what stands behind: each
/// `--set` counts.
fn parsed(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let texts: Vec<_> = arguments.iter().filter_map(|text| text.to_str()).collect();
    let mut given = Vec::new();
    let mut rest = texts.iter().take_while(|text| **text != "--");
    while let Some(text) = rest.next() {
        let value =
            if *text == "--set" { rest.next().copied() } else { text.strip_prefix("--set=") };
        given.extend(value.map(key_value));
    }
    let mut cli = Cli::try_parse_from(arguments)?;
    let given: Result<_, _> = given.into_iter().collect();
    cli.settings.set = given.map_err(|text| {
        Cli::command().error(ErrorKind::ValueValidation, format!("--set: {text}"))
    })?;
    Ok(cli)
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("give KEY=VALUE, for example queue.wait=10s")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command line and all commands below it, hidden ones too.
    fn all_commands() -> Vec<clap::Command> {
        let mut command = Cli::command();
        command.build();
        let below: Vec<_> =
            command.get_subcommands().filter(|below| below.get_name() != "help").cloned().collect();
        below.into_iter().chain([command]).collect()
    }

    #[test]
    fn every_set_counts_wherever_it_stands() {
        let set = |line: &str| {
            parsed(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).map(|cli| {
                let set = cli.settings.set.into_iter().map(|(key, value)| format!("{key}={value}"));
                set.collect::<Vec<_>>()
            })
        };
        let all = set("longshore --set a=1 --set=b=2 check --set c=3 --set=a=4").expect("sound");
        assert_eq!(all, ["a=1", "b=2", "c=3", "a=4"]);
        assert_eq!(set("longshore send -- --set").expect("a file of this name"), [""; 0]);
        assert!(set("longshore --set a check --set b=1").is_err());
        assert!(set("longshore check --set").is_err());
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_shows_examples() {
        for command in all_commands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            let examples: Vec<&str> = help
                .lines()
                .skip_while(|line| *line != "Examples:")
                .take_while(|line| !line.is_empty())
                .collect();
            assert!(examples.iter().any(|line| line.contains("longshore")), "{name}: {help}");
            // A wider one would be broken in two and could not be copied.
            assert!(
                help.lines().filter(|line| line.starts_with("  ")).all(|line| line.len() <= WIDTH),
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn every_example_is_taken_by_the_command_line() {
        for command in all_commands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                // Variables before it and what its output goes to behind it are the shell's.
                let Some((_, arguments)) = line.split_once("longshore ") else { continue };
                let arguments =
                    arguments.split(['|', '>']).next().unwrap_or_default().split_whitespace();
                let parsed = Cli::try_parse_from(std::iter::once("longshore").chain(arguments));
                assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("refused"));
                // Where the program is installed there is no repository around it.
                let is_of_repository = |word: &str| {
                    word.contains('/')
                        && !word.contains("://")
                        && !word.starts_with(['/', '~', '"'])
                };
                assert!(!line.split_whitespace().any(is_of_repository), "{line}");
            }
        }
    }
}
