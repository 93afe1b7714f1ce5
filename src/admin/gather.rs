//! Makes the status out of what counters, gauges and the last few happenings know.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::gauges::OldestAge;
use crate::held::Stage;
use crate::store::WriteTrouble;
use crate::telemetry::counters::figure;
use crate::telemetry::labels::Label;
use crate::telemetry::recent::{GateStory, Story};

use super::history::History;
use super::status::{
    Api, Database, DeadLetters, Depth, FlowStage, Gate, InFlight, QueueNow, Second, StageNow,
    State, Status, WritesFail,
};
use super::view::View;

/// How full a worker counts as full, of its in-flight messages or bytes.
const FULL: f64 = 0.9;

/// Of fewer messages in flight no stage holds most: they pass.
const FEW: usize = 10;

/// The status of this moment. `stuck` is what the health check finds.
pub(super) fn status(
    view: &View,
    history: &History,
    started: Timestamp,
    stuck: Vec<String>,
) -> Status {
    let story = view.signals.recent().story();
    let now = Timestamp::now();
    Status {
        version: env!("CARGO_PKG_VERSION"),
        started_at: started.into(),
        now: now.into(),
        uptime_s: now.duration_since(started).as_secs(),
        state: if view.stop.is_draining() { State::Draining } else { State::Running },
        stuck,
        queue: queue(view, now.into()),
        database: Database { name: view.facts.database.clone() },
        gate: gate(&story.gate, started),
        rates: history.now(),
        stages: stages(view),
        in_flight: in_flight(view),
        totals: view.signals.counters().totals().chain([("durable", history.durable())]).collect(),
        writes_fail: writes_fail(&story),
        dead_letters: DeadLetters {
            by_reason: by_reason(view),
            last: story.dead_letters.into_iter().map(Into::into).collect(),
        },
        receives_fail: story.receives_fail.map(Into::into),
        indexes: story.indexes_missing.into_iter().map(Into::into).collect(),
        flood: view.signals.gauges().flood().map(Into::into),
        spans_dropped: (view.sources.spans_dropped)(),
        api: Api {
            requests: (view.sources.api_requests)().into_iter().collect(),
            cost_dollars: view.sources.api_cost_dollars(),
        },
        last_errors: story.errors.into_iter().map(Into::into).collect(),
    }
}

/// Of the collections whose writes are not confirmed, the one that has waited the longest.
fn writes_fail(story: &Story) -> Option<WritesFail> {
    let longest = story.writes_fail.iter().min_by_key(|(_, trouble)| trouble.since);
    longest.map(|(collection, trouble)| WritesFail {
        collection: collection.clone(),
        trouble: trouble.clone().into(),
    })
}

fn queue(view: &View, now: Second) -> QueueNow {
    let gauges = view.signals.gauges();
    let OldestAge { age, of } = gauges.receives.oldest_age(view.held.oldest());
    QueueNow {
        name: view.sources.destination.to_string(),
        arn: view.facts.queue_arn.clone(),
        fifo: view.sources.fifo,
        visibility_timeout_s: view.facts.visibility_timeout.as_secs(),
        depth: gauges.queue_messages().map(|messages| Depth::of(messages, now)),
        oldest_age_s: figure(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)) / 1e3,
        oldest: of,
    }
}

fn gate(gate: &GateStory, started: Timestamp) -> Gate {
    let closed_for = gate.closed_for.as_ref();
    Gate {
        open: !gate.is_closed,
        since: gate.since.unwrap_or(started).into(),
        closed_at: gate.closed_at.map(Second::from),
        cause: closed_for.map(|(_, cause)| cause.clone()),
        // While there is something to do.
        advice: closed_for.filter(|_| gate.is_closed).map(|(trouble, _)| advice(*trouble)),
    }
}

