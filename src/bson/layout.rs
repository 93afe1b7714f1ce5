//! The pieces of a document, appended to a buffer (<https://bsonspec.org/spec.html>).
//!
//! An element is laid out as type, name, NUL, value. The type stands first but may be known last:
//! whether a JSON object is a document or a date of Extended JSON shows once its first name is read.
//! So [`begin`] leaves a byte for the type, every function that appends a value returns the type of
//! what it wrote, and [`end`] puts it in its place.
//!
//! A document's length stands before what it measures, so [`open`] leaves four bytes, and [`close`]
//! fills them in.
//!
//! Lengths saturate beyond 2 GiB. Nothing that is sent reaches that: decode, route and store each
//! have a bound, and it lies far below.

use super::{element, subtype};

/// Stands for a length that is not known yet.
const LENGTH_PENDING: [u8; 4] = [0; 4];

/// Stands for a type that is not known yet.
const TYPE_PENDING: u8 = 0;

/// Bytes of a document without any element: its length, and the NUL at its end.
pub const FRAME_BYTES: usize = LENGTH_PENDING.len() + 1;

/// Appends an element: its name, and what `value` appends and returns the type of.
pub fn element(buffer: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>) -> u8) {
    let type_at = begin(buffer, name);
    end(buffer, type_at, value);
}

/// Starts an element: appends a placeholder for its type, the name and the NUL. Returns where the
/// type is.
///
/// Names that come from outside have been checked by the caller: a NUL would end the name there.
pub fn begin(buffer: &mut Vec<u8>, name: &str) -> usize {
    let type_at = buffer.len();
    buffer.push(TYPE_PENDING);
    buffer.extend_from_slice(name.as_bytes());
    buffer.push(0);
    type_at
}

/// Starts an item of an array: an element whose name is its index, counted from 0, in decimal
/// digits. Returns where the type is.
pub fn begin_item(buffer: &mut Vec<u8>, index: usize) -> usize {
    let type_at = buffer.len();
    buffer.push(TYPE_PENDING);
    decimal_digits(buffer, index);
    buffer.push(0);
    type_at
}

/// Ends the element whose type is at `type_at`: appends its value, and sets the type.
pub fn end(buffer: &mut Vec<u8>, type_at: usize, value: impl FnOnce(&mut Vec<u8>) -> u8) {
    buffer[type_at] = value(buffer);
}

/// Starts a document or an array: appends a placeholder for its length. Returns where that is.
pub fn open(buffer: &mut Vec<u8>) -> usize {
    let length_at = buffer.len();
    buffer.extend_from_slice(&LENGTH_PENDING);
    length_at
}

/// Ends the document or array whose length is at `length_at`.
pub fn close(buffer: &mut Vec<u8>, length_at: usize) {
    buffer.push(0);
    let bytes = length(buffer.len() - length_at);
    buffer[length_at..length_at + bytes.len()].copy_from_slice(&bytes);
}

pub fn boolean(buffer: &mut Vec<u8>, value: bool) -> u8 {
    buffer.push(u8::from(value));
    element::BOOLEAN
}

pub fn int32(buffer: &mut Vec<u8>, number: i32) -> u8 {
    buffer.extend_from_slice(&number.to_le_bytes());
    element::INT32
}

pub fn int64(buffer: &mut Vec<u8>, number: i64) -> u8 {
    buffer.extend_from_slice(&number.to_le_bytes());
    element::INT64
}

/// An integer as drivers write it: an int32 where it fits, otherwise an int64.
pub fn integer(buffer: &mut Vec<u8>, number: i64) -> u8 {
    match i32::try_from(number) {
        Ok(short) => int32(buffer, short),
        Err(_) => int64(buffer, number),
    }
}

pub fn double(buffer: &mut Vec<u8>, number: f64) -> u8 {
    buffer.extend_from_slice(&number.to_le_bytes());
    element::DOUBLE
}

/// The bytes of an IEEE 754 decimal, the least significant one first.
pub fn decimal128(buffer: &mut Vec<u8>, bytes: &[u8; 16]) -> u8 {
    buffer.extend_from_slice(bytes);
    element::DECIMAL128
}

/// Milliseconds since the epoch.
pub fn date(buffer: &mut Vec<u8>, millis: i64) -> u8 {
    buffer.extend_from_slice(&millis.to_le_bytes());
    element::DATE
}

pub fn object_id(buffer: &mut Vec<u8>, bytes: &[u8; 12]) -> u8 {
    buffer.extend_from_slice(bytes);
    element::OBJECT_ID
}

/// Any text: unlike a name, it may have a NUL in it.
pub fn text(buffer: &mut Vec<u8>, text: &str) -> u8 {
    buffer.extend_from_slice(&length(text.len() + 1));
    buffer.extend_from_slice(text.as_bytes());
    buffer.push(0);
    element::STRING
}

/// `subtype`: one of [`subtype`], or any other byte.
pub fn binary(buffer: &mut Vec<u8>, subtype: u8, bytes: &[u8]) -> u8 {
    let inner = length(bytes.len());
    if subtype == subtype::OLD_BINARY {
        buffer.extend_from_slice(&length(bytes.len() + inner.len()));
        buffer.push(subtype);
        buffer.extend_from_slice(&inner);
    } else {
        buffer.extend_from_slice(&inner);
        buffer.push(subtype);
    }
    buffer.extend_from_slice(bytes);
    element::BINARY
}

/// Seconds since the epoch, and a count within one second.
pub fn timestamp(buffer: &mut Vec<u8>, seconds: u32, count: u32) -> u8 {
    buffer.extend_from_slice(&count.to_le_bytes());
    buffer.extend_from_slice(&seconds.to_le_bytes());
    element::TIMESTAMP
}

/// The caller has rejected a NUL: it would end the pattern there. Options are in alphabetical order.
pub fn regex(buffer: &mut Vec<u8>, pattern: &[u8], options: &[u8]) -> u8 {
    for text in [pattern, options] {
        buffer.extend_from_slice(text);
        buffer.push(0);
    }
    element::REGEX
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).unwrap_or(i32::MAX).to_le_bytes()
}

fn decimal_digits(buffer: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        decimal_digits(buffer, number / 10);
    }
    buffer.push(b"0123456789"[number % 10]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_names_are_their_indexes() {
        for index in [0, 9, 10, 99, 100, 9_999, 10_000, usize::MAX] {
            let mut out = Vec::new();
            assert_eq!(begin_item(&mut out, index), 0);
            assert_eq!(out, format!("\0{index}\0").into_bytes());
        }
    }

    #[test]
    fn old_binary_repeats_its_length() {
        let mut out = Vec::new();
        assert_eq!(binary(&mut out, subtype::OLD_BINARY, &[7, 8]), element::BINARY);
        assert_eq!(out, [6, 0, 0, 0, 0x02, 2, 0, 0, 0, 7, 8]);
        out.clear();
        assert_eq!(binary(&mut out, subtype::UUID, &[7, 8]), element::BINARY);
        assert_eq!(out, [2, 0, 0, 0, 0x04, 7, 8]);
    }
}
