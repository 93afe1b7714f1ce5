//! Values of a caller's own types as JSON text, as `serde_json` writes them, but for two things that
//! it would change without a word: NaN and Infinity would become null, and bytes an array of
//! numbers. The former are refused with their place, the latter become Extended JSON.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::decode::json::LEVELS_MAX;

use super::at::{At, Step, not_finite, shown};

/// Writes a value that becomes the field `name` of a message, or the message itself.
///
/// # Errors
/// What is wrong with it, and where.
pub fn text<T: Serialize + ?Sized>(
    name: Option<&'static str>,
    value: &T,
) -> Result<String, String> {
    let mut out = Vec::new();
    let mut writer = serde_json::Serializer::new(&mut out);
    let root = name.map(|name| At { step: Step::Name(name), depth: 1, parent: None });
    value
        .serialize(Looking { inner: &mut writer, at: root.as_ref() })
        .map_err(|error| error.to_string())?;
    String::from_utf8(out).map_err(|error| error.to_string())
}

/// A serializer that knows where it is.
struct Looking<'a, S> {
    inner: S,
    at: Option<&'a At<'a>>,
}

/// A value at its place.
struct Placed<'a, T: ?Sized> {
    value: &'a T,
    at: &'a At<'a>,
}

impl<T: Serialize + ?Sized> Serialize for Placed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Looking { inner: serializer, at: Some(self.at) })
    }
}

/// Of an object or array that is being written.
struct Inside<'a, C> {
    inner: C,
    at: Option<&'a At<'a>>,
    /// The variant of an enum that stands around it.
    variant: Option<&'static str>,
    index: usize,
    /// The name of a map's next value.
    name: String,
}

impl<C> Inside<'_, C> {
    /// Writes what stands at one step from here.
    fn step<T: Serialize + ?Sized, R>(
        &mut self,
        step: Step<'_>,
        value: &T,
        write: impl FnOnce(&mut C, &Placed<'_, T>) -> R,
    ) -> R {
        let depth = self.at.map_or(0, |at| at.depth) + 1;
        let around = self.variant.map(|name| At { step: Step::Name(name), depth, parent: self.at });
        let parent = around.as_ref().or(self.at);
        let depth = depth + usize::from(around.is_some());
        let at = At { step, depth, parent };
        write(&mut self.inner, &Placed { value, at: &at })
    }

    fn next_index(&mut self) -> Step<'static> {
        self.index += 1;
        Step::Index(self.index - 1)
    }
}

impl<'a, S: Serializer> Looking<'a, S> {
    /// The reader counts levels exactly; this only keeps a structure without end from the stack.
    fn inside<C>(
        self,
        variant: Option<&'static str>,
        open: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<Inside<'a, C>, S::Error> {
        let Self { inner, at } = self;
        if at.is_some_and(|at| at.depth > LEVELS_MAX) {
            return Err(S::Error::custom(format!(
                "{} is more than {LEVELS_MAX} levels deep: nest less, or send the inner part as a text",
                shown(at)
            )));
        }
        Ok(Inside { inner: open(inner)?, at, variant, index: 0, name: String::new() })
    }
}

/// `{"$binary": {...}}`, as the worker reads it.
#[derive(Serialize)]
struct Binary {
    #[serde(rename = "$binary")]
    binary: BinaryBody,
}

#[derive(Serialize)]
struct BinaryBody {
    base64: String,
    #[serde(rename = "subType")]
    subtype: &'static str,
}

macro_rules! handed_on {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        })*
    };
}

impl<'a, S: Serializer> Serializer for Looking<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Inside<'a, S::SerializeSeq>;
    type SerializeTuple = Inside<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Inside<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Inside<'a, S::SerializeTupleVariant>;
    type SerializeMap = Inside<'a, S::SerializeMap>;
    type SerializeStruct = Inside<'a, S::SerializeStruct>;
    type SerializeStructVariant = Inside<'a, S::SerializeStructVariant>;

    handed_on! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_char(char) serialize_str(&str)
        serialize_unit_struct(&'static str)
    }

    fn serialize_f32(self, number: f32) -> Result<S::Ok, S::Error> {
        if !number.is_finite() {
            return Err(not_finite(number.into(), self.at));
        }
        self.inner.serialize_f32(number)
    }

    fn serialize_f64(self, number: f64) -> Result<S::Ok, S::Error> {
        if !number.is_finite() {
            return Err(not_finite(number, self.at));
        }
        self.inner.serialize_f64(number)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<S::Ok, S::Error> {
        let binary = BinaryBody { base64: STANDARD.encode(bytes), subtype: "00" };
        Binary { binary }.serialize(self.inner)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let depth = self.at.map_or(0, |at| at.depth) + 1;
        let at = At { step: Step::Name(variant), depth, parent: self.at };
        self.inner.serialize_newtype_variant(name, index, variant, &Placed { value, at: &at })
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.inside(None, |inner| inner.serialize_seq(length))
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.inside(None, |inner| inner.serialize_tuple(length))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.inside(None, |inner| inner.serialize_tuple_struct(name, length))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.inside(Some(variant), |inner| {
            inner.serialize_tuple_variant(name, index, variant, length)
        })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.inside(None, |inner| inner.serialize_map(length))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.inside(None, |inner| inner.serialize_struct(name, length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.inside(Some(variant), |inner| {
            inner.serialize_struct_variant(name, index, variant, length)
        })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! items {
    ($($trait:ident $method:ident)*) => {
        $(impl<C: $trait> $trait for Inside<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let step = self.next_index();
                self.step(step, value, |inner, placed| inner.$method(placed))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

items! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => {
        $(impl<C: $trait> $trait for Inside<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.step(Step::Name(name), value, |inner, placed| inner.serialize_field(name, placed))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

fields! { SerializeStruct SerializeStructVariant }

impl<C: SerializeMap> SerializeMap for Inside<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.name = named(key);
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let name = std::mem::take(&mut self.name);
        self.step(Step::Name(&name), value, |inner, placed| inner.serialize_value(placed))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

/// A key as it is written. What is no key is refused by the writer.
fn named<T: Serialize + ?Sized>(key: &T) -> String {
    match serde_json::to_value(key) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
