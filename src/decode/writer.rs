//! BSON elements as the parser's visits bring them, and the rejection of what cannot be stored.
//!
//! A rejection names the place: the writer keeps the steps to where it is, one per open object or
//! array, and turns them into text only then.

mod number;

use std::collections::HashSet;
use std::fmt;

use serde::de;
use smallvec::SmallVec;

use super::numbers::Literals;
use super::place::{self, NameSpan, Step};
use super::undecoded::{THE_BODY, Undecoded};
use super::unreadable::{self, Failure};
use crate::bson::{DOCUMENT_BYTES_MAX, Fields, layout};
use crate::message::place::Spot;
use crate::message::{Reason, Rejection};

/// Objects and arrays inside each other, the body itself being the first (MongoDB manual, "MongoDB
/// Limits and Thresholds"). An Extended JSON value is a value, not a level.
pub const LEVELS_MAX: usize = 100;
/// From this many names on they are hashed to find one that is there twice; fewer are compared in
/// pairs, which is faster.
const NAMES_HASHED_FROM: usize = 16;
/// Names of open objects, and levels, for which nothing is allocated. More than most messages have.
const NAMES_INLINE: usize = 16;
const LEVELS_INLINE: usize = 8;

/// How large the fields may become.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of the document that they are: at most [`DOCUMENT_BYTES_MAX`].
    pub document: usize,
    /// Bytes of memory.
    pub memory: usize,
}

