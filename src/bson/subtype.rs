//! The subtypes of binary values that Longshore writes or looks into (BSON specification, "subtype").

pub const GENERIC: u8 = 0x00;
/// Repeats the length inside the value.
pub const OLD_BINARY: u8 = 0x02;
/// A UUID in the byte order of whichever driver wrote it.
pub const OLD_UUID: u8 = 0x03;
pub const UUID: u8 = 0x04;
