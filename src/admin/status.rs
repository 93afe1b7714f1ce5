//! The status of a worker, as the page shows it and `/status.json` says it.
//!
//! The names of the fields are read by the page's template, by its script and by other programs:
//! `tests/it/seen/status.rs` holds them to the byte.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::gauges::{FloodNow, Oldest, QueueMessages};
use crate::held::Stage;
use crate::telemetry::recent::{DeadLetterStory, ErrorStory, IndexStory, Trouble};

use super::figures::Figures;

/// A worker at one moment.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Status {
    pub version: &'static str,
    pub started_at: Second,
    pub now: Second,
    pub uptime_s: i64,
    pub state: State,
    /// What is stuck, in words.
    pub stuck: Vec<String>,
    pub queue: QueueNow,
    pub database: Database,
    pub gate: Gate,
    /// Over the last ten seconds.
    pub rates: Figures,
    /// In the order in which a message passes them.
    pub stages: Vec<StageNow>,
    pub in_flight: InFlight,
    /// Since the start: what counters have for the status, and `durable`.
    pub totals: BTreeMap<&'static str, u64>,
    pub dead_letters: DeadLetters,
    /// Since when every receive has failed.
    pub receives_fail: Option<GoesOn>,
    /// Since when writes are not confirmed, of the collection that has waited the longest.
    pub writes_fail: Option<WritesFail>,
    /// Declared indexes that are not there.
    pub indexes: Vec<MissingIndex>,
    /// Since when there is a flood of rejected messages: for which reason, and of which route.
    pub flood: Option<GoesOn>,
    pub spans_dropped: u64,
    pub api: Api,
    /// Newest first.
    pub last_errors: Vec<LastError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Running,
    Draining,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct QueueNow {
    pub name: String,
    pub arn: String,
    pub fifo: bool,
    pub visibility_timeout_s: u64,
    /// `None` where the queue does not tell.
    pub depth: Option<Depth>,
    /// Of the oldest message that is known to wait: that of the last receive, 0 after an empty one.
    pub oldest_age_s: f64,
    /// Which message that is.
    #[serde(serialize_with = "by_name")]
    pub oldest: Oldest,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn by_name<S: Serializer>(oldest: &Oldest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(oldest.name())
}

/// Messages of the queue, by its own account, which is approximate.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Depth {
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
    pub asked_at: Second,
    /// Seconds since it was asked.
    pub age_s: u64,
}

impl Depth {
    pub fn of(messages: QueueMessages, now: Second) -> Self {
        let QueueMessages { visible, in_flight, delayed, asked_at } = messages;
        let asked_at = asked_at.into();
        Self { visible, in_flight, delayed, asked_at, age_s: now.since(asked_at) }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Database {
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Gate {
    pub open: bool,
    /// When it last closed or opened; the start of the worker where it never did.
    pub since: Second,
    pub closed_at: Option<Second>,
    /// Why it last closed.
    pub cause: Option<String>,
    /// What to do about it; only while it is closed.
    pub advice: Option<&'static str>,
}

/// A stage and what stands there.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct StageNow {
    pub stage: FlowStage,
    /// Messages that are there now; `None` of receiving, which holds none.
    pub messages: Option<usize>,
    /// Calls under way, of receiving alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Messages that have passed it since the start, where that is counted.
    pub total: Option<u64>,
}

/// A stage as the page shows it: receiving, or one that holds messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlowStage {
    Receive,
    Held(Stage),
}

impl FlowStage {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Held(stage) => stage.name(),
        }
    }
}

impl Serialize for FlowStage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct InFlight {
    pub messages: usize,
    pub messages_max: u64,
    pub bytes: u64,
    /// What receives reserve besides, for what they may bring: it takes up room, and nothing stands
    /// there.
    pub bytes_reserved: u64,
    pub bytes_max: u64,
    /// How full of what is held the fuller of the two limits is, from 0 to 1.
    pub fill: f64,
    pub is_full: bool,
    /// The stage that holds most of what is in flight, where one does.
    pub most: Option<FlowStage>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct DeadLetters {
    /// Since the start; only reasons that occurred.
    pub by_reason: BTreeMap<&'static str, u64>,
    /// Newest first.
    pub last: Vec<LastDeadLetter>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LastDeadLetter {
    pub at: Second,
    pub message_id: String,
    pub route: Option<String>,
    pub reason: &'static str,
    pub text: String,
    /// Only where `admin.show_bodies` says so.
    pub body: Option<String>,
    pub times: u64,
}

impl From<DeadLetterStory> for LastDeadLetter {
    fn from(story: DeadLetterStory) -> Self {
        let DeadLetterStory { at, message_id, route, reason, text, body, times } = story;
        Self { at: at.into(), message_id, route, reason, text, body, times }
    }
}

/// Something that is wrong and goes on.
#[derive(Debug, Clone, Serialize)]
pub(super) struct GoesOn {
    pub since: Second,
    pub text: String,
}

impl From<Trouble> for GoesOn {
    fn from(trouble: Trouble) -> Self {
        Self { since: trouble.since.into(), text: trouble.text }
    }
}

impl From<FloodNow> for GoesOn {
    fn from(flood: FloodNow) -> Self {
        Self { since: flood.since.into(), text: flood.text() }
    }
}

/// Writes that are not confirmed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WritesFail {
    /// Told by the headline alone.
    #[serde(skip)]
    pub collection: String,
    #[serde(flatten)]
    pub trouble: GoesOn,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct MissingIndex {
    pub collection: String,
    pub index: String,
    pub is_on_key: bool,
    pub since: Second,
    pub text: String,
}

impl From<((String, String), IndexStory)> for MissingIndex {
    fn from(((collection, index), story): ((String, String), IndexStory)) -> Self {
        let IndexStory { is_on_key, trouble: Trouble { since, text } } = story;
        Self { collection, index, is_on_key, since: since.into(), text }
    }
}

/// Requests to the queue since the start.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Api {
    /// By operation.
    #[serde(flatten)]
    pub requests: BTreeMap<&'static str, u64>,
    /// At list price.
    pub cost_dollars: f64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LastError {
    pub at: Second,
    pub what: &'static str,
    pub text: String,
}

impl From<ErrorStory> for LastError {
    fn from(ErrorStory { at, what, text }: ErrorStory) -> Self {
        Self { at: at.into(), what, text }
    }
}

/// A moment to the second: nobody reads more of it, and what does not change need not be drawn
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Second(Timestamp);

impl Second {
    /// Seconds from `earlier` to this; 0 where that is later.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.as_second() - earlier.0.as_second()).unwrap_or(0)
    }
}

impl From<Timestamp> for Second {
    fn from(at: Timestamp) -> Self {
        Self(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }
}

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Second {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
