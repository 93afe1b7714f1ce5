//! Output for people on a terminal, JSON lines otherwise.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

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

/// A text that somebody else wrote, with what a terminal obeys escaped.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    push_harmless(&mut harmless, text.chars());
    harmless
}

/// Adds characters of such a text.
pub fn push_harmless(out: &mut String, chars: impl Iterator<Item = char>) {
    for char in chars {
        if is_obeyed(char) {
            out.extend(char.escape_unicode());
        } else {
            out.push(char);
        }
    }
}

/// Whether a terminal does something at this character instead of showing it: control characters, marks
/// of direction, and what has no width or is blank though it is no space. U+FE0F is shown: it only asks for
/// the coloured form of the character before it, and many emoji end in it.
#[must_use]
pub fn is_obeyed(char: char) -> bool {
    let is_mark = matches!(
        char,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    );
    let is_blank = matches!(
        char,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0e}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    );
    char.is_control() || is_mark || is_blank
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

/// Why something of the output is missing, for the end of the program.
#[must_use]
pub fn failed() -> Option<&'static io::Error> {
    FAILED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_width_or_is_blank_is_escaped_and_emoji_are_not() {
        for hidden in "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{180e}\u{3164}\u{fe00}\u{ffa0}\u{e0041}\u{e01ef}\u{7f}\u{9b}".chars() {
            assert!(harmless(&hidden.to_string()).starts_with("\\u{"), "{hidden:?}");
        }
        assert_eq!(harmless("é \u{2764}\u{fe0f} 😀 한"), "é \u{2764}\u{fe0f} 😀 한");
    }
}
