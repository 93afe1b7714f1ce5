//! Writes a BSON document from elements that are encoded already.

use crate::bson::{Field, element};

use super::DOCUMENT_BYTES_MAX;

/// A document being written: length, elements, NUL.
pub(super) struct DocumentWriter {
    bytes: Vec<u8>,
}

impl DocumentWriter {
    /// `capacity`: bytes of the whole document, as far as they are known.
    pub(super) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(&[0; 4]);
        Self { bytes }
    }

    /// Bytes of the document, if it ended here.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + 1
    }

    /// Copies an element as it is.
    pub(super) fn copy(&mut self, field: Field<'_>) {
        self.bytes.extend_from_slice(field.element);
    }

    pub(super) fn element(&mut self, name: &str, element_type: u8, value: &[u8]) {
        self.bytes.push(element_type);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn date(&mut self, name: &str, millis: i64) {
        self.element(name, element::DATE, &millis.to_le_bytes());
    }

    pub(super) fn binary(&mut self, name: &str, subtype: u8, value: &[u8; 16]) {
        let mut encoded = [0; 21];
        encoded[0] = 16;
        encoded[4] = subtype;
        encoded[5..].copy_from_slice(value);
        self.element(name, element::BINARY, &encoded);
    }

    /// Ends the document. The caller has checked its size.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        debug_assert!(self.bytes.len() <= DOCUMENT_BYTES_MAX, "the size was checked");
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&length.to_le_bytes());
        self.bytes
    }
}
