//! BSON elements as the parser's visits bring them, and the refusal of what cannot be stored.
//!
//! An object's length and an element's type are written as placeholders and set once they are
//! known. A refusal names the place: the writer keeps the steps to where it is, one per open object
//! or array, and turns them into text only then.
//!
//! Layout: <https://bsonspec.org/spec.html>. Bounds: "MongoDB Limits and Thresholds" in the MongoDB
//! manual (16 MiB, 100 levels).

mod number;

use std::collections::HashSet;
use std::fmt;

use serde::de;
use serde_json::error::Category;

use super::Undecoded;
use super::numbers::Literals;
use super::place::{self, NameSpan, Step};
use crate::fields::Fields;
use crate::message::{Reason, Rejection};
use crate::time::element;

/// Objects and arrays inside each other, the body itself being the first. An Extended JSON value is
/// a value, not a level.
pub const LEVELS_MAX: usize = 100;
/// Bytes of a document that the server takes.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A document's length before its elements and the NUL after them.
const DOCUMENT_FRAME_BYTES: usize = 5;
/// From this many names on they are hashed to find one that is there twice; fewer are compared in
/// pairs, which is faster.
const NAMES_HASHED_FROM: usize = 16;

/// Where the conversion stands.
pub struct Writer<'t> {
    fields: Fields,
    /// The names of all open objects, each object's after those of the one around it.
    names: Vec<NameSpan>,
    /// The way to the element that is being written: one step per open object or array.
    steps: Vec<Step>,
    /// The parser's visits of numbers so far, and the text to look them up in.
    numbers: u64,
    literals: Literals<'t>,
    /// Bytes of memory that the fields may take.
    room: usize,
    /// Kept here because a parser's error carries text only.
    undecoded: Option<Undecoded>,
}

/// An object or array that is being written.
#[derive(Clone, Copy)]
pub struct Open {
    /// Where the type byte of its element is.
    type_at: usize,
    /// Where its length is.
    length_at: usize,
    /// How many names belong to objects around it.
    names_before: usize,
}

impl<'t> Writer<'t> {
    pub fn new(text: &'t str, room: usize) -> Self {
        Self {
            fields: Fields::default(),
            names: Vec::new(),
            steps: Vec::new(),
            numbers: 0,
            literals: Literals::new(text),
            room,
            undecoded: None,
        }
    }

    /// Keeps why the body is refused, and gives the error that stops the parser. `problem`
    /// continues "field x".
    pub fn refuse<E: de::Error>(&mut self, reason: Reason, problem: impl fmt::Display) -> E {
        let place = place::shown(&self.steps, self.fields.buffer());
        let subject =
            if place.is_empty() { "the body".to_owned() } else { format!("field {place}") };
        self.undecoded = Some(Rejection::new(reason, format!("{subject} {problem}")).into());
        E::custom("refused")
    }

    /// The fields, or why there are none, once the parser has ended.
    pub fn finish(mut self, outcome: serde_json::Result<()>) -> Result<Fields, Undecoded> {
        match (self.undecoded.take(), outcome) {
            (Some(undecoded), _) => Err(undecoded),
            (None, Err(error)) => Err(self.unreadable(&error)),
            (None, Ok(())) => Ok(self.fields),
        }
    }

    /// What the parser's own errors mean. Its text names line and column, and no value but in
    /// errors of category data.
    fn unreadable(&mut self, error: &serde_json::Error) -> Undecoded {
        let text = error.to_string();
        match error.classify() {
            Category::Data => Rejection::new(
                Reason::BadJson,
                "the body is not a JSON object: send one object, not an array or a single value",
            )
            .into(),
            Category::Syntax if text.starts_with("number out of range") => {
                let _: serde_json::Error = self.refuse(
                    Reason::BadValue,
                    "is a number beyond what a double holds: send it as $numberDecimal",
                );
                self.undecoded
                    .take()
                    .unwrap_or_else(|| Rejection::new(Reason::BadValue, text).into())
            }
            _ => Rejection::new(Reason::BadJson, format!("the body is not JSON: {text}")).into(),
        }
    }

    /// Starts an element of an object: a placeholder for the type, and the name.
    pub fn begin<E: de::Error>(&mut self, name: &str) -> Result<NameSpan, E> {
        if self.steps.len() == 1 {
            self.fields.begin(name);
        } else {
            let buffer = self.fields.buffer();
            buffer.push(0);
            buffer.extend_from_slice(name.as_bytes());
            buffer.push(0);
        }
        let span = NameSpan { start: self.fields.bytes() - name.len() - 1, length: name.len() };
        self.names.push(span);
        self.step(Step::Name(span));
        if name.as_bytes().contains(&0) {
            return Err(
                self.refuse(Reason::BadName, "has a NUL in its name, which cannot be stored")
            );
        }
        self.check_size()?;
        Ok(span)
    }

    /// Starts an item of an array: an element whose name is its index. Gives where its type byte
    /// is.
    pub fn begin_item<E: de::Error>(&mut self, index: usize) -> Result<usize, E> {
        self.step(Step::Index(index));
        self.check_size()?;
        let buffer = self.fields.buffer();
        let type_at = buffer.len();
        buffer.push(0);
        push_decimal(buffer, index);
        buffer.push(0);
        Ok(type_at)
    }

