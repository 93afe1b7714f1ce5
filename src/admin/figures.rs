//! Rates and quantiles, from counts at two moments.

use serde::Serialize;
use tokio::time::Instant;

use crate::telemetry::counters::figure;
use crate::telemetry::metrics::HistogramNow;

/// Counts at one moment.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub at: Instant,
    pub received: u64,
    /// Of messages that are durable, without those that are dead letters.
    pub latency: HistogramNow,
    /// Dead letters that are durable.
    pub dead_letters: u64,
    /// The longest of the second before it.
    pub latency_max_s: f64,
    /// Write commands that were answered, and the items that they were answered for.
    pub batches: u64,
    pub items: u64,
}

/// What happened between two samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    pub received_per_s: f64,
    /// Without dead letters.
    pub durable_per_s: f64,
    pub dead_letters_per_s: f64,
    /// Of the messages that had come to an end, the part that was rejected and is a dead letter, from
    /// 0 to 1; `None` where none had.
    pub rejected_share: Option<f64>,
    /// `None` where nothing but dead letters became durable.
    pub latency_p50_s: Option<f64>,
    pub latency_p99_s: Option<f64>,
    /// Of one write, in the mean; `None` where nothing was written.
    pub batch_documents: Option<f64>,
}

impl Figures {
    /// `latency_max_s` is the longest latency in between. Without it, a quantile within a wide
    /// bucket could be longer than any latency was.
    pub fn between(before: &Sample, after: &Sample, latency_max_s: f64) -> Self {
        let seconds = after.at.duration_since(before.at).as_secs_f64();
        let rate = |before: u64, after: u64| {
            if seconds > 0.0 { figure(after.saturating_sub(before)) / seconds } else { 0.0 }
        };
        let batches = after.batches.saturating_sub(before.batches);
        let [durable, rejected] = [
            after.latency.count.saturating_sub(before.latency.count),
            after.dead_letters.saturating_sub(before.dead_letters),
        ];
        Self {
            received_per_s: rate(before.received, after.received),
            durable_per_s: rate(before.latency.count, after.latency.count),
            dead_letters_per_s: rate(before.dead_letters, after.dead_letters),
            rejected_share: (durable + rejected > 0)
                .then(|| figure(rejected) / figure(durable + rejected)),
            latency_p50_s: quantile(0.5, &before.latency, &after.latency)
                .map(|p50| p50.min(latency_max_s)),
            latency_p99_s: quantile(0.99, &before.latency, &after.latency)
                .map(|p99| p99.min(latency_max_s)),
            batch_documents: (batches > 0)
                .then(|| figure(after.items.saturating_sub(before.items)) / figure(batches)),
        }
    }
}

/// The value below which the share `q` of what was recorded in between lies: linear within its
/// bucket, as Prometheus has it. Beyond the last bound nothing finer is known than that bound.
fn quantile(q: f64, before: &HistogramNow, after: &HistogramNow) -> Option<f64> {
    let earlier = |index: usize| before.buckets.get(index).map_or(0, |(_, count)| *count);
    let cumulative: Vec<_> = after
        .buckets
        .iter()
        .enumerate()
        .map(|(index, (bound, now))| (*bound, now.saturating_sub(earlier(index))))
        .collect();
    let total = cumulative.last().map_or(0, |(_, total)| *total);
    if total == 0 {
        return None;
    }
    let rank = q * figure(total);
    let (mut lower, mut below) = (0.0, 0);
    for (bound, reached) in cumulative {
        if figure(reached) >= rank && reached > below {
            if bound.is_infinite() {
                return Some(lower);
            }
            return Some(
                lower + (bound - lower) * (rank - figure(below)) / figure(reached - below),
            );
        }
        (lower, below) = (bound, reached);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn histogram(counts: [u64; 4]) -> HistogramNow {
        let bounds = [0.1, 1.0, 10.0, f64::INFINITY];
        HistogramNow {
            buckets: bounds.into_iter().zip(counts).collect(),
            count: counts[3],
            sum: 0.0,
        }
    }

    #[test]
    fn a_quantile_lies_in_its_bucket() {
        let (none, some) = (histogram([0; 4]), histogram([50, 90, 100, 100]));
        let at = |q| quantile(q, &none, &some).expect("something was recorded");
        assert!((at(0.5) - 0.1).abs() < 1e-9, "{}", at(0.5));
        assert!((at(0.7) - 0.55).abs() < 1e-9, "{}", at(0.7));
        assert!((at(0.99) - 9.1).abs() < 1e-9, "{}", at(0.99));
        assert_eq!(quantile(0.5, &some, &some), None, "nothing since");
        assert_eq!(
            quantile(0.99, &none, &histogram([0, 0, 0, 5])),
            Some(10.0),
            "beyond the last bound"
        );
        assert_eq!(
            quantile(0.5, &HistogramNow::default(), &some),
            Some(0.1),
            "before it was there at all"
        );
    }

    #[test]
    fn rates_are_by_the_time_between() {
        let at = Instant::now();
        let sample = |at, received, latency, batches, items| Sample {
            at,
            received,
            latency,
            dead_letters: received / 10,
            batches,
            items,
            latency_max_s: 7.5,
        };
        let before = sample(at, 100, histogram([0; 4]), 2, 20);
        let figures = Figures::between(
            &before,
            &sample(at + Duration::from_secs(10), 200, histogram([50, 90, 100, 100]), 6, 120),
            7.5,
        );
        assert_eq!(figures.latency_p99_s, Some(7.5), "9.1 by its bucket, but nothing took longer");
        assert_eq!(
            (figures.received_per_s, figures.durable_per_s, figures.dead_letters_per_s),
            (10.0, 10.0, 1.0)
        );
        assert_eq!(figures.batch_documents, Some(25.0));
        assert_eq!(figures.rejected_share, Some(10.0 / 110.0), "of 100 that are durable, and 10");
        assert_eq!(Figures::between(&before, &before, 0.0), Figures::default(), "no time, no rate");
    }
}
