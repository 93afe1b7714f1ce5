//! The fields of a message as encoded BSON: what decode writes once and the store sends as it is,
//! never parsed in between.

use super::{element, layout};
use crate::time::Time;

/// What [`Fields::with_room`] takes at most: bytes, and elements.
const ROOM_BYTES_MAX: usize = 4 * 1024;
const ROOM_ELEMENTS: usize = 8;
/// Elements take about what their text takes and this share of it more: each text has its length, and
/// each number its full width.
const ROOM_SHARE: usize = 4;

/// Top-level fields as encoded BSON elements in one buffer, in order, each name once.
///
/// An element is laid out as in a BSON document: type byte, name, NUL, value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    buffer: Vec<u8>,
    /// Where each element begins, and how long its name is.
    starts: Vec<(usize, usize)>,
    /// The times that numbers were written as, by the field's place, where a double says less.
    exact_times: Vec<(usize, Time)>,
}

impl Fields {
    /// With room for the elements of a text of so many bytes, where that is a small one. A buffer
    /// that doubles as it grows is copied each time, and half empty at the end.
    #[must_use]
    pub fn with_room(text_bytes: usize) -> Self {
        let bytes = (text_bytes + text_bytes / ROOM_SHARE).min(ROOM_BYTES_MAX);
        Self {
            buffer: Vec::with_capacity(bytes),
            starts: Vec::with_capacity(ROOM_ELEMENTS.min(text_bytes)),
            exact_times: Vec::new(),
        }
    }

    /// The buffer to append the value to, after [`Fields::begin`] wrote the name.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Starts an element, as [`layout::begin`] does. The caller has rejected names with a NUL and
    /// names that are there already.
    pub fn begin(&mut self, name: &str) -> usize {
        let type_at = layout::begin(&mut self.buffer, name);
        self.starts.push((type_at, name.len()));
        type_at
    }

    /// Appends an element whose value is encoded already.
    pub fn push(&mut self, name: &str, element_type: u8, value: &[u8]) {
        let type_at = self.begin(name);
        layout::end(&mut self.buffer, type_at, |buffer| {
            buffer.extend_from_slice(value);
            element_type
        });
    }

    /// Appends a date. `millis`: since the epoch.
    pub fn push_date(&mut self, name: &str, millis: i64) {
        let type_at = self.begin(name);
        layout::end(&mut self.buffer, type_at, |buffer| layout::date(buffer, millis));
    }

    /// Notes the time that the number of the element begun last was written as.
    pub fn note_exact_time(&mut self, time: Time) {
        self.exact_times.push((self.starts.len().saturating_sub(1), time));
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes of all elements together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes of a document of all elements.
    #[must_use]
    pub fn document_bytes(&self) -> usize {
        self.buffer.len() + layout::FRAME_BYTES
    }

    /// Bytes of memory, in use: the elements, where each begins, and exact times.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.buffer.len()
            + self.starts.len() * size_of::<(usize, usize)>()
            + self.exact_times.len() * size_of::<(usize, Time)>()
    }

    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.starts.iter().enumerate().map(|(index, &(start, name_len))| {
            let end = self.starts.get(index + 1).map_or(self.buffer.len(), |next| next.0);
            // Sorted, because they were noted in the order of the fields.
            let exact_time = match self.exact_times.as_slice() {
                [] => None,
                noted => noted
                    .binary_search_by_key(&index, |(place, _)| *place)
                    .ok()
                    .map(|at| noted[at].1),
            };
            Field { element: &self.buffer[start..end], name_len, exact_time }
        })
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<Field<'_>> {
        self.iter().find(|field| field.name_bytes() == name.as_bytes())
    }
}

/// One element of [`Fields`].
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The element as a BSON document holds it.
    pub element: &'a [u8],
    name_len: usize,
    /// The time that the number was written as, where that is known: a double holds 15 to 17
    /// digits, and a time to the nanosecond has 19.
    pub(super) exact_time: Option<Time>,
}

impl<'a> Field<'a> {
    /// # Panics
    /// Never: the name was written from a `str`.
    #[must_use]
    pub fn name(&self) -> &'a str {
        std::str::from_utf8(self.name_bytes()).expect("written from a str")
    }

    /// The same, without a look whether it is UTF-8: to compare it.
    #[must_use]
    pub fn name_bytes(&self) -> &'a [u8] {
        &self.element[1..=self.name_len]
    }

    /// One of [`element`], or another type of the BSON specification.
    #[must_use]
    pub fn element_type(&self) -> u8 {
        self.element[0]
    }

    /// The value's bytes, without type and name.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        &self.element[self.name_len + 2..]
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.text_bytes()?).ok()
    }

    /// The same, without a look whether it is UTF-8: none where the field is no string, or too short
    /// for one.
    #[must_use]
    pub fn text_bytes(&self) -> Option<&'a [u8]> {
        let value = self.value();
        // Length, text, NUL.
        let text = value.get(4..value.len().checked_sub(1)?)?;
        (self.element_type() == element::STRING).then_some(text)
    }

    /// Subtype and bytes of a binary value: none where the field is none, or too short for one.
    #[must_use]
    pub fn binary(&self) -> Option<(u8, &'a [u8])> {
        // Length, subtype, bytes.
        match self.value().split_at_checked(5)? {
            ([_, _, _, _, subtype], bytes) if self.element_type() == element::BINARY => {
                Some((*subtype, bytes))
            }
            _ => None,
        }
    }
}
