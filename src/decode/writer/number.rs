//! Numbers: integers stay integers, and a number that may be a version keeps all its digits.

use serde::de;

use super::super::numbers;
use super::Writer;
use crate::bson::layout;
use crate::message::Reason;
use crate::time::{self, Time, TimeError, Unit};

impl Writer<'_> {
    /// Counts a number that the parser went past without a visit.
    pub fn count_number(&mut self) {
        self.numbers += 1;
    }

    /// Counts the numbers of a value that the parser handed over as text.
    pub fn count_numbers_in(&mut self, value: &str) {
        // Most are a text, which has none.
        if !value.starts_with('"') {
            self.numbers += numbers::Literals::new(value).count_rest();
        }
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
        {
            self.note_exact_number(number, literal);
        }
    }

    /// The same of a number that was written as this text.
    pub fn note_exact_number(&mut self, number: f64, literal: &str) {
        if self.steps.len() == 1
            && literal.len() > numbers::EXACT_CHARS_MAX
            && numbers::may_be_a_version(number)
        {
            self.note(Unit::BySize.number(literal));
        }
    }

    /// Whether an operand of `$timestamp` is the zero of a field of the body itself.
    pub fn is_a_top_level_zero(&self, operand: &str) -> bool {
        self.steps.len() == 1 && !operand.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
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
            "is an integer beyond 64 bits: send it as a string, or as $numberDecimal, which no key takes",
        )
    }
}
