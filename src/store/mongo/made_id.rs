//! The `_id` of a document that an upsert makes: one for each key, so that two documents of one key
//! cannot be made.
//!
//! The unique index on the key is one guard; it can be dropped, be lost with its collection, or
//! still be in the making. The index on `_id` cannot. So the `_id` is made of the key alone, as the
//! server compares it: equal keys, equal ids.

use bson::oid::ObjectId;
use sha2::{Digest, Sha256};

use crate::message::Key;

/// The first 12 bytes of SHA-256 over the kind of the key and its bytes, as an `ObjectId`: that is
/// what validators and other programs expect in `_id`. The time in it means nothing.
pub fn of(key: &Key) -> Key {
    let hash = match key {
        // One for int32 and int64: to the server they are equal.
        Key::Integer(number) => hash(b'i', &number.to_be_bytes()),
        Key::Text(text) => hash(b't', text.as_bytes()),
        Key::ObjectId(id) => hash(b'o', &id.bytes()),
        Key::Uuid(bytes) => hash(b'u', bytes),
    };
    Key::ObjectId(ObjectId::from_bytes(hash))
}

fn hash(kind: u8, bytes: &[u8]) -> [u8; 12] {
    let mut first = [0; 12];
    first.copy_from_slice(&Sha256::new().chain_update([kind]).chain_update(bytes).finalize()[..12]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_key_never_changes_and_each_key_has_its_own() {
        let uuid = *b"0123456789abcdef";
        let keys = [
            Key::Text("7".into()),
            Key::Text("7 ".into()),
            Key::Integer(7),
            Key::Integer(i64::from_be_bytes(*b"01234567")),
            Key::Text("01234567".into()),
            Key::Text("0123456789abcdef".into()),
            Key::Uuid(uuid),
            Key::ObjectId(ObjectId::from_bytes([7; 12])),
        ];
        let ids: Vec<_> = keys.iter().map(of).collect();
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "{:?}", keys[index]);
        }
        // Held as a constant: with another, an upgrade would make second documents where there is
        // no index.
        assert_eq!(of(&Key::Text("s-81".into())).to_string(), "ObjectId(f5df788cbe250bef574500b3)");
        assert_eq!(of(&Key::Integer(123)).to_string(), "ObjectId(aff1132a5d7f0d4ff9e37ce5)");
    }
}
