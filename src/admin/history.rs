//! The last fifteen minutes, in steps of five seconds, and what flows now, over the last ten
//! seconds.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::figures::{Figures, Sample};
use super::view::View;
use crate::telemetry::counters::Counters;

/// Seconds of a step.
const STEP_S: u64 = 5;

/// Points of a history: fifteen minutes.
const POINTS_MAX: usize = 180;

/// Seconds that what flows now is taken over.
const NOW_S: usize = 10;

/// All that charts draw.
#[derive(Debug, Serialize)]
pub(super) struct Points {
    step_s: u64,
    /// Oldest first.
    points: VecDeque<Point>,
}

/// What flowed within one step, and how things stood at its end.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Point {
    /// Seconds since the epoch.
    at: i64,
    received_per_s: f64,
    durable_per_s: f64,
    dead_letters_per_s: f64,
    latency_p50_s: Option<f64>,
    latency_p99_s: Option<f64>,
    batch_documents: Option<f64>,
    gate_open: bool,
    held: usize,
}

#[derive(Default)]
pub(super) struct History {
    /// One a second, newest last.
    samples: VecDeque<Sample>,
    points: VecDeque<Point>,
    /// Samples since the last point.
    since_point: u64,
}

impl History {
    /// Takes a sample; called once a second. Returns the point that it completes, if it does.
    pub fn sample(&mut self, view: &View) -> Option<Point> {
        self.samples.push_back(sample(view));
        while self.samples.len() > NOW_S + 1 {
            self.samples.pop_front();
        }
        self.since_point += 1;
        if self.since_point < STEP_S {
            return None;
        }
        self.since_point = 0;
        let point = self.point(view);
        self.points.push_back(point);
        while self.points.len() > POINTS_MAX {
            self.points.pop_front();
        }
        Some(point)
    }

    /// What flows now.
    pub fn now(&self) -> Figures {
        self.over(NOW_S)
    }

    /// Over the last so many samples.
    fn over(&self, seconds: usize) -> Figures {
        let newest = || self.samples.iter().rev();
        let latency_max_s =
            newest().take(seconds).map(|sample| sample.latency_max_s).fold(0.0, f64::max);
        match (newest().nth(seconds).or(self.samples.front()), self.samples.back()) {
            (Some(before), Some(after)) => Figures::between(before, after, latency_max_s),
            _ => Figures::default(),
        }
    }

    /// Messages durable since the start, without dead letters.
    pub fn durable(&self) -> u64 {
        self.samples.back().map_or(0, |sample| sample.latency.count)
    }

    /// What the charts draw.
    pub fn points(&self) -> Points {
        Points { step_s: STEP_S, points: self.points.clone() }
    }

    fn point(&self, view: &View) -> Point {
        let figures = self.over(usize::try_from(STEP_S).unwrap_or(NOW_S));
        Point {
            at: Timestamp::now().as_second(),
            received_per_s: figures.received_per_s,
            durable_per_s: figures.durable_per_s,
            dead_letters_per_s: figures.dead_letters_per_s,
            latency_p50_s: figures.latency_p50_s,
            latency_p99_s: figures.latency_p99_s,
            batch_documents: figures.batch_documents,
            gate_open: view.signals.gauges().gate_open.get() == 1,
            held: view.held.len(),
        }
    }
}

fn sample(view: &View) -> Sample {
    let [latency, of_dead_letters] = view.metrics.latencies(&view.facts.dead_letters);
    let counters = view.signals.counters();
    Sample {
        at: Instant::now(),
        received: counters.received_total.get(),
        latency,
        dead_letters: of_dead_letters.count,
        latency_max_s: view.signals.instruments().take_latency_max().as_secs_f64(),
        batches: counters.batches_written_total.get(),
        items: items(counters),
    }
}

/// Items that answered commands were about. What turned out stale is among the written.
fn items(counters: &Counters) -> u64 {
    counters.written_total.get() + counters.already_there_total.get()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::telemetry::instruments::CollectionLabel;
    use crate::telemetry::signals::{BatchWritten, Expired, Signals};

    use super::*;

    #[test]
    fn an_update_that_was_stale_is_counted_once_and_one_that_was_not_written_not_at_all() {
        let signals = Signals::default();
        signals.emit(&BatchWritten {
            collection: &CollectionLabel::new("sessions"),
            written: 10,
            already_there: 3,
            stale: 4,
            is_store_well: true,
            took: Duration::ZERO,
        });
        signals.emit(&Expired);
        assert_eq!(items(signals.counters()), 13);
    }
}
