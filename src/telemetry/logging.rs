//! Where log lines go: standard error, as text on a terminal, as JSON lines otherwise.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogConfig, LogFormat};

/// Installs the subscriber of the process. A second call changes nothing.
///
/// # Errors
/// Where the filter cannot be read.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&config.level).map_err(|error| anyhow::anyhow!("log.level = {:?} is not a filter: {error}", config.level))?;
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
