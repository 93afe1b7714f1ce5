//! One registry of metrics, read by `/metrics`, by the status page, and by OTLP where that is configured.
//!
//! Everything that is counted anyway is read where it stands, when somebody asks; only the histograms cost something as things
//! happen. Labels come from closed lists and from the configuration, never from messages, so the metrics cannot grow.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use prometheus::proto::MetricFamily;
use prometheus::{Registry, TextEncoder};

use crate::held::{Held, Stage};

use super::counters::{Counters, Label};
use super::gauges::Gauges;
use super::instruments::{Instruments, destination_attributes};

/// AWS's list price of a million requests in US dollars, for the first hundred thousand million of a month, in most regions.
/// <https://aws.amazon.com/sqs/pricing/>
const STANDARD_DOLLARS_PER_MILLION: f64 = 0.40;
const FIFO_DOLLARS_PER_MILLION: f64 = 0.50;

/// What the parts of a worker know that have no counters here.
#[derive(Clone)]
pub struct Sources {
    /// The name of the queue.
    pub destination: Arc<str>,
    pub fifo: bool,
    pub held: Held,
    /// Requests to the queue so far, by operation.
    pub api_requests: Arc<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>,
    /// Connections to the database.
    pub connections: Arc<dyn Fn() -> Connections + Send + Sync>,
    /// Spans that were dropped because the collector did not keep up, or was not there.
    pub spans_dropped: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// The pool of connections to the database at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    pub used: u64,
    pub idle: u64,
    /// Operations that got none in time, since the start.
    pub timeouts: u64,
}

