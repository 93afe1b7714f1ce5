//! Log lines for systemd's journal: it keeps the time itself, and takes the level from the head of
//! a line (sd-daemon(3)), so that `journalctl --priority=warning` finds what it should.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::stderr;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Compact, Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::spans::recorded_in;

/// Whether standard error is the stream that systemd opened to its journal: `JOURNAL_STREAM` has
/// its device and inode (systemd.exec(5)), and is handed down to programs whose output goes
/// elsewhere.
pub(super) fn reads_stderr() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else { return false };
    let metadata =
        stderr().as_fd().try_clone_to_owned().and_then(|stderr| File::from(stderr).metadata());
    metadata.is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// Text with a priority before it, and trace and span behind it, where they are recorded.
pub(super) struct Journal(Format<Compact, ()>);

impl Default for Journal {
    fn default() -> Self {
        Self(
            Format::default()
                .compact()
                .without_time()
                .with_level(false)
                .with_target(false)
                .with_ansi(false),
        )
    }
}

impl<S, N> FormatEvent<S, N> for Journal
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
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        write!(writer, "<{}>{}", priority(*event.metadata().level()), line.trim())?;
        if let Some((trace_id, span_id)) = recorded_in() {
            write!(writer, " trace_id={trace_id} span_id={span_id}")?;
        }
        writeln!(writer)
    }
}

/// As syslog counts (RFC 5424, 6.2.1).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