    fn step(&mut self, step: Step) {
        if let Some(last) = self.steps.last_mut() {
            *last = step;
        }
    }

    pub fn check_size<E: de::Error>(&mut self) -> Result<(), E> {
        if self.fields.bytes() + DOCUMENT_FRAME_BYTES > DOCUMENT_BYTES_MAX {
            return Err(
                self.refuse(Reason::TooLarge, "passes 16 MiB, the most that a document holds")
            );
        }
        if self.fields.memory_bytes() > self.room {
            self.undecoded = Some(Undecoded::Outgrown);
            return Err(E::custom("outgrown"));
        }
        Ok(())
    }

    pub fn check_level<E: de::Error>(&mut self) -> Result<(), E> {
        if self.steps.len() > LEVELS_MAX {
            return Err(self
                .refuse(Reason::TooLarge, format_args!("is more than {LEVELS_MAX} levels deep")));
        }
        Ok(())
    }

    pub fn refuse_dollar<E: de::Error>(&mut self) -> E {
        self.refuse(
            Reason::BadName,
            "has a name that begins with $: only $oid, $date, $numberLong, $numberDecimal, $binary and $uuid are read, alone in an object",
        )
    }

    /// Whether a name begins with `$`.
    pub fn is_dollar(&mut self, span: NameSpan) -> bool {
        span.bytes(self.fields.buffer()).first() == Some(&b'$')
    }

    /// The name as it was written. Empty where it is none of ours, which cannot be.
    pub fn name(&mut self, span: NameSpan) -> &str {
        std::str::from_utf8(span.bytes(self.fields.buffer())).unwrap_or_default()
    }

    pub fn open_body(&mut self) {
        self.steps.push(Step::Entered);
    }

    pub fn close_body<E: de::Error>(&mut self) -> Result<(), E> {
        self.check_names(0)?;
        self.step(Step::Entered);
        self.check_size()
    }

    /// Starts an object or array as the value of the element whose type byte is there.
    pub fn open(&mut self, type_at: usize) -> Open {
        self.steps.push(Step::Entered);
        let length_at = self.fields.bytes();
        self.fields.buffer().extend_from_slice(&[0; 4]);
        Open { type_at, length_at, names_before: self.names.len() }
    }

    pub fn close<E: de::Error>(&mut self, open: Open, element_type: u8) -> Result<(), E> {
        self.check_names(open.names_before)?;
        self.steps.pop();
        let buffer = self.fields.buffer();
        buffer.push(0);
        let Ok(length) = i32::try_from(buffer.len() - open.length_at) else {
            return Err(
                self.refuse(Reason::TooLarge, "passes 16 MiB, the most that a document holds")
            );
        };
        buffer[open.length_at..open.length_at + 4].copy_from_slice(&length.to_le_bytes());
        buffer[open.type_at] = element_type;
        Ok(())
    }

    /// Takes back an object that turned out to be an Extended JSON value, so that the value can be
    /// written in its place.
    pub fn reopen_as_value(&mut self, open: Open) -> &mut Vec<u8> {
        self.steps.pop();
        self.names.truncate(open.names_before);
        let buffer = self.fields.buffer();
        buffer.truncate(open.length_at);
        buffer
    }

    pub fn set_type(&mut self, open: Open, element_type: u8) {
        self.fields.buffer()[open.type_at] = element_type;
    }

    /// Refuses a name that is twice among those of the object that ends here.
    fn check_names<E: de::Error>(&mut self, names_before: usize) -> Result<(), E> {
        let twice = first_twice(&self.names[names_before..], self.fields.buffer());
        self.names.truncate(names_before);
        match twice {
            None => Ok(()),
            Some(name) => {
                self.step(Step::Name(name));
                Err(self.refuse(Reason::BadName, "is there twice in one object"))
            }
        }
    }

    /// Sets an element's type and appends its value.
    pub fn write(&mut self, type_at: usize, element_type: u8, value: &[u8]) {
        let buffer = self.fields.buffer();
        buffer[type_at] = element_type;
        buffer.extend_from_slice(value);
    }

    pub fn text<E: de::Error>(&mut self, type_at: usize, text: &str) -> Result<(), E> {
        let Ok(length) = i32::try_from(text.len() + 1) else {
            return Err(
                self.refuse(Reason::TooLarge, "passes 16 MiB, the most that a document holds")
            );
        };
        self.write(type_at, element::STRING, &length.to_le_bytes());
        self.fields.buffer().extend_from_slice(text.as_bytes());
        self.fields.buffer().push(0);
        self.check_size()
    }
}

fn push_decimal(buffer: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        push_decimal(buffer, number / 10);
    }
    buffer.push(b"0123456789"[number % 10]);
}

/// A name that is there more than once, if one is. Linear in the names' bytes: the hash is keyed
/// anew in each process, so that no sender can choose names that collide.
fn first_twice(names: &[NameSpan], buffer: &[u8]) -> Option<NameSpan> {
    if names.len() < NAMES_HASHED_FROM {
        let is_twice = |(index, name): &(usize, &NameSpan)| {
            names[..*index].iter().any(|other| other.bytes(buffer) == name.bytes(buffer))
        };
        return names.iter().enumerate().find(is_twice).map(|(_, name)| *name);
    }
    let mut seen = HashSet::with_capacity(names.len());
    names.iter().find(|name| !seen.insert(name.bytes(buffer))).copied()
}
