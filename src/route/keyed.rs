//! Set and replace: an order-free update of the document with the message's key.

use crate::bson::{Field, Fields};
use crate::message::{Key, Name, Place, Reason, Record, Rejection, Update};
use crate::store::{Extent, Keyed};
use crate::time::Time;
use crate::version::{Change, Version};

use super::definition::Route;
use super::rules::{TYPE, bad_name, check_indexed, check_required, check_size, is_ingest};
use super::{id, key, times};

/// Bytes that are left to `_id` and `_ingest` in a document of the largest size, beside what is
/// counted by field.
const INGEST_BYTES: usize = 16 * 1_024;
/// Bytes of one version in `_ingest` beside the field's name and the origin's id: two dates, the
/// nanoseconds, sequence and place, the hash, their names, the headers.
const VERSION_BYTES: usize = 96;

/// A record on a route with a key.
pub(super) struct KeyedRecord<'a> {
    pub(super) route: &'a Route,
    pub(super) record: &'a Record,
    pub(super) keyed: &'a Keyed,
}

impl<'a> KeyedRecord<'a> {
    /// Makes the update: the key, the version, and the fields but for the key, which the store
    /// writes. The version field is always among them, as a date.
    ///
    /// # Errors
    /// Where a field breaks a rule of the route; the text names it.
    pub(super) fn update(&self, version_skew_max_ms: i64) -> Result<Update, Rejection> {
        let key = self
            .record
            .fields
            .get(&self.keyed.key)
            .map_or_else(|| Err(key::missing(&self.keyed.key)), key::from_field)?;
        self.check_names()?;
        check_required(self.route, self.record, Some(&self.keyed.key))?;
        check_indexed(self.route, self.record, Some(&self.keyed.key))?;
        let version = self.version(version_skew_max_ms)?;
        let change = match self.keyed.extent {
            Extent::Partial => self.partial(&version)?,
            Extent::Set | Extent::Replace => self.whole(version)?,
        };
        check_document_size(&key, &change)?;
        Ok(Update { key, change })
    }

