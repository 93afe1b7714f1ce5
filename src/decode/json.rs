//! JSON text to BSON elements in one pass: the parser's visits are written straight into the buffer
//! of [`Fields`].
//!
//! No tree of values is built in between. This file is the parser's side, one visitor for each
//! thing that it can be at; what is rejected is in the file `writer`, and how elements are laid out in
//! [`layout`].

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::extended;
use super::place::NameSpan;
use super::undecoded::Undecoded;
use super::writer::Writer;
pub use super::writer::{Bounds, LEVELS_MAX};
use crate::bson::{DOCUMENT_BYTES_MAX, Fields, element, layout};
use crate::message::Rejection;

/// Converts the one JSON object that `text` holds.
///
/// # Errors
/// Where the text is not one JSON object, or holds something that cannot be stored; the text names
/// the field.
pub fn fields(text: &str) -> Result<Fields, Rejection> {
    Ok(fields_within(text, Bounds { document: DOCUMENT_BYTES_MAX, memory: usize::MAX })?)
}

/// The same within these bounds.
///
/// # Errors
/// As [`fields`], or where they need more room.
pub fn fields_within(text: &str, bounds: Bounds) -> Result<Fields, Undecoded> {
    let mut writer = Writer::new(text, bounds);
    let mut parser = serde_json::Deserializer::from_str(text);
    let outcome = parser.deserialize_any(Body(&mut writer)).and_then(|()| parser.end());
    writer.finish(outcome)
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
        writer.open_body();
        while let Some(name) = object.next_key_seed(Name(writer))? {
            if writer.is_dollar(name) {
                return Err(extended::reject_dollar(writer));
            }
            object.next_value_seed(Value { writer, type_at: name.start - 1 })?;
        }
        writer.close_body()
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
        let type_at = writer.begin_item(self.index)?;
        Value { writer, type_at }.deserialize(parser)
    }
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
        self.writer.write(self.type_at, |_| element::NULL);
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.writer.write(self.type_at, |buffer| layout::boolean(buffer, value));
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.writer.count_number();
        self.writer.integer(self.type_at, number);
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.writer.count_number();
        let Ok(number) = i64::try_from(number) else { return Err(self.writer.reject_integer()) };
        self.writer.integer(self.type_at, number);
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        self.writer.count_number();
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
                return Err(extended::reject_dollar(writer));
            }
        }
        writer.close(open, element::DOCUMENT)
    }
}
