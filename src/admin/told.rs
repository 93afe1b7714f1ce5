//! What the admin server tells: the status with its headline, and on demand the configuration and
//! the history.

use jiff::Timestamp;
use serde::Serialize;

use super::gather;
use super::headline::{self, Headline};
use super::history::{History, Points};
use super::status::Status;
use super::view::View;

/// What is told once a second to the pages that are open.
#[derive(Debug, Serialize)]
pub(super) struct Now {
    pub headline: Headline,
    #[serde(flatten)]
    pub status: Status,
}

/// What `/status.json` and a page that is loaded have besides: what does not change, and what was.
#[derive(Debug, Serialize)]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    pub now: Now,
    pub config: Vec<Setting<'a>>,
    pub history: Points,
}

/// A setting in force.
#[derive(Debug, Serialize)]
pub(super) struct Setting<'a> {
    pub key: &'a str,
    /// With secrets as stars.
    pub value: &'a str,
    pub from: &'a str,
}

/// `stuck` is what the health check finds.
pub(super) fn now(view: &View, history: &History, started: Timestamp, stuck: Vec<String>) -> Now {
    let status = gather::status(view, history, started, stuck);
    Now { headline: headline::of(&status), status }
}

pub(super) fn whole<'a>(now: Now, view: &'a View, history: &History) -> Whole<'a> {
    let settings = view.facts.settings.iter();
    let config = settings.map(|[key, value, from]| Setting { key, value, from }).collect();
    Whole { now, config, history: history.points() }
}

/// What is told, as JSON. A [`serde_json::Value`] stands between because it sorts the names: they
/// have always been told in that order, and who compares two answers may rely on it.
pub(super) fn json(told: &impl Serialize) -> String {
    serde_json::to_value(told).expect("a name in a status is a string").to_string()
}
