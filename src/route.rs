//! Record to write: what the route of a message's type makes of its fields. Pure.
//!
//! - `insert` makes a document under the producer's id, or under one made from the origin
//!   (`route/insert.rs`).
//! - `set` and `replace` make an order-free update of the document with the message's key
//!   (`route/keyed.rs`).
//!
//! Fields are copied as encoded elements; only ids, keys and times are looked into. What a route
//! takes:
//!
//! - `type` and `id` are the message's own: they pick the route and the `_id` of an insert, and are
//!   not stored beside that.
//! - `null` is no value. Where a required field is null it counts as missing; where the version
//!   field or the default time is null the origin's time stands in, as if it were absent. Any other
//!   field that is null is stored as null, a time as well: "never" is something that a producer may
//!   say.
//! - Names that the store gives a meaning of its own are refused: a producer's data never acts on
//!   the server.

mod id;
mod insert;
mod key;
mod keyed;
mod rules;
#[cfg(test)]
mod sample;
mod times;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Route, WriteKind};
use crate::message::{Reason, Record, Rejection, Write};
use crate::time::millis;

use keyed::Keyed;
use rules::Name;

/// All routes of a configuration, by message type.
#[derive(Debug)]
pub struct Router {
    routes: BTreeMap<String, Destination>,
    version_skew_max_ms: i64,
}

/// A route, and where its writes go.
#[derive(Debug)]
struct Destination {
    route: Route,
    name: Arc<str>,
    lane: usize,
}

/// A write, and the lane that it belongs to.
#[derive(Debug, Clone)]
pub struct Routed {
    /// The route's name.
    pub route: Arc<str>,
    /// Which collection, as the position in [`Config::collections`] (sorted by name).
    pub lane: usize,
    pub write: Write,
}

impl Router {
    /// # Panics
    /// Where a route's collection is not in [`Config::collections`]: the loader puts it there.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let destination = |route: &Route| {
            let lane =
                config.collections.keys().position(|collection| *collection == route.collection);
            let mut route = route.clone();
            // Sorted for the search by each field's name.
            route.fields.sort_unstable();
            Destination {
                name: route.name.as_str().into(),
                lane: lane.expect("every route's collection is configured"),
                route,
            }
        };
        Self {
            routes: config
                .routes
                .iter()
                .map(|(name, route)| (name.clone(), destination(route)))
                .collect(),
            version_skew_max_ms: millis(config.message.version_skew_max),
        }
    }

    /// The name of the route that `record` takes, if there is one.
    #[must_use]
    pub fn name(&self, record: &Record) -> Option<Arc<str>> {
        self.routes.get(&record.kind).map(|destination| Arc::clone(&destination.name))
    }

    /// Makes the write that `record` asks for. The same record always makes the same write.
    ///
    /// # Errors
    /// Where no route has the record's type, or the record breaks a rule of its route. It will do
    /// so at every delivery.
    pub fn route(&self, record: &Record) -> Result<Routed, Rejection> {
        let Some(destination) = self.routes.get(&record.kind) else {
            let text = format!(
                "no route has the type {}: correct the producer, or configure such a route",
                Name(&record.kind)
            );
            return Err(Rejection::new(Reason::UnknownType, text));
        };
        let route = &destination.route;
        let write = match &route.kind {
            WriteKind::Insert => Write::Insert(insert::insert(route, record)?),
            WriteKind::Set { key, version_field, .. }
            | WriteKind::Replace { key, version_field } => {
                let message = Keyed { route, record, key, version_field };
                Write::Update(message.update(self.version_skew_max_ms)?)
            }
        };
        Ok(Routed { route: Arc::clone(&destination.name), lane: destination.lane, write })
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::sample::{self, record};
    use super::*;

    #[test]
    fn each_type_goes_to_the_lane_of_its_collection() {
        let router = Router::new(&sample::config());
        let collections: Vec<_> = sample::config().collections.into_keys().collect();
        for (kind, fields, collection) in [
            ("event", doc! { "user_id": 1, "event_type": "login" }, "events"),
            ("session", doc! { "session_id": "s-81", "data": {} }, "sessions"),
            ("cache", doc! { "user_id": 1, "data": {} }, "user_cache"),
        ] {
            let Routed { route, lane, .. } = router.route(&record(kind, &fields)).unwrap();
            assert_eq!((&*route, collections[lane].as_str()), (kind, collection));
        }
    }

    #[test]
    fn a_type_without_a_route_is_refused_by_name() {
        let refused = Router::new(&sample::config())
            .route(&record("evnet", &doc! { "user_id": 1 }))
            .unwrap_err();
        assert_eq!(refused.reason, Reason::UnknownType);
        assert!(refused.text.contains("`evnet`"), "{}", refused.text);
    }

    #[test]
    fn a_required_field_that_is_absent_or_null_is_named() {
        let router = Router::new(&sample::config());
        for (kind, fields, text) in [
            ("event", doc! { "user_id": 1 }, "`event_type` is missing"),
            ("event", doc! { "user_id": null, "event_type": "login" }, "`user_id` is null"),
            ("session", doc! { "session_id": "s-81" }, "`data` is missing"),
            ("session", doc! { "session_id": "s-81", "data": null }, "`data` is null"),
            ("cache", doc! { "user_id": 1 }, "`data` is missing"),
        ] {
            let refused = router.route(&record(kind, &fields)).unwrap_err();
            assert_eq!(refused.reason, Reason::MissingField, "{fields}");
            assert!(refused.text.starts_with(text), "{}", refused.text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_or_value_makes_it_panic(name in "[^\\x00]{0,12}", text in ".{0,12}", number: i64, float: f64) {
            let router = Router::new(&sample::config());
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
