//! Insert: a document of all fields of the message, made once.

use crate::bson::{Doc, document};
use crate::message::{Holds, Identity, Insert, Key, KnownBy, Record, Rejection};

use super::definition::Route;
use super::rules::{
    ID, INGEST, TYPE, bad_name, check_indexed, check_required, check_size, is_ingest,
};
use super::{id, key, times};

/// The field that names a document (MongoDB manual, "Documents").
const DOCUMENT_ID: &str = "_id";
/// Bytes for `_id`, a default time and `_ingest`, with all names: what a document holds beside the
/// message's fields.
const ADDED_BYTES: usize = 128;

/// Makes the document: `_id`, the fields in the order of the message, the default time if it is
/// absent, and, where the identity is not the queue's own, `_ingest.h`.
///
/// # Errors
/// Where a field breaks a rule of the route; the text names it.
pub(super) fn insert(route: &Route, record: &Record) -> Result<Insert, Rejection> {
    let mut bytes = Vec::with_capacity(record.fields.bytes() + ADDED_BYTES);
    let (id, known_by) = document(&mut bytes, |document| write(document, route, record))?;
    Ok(Insert { id, document: bytes, known_by })
}

/// Writes all elements. Returns the id, and by what it is known.
fn write(
    document: &mut Doc<'_>,
    route: &Route,
    record: &Record,
) -> Result<(Key, KnownBy), Rejection> {
    let id = if let Some(field) = record.fields.get(ID) {
        let id = key::from_field(field)?;
        document.field_as(DOCUMENT_ID, field);
        id
    } else {
        let id = Key::Uuid(id::from_origin(&record.origin));
        document.value(DOCUMENT_ID, &id);
        id
    };
    // Whoever gives an identity may give it twice, or one that another gave.
    let known_by = match record.origin.identity {
        Identity::Queue if record.fields.get(ID).is_none() => KnownBy::Id,
        Identity::Line(Holds::Document) => KnownBy::Fields,
        Identity::Queue
        | Identity::Given
        | Identity::GivenWithoutTime
        | Identity::Line(Holds::Message) => {
            KnownBy::Hash(id::message_hash(record, &route.volatile))
        }
    };
    check_required(route, record, None)?;
    check_indexed(route, record, None)?;
    write_fields(document, route, record)?;
    if let KnownBy::Hash(hash) = &known_by {
        document.doc(INGEST, |own| own.binary("h", hash));
    }
    check_size(document.bytes())?;
    Ok((id, known_by))
}

