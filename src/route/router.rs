//! Which route a message takes, and where its write goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Asked, AskedIn, Kind, Record, Rejection, Write};
use crate::store::WriteKind;
use crate::time::millis;

use super::definition::Route;
use super::keyed::KeyedRecord;
use super::rules::check_sender;
use super::{insert, unrouted};

/// All routes of a configuration, by message type. `L` is what a write is sent on with: the lane of
/// its collection.
#[derive(Debug)]
pub struct Router<L> {
    routes: BTreeMap<String, Destination<L>>,
}

/// A route, and where its writes go.
#[derive(Debug)]
pub struct Destination<L> {
    /// The route's name, to be shared with all that it takes.
    pub name: Arc<str>,
    lane: L,
    route: Route,
    version_skew_max_ms: i64,
}

/// A write, and the lane that it belongs to.
#[derive(Debug, Clone)]
pub struct Routed<'a, L> {
    /// The route's name.
    pub route: &'a str,
    pub lane: &'a L,
    pub write: Write,
}

impl<L> Router<L> {
    /// `lane` is asked once for each route, by the name of its collection. `version_skew_max` is how
    /// far a version may be ahead of `SentTimestamp`.
    #[must_use]
    pub fn new(
        routes: &BTreeMap<String, Route>,
        version_skew_max: Duration,
        lane: impl Fn(&str) -> L,
    ) -> Self {
        let version_skew_max_ms = millis(version_skew_max);
        let destination = |route: &Route| {
            let (name, lane) = (route.name.as_str().into(), lane(&route.collection));
            let mut route = route.clone();
            // Sorted for the search by each field's name.
            route.fields.sort_unstable();
            Destination { name, lane, route, version_skew_max_ms }
        };
        Self {
            routes: routes.iter().map(|(name, route)| (name.clone(), destination(route))).collect(),
        }
    }

    /// The route that `record` takes.
    ///
    /// # Errors
    /// Where no route has the record's type.
    pub fn destination(&self, record: &Record) -> Result<&Destination<L>, Rejection> {
        match &record.kind {
            Kind::Named(named) => self.routes.get(&*named.route).ok_or_else(|| {
                let asked = Asked { place: AskedIn::Message, name: Some(named.route.to_string()) };
                self.unrouted(&[asked], record)
            }),
            Kind::Unnamed(asked) => Err(self.unrouted(asked, record)),
        }
    }

    /// Makes the write that `record` asks for.
    ///
    /// # Errors
    /// Where no route has the record's type, or the record breaks a rule of its route. It will do
    /// so at every delivery.
    pub fn route(&self, record: &Record) -> Result<Routed<'_, L>, Rejection> {
        self.destination(record)?.route(record)
    }

    fn unrouted(&self, asked: &[Asked], record: &Record) -> Rejection {
        let routes: Vec<&str> = self.routes.keys().map(String::as_str).collect();
        unrouted::rejection(asked, &record.fields, record.layers, &routes)
    }
}

