//! Where log lines go: standard error, as text on a terminal, as JSON lines otherwise.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// The AWS SDK warns of every place where it finds no credentials, with the answer of the metadata service in full. What comes of
/// it is an error of ours. `log.level` can name these to hear them all the same.
const QUIET: &str = "aws_config=error,aws_runtime=error,aws_smithy_runtime=error,aws_sdk_sqs=error";

/// Installs the subscriber of the process. A second call changes nothing.
///
/// # Errors
/// Where the filter cannot be read.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    let filter = filter(&config.level).map_err(|error| anyhow::anyhow!("log.level = {:?} is not a filter: {error}", config.level))?;
    let as_text = match config.format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let builder = fmt().with_env_filter(filter).with_writer(stderr).with_target(false);
    // Only a subscriber that is there already makes this fail.
    let _ = if as_text {
        builder.with_ansi(stderr().is_terminal()).compact().try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    Ok(())
}

/// Of two directives for one module the later holds, and one for a module over one for all.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(format!("{QUIET},{level}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aws_sdk_is_quiet_unless_it_is_named() {
        let directives = |level: &str| {
            let shown = filter(level).expect("a filter").to_string();
            shown.split(',').map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(directives("info").contains(&"aws_config=error".to_owned()), "{:?}", directives("info"));
        let named = directives("info,aws_config=debug");
        assert!(named.contains(&"aws_config=debug".to_owned()) && !named.contains(&"aws_config=error".to_owned()), "{named:?}");
    }
}
