//! Where log lines go: standard error, as text on a terminal, for systemd's journal as it likes
//! them, as JSON lines otherwise. And where spans go: to the layer that exports them, if there is
//! one.

use std::fmt;
use std::io::{IsTerminal, stderr};

use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, ParseError, filter_fn};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::journal::{self, Journal};
use super::signals;
use super::spans::{self, recorded_in};

/// The AWS SDK warns of every place where it finds no credentials, with the answer of the metadata
/// service in full. What comes of it is an error of ours. `log.level` can name these to hear them
/// all the same, up to [`OF_OTHERS`].
const QUIET: &str = "aws_config=error,aws_runtime=error,aws_smithy_runtime=error,aws_sdk_sqs=error";

/// The most that is heard of other crates, whatever `log.level` says: below it they tell what they
/// send and what they are sent, which has bodies of messages, documents, headers and addresses with
/// passwords in it.
const OF_OTHERS: Level = Level::INFO;

/// Whether the layer that writes lines says on standard error that it cannot write there, which would panic. A line
/// that cannot be written is lost.
const TELLS_OF_ITSELF: bool = false;

/// The crate's own targets begin with it.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// The section `log`.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A `tracing` filter such as `info` or `longshore=debug,warn`. Of other crates nothing below
    /// `info` is ever logged.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, `Journal` where systemd's reads, JSON lines otherwise.
    Auto,
    Text,
    Json,
    /// Text without a time, which the journal has, and with the level as it reads it.
    Journal,
}

/// Installs the subscriber of the process, with spans for `tracer` where there is one. A second
/// call changes nothing.
///
/// # Errors
/// Where the filter cannot be read.
pub fn init(config: &LogConfig, tracer: Option<SdkTracer>) -> anyhow::Result<()> {
    let filter = filter(&config.level).map_err(|error| {
        anyhow::anyhow!("log.level = {:?} is not a filter: {error}", config.level)
    })?;
    let format = match config.format {
        LogFormat::Auto if stderr().is_terminal() => LogFormat::Text,
        LogFormat::Auto if journal::reads_stderr() => LogFormat::Journal,
        LogFormat::Auto => LogFormat::Json,
        chosen => chosen,
    };
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Journal => Box::new(
            layer()
                .with_writer(stderr)
                .log_internal_errors(TELLS_OF_ITSELF)
                .event_format(Journal::default()),
        ),
        LogFormat::Text => text(),
        LogFormat::Auto | LogFormat::Json => {
            let format = Format::default()
                .json()
                .flatten_event(true)
                .with_target(false)
                .with_current_span(false)
                .with_span_list(false);
            Box::new(
                layer()
                    .with_writer(stderr)
                    .log_internal_errors(TELLS_OF_ITSELF)
                    .fmt_fields(JsonFields::new())
                    .event_format(WithTrace(format)),
            )
        }
    };
    let is_for_people = format == LogFormat::Text;
    let lines =
        lines.with_filter(filter.and(filter_fn(move |metadata| is_shown(metadata, is_for_people))));
    let exported = tracer.map(|tracer| {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false);
        layer
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| metadata.target() == spans::TARGET))
    });
    // Only a subscriber that is there already makes this fail.
    let _ = tracing_subscriber::registry().with(lines).with(exported).try_init();
    Ok(())
}

/// Spans are for export alone: without a layer that wants them they are not made. And the end of a
/// worker is told in words or in figures.
fn is_shown(metadata: &Metadata<'_>, is_for_people: bool) -> bool {
    match metadata.target() {
        spans::TARGET => false,
        signals::ENDED_IN_WORDS => is_for_people,
        signals::ENDED_IN_FIGURES => !is_for_people,
        target => is_own(target) || *metadata.level() <= OF_OTHERS,
    }
}

fn is_own(target: &str) -> bool {
    target.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn text() -> Box<dyn Layer<Registry> + Send + Sync> {
    Box::new(
        layer()
            .with_writer(stderr)
            .log_internal_errors(TELLS_OF_ITSELF)
            .with_target(false)
            .with_ansi(stderr().is_terminal())
            .compact(),
    )
}

/// Of two directives for one module the later holds, and one for a module over one for all.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(format!("{QUIET},{level}"))
}

/// JSON lines that name the trace and the span that they were written in, where that is recorded.
struct WithTrace(Format<Json>);

impl<S, N> FormatEvent<S, N> for WithTrace
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some((trace_id, span_id)) = recorded_in() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let Some(fields) = line.trim_end().strip_suffix('}') else {
            return writer.write_str(&line);
        };
        writeln!(writer, r#"{fields},"trace_id":"{trace_id}","span_id":"{span_id}"}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_this_crate_are_its_own_and_no_others() {
        assert!(["longshore", "longshore::lane"].into_iter().all(is_own));
        assert!(
            ["longshore_sdk", "aws_smithy_runtime::client", "log", ""]
                .into_iter()
                .all(|target| !is_own(target))
        );
    }

    #[test]
    fn the_aws_sdk_is_quiet_unless_it_is_named() {
        let directives = |level: &str| {
            let shown = filter(level).expect("a filter").to_string();
            shown.split(',').map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(
            directives("info").contains(&"aws_config=error".to_owned()),
            "{:?}",
            directives("info")
        );
        let named = directives("info,aws_config=debug");
        assert!(
            named.contains(&"aws_config=debug".to_owned())
                && !named.contains(&"aws_config=error".to_owned()),
            "{named:?}"
        );
    }
}
