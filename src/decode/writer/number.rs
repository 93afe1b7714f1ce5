//! Numbers: integers stay integers, and a number that may be a version keeps all its digits.

use serde::de;

use super::super::numbers;
use super::Writer;
use crate::bson::layout;
use crate::message::Reason;
use crate::time::{self, Time, TimeError};

impl Writer<'_> {
    /// Counts a number that the parser went past without a visit.
    pub fn count_number(&mut self) {
        self.numbers += 1;
    }

    pub fn integer(&mut self, type_at: usize, number: i64) {
        self.write(type_at, |buffer| layout::integer(buffer, number));
    }

    pub fn double<E: de::Error>(&mut self, type_at: usize, number: f64) -> Result<(), E> {
        if numbers::may_be_an_integer(number)
            && let Some(literal) = self.literals.nth(self.numbers)
            && numbers::is_integer(literal)
        {
            if number != 0.0 {
                return Err(self.reject_integer());
            }
            self.integer(type_at, 0);
            return Ok(());
        }
        self.write(type_at, |buffer| layout::double(buffer, number));
        self.note_exact_time(number);
        Ok(())
    }

    /// Keeps the time that a number of the body itself was written as, where it can be a version of
    /// more digits than a double has.
    fn note_exact_time(&mut self, number: f64) {
        if self.steps.len() == 1
            && numbers::may_be_a_version(number)
            && let Some(literal) = self.literals.nth(self.numbers)
            && literal.len() > numbers::EXACT_CHARS_MAX
        {
            self.note(time::from_number(literal));
        }
    }

    /// Keeps the time that the value of a field of the body itself, which was written last, stood
    /// for in the text.
    pub fn note_written_time(&mut self, text: &str) {
        if self.steps.len() == 1 {
            self.note(time::from_text(text));
        }
    }

    fn note(&mut self, time: Result<Time, TimeError>) {
        if let Ok(time) = time {
            self.fields.note_exact_time(time);
        }
    }

    pub fn reject_integer<E: de::Error>(&mut self) -> E {
        self.reject(
            Reason::BadValue,
            "is an integer beyond 64 bits: send it as a string or as $numberDecimal",
        )
    }
}