impl<L> Destination<L> {
    /// Makes the write that `record` asks for. The same record always makes the same write.
    ///
    /// # Errors
    /// Where the record breaks a rule of the route. It will do so at every delivery.
    pub fn route(&self, record: &Record) -> Result<Routed<'_, L>, Rejection> {
        self.write(record).map_err(|rejection| rejection.within(record.layers))
    }

    fn write(&self, record: &Record) -> Result<Routed<'_, L>, Rejection> {
        let route = &self.route;
        check_sender(route, record)?;
        let write = match &route.kind {
            // No route is one of letters.
            WriteKind::Insert | WriteKind::Letter => Write::Insert(insert::insert(route, record)?),
            WriteKind::Keyed(keyed) => {
                let record = KeyedRecord { route, record, keyed };
                Write::Update(record.update(self.version_skew_max_ms)?)
            }
        };
        Ok(Routed { route: &self.name, lane: &self.lane, write })
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::super::sample::{self, record};
    use super::*;
    use crate::message::{Layer, Layers, Place, Reason};

    #[test]
    fn each_type_goes_to_the_lane_of_its_collection() {
        let router = sample::router();
        for (kind, fields, collection) in [
            ("event", doc! { "user_id": 1, "event_type": "login" }, "events"),
            ("session", doc! { "session_id": "s-81", "data": {} }, "sessions"),
            ("cache", doc! { "user_id": 1, "data": {} }, "user_cache"),
        ] {
            let Routed { route, lane, .. } = router.route(&record(kind, &fields)).unwrap();
            assert_eq!((route, lane.as_str()), (kind, collection));
        }
    }

    #[test]
    fn a_type_without_a_route_is_rejected_by_name() {
        let rejected =
            sample::router().route(&record("evnet", &doc! { "user_id": 1 })).unwrap_err();
        assert_eq!(rejected.reason, Reason::UnknownType);
        assert!(rejected.text.contains("`evnet`"), "{}", rejected.text);
    }

    #[test]
    fn a_route_that_lists_its_senders_takes_no_others() {
        let mut routes = sample::routes();
        routes.get_mut("cache").unwrap().senders = sample::strings(&["AROAPORTAL", "AIDAJOB"]);
        let listing = sample::router_of(&routes);
        let by = |kind, sender: Option<&str>| {
            let fields = doc! { "user_id": 1, "data": 1, "event_type": "x" };
            let record = Record { sender: sender.map(Into::into), ..record(kind, &fields) };
            listing.route(&record).map(|taken| taken.route.to_string())
        };
        for sender in ["AROAPORTAL", "AIDAJOB"] {
            assert_eq!(by("cache", Some(sender)).as_deref(), Ok("cache"));
        }
        for sender in [Some("AROAOTHER"), Some("AROAPORTAL:x"), Some(""), None] {
            let rejected = by("cache", sender).unwrap_err();
            assert_eq!(rejected.reason, Reason::SenderDenied, "{sender:?}");
            assert!(rejected.text.contains("`cache`"), "{}", rejected.text);
            assert_eq!(by("event", sender).as_deref(), Ok("event"), "it lists none");
        }
    }

    #[test]
    fn a_rejection_says_where_in_the_body_it_is() {
        let mut routes = sample::routes();
        routes.get_mut("cache").unwrap().indexed = sample::strings(&["data.tags"]);
        let indexed = sample::router_of(&routes);
        let mut layers = Layers::default();
        layers.push(Layer::SnsMessage);
        for (kind, fields, place) in [
            ("event", doc! { "user_id": 1 }, Place::missing("event_type")),
            ("event", doc! { "user_id": null, "event_type": "a" }, Place::value("user_id")),
            ("event", doc! { "_id": 1, "user_id": 1, "event_type": "a" }, Place::name("_id")),
            ("event", doc! { "id": "", "user_id": 1, "event_type": "a" }, Place::value("id")),
            ("session", doc! { "session_id": "s", "data": 1, "x": 1 }, Place::name("x")),
            ("session", doc! { "data": 1 }, Place::missing("session_id")),
            ("cache", doc! { "user_id": 1.0, "data": 1 }, Place::value("user_id")),
            ("cache", doc! { "user_id": 1, "data": 1, "a.b": 1 }, Place::name("a.b")),
            ("cache", doc! { "user_id": 1, "data": 1, "updated": "soon" }, Place::value("updated")),
            (
                "cache",
                doc! { "user_id": 1, "data": 1, "updated": "2150-01-01" },
                Place::value("updated"),
            ),
            ("cache", doc! { "user_id": 1, "data": { "tags": [1] } }, Place::path("data.tags")),
        ] {
            let record = Record { layers, ..record(kind, &fields) };
            let rejected = indexed.route(&record).expect_err(kind);
            assert_eq!(rejected.place, Some(Box::new(Place { layers, ..place })), "{fields}");
        }
    }

    #[test]
    fn a_required_field_that_is_absent_or_null_is_named() {
        let router = sample::router();
        for (kind, fields, text) in [
            ("event", doc! { "user_id": 1 }, "`event_type` is missing"),
            ("event", doc! { "user_id": null, "event_type": "login" }, "`user_id` is null"),
            ("session", doc! { "session_id": "s-81" }, "`data` is missing"),
            ("session", doc! { "session_id": "s-81", "data": null }, "`data` is null"),
            ("cache", doc! { "user_id": 1 }, "`data` is missing"),
        ] {
            let rejected = router.route(&record(kind, &fields)).unwrap_err();
            assert_eq!(rejected.reason, Reason::MissingField, "{fields}");
            assert!(rejected.text.starts_with(text), "{}", rejected.text);
        }
    }

    #[test]
    fn a_field_that_an_index_names_holds_one_value() {
        let mut routes = sample::routes();
        routes.get_mut("event").unwrap().indexed = sample::strings(&["user_id", "timestamp"]);
        routes.get_mut("cache").unwrap().indexed =
            sample::strings(&["user_id", "place", "data.tags"]);
        let indexed = sample::router_of(&routes);
        let long = "x".repeat(1_025);
        let one = |value: bson::Bson| {
            let mut event = doc! { "user_id": 1, "event_type": "login", "other": [1] };
            event.insert("user_id", value.clone());
            let mut cache = doc! { "user_id": 1, "data": { "other": [1] } };
            cache.insert("place", value);
            [record("event", &event), record("cache", &cache)]
        };
        for value in [
            bson::bson!([1, 2]),
            bson::bson!([]),
            bson::bson!({ "a": 1 }),
            long.as_str().into(),
            bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1] }.into(),
        ] {
            for record in one(value.clone()) {
                let rejection = indexed.route(&record).unwrap_err();
                assert_eq!(rejection.reason, Reason::BadValue, "{value}");
                assert!(rejection.text.contains("an index of the collection"), "{rejection:?}");
            }
        }
        for data in [
            bson::bson!({ "tags": ["a", "b"] }),
            bson::bson!({ "tags": {} }),
            bson::bson!([{ "tags": "a" }, { "tags": "b" }]),
        ] {
            let cache = record("cache", &doc! { "user_id": 1, "data": data.clone() });
            let rejection = indexed.route(&cache).unwrap_err();
            assert_eq!(rejection.reason, Reason::BadValue, "{data}");
        }
        // Above the path of an index, one value is none of its entries, whatever it is.
        for data in [
            bson::bson!({ "tags": "a" }),
            bson::bson!({ "other": [1] }),
            bson::bson!(1),
            long.as_str().into(),
            bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1] }.into(),
            bson::Bson::MinKey,
        ] {
            let cache = record("cache", &doc! { "user_id": 1, "data": data.clone() });
            assert!(indexed.route(&cache).is_ok(), "{data}");
        }
        for value in [
            bson::bson!(1.5),
            bson::bson!(true),
            long[..1_024].into(),
            bson::Uuid::new().into(),
            bson::oid::ObjectId::new().into(),
            bson::DateTime::now().into(),
        ] {
            assert!(
                one(value.clone()).iter().all(|record| indexed.route(record).is_ok()),
                "{value}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_or_value_makes_it_panic(name in "[^\\x00]{0,12}", text in ".{0,12}", number: i64, float: f64) {
            let router = sample::router();
            for kind in ["event", "session", "cache"] {
                for value in [bson::Bson::from(text.as_str()), number.into(), float.into(), bson::Bson::Null] {
                    let mut fields = doc! { "user_id": 1, "session_id": 1, "event_type": 1, "data": 1, "last_accessed": 1 };
                    fields.insert("timestamp", value.clone());
                    fields.insert(name.clone(), value);
                    let record = record(kind, &fields);
                    // The same answer at every delivery, whatever it is.
                    let (first, second) = (router.route(&record), router.route(&record));
                    proptest::prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
                }
            }
        }
    }
}
