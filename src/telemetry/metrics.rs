//! One registry of metrics, read by `/metrics`, by the status page, and by OTLP where that is
//! configured.
//!
//! Everything that is counted anyway is read where it stands, when somebody asks; only the
//! histograms cost something as things happen. Labels come from closed lists and from the
//! configuration, so the metrics cannot grow. Two are of what came and are bounded: the first ten
//! senders, and the ids of the last hundred new groups.

mod observed;
mod sources;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use prometheus::proto::{Metric, MetricFamily};
use prometheus::{Registry, TextEncoder};

use super::counters::Counters;
use super::instruments::Instruments;
use super::otlp::MetricsSent;
use crate::gauges::Gauges;

pub use self::sources::{Connections, Sources};

/// The convention's `db.client.connection.count` as Prometheus would have it, and as it stands in
/// `/metrics`: Prometheus keeps `_count` for histograms, and `promtool check metrics` says so.
const CONNECTION_COUNT: &str = "db_client_connection_count";
const CONNECTIONS: &str = "db_client_connections";

/// As Prometheus has the latency, and its label.
const LATENCY: &str = "longshore_enqueue_to_durable_duration_seconds";
const COLLECTION: &str = "db_collection_name";

/// The registry and what feeds it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    provider: SdkMeterProvider,
}

/// A histogram at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistogramNow {
    /// Upper bound, and how many were at or below it; the last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
    pub count: u64,
    pub sum: f64,
}

impl HistogramNow {
    /// Over the labels that are counted.
    fn of<'a>(metrics: impl Iterator<Item = &'a Metric>) -> Self {
        let mut all = Self::default();
        for metric in metrics {
            let histogram = metric.get_histogram();
            all.count += histogram.get_sample_count();
            all.sum += histogram.get_sample_sum();
            for (index, bucket) in histogram.get_bucket().iter().enumerate() {
                match all.buckets.get_mut(index) {
                    Some((_, count)) => *count += bucket.cumulative_count(),
                    None => all.buckets.push((bucket.upper_bound(), bucket.cumulative_count())),
                }
            }
        }
        if all.buckets.last().is_some_and(|(bound, _)| bound.is_finite()) {
            all.buckets.push((f64::INFINITY, all.count));
        }
        all
    }
}

impl Metrics {
    /// An empty registry, which is also sent to a collector where there is an exporter.
    ///
    /// # Errors
    /// Where the exporter cannot be registered, which is a bug.
    pub fn new(resource: Resource, otlp: Option<MetricsSent>) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .context("cannot set up metrics")?;
        let provider = SdkMeterProvider::builder().with_resource(resource).with_reader(reader);
        let provider = match otlp {
            Some(exporter) => provider.with_reader(PeriodicReader::builder(exporter).build()),
            None => provider,
        };
        Ok(Self { registry, provider: provider.build() })
    }

    /// The histograms, for those that record them.
    #[must_use]
    pub fn instruments(&self, destination: &str) -> Instruments {
        Instruments::new(&self.meter(), destination)
    }

    /// Registers all that is read where it stands. Called once.
    pub fn observe(&self, counters: &Arc<Counters>, gauges: &Arc<Gauges>, sources: &Sources) {
        observed::observe(&self.meter(), counters, gauges, sources);
    }

    /// All metrics in the text format of Prometheus.
    ///
    /// # Errors
    /// Where two metrics have one name, which is a bug.
    pub fn text(&self) -> anyhow::Result<String> {
        let mut families = self.registry.gather();
        for family in families.iter_mut().filter(|family| family.name() == CONNECTION_COUNT) {
            family.set_name(CONNECTIONS.to_owned());
        }
        TextEncoder::new().encode_to_string(&families).context("cannot write the metrics")
    }

    /// How long messages took to be durable, and how long dead letters did, which are those of the
    /// collection `dead_letters`. Both are of one moment.
    #[must_use]
    pub fn latencies(&self, dead_letters: &str) -> [HistogramNow; 2] {
        let families = self.registry.gather();
        let metrics = families.iter().find(|family| family.name() == LATENCY);
        let metrics = metrics.map(MetricFamily::get_metric).unwrap_or_default();
        let is_dead_letter = |metric: &&Metric| {
            let labels = metric.get_label();
            labels.iter().any(|label| label.name() == COLLECTION && label.value() == dead_letters)
        };
        [
            HistogramNow::of(metrics.iter().filter(|metric| !is_dead_letter(metric))),
            HistogramNow::of(metrics.iter().filter(is_dead_letter)),
        ]
    }

    /// Sends what was not sent yet, for `within` at most. Blocks.
    pub fn shut_down(&self, within: Duration) {
        // What cannot be sent any more is lost with the process.
        let _ = self.provider.shutdown_with_timeout(within);
    }

    fn meter(&self) -> Meter {
        self.provider.meter("longshore")
    }
}