    /// Rejects names that would act on the server, and those that a `set` does not declare.
    fn check_names(&self) -> Result<(), Rejection> {
        let declared = (self.keyed.extent != Extent::Replace).then_some(&self.route.fields);
        for field in self.record.fields.iter() {
            match field.name() {
                TYPE if self.record.names_its_route() => {}
                name if name == self.keyed.key => {}
                "" => {
                    return Err(bad_name(
                        "",
                        "is rejected: a document with a key takes no empty name",
                    ));
                }
                "_id" => {
                    return Err(bad_name("_id", "is rejected: it is not the key of this route"));
                }
                name if is_ingest(name) => {
                    return Err(bad_name(name, "is rejected: longshore keeps its own data there"));
                }
                name if name.contains('.') => {
                    return Err(bad_name(
                        name,
                        "is rejected: the server would take the dot for a path into another field",
                    ));
                }
                name if declared.is_some_and(|fields| {
                    fields.binary_search_by(|known| known.as_str().cmp(name)).is_err()
                }) =>
                {
                    let route = Name(&self.route.name);
                    let text = format!(
                        "{} is not declared: remove it, or add it to `fields` of the route {route}",
                        Name(name)
                    );
                    let place = Place::name(name.to_owned());
                    return Err(Rejection::new(Reason::UnknownField, text).at(place));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The version: the version field's time, or the origin's where that is absent or null, with
    /// all that breaks ties.
    fn version(&self, skew_max_ms: i64) -> Result<Version, Rejection> {
        let Record { origin, sent_ms, fields, .. } = self.record;
        let field = fields.get(&self.keyed.version_field);
        let time = match field.map(|field| times::read(self.route, field)).transpose()?.flatten() {
            Some(time) => time,
            None => times::of_origin(origin, &self.keyed.version_field)?,
        };
        if !time.can_be_a_version() {
            let text = format!(
                "{} is outside the years 2000 to 2100, in which a version must lie: give RFC 3339, epoch seconds or epoch milliseconds",
                Name(&self.keyed.version_field)
            );
            return Err(self.bad_version(text));
        }
        if time.millis() > sent_ms.saturating_add(skew_max_ms) {
            // Once stored, it would win over every true update until that time comes.
            let text = format!(
                "{} is {} s ahead of the time of sending: set the producer's clock right, give the time its offset (without one it is read as UTC), or raise `message.version_skew_max`",
                Name(&self.keyed.version_field),
                time.millis().saturating_sub(*sent_ms) / 1_000
            );
            return Err(self.bad_version(text));
        }
        Ok(Version {
            time,
            origin_time: origin.rank(),
            sequence: origin.sequence,
            place: 0,
            origin_id: origin.id.clone(),
            content_hash: id::content_hash(self.record),
        })
    }

    /// The rejection of a version that was read. Where the message has no version field, it is the
    /// origin's time, which is in no place of the body.
    fn bad_version(&self, text: String) -> Rejection {
        let name = &self.keyed.version_field;
        let rejection = Rejection::new(Reason::BadTime, text);
        match self.record.fields.get(name) {
            Some(_) => rejection.at(Place::value(name.clone())),
            None => rejection,
        }
    }

    /// All fields at one version, in the order of the message.
    fn whole(&self, version: Version) -> Result<Change, Rejection> {
        let mut fields = Fields::default();
        fields.buffer().reserve(self.record.fields.bytes() + 16 + self.keyed.version_field.len());
        self.each_stored(version.time.millis(), |name, value| value.push_to(&mut fields, name))?;
        Ok(Change::Whole { version, fields })
    }

    /// Each field with its version, sorted by name.
    fn partial(&self, version: &Version) -> Result<Change, Rejection> {
        let mut fields = Vec::with_capacity(self.record.fields.len() + 1);
        self.each_stored(version.time.millis(), |name, value| {
            let mut single = Fields::default();
            value.push_to(&mut single, name);
            fields.push((name.to_owned(), version.clone(), single));
        })?;
        fields.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(Change::Partial { fields })
    }

    /// Hands over each field that is stored, but for the key; the version field last if the message
    /// has none.
    fn each_stored(
        &self,
        version_ms: i64,
        mut store: impl FnMut(&'a str, Value<'a>),
    ) -> Result<(), Rejection> {
        let mut has_version = false;
        for field in self.record.fields.iter() {
            let name = field.name();
            if name == self.keyed.key || name == TYPE && self.record.names_its_route() {
                continue;
            }
            let time = if name == self.keyed.version_field {
                has_version = true;
                Some(version_ms)
            } else if self.route.times.iter().any(|time| time == name) {
                times::read(self.route, field)?.map(Time::millis)
            } else {
                None
            };
            store(name, time.map_or(Value::AsSent(field), Value::Date));
        }
        if !has_version {
            store(&self.keyed.version_field, Value::Date(version_ms));
        }
        Ok(())
    }
}

/// The value of a field as it is stored.
enum Value<'a> {
    AsSent(Field<'a>),
    /// Milliseconds since the epoch.
    Date(i64),
}

impl Value<'_> {
    fn push_to(&self, fields: &mut Fields, name: &str) {
        match self {
            Self::AsSent(field) => fields.push(name, field.element_type(), field.value()),
            Self::Date(millis) => fields.push_date(name, *millis),
        }
    }
}

/// Counts the document as the server will hold it, versions included.
fn check_document_size(key: &Key, change: &Change) -> Result<(), Rejection> {
    let key_bytes = match key {
        Key::Text(text) => text.len(),
        Key::Integer(_) | Key::ObjectId(_) | Key::Uuid(_) => 0,
    };
    let fields_bytes: usize = match change {
        Change::Whole { version, fields } => fields.bytes() + version.origin_id.len(),
        Change::Partial { fields } => {
            let each = |(name, version, value): &(String, Version, Fields)| {
                value.bytes() + name.len() + version.origin_id.len() + VERSION_BYTES
            };
            fields.iter().map(each).sum()
        }
    };
    check_size(fields_bytes + key_bytes + INGEST_BYTES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bson::{Bson, DateTime, Document, doc, oid::ObjectId};

    use super::super::Router;
    use super::super::sample::{self, ORIGIN_MS, SENT_MS};
    use super::*;
    use crate::bson::DOCUMENT_BYTES_MAX;
    use crate::message::Write;
    use crate::time::VERSION_MILLIS_MIN;

    fn route(
        routes: &BTreeMap<String, Route>,
        kind: &str,
        fields: &Document,
    ) -> Result<Update, Rejection> {
        match sample::router_of(routes).route(&sample::record(kind, fields))?.write {
            Write::Update(update) => Ok(update),
            Write::Insert(_) | Write::Letter(_) => panic!("{kind} has a key"),
        }
    }

    fn update(kind: &str, fields: &Document) -> Result<Update, Rejection> {
        route(&sample::routes(), kind, fields)
    }

    /// The built-in routes, of which that of sessions is partial.
    fn partial_sessions() -> BTreeMap<String, Route> {
        let mut routes = sample::routes();
        let session = routes.get_mut("session").unwrap();
        session.kind = sample::keyed("session_id", "last_accessed", Extent::Partial);
        session.fields.push("a".into());
        routes
    }

    fn whole(update: Update) -> (Version, Fields) {
        match update.change {
            Change::Whole { version, fields } => (version, fields),
            Change::Partial { .. } => panic!("not partial"),
        }
    }

    fn date(millis: i64) -> Bson {
        DateTime::from_millis(millis).into()
    }

    #[test]
    fn a_session_is_its_declared_fields_at_one_version_without_the_key() {
        let data = doc! { "cart": [{ "sku": "a", "qty": 1 }] };
        let update = update(
            "session",
            &doc! { "type": "session", "session_id": "s-81", "last_accessed": "2026-11-22 10:00:00.123", "data": data.clone() },
        )
        .unwrap();
        assert_eq!(update.key, Key::Text("s-81".into()));
        let (version, fields) = whole(update);
        assert_eq!(
            (version.time, version.origin_time),
            (Time::from_millis(1_795_341_600_123), Time::from_millis(ORIGIN_MS))
        );
        assert_eq!(&*version.origin_id, b"5fea7756-0ea4-451a-a703-a558b933e274");
        assert_eq!(
            fields,
            sample::fields(&doc! { "last_accessed": date(1_795_341_600_123), "data": data })
        );
    }

    #[test]
    fn a_cache_entry_is_all_fields_but_the_type_that_named_the_route() {
        let update = update(
            "cache",
            &doc! { "type": "cache", "id": 5, "user_id": 123, "data": { "plan": "pro" }, "more": 1, "updated": 1_795_341_605 },
        )
        .unwrap();
        assert_eq!(update.key, Key::Integer(123));
        let (_, fields) = whole(update);
        assert_eq!(
            fields,
            sample::fields(
                &doc! { "id": 5, "data": { "plan": "pro" }, "more": 1, "updated": date(1_795_341_605_000) }
            )
        );
    }

    #[test]
    fn what_was_not_consumed_is_a_field_like_others() {
        let more = doc! { "user_id": 1, "data": 1, "type": "premium", "id": "x" };
        let (version, fields) = whole(update("cache", &more).unwrap());
        assert_eq!(
            fields,
            sample::fields(
                &doc! { "data": 1, "type": "premium", "id": "x", "updated": date(ORIGIN_MS) }
            )
        );
        let (other, _) = whole(update("cache", &doc! { "user_id": 1, "data": 1 }).unwrap());
        assert_ne!(version.content_hash, other.content_hash, "part of what the message says");
        for name in ["type", "id"] {
            let fields = doc! { "session_id": 1, "data": 1, name: "x" };
            let rejected = update("session", &fields).unwrap_err();
            assert_eq!(
                (rejected.reason, rejected.text.starts_with(&format!("`{name}` is not declared"))),
                (Reason::UnknownField, true),
                "{}",
                rejected.text
            );
            let mut declared = sample::routes();
            declared.get_mut("session").unwrap().fields.push(name.to_owned());
            let (_, stored) = whole(route(&declared, "session", &fields).unwrap());
            assert!(stored.get(name).is_some(), "{name} is stored where it is declared");
        }
    }

    #[test]
    fn without_a_version_the_origins_time_is_the_version_and_is_stored() {
        for more in [doc! {}, doc! { "last_accessed": null }] {
            let mut fields = doc! { "session_id": 1, "data": 1 };
            fields.extend(more);
            let (version, fields) = whole(update("session", &fields).unwrap());
            assert_eq!(version.time, Time::from_millis(ORIGIN_MS));
            assert_eq!(
                fields,
                sample::fields(&doc! { "data": 1, "last_accessed": date(ORIGIN_MS) })
            );
        }
    }

    #[test]
    fn a_partial_session_is_each_field_at_its_version_sorted_by_name() {
        let routes = partial_sessions();
        for more in [doc! {}, doc! { "last_accessed": ORIGIN_MS }] {
            let mut fields = doc! { "type": "session", "data": 1, "session_id": 1, "a": null };
            fields.extend(more);
            let update = route(&routes, "session", &fields).unwrap();
            let Change::Partial { fields } = update.change else { panic!("partial") };
            let expected =
                [("a", Bson::Null), ("data", 1.into()), ("last_accessed", date(ORIGIN_MS))];
            assert_eq!(fields.len(), expected.len());
            for ((name, version, single), (expected_name, value)) in fields.iter().zip(expected) {
                assert_eq!(
                    (name.as_str(), version.time),
                    (expected_name, Time::from_millis(ORIGIN_MS))
                );
                assert_eq!(*single, sample::fields(&doc! { expected_name: value }));
            }
        }
    }

    #[test]
    fn other_times_become_dates_or_stay_null() {
        let mut routes = sample::routes();
        routes.get_mut("cache").unwrap().times = sample::strings(&["from", "to"]);
        let (_, fields) = whole(
            route(
                &routes,
                "cache",
                &doc! { "user_id": 1, "data": 1, "from": "2026-11-22T10:00:00.042Z", "to": null },
            )
            .unwrap(),
        );
        assert_eq!(
            fields,
            sample::fields(
                &doc! { "data": 1, "from": date(ORIGIN_MS), "to": null, "updated": date(ORIGIN_MS) }
            )
        );
        let rejected =
            route(&routes, "cache", &doc! { "user_id": 1, "data": 1, "to": "never" }).unwrap_err();
        assert_eq!(
            (rejected.reason, rejected.text.starts_with("`to` is not a time")),
            (Reason::BadTime, true)
        );
    }

    #[test]
    fn a_missing_or_bad_key_is_rejected_by_name() {
        for (fields, why) in [
            (doc! { "data": 1 }, "is missing"),
            (doc! { "data": 1, "user_id": null }, "is null"),
            (doc! { "data": 1, "user_id": 1.0 }, "is a number with a fraction"),
            (doc! { "data": 1, "user_id": { "$gt": "" } }, "is an object"),
        ] {
            let rejected = update("cache", &fields).unwrap_err();
            assert_eq!(rejected.reason, Reason::BadKey);
            assert!(
                rejected.text.starts_with(&format!("the key `user_id` {why}")),
                "{}",
                rejected.text
            );
        }
    }

    #[test]
    fn names_that_would_act_on_the_server_are_rejected() {
        for (kind, key) in [("session", "session_id"), ("cache", "user_id")] {
            for name in ["a.b", "_ingest", "_ingest.v", "_ingest.", "_id", "", ".", "data."] {
                let rejected = update(kind, &doc! { key: 1, "data": 1, name: 1 }).unwrap_err();
                assert_eq!(rejected.reason, Reason::BadName, "{kind} {name:?}");
                assert!(
                    rejected.text.starts_with(&format!("{} is rejected", Name(name))),
                    "{}",
                    rejected.text
                );
            }
        }
    }

    #[test]
    fn names_below_the_top_level_are_data() {
        let data = doc! { "a.b": 1, "": 2, "_id": 3, "_ingest": 4, "type": 5, "id": 6 };
        let (_, fields) =
            whole(update("cache", &doc! { "user_id": 1, "data": data.clone() }).unwrap());
        assert_eq!(
            fields.get("data").unwrap().element,
            sample::fields(&doc! { "data": data }).get("data").unwrap().element
        );
    }

    #[test]
    fn an_undeclared_field_of_a_set_is_rejected_by_name() {
        for routes in [sample::routes(), partial_sessions()] {
            let rejected =
                route(&routes, "session", &doc! { "session_id": 1, "data": 1, "device": "x" })
                    .unwrap_err();
            assert_eq!(rejected.reason, Reason::UnknownField);
            assert!(rejected.text.starts_with("`device` is not declared"), "{}", rejected.text);
        }
    }

    #[test]
    fn the_document_id_may_be_the_key() {
        let mut routes = sample::routes();
        let cache = routes.get_mut("cache").unwrap();
        cache.kind = sample::keyed("_id", "updated", Extent::Replace);
        cache.required = sample::strings(&["_id", "data"]);
        let id = ObjectId::from_bytes([7; 12]);
        let update = route(&routes, "cache", &doc! { "_id": id, "data": 1 }).unwrap();
        assert_eq!(update.key, Key::ObjectId(id));
        assert_eq!(
            whole(update).1,
            sample::fields(&doc! { "data": 1, "updated": date(ORIGIN_MS) })
        );
    }

    #[test]
    fn a_version_may_be_ahead_of_the_sending_by_the_skew_and_no_more() {
        let at =
            |millis: i64| update("cache", &doc! { "user_id": 1, "data": 1, "updated": millis });
        assert_eq!(whole(at(SENT_MS + 3_600_000).unwrap()).0.time.millis(), SENT_MS + 3_600_000);
        let rejected = at(SENT_MS + 3_600_001).unwrap_err();
        assert_eq!(rejected.reason, Reason::BadTime);
        assert!(rejected.text.starts_with("`updated` is 3600 s ahead"), "{}", rejected.text);
        // Far in the past is merely stale.
        assert!(at(VERSION_MILLIS_MIN).is_ok());
    }

    #[test]
    fn a_version_outside_2000_to_2100_is_rejected_whoever_says_it() {
        let skew_max = std::time::Duration::from_hours(24 * 365 * 1_000);
        let router = Router::new(&sample::routes(), skew_max, |_| ());
        for time in [
            Bson::from(-1),
            "1999-12-31T23:59:59Z".into(),
            "2100-01-01T00:00:00.001Z".into(),
            20_261_122_100_005_i64.into(),
        ] {
            let record =
                sample::record("cache", &doc! { "user_id": 1, "data": 1, "updated": time });
            let rejected = router.route(&record).unwrap_err();
            assert_eq!(
                (rejected.reason, rejected.text.contains("outside the years 2000 to 2100")),
                (Reason::BadTime, true),
                "{}",
                rejected.text
            );
        }
        let mut record = sample::record("cache", &doc! { "user_id": 1, "data": 1 });
        record.origin.time = Time::from_millis(VERSION_MILLIS_MIN - 1);
        assert_eq!(router.route(&record).unwrap_err().reason, Reason::BadTime);
    }

    #[test]
    fn two_messages_of_one_millisecond_have_the_order_that_their_producer_said() {
        let at = |time: &str| {
            whole(
                update("session", &doc! { "session_id": 1, "data": 1, "last_accessed": time })
                    .unwrap(),
            )
            .0
        };
        let rising = [
            "2026-11-22 10:00:00.000300",
            "2026-11-22T10:00:00.0003001Z",
            "1795341600.000600",
            "1795341600000.601",
        ];
        assert!(rising.map(at).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn two_contents_under_one_identity_have_two_versions() {
        let of = |data: i32| {
            whole(
                update(
                    "session",
                    &doc! { "session_id": 1, "data": data, "last_accessed": ORIGIN_MS },
                )
                .unwrap(),
            )
            .0
        };
        assert_ne!(of(1), of(2));
        assert_eq!(of(1), of(1));
    }

    #[test]
    fn an_origin_far_ahead_cannot_stand_in_for_the_version() {
        let router = sample::router();
        for (time_ms, text) in [
            (SENT_MS + 4_000_000, "`updated` is 4000 s ahead"),
            (i64::MAX, "the message's own time"),
        ] {
            let mut record = sample::record("cache", &doc! { "user_id": 1, "data": 1 });
            record.origin.time = Time::from_millis(time_ms);
            let rejected = router.route(&record).unwrap_err();
            assert_eq!(rejected.reason, Reason::BadTime);
            assert!(rejected.text.starts_with(text), "{}", rejected.text);
        }
    }

    #[test]
    fn a_version_that_is_no_time_is_rejected_by_name() {
        for time in
            [Bson::from("now"), false.into(), doc! {}.into(), f64::NAN.into(), i64::MAX.into()]
        {
            let rejected =
                update("cache", &doc! { "user_id": 1, "data": 1, "updated": time }).unwrap_err();
            assert_eq!(rejected.reason, Reason::BadTime);
            assert!(rejected.text.starts_with("`updated` is "), "{}", rejected.text);
        }
    }

    #[test]
    fn room_is_left_for_the_versions_in_a_document_of_the_largest_size() {
        for routes in [sample::routes(), partial_sessions()] {
            let sized = |bytes: usize| {
                route(&routes, "session", &doc! { "session_id": 1, "data": "x".repeat(bytes) })
            };
            assert!(sized(DOCUMENT_BYTES_MAX - 17 * 1_024).is_ok());
            assert_eq!(
                sized(DOCUMENT_BYTES_MAX - 16 * 1_024).unwrap_err().reason,
                Reason::TooLarge
            );
        }
    }
}