impl Sources {
    /// Requests to the queue so far, at list price.
    #[must_use]
    pub fn api_cost_dollars(&self) -> f64 {
        let requests: u64 = (self.api_requests)().iter().map(|(_, requests)| requests).sum();
        let price = if self.fifo { FIFO_DOLLARS_PER_MILLION } else { STANDARD_DOLLARS_PER_MILLION };
        u32::try_from(requests).map_or(requests as f64, f64::from) * price / 1e6
    }
}

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
    fn of(family: &MetricFamily) -> Self {
        let mut all = Self::default();
        for metric in family.get_metric() {
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
    pub fn new(resource: Resource, otlp: Option<MetricExporter>) -> anyhow::Result<Self> {
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
        let meter = self.meter();
        observe_counters(&meter, counters);
        observe_gauges(&meter, gauges);
        observe_sources(&meter, counters, sources);
        observe_process(&meter);
    }

    /// All metrics in the text format of Prometheus.
    ///
    /// # Errors
    /// Where two metrics have one name, which is a bug.
    pub fn text(&self) -> anyhow::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).context("cannot write the metrics")
    }

    /// Histograms by the names that Prometheus has for them, each over all its labels; `None` where nothing was recorded yet.
    #[must_use]
    pub fn histograms<const N: usize>(&self, names: [&str; N]) -> [Option<HistogramNow>; N] {
        let families = self.registry.gather();
        names.map(|name| families.iter().find(|family| family.name() == name).map(HistogramNow::of))
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

fn observe_counters(meter: &Meter, counters: &Arc<Counters>) {
    for (name, description, counter) in Counters::NAMED {
        // Those have labels, below.
        if *name == "writes_failed_total" {
            continue;
        }
        let (counters, description) = (Arc::clone(counters), description.trim());
        match name.strip_suffix("_total") {
            Some(name) => {
                let counter = move |counters: &Counters| counter(counters).get();
                meter
                    .u64_observable_counter(format!("longshore.{name}"))
                    .with_description(description)
                    .with_callback(move |observer| observer.observe(counter(&counters), &[]))
                    .build();
            }
            None => {
                meter
                    .u64_observable_gauge(format!("longshore.{name}"))
                    .with_description(description)
                    .with_callback(move |observer| observer.observe(counter(&counters).get(), &[]))
                    .build();
            }
        }
    }
    let by_reason = Arc::clone(counters);
    meter
        .u64_observable_counter("longshore.dead_lettered")
        .with_description("Messages whose dead letter is durable, by reason.")
        .with_callback(move |observer| {
            for (reason, count) in by_reason.dead_lettered().all() {
                observer.observe(count, &[KeyValue::new("reason", reason.name())]);
            }
        })
        .build();
    let by_trouble = Arc::clone(counters);
    meter
        .u64_observable_counter("longshore.writes_failed")
        .with_description("Write attempts after which nothing, or not all, was confirmed, and which are tried again, by cause.")
        .with_callback(move |observer| {
            for (trouble, count) in by_trouble.writes_failed().all() {
                observer.observe(count, &[KeyValue::new("cause", trouble.name())]);
            }
        })
        .build();
}

fn observe_gauges(meter: &Meter, gauges: &Arc<Gauges>) {
    for (name, description, gauge) in Gauges::NAMED {
        let gauges = Arc::clone(gauges);
        meter
            .u64_observable_gauge(format!("longshore.{name}"))
            .with_description(description.trim())
            .with_callback(move |observer| observer.observe(gauge(&gauges).get(), &[]))
            .build();
    }
    let age = Arc::clone(gauges);
    meter
        .f64_observable_gauge("longshore.oldest_message_age")
        .with_unit("s")
        .with_description("How long the oldest message of the last receive had waited; 0 after an empty receive.")
        .with_callback(move |observer| observer.observe(age.oldest_message_age_ms.get() as f64 / 1e3, &[]))
        .build();
    let queue = Arc::clone(gauges);
    meter
        .u64_observable_gauge("longshore.queue_messages")
        .with_description("Messages of the queue by its own account, which is approximate, asked for once a minute.")
        .with_callback(move |observer| {
            let Some(messages) = queue.queue_messages() else { return };
            for (state, count) in [("visible", messages.visible), ("in_flight", messages.in_flight), ("delayed", messages.delayed)] {
                observer.observe(count, &[KeyValue::new("state", state)]);
            }
        })
        .build();
}

fn observe_sources(meter: &Meter, counters: &Arc<Counters>, sources: &Sources) {
    let (received, destination) = (Arc::clone(counters), destination_attributes(&sources.destination));
    meter
        .u64_observable_counter("messaging.client.consumed.messages")
        .with_unit("{message}")
        .with_description("Number of messages that were delivered to the application.")
        .with_callback(move |observer| {
            let [system, destination] = destination.clone();
            observer.observe(received.received_total.get(), &[system, destination, KeyValue::new("messaging.operation.name", "receive")]);
        })
        .build();
    let held = sources.held.clone();
    meter
        .u64_observable_gauge("longshore.stage_messages")
        .with_description("Messages that are held, by how far they are.")
        .with_callback(move |observer| {
            for (stage, count) in held.by_stage() {
                observer.observe(count as u64, &[KeyValue::new("stage", Stage::name(stage))]);
            }
        })
        .build();
    let requests = Arc::clone(&sources.api_requests);
    meter
        .u64_observable_counter("longshore.api_requests")
        .with_description("Requests to the queue, failed ones included: what AWS bills, in parts of 64 KiB.")
        .with_callback(move |observer| {
            for (operation, count) in requests() {
                observer.observe(count, &[KeyValue::new("messaging.operation.name", operation)]);
            }
        })
        .build();
    let cost = sources.clone();
    meter
        .f64_observable_counter("longshore.api_cost_dollars")
        .with_description("Requests to the queue at AWS's list price, each counted once.")
        .with_callback(move |observer| observer.observe(cost.api_cost_dollars(), &[]))
        .build();
    observe_connections(meter, sources);
}

fn observe_connections(meter: &Meter, sources: &Sources) {
    let connections = Arc::clone(&sources.connections);
    meter
        .u64_observable_gauge("db.client.connection.count")
        .with_unit("{connection}")
        .with_description("The number of connections that are currently in the state that is told by the attribute.")
        .with_callback(move |observer| {
            let Connections { used, idle, .. } = connections();
            for (state, count) in [("used", used), ("idle", idle)] {
                observer.observe(count, &[KeyValue::new("db.client.connection.state", state)]);
            }
        })
        .build();
    let connections = Arc::clone(&sources.connections);
    meter
        .u64_observable_counter("db.client.connection.timeouts")
        .with_unit("{timeout}")
        .with_description("The number of times that no connection could be had of the pool.")
        .with_callback(move |observer| observer.observe(connections().timeouts, &[]))
        .build();
    let dropped = Arc::clone(&sources.spans_dropped);
    meter
        .u64_observable_counter("longshore.spans_dropped")
        .with_description("Spans that were not sent: the collector did not keep up, refused them, or was not there.")
        .with_callback(move |observer| observer.observe(dropped(), &[]))
        .build();
}

fn observe_process(meter: &Meter) {
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    meter
        .f64_observable_gauge("longshore.start_time")
        .with_unit("s")
        .with_description("When the worker started, in seconds since the epoch.")
        .with_callback(move |observer| observer.observe(started, &[]))
        .build();
    meter
        .u64_observable_gauge("longshore.build_info")
        .with_description("1, with the version of the program.")
        .with_callback(|observer| observer.observe(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]))
        .build();
}