/// What to do about a gate that the store closed.
const fn advice(trouble: WriteTrouble) -> &'static str {
    match trouble {
        WriteTrouble::ConnectionLost => {
            "Look at the database server and at the network to it: its connections break while it answers. Nothing is lost; Longshore tries again by itself."
        }
        WriteTrouble::Unavailable => {
            "Bring the database back: a primary, enough members for the write concern, free disk. Nothing is lost; Longshore tries again by itself."
        }
        WriteTrouble::NoAnswer | WriteTrouble::TimedOut => {
            "Look at what the database server is busy with: its answers take too long. Nothing is lost; Longshore tries again by itself."
        }
        WriteTrouble::Denied => {
            "Give the database user its password or certificate back: `longshore check` names what is missing. Nothing is lost."
        }
        WriteTrouble::Collection => {
            "Repair the collection, give the user its rights on it back, or let its route write to another one, as the cause says. The database itself is well. Nothing is lost; Longshore tries the collection again by itself."
        }
        WriteTrouble::Refused | WriteTrouble::Item => {
            "The database refuses single documents and gives no reason: look at its log. If it takes others, those documents are set aside after ten minutes, and their messages stay in the queue."
        }
    }
}

fn stages(view: &View) -> Vec<StageNow> {
    let counters = view.signals.counters();
    let receive = StageNow {
        stage: FlowStage::Receive,
        messages: None,
        calls: Some(view.signals.gauges().receives.asked() as u64),
        total: Some(counters.received_total.get()),
    };
    let held = view.held.by_stage().map(|(stage, messages)| {
        let total = match stage {
            Stage::DeadLetter => Some(counters.dead_lettered_total.get()),
            Stage::Settling => Some(counters.deleted_total.get() + counters.released_total.get()),
            Stage::Room | Stage::Waiting | Stage::Writing => None,
        };
        StageNow { stage: FlowStage::Held(stage), messages: Some(messages), calls: None, total }
    });
    std::iter::once(receive).chain(held).collect()
}

fn in_flight(view: &View) -> InFlight {
    let gauges = view.signals.gauges();
    // What receives reserve is not there yet: a worker that waits for messages is not full of them.
    let bytes_reserved = gauges.in_flight_bytes_reserved.get();
    let bytes = gauges.in_flight_bytes.get().saturating_sub(bytes_reserved);
    let messages = view.held.len();
    let (messages_max, bytes_max) =
        (gauges.in_flight_messages_max.get(), gauges.in_flight_bytes_max.get());
    let fill = fill([(messages as u64, messages_max), (bytes, bytes_max)]);
    InFlight {
        messages,
        messages_max,
        bytes,
        bytes_reserved,
        bytes_max,
        fill,
        is_full: fill >= FULL,
        most: most(view.held.by_stage(), messages).map(FlowStage::Held),
    }
}

/// How full the fuller of some limits is, up to 1.
fn fill<const N: usize>(of_limits: [(u64, u64); N]) -> f64 {
    of_limits
        .map(|(held, max)| figure(held) / figure(max.max(1)))
        .into_iter()
        .fold(0.0, f64::max)
        .min(1.0)
}

/// The stage that holds more than half of what is in flight, where that is more than a few.
fn most(stages: impl Iterator<Item = (Stage, usize)>, in_flight: usize) -> Option<Stage> {
    stages
        .filter(|(_, messages)| in_flight >= FEW && 2 * messages > in_flight)
        .map(|(stage, _)| stage)
        .next()
}

/// Dead letters since the start, of reasons that occurred.
fn by_reason(view: &View) -> BTreeMap<&'static str, u64> {
    let all = view.signals.counters().dead_lettered_total.all();
    all.filter(|(_, count)| *count > 0).map(|(reason, count)| (reason.name(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_as_full_as_the_fuller_of_its_limits() {
        assert_eq!(
            [fill([(95, 100), (0, 1_000)]), fill([(12, 100), (950, 1_000)])]
                .map(|fill| fill >= FULL),
            [true, true]
        );
        assert!(fill([(89, 100), (899, 1_000)]) < FULL);
        assert_eq!(
            (fill([(3, 1), (0, 0)]).to_string(), fill([(0, 0)]).to_string()),
            ("1".to_owned(), "0".to_owned())
        );
    }

    #[test]
    fn most_is_more_than_half_of_more_than_a_few() {
        let most = |waiting: usize, writing: usize, in_flight: usize| {
            most([(Stage::Waiting, waiting), (Stage::Writing, writing)].into_iter(), in_flight)
        };
        assert_eq!(most(5, 90, 95), Some(Stage::Writing));
        assert_eq!(most(10, 2, 12), Some(Stage::Waiting));
        assert_eq!(most(6, 6, 12), None);
        assert_eq!(most(0, 9, 9), None);
    }
}
