//! A sum for each value of a label and each route.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kinds::{By, Counted, Labels};
use crate::telemetry::labels::Label;

/// The name of the label that says the route; empty where a message came to none.
const ROUTE: &str = "route";

/// Routes that have counts of their own. The configuration may have more, and each is a series for
/// every value of the other label: of the OpenTelemetry SDK a metric has 2,000 at most.
const ROUTES_MAX: usize = 100;

/// The route of what is counted beyond [`ROUTES_MAX`].
const OTHER: &str = "other";

/// A sum for each value of a label and each route.
///
/// A route that was [shown](Self::show) has a count of 0 from the start, as a value of the label has: of
/// a count that is there only once something happened Prometheus would not see the first rise.
#[derive(Debug)]
pub struct ByRoute<L>(Mutex<BTreeMap<Box<str>, By<L>>>);

impl<L: Label> Default for ByRoute<L> {
    fn default() -> Self {
        Self(Mutex::new([("".into(), By::default())].into()))
    }
}

impl<L: Label> ByRoute<L> {
    /// Shows these routes from now on, whatever happens to them. Names are the configuration's.
    pub fn show<'a>(&self, routes: impl IntoIterator<Item = &'a str>) {
        let mut counts = self.lock();
        for route in routes {
            count_of(&mut counts, route);
        }
    }

    pub(in crate::telemetry) fn add(&self, label: L, route: Option<&str>) {
        count_of(&mut self.lock(), route.unwrap_or_default()).add(label);
    }

    /// Over all labels and routes.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.lock().values().map(By::get).sum()
    }

    /// Every label with its count over all routes, those that never occurred included.
    pub fn all(&self) -> impl Iterator<Item = (L, u64)> {
        let counts = self.lock();
        let of = |label: L| (label, counts.values().map(|by| by.of(label)).sum());
        let all: Vec<_> = L::ALL.iter().map(|label| of(*label)).collect();
        all.into_iter()
    }

    pub(super) fn occurred(&self) -> BTreeMap<L, u64>
    where
        L: Ord,
    {
        self.all().filter(|(_, count)| *count > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, By<L>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Label> Counted for ByRoute<L> {
    fn get(&self) -> u64 {
        self.get()
    }

    fn each(&self, tell: &mut dyn FnMut(u64, Labels<'_>)) {
        for (route, by) in &*self.lock() {
            for (label, count) in by.all() {
                tell(count, &[(L::KEY, label.name()), (ROUTE, route)]);
            }
        }
    }
}

/// The counts of a route, or of all others where there is no room for it.
fn count_of<'a, L: Label>(counts: &'a mut BTreeMap<Box<str>, By<L>>, route: &str) -> &'a mut By<L> {
    let is_known = counts.contains_key(route);
    // Without a route is one more, and so are the others.
    let has_room = counts.len() <= ROUTES_MAX;
    let name = if is_known || has_room { route } else { OTHER };
    counts.entry(name.into()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Reason;

    /// Each count that is not 0, with its labels.
    fn counted(counts: &ByRoute<Reason>) -> Vec<(u64, String, String)> {
        let mut counted = Vec::new();
        counts.each(&mut |count, labels| {
            assert_eq!((labels[0].0, labels[1].0), ("reason", "route"));
            if count > 0 {
                counted.push((count, labels[0].1.to_owned(), labels[1].1.to_owned()));
            }
        });
        counted
    }

    #[test]
    fn each_reason_of_each_route_is_counted_apart_and_is_there_from_the_start() {
        let counts = ByRoute::<Reason>::default();
        counts.show(["cache", "event"]);
        let mut series = 0;
        counts.each(&mut |count, _| series += 1 + 1_000 * usize::from(count > 0));
        assert_eq!(series, 3 * Reason::ALL.len(), "two routes, and none");
        counts.add(Reason::BadTime, Some("event"));
        counts.add(Reason::BadTime, Some("event"));
        counts.add(Reason::BadTime, Some("cache"));
        counts.add(Reason::BadJson, None);
        let expected = [
            (1, "bad_json".to_owned(), String::new()),
            (1, "bad_time".to_owned(), "cache".to_owned()),
            (2, "bad_time".to_owned(), "event".to_owned()),
        ];
        assert_eq!(counted(&counts), expected);
        assert_eq!(counts.get(), 4);
        assert_eq!(counts.occurred(), [(Reason::BadJson, 1), (Reason::BadTime, 3)].into());
    }

    #[test]
    fn a_metric_has_no_more_series_than_the_sdk_takes() {
        let counts = ByRoute::<Reason>::default();
        for number in 0..300 {
            counts.add(Reason::BadKey, Some(&format!("route{number}")));
        }
        let mut series = 0;
        counts.each(&mut |_, _| series += 1);
        assert_eq!(series, (ROUTES_MAX + 2) * Reason::ALL.len());
        assert!(series < 2_000, "{series}");
        let others = counted(&counts).into_iter().find(|(.., route)| route == OTHER);
        assert_eq!(others.map(|(count, ..)| count), Some(200));
        assert_eq!(counts.get(), 300, "none is lost");
    }
}
