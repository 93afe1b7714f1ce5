//! Output for people on a terminal, JSON lines otherwise.

use std::io::{self, IsTerminal, Write};

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

/// Prints text and the end of its line. A reader that has gone is no error: `longshore ... | head`
/// ends quietly.
pub fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