/// Where the conversion stands.
pub struct Writer<'t> {
    fields: Fields,
    /// The names of all open objects, each object's after those of the one around it.
    names: SmallVec<[NameSpan; NAMES_INLINE]>,
    /// The way to the element that is being written: one step per open object or array.
    steps: SmallVec<[Step; LEVELS_INLINE]>,
    /// The parser's visits of numbers so far, and the text to look them up in.
    numbers: u64,
    literals: Literals<'t>,
    bounds: Bounds,
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
    pub fn new(text: &'t str, bounds: Bounds) -> Self {
        Self {
            fields: Fields::with_room(text.len()),
            names: SmallVec::new(),
            steps: SmallVec::new(),
            numbers: 0,
            literals: Literals::new(text),
            bounds,
            undecoded: None,
        }
    }

    /// Keeps why the body is rejected, and gives the error that stops the parser. `problem`
    /// continues "field x".
    pub fn reject<E: de::Error>(&mut self, reason: Reason, problem: impl fmt::Display) -> E {
        let spot = if reason == Reason::BadName { Spot::Name } else { Spot::Value };
        self.reject_at(spot, reason, problem)
    }

    /// The same at another spot than the value, or of a bad name the name.
    fn reject_at<E: de::Error>(
        &mut self,
        spot: Spot,
        reason: Reason,
        problem: impl fmt::Display,
    ) -> E {
        let place = place::shown(&self.steps, self.fields.buffer());
        let subject = if place.is_empty() { THE_BODY.to_owned() } else { format!("field {place}") };
        let place = place::of(&self.steps, self.fields.buffer(), spot);
        let rejection = Rejection::new(reason, format!("{subject} {problem}")).at(place);
        self.undecoded = Some(rejection.into());
        E::custom("rejected")
    }

    /// The fields, or why there are none, once the parser has ended.
    pub fn finish(mut self, outcome: serde_json::Result<()>) -> Result<Fields, Undecoded> {
        match (self.undecoded.take(), outcome) {
            (Some(undecoded), Err(error)) => Err(self.read_until(undecoded, &error)),
            (Some(undecoded), Ok(())) => Err(undecoded),
            (None, Err(error)) => Err(self.unreadable(&error)),
            (None, Ok(())) => Ok(self.fields),
        }
    }

    /// The same with how far the parser had come, which tells names apart that are there twice.
    fn read_until(&self, mut undecoded: Undecoded, error: &serde_json::Error) -> Undecoded {
        if let Undecoded::Rejected(Rejection { place: Some(place), .. }) = &mut undecoded {
            place.read_bytes = Some(unreadable::offset(self.literals.text(), error) + 1);
        }
        undecoded
    }

    /// What the parser's own errors mean.
    fn unreadable(&mut self, error: &serde_json::Error) -> Undecoded {
        if error.to_string().starts_with("number out of range") {
            let _: serde_json::Error = self.reject(
                Reason::BadValue,
                "is a number beyond what a double holds: send it as a string, or as $numberDecimal, which no key takes",
            );
            if let Some(undecoded) = self.undecoded.take() {
                return self.read_until(undecoded, error);
            }
        }
        let place = place::shown(&self.steps, self.fields.buffer());
        let (text, step) = (self.literals.text(), self.steps.last().copied());
        let failure = Failure { text, error, place: &place, step };
        let place = place::of(&self.steps, self.fields.buffer(), failure.spot());
        failure.rejection().at(place).into()
    }

    /// Starts an element of an object: a placeholder for the type, and the name.
    pub fn begin<E: de::Error>(&mut self, name: &str) -> Result<NameSpan, E> {
        let type_at = if self.steps.len() == 1 {
            self.fields.begin(name)
        } else {
            layout::begin(self.fields.buffer(), name)
        };
        let span = NameSpan { start: type_at + 1, length: name.len() };
        self.names.push(span);
        self.step(Step::Name(span));
        if name.as_bytes().contains(&0) {
            return Err(self.reject(
                Reason::BadName,
                "has a NUL in its name, which cannot be stored: leave it out",
            ));
        }
        self.check_size()?;
        Ok(span)
    }

    /// Starts an item of an array: an element whose name is its index. Gives where its type byte
    /// is.
    pub fn begin_item<E: de::Error>(&mut self, index: usize) -> Result<usize, E> {
        self.step(Step::Index(index));
        self.check_size()?;
        Ok(layout::begin_item(self.fields.buffer(), index))
    }

    fn step(&mut self, step: Step) {
        if let Some(last) = self.steps.last_mut() {
            *last = step;
        }
    }

    pub fn check_size<E: de::Error>(&mut self) -> Result<(), E> {
        let Bounds { document, memory } = self.bounds;
        if self.fields.document_bytes() > document {
            let problem = if document >= DOCUMENT_BYTES_MAX {
                "passes 16 MiB, the most that a document holds: send less in one message".to_owned()
            } else {
                format!(
                    "passes {document} bytes as BSON: send less in one message, or raise \
                     message.document_bytes_max, which may be 16MiB"
                )
            };
            return Err(self.reject(Reason::TooLarge, problem));
        }
        if self.fields.memory_bytes() > memory {
            self.undecoded = Some(Undecoded::Outgrown);
            return Err(E::custom("outgrown"));
        }
        Ok(())
    }

    pub fn check_level<E: de::Error>(&mut self) -> Result<(), E> {
        if self.steps.len() > LEVELS_MAX {
            return Err(self
                .reject(Reason::TooLarge, format_args!("is more than {LEVELS_MAX} levels deep: nest less, or send the inner part as a text")));
        }
        Ok(())
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
        let length_at = layout::open(self.fields.buffer());
        Open { type_at, length_at, names_before: self.names.len() }
    }

    pub fn close<E: de::Error>(&mut self, open: Open, element_type: u8) -> Result<(), E> {
        self.check_names(open.names_before)?;
        self.steps.pop();
        self.write(open.type_at, |buffer| {
            layout::close(buffer, open.length_at);
            element_type
        });
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

    /// Rejects a name that is twice among those of the object that ends here.
    fn check_names<E: de::Error>(&mut self, names_before: usize) -> Result<(), E> {
        let twice = first_twice(&self.names[names_before..], self.fields.buffer());
        self.names.truncate(names_before);
        match twice {
            None => Ok(()),
            Some(name) => {
                self.step(Step::Name(name));
                Err(self.reject_at(
                    Spot::SecondName,
                    Reason::BadName,
                    "is there twice in one object: give it one value",
                ))
            }
        }
    }

    /// Ends the element whose type is at `type_at`, as [`layout::end`] does.
    pub fn write(&mut self, type_at: usize, value: impl FnOnce(&mut Vec<u8>) -> u8) {
        layout::end(self.fields.buffer(), type_at, value);
    }

    pub fn text<E: de::Error>(&mut self, type_at: usize, text: &str) -> Result<(), E> {
        self.write(type_at, |buffer| layout::text(buffer, text));
        self.check_size()
    }
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
