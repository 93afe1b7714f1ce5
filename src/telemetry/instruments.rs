//! The histograms, by their names in the OpenTelemetry semantic conventions where those have one.
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/>,
//! <https://opentelemetry.io/docs/specs/semconv/database/database-metrics/>

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, MeterProvider, NoopMeterProvider};

use super::labels::Label;
use crate::store::WriteTrouble;

/// Of calls, as the conventions advise: 5 ms to 10 s; with 30 s beyond, for writes that wait for
/// their write concern.
const CALL_SECONDS: [f64; 14] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// From milliseconds to the longest that a message may wait behind an outage.
const LATENCY_SECONDS: [f64; 22] = [
    0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 900.0, 3_600.0, 10_800.0, 21_600.0, 43_200.0,
];

const DOCUMENTS: [f64; 14] = [
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 7_500.0,
    10_000.0,
];

const BYTES: [f64; 9] = [
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    8_388_608.0,
    15_728_640.0,
];

/// Records what is measured. Where nobody reads metrics it records nothing.
#[derive(Debug)]
pub struct Instruments {
    destination: [KeyValue; 2],
    enqueue_to_durable: Histogram<f64>,
    /// The longest since it was last taken, in microseconds, for the status page: buckets grow wide
    /// where it gets late.
    latency_max_us: AtomicU64,
    batch_documents: Histogram<u64>,
    batch_size: Histogram<u64>,
    db_operation: Histogram<f64>,
    queue_operation: Histogram<f64>,
    process: Histogram<f64>,
    connection_wait: Histogram<f64>,
    connection_create: Histogram<f64>,
}

impl Default for Instruments {
    fn default() -> Self {
        Self::new(&NoopMeterProvider::new().meter("longshore"), "")
    }
}

/// A collection, as it stands at what is measured of its lane.
#[derive(Debug, Clone)]
pub struct CollectionLabel {
    name: String,
    attribute: [KeyValue; 1],
}

impl CollectionLabel {
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            attribute: [KeyValue::new("db.collection.name", name.to_owned())],
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Instruments {
    /// `destination` is the name of the queue.
    #[must_use]
    pub fn new(meter: &Meter, destination: &str) -> Self {
        let seconds = |name: &'static str, description: &'static str, bounds: &[f64]| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(bounds.to_vec())
                .build()
        };
        let counts =
            |name: &'static str, unit: &'static str, description: &'static str, bounds: &[f64]| {
                meter
                    .u64_histogram(name)
                    .with_unit(unit)
                    .with_description(description)
                    .with_boundaries(bounds.to_vec())
                    .build()
            };
        Self {
            destination: destination_attributes(destination),
            enqueue_to_durable: seconds(
                "longshore.enqueue_to_durable.duration",
                "From a message's SentTimestamp to its durable write.",
                &LATENCY_SECONDS,
            ),
            latency_max_us: AtomicU64::new(0),
            batch_documents: counts(
                "longshore.batch.documents",
                "{document}",
                "Documents of one write command.",
                &DOCUMENTS,
            ),
            batch_size: counts("longshore.batch.size", "By", "Bytes of one write command.", &BYTES),
            db_operation: seconds(
                "db.client.operation.duration",
                "Duration of database client operations.",
                &CALL_SECONDS,
            ),
            queue_operation: seconds(
                "messaging.client.operation.duration",
                "Duration of messaging operations initiated by a producer or consumer client.",
                &CALL_SECONDS,
            ),
            process: seconds(
                "messaging.process.duration",
                "Duration of processing operation.",
                &CALL_SECONDS,
            ),
            connection_wait: seconds(
                "db.client.connection.wait_time",
                "The time it took to obtain an open connection from the pool.",
                &CALL_SECONDS,
            ),
            connection_create: seconds(
                "db.client.connection.create_time",
                "The time it took to create a new connection.",
                &CALL_SECONDS,
            ),
        }
    }

    pub(super) fn durable(&self, collection: &CollectionLabel, after: Duration) {
        self.enqueue_to_durable.record(after.as_secs_f64(), &collection.attribute);
        self.latency_max_us
            .fetch_max(u64::try_from(after.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The longest latency since this was last asked.
    #[must_use]
    pub fn take_latency_max(&self) -> Duration {
        Duration::from_micros(self.latency_max_us.swap(0, Ordering::Relaxed))
    }

    pub(super) fn batch(&self, collection: &CollectionLabel, documents: usize, bytes: usize) {
        self.batch_documents.record(documents as u64, &collection.attribute);
        self.batch_size.record(bytes as u64, &collection.attribute);
    }

    pub(super) fn store_called(
        &self,
        collection: &CollectionLabel,
        operation: &'static str,
        took: Duration,
        error: Option<WriteTrouble>,
    ) {
        let [name] = &collection.attribute;
        let mut attributes = vec![
            name.clone(),
            KeyValue::new("db.operation.name", operation),
            KeyValue::new("db.system.name", "mongodb"),
        ];
        attributes.extend(error.map(|trouble| KeyValue::new("error.type", trouble.name())));
        self.db_operation.record(took.as_secs_f64(), &attributes);
    }

    pub(super) fn queue_called(
        &self,
        operation: &'static str,
        other: Option<&str>,
        took: Duration,
        error: Option<&'static str>,
    ) {
        let kind = match operation {
            "receive" => "receive",
            "send" => "send",
            "delete" | "change_visibility" => "settle",
            // Asking for attributes is none of the conventions' types.
            _ => "",
        };
        let other = other.map(destination_attributes);
        let mut attributes = other.as_ref().unwrap_or(&self.destination).to_vec();
        attributes.push(KeyValue::new("messaging.operation.name", operation));
        attributes
            .extend((!kind.is_empty()).then(|| KeyValue::new("messaging.operation.type", kind)));
        attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
        self.queue_operation.record(took.as_secs_f64(), &attributes);
    }

    pub(super) fn processed(&self, took: Duration) {
        let [system, destination] = &self.destination;
        self.process.record(
            took.as_secs_f64(),
            &[
                system.clone(),
                destination.clone(),
                KeyValue::new("messaging.operation.name", "process"),
            ],
        );
    }

    /// An operation got a connection of the pool after `took`.
    pub fn connection_waited(&self, took: Duration) {
        self.connection_wait.record(took.as_secs_f64(), &[]);
    }

    /// A connection was made, and is ready after `took`.
    pub fn connection_created(&self, took: Duration) {
        self.connection_create.record(took.as_secs_f64(), &[]);
    }
}

/// What every metric of the queue says: which system, and which queue.
pub(super) fn destination_attributes(destination: &str) -> [KeyValue; 2] {
    [
        KeyValue::new("messaging.system", "aws_sqs"),
        KeyValue::new("messaging.destination.name", destination.to_owned()),
    ]
}
