//! `--edit` of a replay: a jq program changes what is inside of a message, and the layers around it stay as
//! they came.

mod program;
#[cfg(test)]
mod tests;
mod value;
mod wrapped;

use anyhow::{Result, bail};

use self::program::Program;
use self::wrapped::{without_mark, wrapped};
use crate::decode::{MessageConfig, Unwrapped, decode, unwrapped};
use crate::message::QueueMessage;

/// A jq program that was read and found to be one.
pub struct Edit(Program);

impl Edit {
    /// Reads a jq program. It has what jq has, `env` and `now` too, but no other files and messages:
    /// `import`, `include` and `input` are errors. `debug` says nothing.
    ///
    /// # Errors
    /// What is wrong with the program and where, in one line.
    pub fn new(program: &str) -> Result<Self> {
        Ok(Self(Program::new(program)?))
    }

    /// The message with its innermost text edited, wrapped again as it came: of the envelopes around it
    /// every other byte stays, and so do the attributes. A layer that does not open is edited itself, as
    /// the text that it is.
    ///
    /// The program gets the JSON that the text is, or else the text as a string. It gives an object, or
    /// a string that is the new text itself. It may run for as long as it likes, and use as much memory.
    ///
    /// # Errors
    /// Where the program fails on this message, gives no value or more than one, or one that is neither
    /// an object nor a string; where the message is nested deeper than is gone into; and where the new
    /// text cannot stand where the old one stood.
    pub fn of(&self, message: &QueueMessage, settings: &MessageConfig) -> Result<QueueMessage> {
        let Unwrapped { around, text } = unwrapped(message, settings);
        let came = value::read(without_mark(&text))?;
        let text = value::text(self.0.run(came.clone())?, &came)?;
        let body = wrapped(&around, &text)?;
        let edited = QueueMessage { body, ..message.clone() };
        if text_behind(&unwrapped(&edited, settings), around.len()) != Some(text.trim_ascii()) {
            match decode(&edited, settings) {
                Err(rejection) => {
                    bail!("the edited text cannot stand in its envelope: {}", rejection.text)
                }
                Ok(_) => {
                    bail!("the edited text cannot stand in its envelope: it is read as another")
                }
            }
        }
        Ok(edited)
    }
}

/// The text that is inside of so many layers, without white space around it.
fn text_behind(opened: &Unwrapped, layers: usize) -> Option<&str> {
    let text = match opened.around.get(layers) {
        Some(around) => &around.text,
        None if opened.around.len() == layers => &opened.text,
        None => return None,
    };
    Some(text.trim_ascii())
}
