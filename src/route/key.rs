//! Which values name a document.
//!
//! A key must be equal to itself alone, on the server too. So: a text, an integer, an [`ObjectId`]
//! or a UUID. Not null (a missing field equals it), not an array (it equals each of its elements),
//! not an object (the order of its names counts), not a float (1.0 equals 1, and a rounding makes
//! another key). A text stays a text, whatever it looks like.

use bson::oid::ObjectId;

use crate::bson::{Field, Fields, element, subtype};
use crate::message::{Key, Name, Place, Reason, Rejection};

use super::rules::TEXT_BYTES_MAX;

/// Reads a key.
///
/// # Errors
/// `bad_key` where the value cannot name a document; the text names the field and the kind of
/// value.
pub(super) fn from_field(field: Field<'_>) -> Result<Key, Rejection> {
    let value = field.value();
    let key = match field.element_type() {
        element::STRING => text(field),
        element::INT32 => fixed(value).map(|bytes| Key::Integer(i32::from_le_bytes(bytes).into())),
        element::INT64 => fixed(value).map(|bytes| Key::Integer(i64::from_le_bytes(bytes))),
        element::OBJECT_ID => fixed(value).map(|bytes| Key::ObjectId(ObjectId::from_bytes(bytes))),
        element::BINARY => uuid(field),
        element::NULL => Err("is null"),
        element::DOUBLE => Err(FLOAT),
        element::DECIMAL128 => Err("is a decimal"),
        element::BOOLEAN => Err("is a boolean"),
        element::DATE => Err("is a date"),
        element::ARRAY => Err("is an array"),
        element::DOCUMENT => Err("is an object"),
        _ => Err("is of a type that cannot name a document"),
    };
    key.map_err(|why| bad_key(field.name(), why).at(Place::value(field.name().to_owned())))
}

/// The value of a field, where there is one that could name a document.
#[must_use]
pub fn key_of(fields: &Fields, name: &str) -> Option<Key> {
    fields.get(name).and_then(|field| from_field(field).ok())
}

/// The rejection of a route's key that is not in the message.
pub(super) fn missing(name: &str) -> Rejection {
    bad_key(name, "is missing").at(Place::missing(name.to_owned()))
}

/// A float that happens to be whole, such as 123.0, is one too: pandas and JavaScript make them.
const FLOAT: &str = "is a number with a fraction, even if it is .0";

fn bad_key(name: &str, why: &str) -> Rejection {
    let give = if why == FLOAT {
        "give 123 or \"123\", not 123.0".to_owned()
    } else {
        format!("give a text of 1 to {TEXT_BYTES_MAX} bytes, an integer, an ObjectId or a UUID")
    };
    let text = format!("the key {} {why}: {give}", Name(name));
    Rejection::new(Reason::BadKey, text)
}

fn text(field: Field<'_>) -> Result<Key, &'static str> {
    let text = field.text_bytes().unwrap_or_default();
    match text.len() {
        0 => Err("is an empty text"),
        1..=TEXT_BYTES_MAX => std::str::from_utf8(text)
            .map(|text| Key::Text(text.to_owned()))
            .map_err(|_| "is not UTF-8"),
        _ => Err("is too long"),
    }
}

fn uuid(field: Field<'_>) -> Result<Key, &'static str> {
    match field.binary() {
        Some((subtype::UUID, bytes)) => {
            bytes.try_into().map(Key::Uuid).map_err(|_| "is marked as a UUID, but has not 16 bytes")
        }
        _ => Err("is binary, but not a UUID (subtype 4)"),
    }
}

fn fixed<const LENGTH: usize>(value: &[u8]) -> Result<[u8; LENGTH], &'static str> {
    value.try_into().map_err(|_| "is cut short")
}

#[cfg(test)]
mod tests {
    use bson::spec::BinarySubtype;
    use bson::{Binary, Bson, DateTime, Decimal128, Uuid, doc};

    use super::super::sample::fields;
    use super::*;

    fn key(value: impl Into<Bson>) -> Result<Key, Rejection> {
        from_field(fields(&doc! { "user_id": value.into() }).iter().next().unwrap())
    }

    #[test]
    fn texts_integers_object_ids_and_uuids_are_keys() {
        assert_eq!(key("s-81"), Ok(Key::Text("s-81".into())));
        assert_eq!(key("é".repeat(512)), Ok(Key::Text("é".repeat(512))));
        assert_eq!(key(7_i32), Ok(Key::Integer(7)));
        assert_eq!(key(i64::MIN), Ok(Key::Integer(i64::MIN)));
        assert_eq!(key(0_i64), key(0_i32));
        let (object_id, uuid) = (ObjectId::from_bytes([7; 12]), Uuid::from_bytes([9; 16]));
        assert_eq!(key(object_id), Ok(Key::ObjectId(object_id)));
        assert_eq!(key(uuid), Ok(Key::Uuid([9; 16])));
    }

    #[test]
    fn a_text_stays_a_text_whatever_it_looks_like() {
        for text in
            ["123", "65f0c0ffee65f0c0ffee65f0", "0192d5f4-7e4c-7000-8000-000000000000", "null", " "]
        {
            assert_eq!(key(text), Ok(Key::Text(text.into())));
        }
    }

    #[test]
    fn what_cannot_name_a_document_is_rejected_by_kind() {
        let binary = |subtype, length| Bson::Binary(Binary { subtype, bytes: vec![1; length] });
        for (value, why) in [
            (Bson::Null, "is null"),
            ("".into(), "is an empty text"),
            ("x".repeat(1_025).into(), "is too long"),
            (1.0.into(), "is a number with a fraction"),
            (f64::NAN.into(), "is a number with a fraction"),
            ("1".parse::<Decimal128>().unwrap().into(), "is a decimal: give a text"),
            (true.into(), "is a boolean"),
            (DateTime::from_millis(0).into(), "is a date"),
            (Bson::Array(vec![1.into()]), "is an array"),
            (doc! { "$gt": "" }.into(), "is an object"),
            (binary(BinarySubtype::Generic, 16), "is binary, but not a UUID"),
            (binary(BinarySubtype::UuidOld, 16), "is binary, but not a UUID"),
            (binary(BinarySubtype::Uuid, 15), "has not 16 bytes"),
            (Bson::MaxKey, "is of a type that cannot name a document"),
        ] {
            let rejected = key(value.clone()).unwrap_err();
            assert_eq!(rejected.reason, Reason::BadKey, "{value}");
            assert!(
                rejected.text.starts_with("the key `user_id` ") && rejected.text.contains(why),
                "{}",
                rejected.text
            );
        }
    }
}
