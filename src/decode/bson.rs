//! JSON text to BSON elements in one pass: the parser's visits are written straight into the buffer of [`Fields`].
//!
//! No tree of values is built in between. An object's length and an element's type are written as placeholders and set
//! once they are known. What cannot be stored is refused with the place where it stands: the writer keeps the steps to
//! where it is, one per open object or array, and turns them into text only when it refuses.
//!
//! Layout: <https://bsonspec.org/spec.html>. Bounds: "MongoDB Limits and Thresholds" in the MongoDB manual (16 MiB,
//! 100 levels).

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::extended;
use super::numbers::{self, Literals};
use super::place::{self, NameSpan, Step};
use crate::fields::Fields;
use crate::message::{Reason, Rejection};
use crate::time::element;

/// Objects and arrays inside each other, the body itself being the first. An Extended JSON value is a value, not a level.
pub const LEVELS_MAX: usize = 100;
/// Bytes of a document that the server takes.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A document's length before its elements and the NUL after them.
const DOCUMENT_FRAME_BYTES: usize = 5;
/// From this many names on they are sorted to find one that is there twice; fewer are compared in pairs, which is faster.
const NAMES_SORTED_FROM: usize = 16;

/// Converts the one JSON object that `text` holds.
///
/// # Errors
/// Where the text is not one JSON object, or holds something that cannot be stored; the text names the field.
pub fn fields(text: &str) -> Result<Fields, Rejection> {
    let mut writer = Writer::new(text);
    let mut parser = serde_json::Deserializer::from_str(text);
    let outcome = parser.deserialize_any(Body(&mut writer)).and_then(|()| parser.end());
    match (writer.rejection.take(), outcome) {
        (Some(rejection), _) => Err(rejection),
        (None, Err(error)) => Err(writer.unreadable(&error)),
        (None, Ok(())) => Ok(writer.fields),
    }
}

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
    /// Kept here because a parser's error carries text only.
    rejection: Option<Rejection>,
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
    fn new(text: &'t str) -> Self {
        Self {
            fields: Fields::default(),
            names: Vec::new(),
            steps: Vec::new(),
            numbers: 0,
            literals: Literals::new(text),
            rejection: None,
        }
    }

    /// Keeps why the body is refused, and gives the error that stops the parser. `problem` continues "field x".
    pub fn refuse<E: de::Error>(&mut self, reason: Reason, problem: impl fmt::Display) -> E {
        let place = place::shown(&self.steps, self.fields.buffer());
        let subject = if place.is_empty() { "the body".to_owned() } else { format!("field {place}") };
        self.rejection = Some(Rejection::new(reason, format!("{subject} {problem}")));
        E::custom("refused")
    }

    /// What the parser's own errors mean. Its text names line and column, and no value but in errors of category data.
    fn unreadable(&mut self, error: &serde_json::Error) -> Rejection {
        let text = error.to_string();
        match error.classify() {
            Category::Data => Rejection::new(Reason::BadJson, "the body is not a JSON object: send one object, not an array or a single value"),
            Category::Syntax if text.starts_with("number out of range") => {
                let _: serde_json::Error = self.refuse(Reason::BadValue, "is a number beyond what a double holds: send it as $numberDecimal");
                self.rejection.take().unwrap_or_else(|| Rejection::new(Reason::BadValue, text))
            }
            _ => Rejection::new(Reason::BadJson, format!("the body is not JSON: {text}")),
        }
    }

    /// Starts an element of an object: a placeholder for the type, and the name.
    fn begin<E: de::Error>(&mut self, name: &str) -> Result<NameSpan, E> {
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
            return Err(self.refuse(Reason::BadName, "has a NUL in its name, which cannot be stored"));
        }
        self.check_size()?;
        Ok(span)
    }

    fn step(&mut self, step: Step) {
        if let Some(last) = self.steps.last_mut() {
            *last = step;
        }
    }

    pub fn check_size<E: de::Error>(&mut self) -> Result<(), E> {
        if self.fields.bytes() + DOCUMENT_FRAME_BYTES > DOCUMENT_BYTES_MAX {
            return Err(self.refuse(Reason::TooLarge, "passes 16 MiB, the most that a document holds"));
        }
        Ok(())
    }

    fn check_level<E: de::Error>(&mut self) -> Result<(), E> {
        if self.steps.len() > LEVELS_MAX {
            return Err(self.refuse(Reason::TooLarge, format_args!("is more than {LEVELS_MAX} levels deep")));
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
    fn is_dollar(&mut self, span: NameSpan) -> bool {
        span.bytes(self.fields.buffer()).first() == Some(&b'$')
    }

    /// The name as it was written. Empty where it is none of ours, which cannot be.
    pub fn name(&mut self, span: NameSpan) -> &str {
        std::str::from_utf8(span.bytes(self.fields.buffer())).unwrap_or_default()
    }

    fn open(&mut self, type_at: usize) -> Open {
        self.steps.push(Step::Entered);
        let length_at = self.fields.bytes();
        self.fields.buffer().extend_from_slice(&[0; 4]);
        Open { type_at, length_at, names_before: self.names.len() }
    }

    fn close<E: de::Error>(&mut self, open: Open, element_type: u8) -> Result<(), E> {
        self.check_names(open.names_before)?;
        self.steps.pop();
        let buffer = self.fields.buffer();
        buffer.push(0);
        let Ok(length) = i32::try_from(buffer.len() - open.length_at) else {
            return Err(self.refuse(Reason::TooLarge, "passes 16 MiB, the most that a document holds"));
        };
        buffer[open.length_at..open.length_at + 4].copy_from_slice(&length.to_le_bytes());
        buffer[open.type_at] = element_type;
        Ok(())
    }

    /// Takes back an object that turned out to be an Extended JSON value, so that the value can be written in its place.
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

    /// Counts a number that the parser went past without a visit.
    pub fn count_number(&mut self) {
        self.numbers += 1;
    }

    /// Refuses a name that is twice among those of the object that ends here.
    fn check_names<E: de::Error>(&mut self, names_before: usize) -> Result<(), E> {
        let twice = first_twice(&mut self.names[names_before..], self.fields.buffer());
        self.names.truncate(names_before);
        match twice {
            None => Ok(()),
            Some(name) => {
                self.step(Step::Name(name));
                Err(self.refuse(Reason::BadName, "is there twice in one object"))
            }
        }
    }

    fn write(&mut self, type_at: usize, element_type: u8, value: &[u8]) {
        let buffer = self.fields.buffer();
        buffer[type_at] = element_type;
        buffer.extend_from_slice(value);
    }

    fn integer(&mut self, type_at: usize, number: i64) {
        match i32::try_from(number) {
            Ok(small) => self.write(type_at, element::INT32, &small.to_le_bytes()),
            Err(_) => self.write(type_at, element::INT64, &number.to_le_bytes()),
        }
    }

    fn double<E: de::Error>(&mut self, type_at: usize, number: f64) -> Result<(), E> {
        if numbers::may_be_an_integer(number)
            && let Some(literal) = self.literals.nth(self.numbers)
            && numbers::is_integer(literal)
        {
            if number != 0.0 {
                return Err(self.refuse_integer());
            }
            self.integer(type_at, 0);
            return Ok(());
        }
        self.write(type_at, element::DOUBLE, &number.to_le_bytes());
        Ok(())
    }

    fn refuse_integer<E: de::Error>(&mut self) -> E {
        self.refuse(Reason::BadValue, "is an integer beyond 64 bits: send it as a string or as $numberDecimal")
    }

    fn text<E: de::Error>(&mut self, type_at: usize, text: &str) -> Result<(), E> {
        let Ok(length) = i32::try_from(text.len() + 1) else {
            return Err(self.refuse(Reason::TooLarge, "passes 16 MiB, the most that a document holds"));
        };
        self.write(type_at, element::STRING, &length.to_le_bytes());
        self.fields.buffer().extend_from_slice(text.as_bytes());
        self.fields.buffer().push(0);
        self.check_size()
    }
}

/// A name that is there more than once, if one is. Takes n log n comparisons at most, whatever the names are.
fn first_twice(names: &mut [NameSpan], buffer: &[u8]) -> Option<NameSpan> {
    if names.len() < NAMES_SORTED_FROM {
        let is_twice = |(index, name): &(usize, &NameSpan)| names[..*index].iter().any(|other| other.bytes(buffer) == name.bytes(buffer));
        return names.iter().enumerate().find(is_twice).map(|(_, name)| *name);
    }
    names.sort_unstable_by(|a, b| a.bytes(buffer).cmp(b.bytes(buffer)));
    names.windows(2).find(|pair| pair[0].bytes(buffer) == pair[1].bytes(buffer)).map(|pair| pair[0])
}

/// The body: an object, and nothing else.
struct Body<'w, 't>(&'w mut Writer<'t>);

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let writer = self.0;
        writer.steps.push(Step::Entered);
        while let Some(name) = object.next_key_seed(Name(writer))? {
            if writer.is_dollar(name) {
                return Err(writer.refuse_dollar());
            }
            object.next_value_seed(Value { writer, type_at: name.start - 1 })?;
        }
        writer.check_names(0)?;
        writer.step(Step::Entered);
        writer.check_size()
    }
}

