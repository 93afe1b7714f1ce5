//! A status for tests to start from.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;

use crate::gauges::Oldest;
use crate::held::Stage;

use super::figures::Figures;
use super::status::{
    Api, Database, DeadLetters, Depth, FlowStage, Gate, InFlight, QueueNow, Second, StageNow,
    State, Status,
};

/// A worker that is well and has nothing to do.
pub(super) fn quiet() -> Status {
    let second = |text: &str| text.parse::<Second>().expect("a time");
    let held = Stage::ALL.map(|stage| StageNow {
        stage: FlowStage::Held(stage),
        messages: Some(0),
        calls: None,
        total: matches!(stage, Stage::DeadLetter | Stage::Settling).then_some(0),
    });
    let receive =
        StageNow { stage: FlowStage::Receive, messages: None, calls: Some(1), total: Some(0) };
    let asked_at = second("2026-11-23T10:00:30Z");
    Status {
        version: "1.2.3",
        started_at: second("2026-11-23T09:00:00Z"),
        now: second("2026-11-23T10:01:00Z"),
        uptime_s: 3_660,
        state: State::Running,
        stuck: Vec::new(),
        queue: QueueNow {
            name: "portal".to_owned(),
            arn: String::new(),
            fifo: false,
            visibility_timeout_s: 90,
            depth: Some(Depth { visible: 0, in_flight: 0, delayed: 0, asked_at, age_s: 30 }),
            oldest_age_s: 0.0,
            oldest: Oldest::LastReceive,
        },
        database: Database { name: "portal".to_owned() },
        gate: Gate {
            open: true,
            since: second("2026-11-23T09:00:00Z"),
            closed_at: None,
            cause: None,
            advice: None,
        },
        rates: Figures::default(),
        stages: std::iter::once(receive).chain(held).collect(),
        in_flight: InFlight {
            messages: 0,
            messages_max: 100,
            bytes: 0,
            bytes_reserved: 0,
            bytes_max: 1_000,
            fill: 0.0,
            is_full: false,
            most: None,
        },
        totals: BTreeMap::new(),
        dead_letters: DeadLetters { by_reason: BTreeMap::new(), last: Vec::new() },
        receives_fail: None,
        writes_fail: None,
        indexes: Vec::new(),
        flood: None,
        spans_dropped: 0,
        api: Api { requests: BTreeMap::new(), cost_dollars: 0.0 },
        last_errors: Vec::new(),
    }
}

impl FromStr for Second {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::from)
    }
}
