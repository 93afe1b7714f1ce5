//! What names one document.

use std::fmt;

use bson::oid::ObjectId;

use crate::bson::{Value, layout, subtype};

/// A key or a document id: one of the values that name exactly one document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Compared as one number whatever its width: the server holds 1 and `NumberLong(1)` to be
    /// equal.
    Integer(i64),
    Text(String),
    ObjectId(ObjectId),
    /// A UUID, binary subtype 4.
    Uuid([u8; 16]),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::ObjectId(id) => write!(f, "ObjectId({id})"),
            Self::Uuid(bytes) => write!(f, "UUID({})", bson::Uuid::from_bytes(*bytes)),
        }
    }
}

impl Value for Key {
    /// An integer is as short as drivers write it: an upsert stores it as it stands in the filter.
    fn append_to(&self, buffer: &mut Vec<u8>) -> u8 {
        match self {
            Self::Integer(number) => layout::integer(buffer, *number),
            Self::Text(text) => layout::text(buffer, text),
            Self::ObjectId(id) => layout::object_id(buffer, &id.bytes()),
            Self::Uuid(bytes) => layout::binary(buffer, subtype::UUID, bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::spec::BinarySubtype;
    use bson::{Bson, Document};

    use super::*;
    use crate::bson::document;

    #[test]
    fn keys_keep_their_type_and_integers_are_as_short_as_drivers_write_them() {
        let keys =
            [Key::Integer(7), Key::Integer(1 << 40), Key::Text("s".into()), Key::Uuid([3; 16])];
        let mut out = Vec::new();
        document(&mut out, |doc| {
            doc.list("keys", |list| keys.iter().for_each(|key| list.value(key)));
        });
        let read: Document = bson::deserialize_from_slice(&out).expect("valid BSON");
        let values = read.get_array("keys").expect("an array");
        assert_eq!(values[..3], [Bson::Int32(7), Bson::Int64(1 << 40), Bson::String("s".into())]);
        assert!(
            matches!(&values[3], Bson::Binary(binary) if binary.subtype == BinarySubtype::Uuid && binary.bytes == [3; 16])
        );
    }
}
