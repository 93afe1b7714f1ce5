//! Output for people on a terminal, JSON lines otherwise.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

pub use crate::harmless::{harmless, is_obeyed, push_harmless};

/// How standard output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    People,
    Json,
}

impl Output {
    /// By what standard output is.
    #[must_use]
    pub fn of_stdout() -> Self {
        if io::stdout().is_terminal() { Self::People } else { Self::Json }
    }

    /// JSON where the user asks for it, otherwise by what standard output is.
    #[must_use]
    pub fn json_if(asked: bool) -> Self {
        if asked { Self::Json } else { Self::of_stdout() }
    }

    /// Prints one line, made for its reader.
    pub fn line(self, people: impl FnOnce() -> String, json: impl FnOnce() -> serde_json::Value) {
        match self {
            Self::People => print(&people()),
            Self::Json => print(&json().to_string()),
        }
    }
}

/// The first error of printing: what follows it would have holes.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Prints text and the end of its line. What cannot be printed is kept for [`failed`], for no command can do
/// anything about it. A reader that has gone is no error: `longshore ... | head` ends quietly.
pub fn print(text: &str) {
    if let Err(error) = writeln!(io::stdout(), "{text}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        // Only the first is told.
        let _ = FAILED.set(error);
    }
}

/// Says a line on standard error, beside what goes to standard output. Where it cannot be written nobody can be
/// told about it, and the exit status still says how the command went. `eprintln!` would panic.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Why something of the output is missing, for the end of the program.
#[must_use]
pub fn failed() -> Option<&'static io::Error> {
    FAILED.get()
}