/// A name of an object: starts an element.
struct Name<'w, 't>(&'w mut Writer<'t>);

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = NameSpan;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<NameSpan, D::Error> {
        parser.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = NameSpan;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<NameSpan, E> {
        self.0.begin(name)
    }
}

/// An item of an array: an element whose name is its index.
struct Item<'w, 't> {
    writer: &'w mut Writer<'t>,
    index: usize,
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        let writer = self.writer;
        writer.step(Step::Index(self.index));
        writer.check_size()?;
        let buffer = writer.fields.buffer();
        let type_at = buffer.len();
        buffer.push(0);
        push_decimal(buffer, self.index);
        buffer.push(0);
        Value { writer, type_at }.deserialize(parser)
    }
}

fn push_decimal(buffer: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        push_decimal(buffer, number / 10);
    }
    buffer.push(b"0123456789"[number % 10]);
}

/// The value of an element that was started.
struct Value<'w, 't> {
    writer: &'w mut Writer<'t>,
    /// Where the type byte is.
    type_at: usize,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.writer.write(self.type_at, element::NULL, &[]);
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.writer.write(self.type_at, element::BOOLEAN, &[u8::from(value)]);
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.writer.numbers += 1;
        self.writer.integer(self.type_at, number);
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.writer.numbers += 1;
        let Ok(number) = i64::try_from(number) else { return Err(self.writer.refuse_integer()) };
        self.writer.integer(self.type_at, number);
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        self.writer.numbers += 1;
        self.writer.double(self.type_at, number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.writer.text(self.type_at, text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let writer = self.writer;
        let open = writer.open(self.type_at);
        writer.check_level()?;
        let mut index = 0;
        while array.next_element_seed(Item { writer, index })?.is_some() {
            index += 1;
        }
        writer.close(open, element::ARRAY)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let writer = self.writer;
        let open = writer.open(self.type_at);
        let mut next = object.next_key_seed(Name(writer))?;
        if let Some(name) = next
            && writer.is_dollar(name)
        {
            return extended::read(writer, open, name, object);
        }
        writer.check_level()?;
        while let Some(name) = next {
            object.next_value_seed(Value { writer, type_at: name.start - 1 })?;
            next = object.next_key_seed(Name(writer))?;
            if let Some(name) = next
                && writer.is_dollar(name)
            {
                return Err(writer.refuse_dollar());
            }
        }
        writer.close(open, element::DOCUMENT)
    }
}