fn write_fields(document: &mut Doc<'_>, route: &Route, record: &Record) -> Result<(), Rejection> {
    let mut default_time = route.default_time.as_deref();
    for field in record.fields.iter() {
        let name = field.name();
        match name {
            TYPE if record.names_its_route() => continue,
            ID => continue,
            DOCUMENT_ID => {
                return Err(bad_name(name, "is rejected: give the document's id as `id`"));
            }
            name if is_ingest(name) => {
                return Err(bad_name(name, "is rejected: longshore keeps its own data there"));
            }
            _ => {}
        }
        if default_time == Some(name) {
            default_time = None;
            let time = times::read(route, field)?
                .map_or_else(|| times::of_origin(&record.origin, name), Ok)?;
            document.date(name, time.millis());
        } else if route.times.iter().any(|time| time == name)
            && let Some(time) = times::read(route, field)?
        {
            document.date(name, time.millis());
        } else {
            document.field(field);
        }
    }
    if let Some(name) = default_time {
        document.date(name, times::of_origin(&record.origin, name)?.millis());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::spec::BinarySubtype;
    use bson::{Binary, Bson, DateTime, Document, Uuid, doc, oid::ObjectId};

    use super::super::sample;
    use super::*;
    use crate::bson::DOCUMENT_BYTES_MAX;
    use crate::message::Reason;
    use crate::message::origin::NO_TIME;
    use crate::time::{Time, Unit};

    fn insert(fields: &Document) -> Result<(Insert, Document), Rejection> {
        let made = super::insert(&sample::routes()["event"], &sample::record("event", fields))?;
        let document = Document::from_reader(made.document.as_slice()).unwrap();
        Ok((made, document))
    }

    fn names(document: &Document) -> Vec<&str> {
        document.keys().map(String::as_str).collect()
    }

    /// An event with all that is required, and `more`.
    fn event(more: Document) -> Document {
        let mut fields = doc! { "user_id": 123, "event_type": "login" };
        fields.extend(more);
        fields
    }

    #[test]
    fn the_producers_id_names_the_document_and_a_hash_tells_what_was_sent() {
        let fields = doc! {
            "type": "event", "id": "7f0c", "user_id": 123_i64, "event_type": "login",
            "timestamp": "2026-11-22T10:00:05.123Z", "metadata": { "ip": "10.0.0.1", "at": "2026-11-22T10:00:00Z" }, "a.b": 1, "": 2,
        };
        let (made, document) = insert(&fields).unwrap();
        assert_eq!(made.id, Key::Text("7f0c".into()));
        let hash = made.known_by.hash().unwrap();
        assert_eq!(
            document,
            doc! {
                "_id": "7f0c", "user_id": 123_i64, "event_type": "login",
                "timestamp": DateTime::from_millis(1_795_341_605_123),
                "metadata": { "ip": "10.0.0.1", "at": "2026-11-22T10:00:00Z" }, "a.b": 1, "": 2,
                "_ingest": { "h": Binary { subtype: BinarySubtype::Generic, bytes: hash.to_vec() } },
            }
        );
        assert_eq!(
            names(&document),
            ["_id", "user_id", "event_type", "timestamp", "metadata", "a.b", "", "_ingest"]
        );
    }

    #[test]
    fn an_exported_document_has_no_hash_and_a_line_needs_a_time() {
        let of = |identity, fields: Document| {
            let mut record = sample::record("event", &event(fields));
            record.origin.identity = identity;
            record.origin.time = NO_TIME;
            super::insert(&sample::routes()["event"], &record)
        };
        let given = || doc! { "timestamp": DateTime::from_millis(1_795_341_605_123) };
        let line = of(Identity::Line(Holds::Message), given()).expect("whole");
        assert!(line.known_by.hash().is_some());
        let document = of(Identity::Line(Holds::Document), given()).expect("whole");
        assert_eq!(document.known_by, KnownBy::Fields);
        let rejected = of(Identity::Line(Holds::Message), doc! {}).expect_err("it has no time");
        assert_eq!(rejected.reason, Reason::BadTime);
        assert!(rejected.text.contains("--time"), "{}", rejected.text);
    }

    #[test]
    fn an_id_keeps_its_type() {
        for id in [
            Bson::from("123"),
            123.into(),
            123_i64.into(),
            ObjectId::from_bytes([7; 12]).into(),
            Uuid::from_bytes([9; 16]).into(),
        ] {
            let (_, document) = insert(&event(doc! { "id": id.clone() })).unwrap();
            assert_eq!(document.get("_id"), Some(&id));
        }
    }

    #[test]
    fn an_id_that_cannot_name_a_document_is_rejected() {
        for id in [Bson::Null, "".into(), 1.5.into(), Bson::Array(vec![]), doc! { "a": 1 }.into()] {
            let rejected = insert(&event(doc! { "id": id })).unwrap_err();
            assert_eq!(rejected.reason, Reason::BadKey);
            assert!(rejected.text.contains("`id`"), "{}", rejected.text);
        }
    }

    #[test]
    fn without_an_id_the_origin_makes_one_and_no_hash_is_kept() {
        let fields = event(doc! {});
        let (made, document) = insert(&fields).unwrap();
        let uuid = id::from_origin(&sample::record("event", &fields).origin);
        assert_eq!((made.id, made.known_by), (Key::Uuid(uuid), KnownBy::Id));
        assert_eq!(document.get("_id"), Some(&Uuid::from_bytes(uuid).into()));
        assert_eq!(names(&document), ["_id", "user_id", "event_type", "timestamp"]);
    }

    #[test]
    fn a_time_that_is_absent_or_null_is_the_origins_and_not_in_the_hash() {
        let origin = Bson::from(DateTime::from_millis(sample::ORIGIN_MS));
        let (absent, document) = insert(&event(doc! { "id": 1 })).unwrap();
        assert_eq!(document.get("timestamp"), Some(&origin));
        assert_eq!(
            absent.known_by,
            KnownBy::Hash(id::message_hash(&sample::record("event", &event(doc! {})), &[]))
        );
        let (_, document) = insert(&event(doc! { "timestamp": null, "metadata": 1 })).unwrap();
        assert_eq!(document.get("timestamp"), Some(&origin));
        assert_eq!(names(&document), ["_id", "user_id", "event_type", "timestamp", "metadata"]);
    }

    #[test]
    fn other_times_become_dates_and_may_be_null_or_absent() {
        let mut route = sample::routes()["event"].clone();
        route.times.push("expires_at".into());
        let made = |fields: &Document| {
            let made = super::insert(&route, &sample::record("event", fields)).unwrap();
            Document::from_reader(made.document.as_slice()).unwrap().get("expires_at").cloned()
        };
        assert_eq!(
            made(&event(doc! { "expires_at": 1_795_341_605 })),
            Some(DateTime::from_millis(1_795_341_605_000).into())
        );
        assert_eq!(made(&event(doc! { "expires_at": null })), Some(Bson::Null));
        assert_eq!(made(&event(doc! {})), None);
    }

    #[test]
    fn a_bad_time_is_rejected_by_name() {
        for (time, why) in [
            (Bson::from("yesterday"), "is not a time"),
            (true.into(), "is not a time"),
            (doc! { "a": 1 }.into(), "is not a time"),
            (Bson::Array(vec![1.into()]), "is not a time"),
            (Bson::MaxKey, "is not a time"),
            ("0000-01-01T00:00:00Z".into(), "years 1 to 9999"),
            (i64::MAX.into(), "years 2000 to 2100"),
            (20_261_122.into(), "declare its unit in `times` of the route"),
            ("20261122".into(), "8 or 14 digits"),
            ("20261122100005".into(), "8 or 14 digits"),
            (1_795_341_605_123_456_i64.into(), "looks like microseconds: send milliseconds"),
            (1_795_341_605_123_456_789_i64.into(), "looks like nanoseconds: send milliseconds"),
        ] {
            let mut route = sample::routes()["event"].clone();
            route.indexed = sample::strings(&["timestamp"]);
            let record = sample::record("event", &event(doc! { "timestamp": time }));
            let rejected = super::insert(&route, &record).unwrap_err();
            assert_eq!(rejected.reason, Reason::BadTime, "{}", rejected.text);
            assert!(
                rejected.text.starts_with("`timestamp` ") && rejected.text.contains(why),
                "{}",
                rejected.text
            );
        }
        let mut record = sample::record("event", &event(doc! {}));
        record.origin.time = Time::from_millis(i64::MAX);
        let rejected = super::insert(&sample::routes()["event"], &record).unwrap_err();
        assert_eq!(rejected.reason, Reason::BadTime);
    }

    #[test]
    fn a_number_of_a_unit_that_the_route_declares_is_of_any_year() {
        let mut route = sample::routes()["event"].clone();
        route.times.extend(sample::strings(&["born", "founded"]));
        route.units =
            [("born".to_owned(), Unit::Millis), ("founded".to_owned(), Unit::Seconds)].into();
        let made = |name: &str, value: Bson| {
            let made =
                super::insert(&route, &sample::record("event", &event(doc! { name: value })))?;
            let document = Document::from_reader(made.document.as_slice()).unwrap();
            Ok::<_, Rejection>(document.get_datetime(name).unwrap().timestamp_millis())
        };
        assert_eq!(made("born", (-86_400_000).into()), Ok(-86_400_000));
        assert_eq!(made("born", 1_795_341_605.into()), Ok(1_795_341_605), "seconds to the eye");
        assert_eq!(made("born", "2026112.5".into()), Ok(2_026_112));
        assert_eq!(made("founded", (-2_208_988_800_i64).into()), Ok(-2_208_988_800_000));
        assert_eq!(made("founded", "1900-01-01T00:00:00Z".into()), Ok(-2_208_988_800_000));
        assert_eq!(made("founded", "20261122".into()).unwrap_err().reason, Reason::BadTime);
        assert_eq!(made("founded", i64::MAX.into()).unwrap_err().reason, Reason::BadTime);
    }

    #[test]
    fn a_time_far_ahead_is_no_matter_for_an_event() {
        let (_, document) = insert(&event(doc! { "timestamp": "2999-01-01T00:00:00Z" })).unwrap();
        assert!(document.get_datetime("timestamp").is_ok());
    }

    #[test]
    fn names_that_longshore_or_the_server_keeps_are_rejected() {
        for name in ["_id", "_ingest", "_ingest.h", "_ingest.", "_ingest.v.t"] {
            let rejected = insert(&event(doc! { name: 1 })).unwrap_err();
            assert_eq!(rejected.reason, Reason::BadName);
            assert!(rejected.text.contains(name), "{}", rejected.text);
        }
    }

    #[test]
    fn a_dot_in_a_name_is_data() {
        let more = doc! { "a.b": 1, ".": 2, "_ingested": 3, "_ingest_at.x": 4 };
        let (_, document) = insert(&event(more.clone())).unwrap();
        for (name, value) in &more {
            assert_eq!(document.get(name), Some(value));
        }
    }

    #[test]
    fn a_type_that_did_not_name_the_route_is_a_field() {
        let made = super::insert(
            &sample::routes()["event"],
            &sample::record("event", &event(doc! { "type": "Recon:EC2/PortProbe" })),
        );
        let document = Document::from_reader(made.unwrap().document.as_slice()).unwrap();
        assert_eq!(document.get_str("type").unwrap(), "Recon:EC2/PortProbe");
    }

    #[test]
    fn a_document_of_16_mib_fits_and_one_byte_more_does_not() {
        // One text field fills the rest: type, "a", NUL, length, NUL.
        let (made, _) = insert(&event(doc! { "id": 1, "a": "" })).unwrap();
        let room = DOCUMENT_BYTES_MAX - made.document.len();
        let (made, _) = insert(&event(doc! { "id": 1, "a": "x".repeat(room) })).unwrap();
        assert_eq!(made.document.len(), DOCUMENT_BYTES_MAX);
        let rejected = insert(&event(doc! { "id": 1, "a": "x".repeat(room + 1) })).unwrap_err();
        assert_eq!(rejected.reason, Reason::TooLarge);
    }

    #[test]
    fn a_route_may_require_the_producers_id() {
        let mut route = sample::routes()["event"].clone();
        route.required.push("id".into());
        let rejected =
            super::insert(&route, &sample::record("event", &event(doc! {}))).unwrap_err();
        assert_eq!(
            (rejected.reason, rejected.text.starts_with("`id` is missing")),
            (Reason::MissingField, true)
        );
    }
}
