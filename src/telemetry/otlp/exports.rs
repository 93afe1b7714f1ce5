//! What stands around the exporters of the SDK: bounds, counts, and a word when nothing gets
//! through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanProcessor,
};

/// Bytes of one export, by estimate. Collectors take 4 MiB over gRPC unless they are told
/// otherwise, and a span of a full batch has a link for each of up to ten thousand messages.
const EXPORT_BYTES_MAX: usize = 2 << 20;

/// What was not sent.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Spans in the queue, or being sent.
    waiting: AtomicUsize,
    spans: AtomicU64,
    exports_of_metrics: AtomicU64,
}

impl Lost {
    pub fn spans(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }

    pub fn exports_of_metrics(&self) -> u64 {
        self.exports_of_metrics.load(Ordering::Relaxed)
    }
}

/// Says once that a collector does not take what it is sent, and once that it does again.
#[derive(Debug)]
struct Word {
    /// What is sent, and where to.
    what: &'static str,
    target: String,
    is_lost: AtomicBool,
}

impl Word {
    fn new(what: &'static str, target: &str) -> Self {
        Self { what, target: target.to_owned(), is_lost: AtomicBool::new(false) }
    }

    fn about(&self, sent: &OTelSdkResult) {
        let was_lost = self.is_lost.swap(sent.is_err(), Ordering::Relaxed);
        match sent {
            Err(error) if !was_lost => {
                let (what, collector) = (self.what, &self.target);
                tracing::warn!(collector, cause = %error, "{what} cannot be sent: they are dropped and counted until the collector takes them");
            }
            Ok(()) if was_lost => {
                tracing::info!(collector = self.target, "{} are sent again", self.what);
            }
            _ => {}
        }
    }
}

/// The batch processor of the SDK behind a count of its own: what it has no room for is dropped
/// here, where it can be counted.
#[derive(Debug)]
pub(super) struct Bounded {
    processor: BatchSpanProcessor,
    queue_max: usize,
    lost: Arc<Lost>,
}

impl Bounded {
    pub fn new(exporter: SpanExporter, target: &str, queue_max: usize, lost: &Arc<Lost>) -> Self {
        let counted =
            Counted { exporter, lost: Arc::clone(lost), word: Word::new("spans", target) };
        // Twice as many: a span is taken off the queue some moments before it counts as taken.
        let config = BatchConfigBuilder::default().with_max_queue_size(2 * queue_max).build();
        let processor = BatchSpanProcessor::builder(counted).with_batch_config(config).build();
        Self { processor, queue_max, lost: Arc::clone(lost) }
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &opentelemetry::Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.lost.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue_max {
            self.lost.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lost.spans.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.processor.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// An exporter that sends no more at once than a collector takes, and counts what it could not
/// send.
#[derive(Debug)]
struct Counted {
    exporter: SpanExporter,
    lost: Arc<Lost>,
    word: Word,
}

impl opentelemetry_sdk::trace::SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut result = Ok(());
        for part in by_size(batch) {
            let spans = part.len();
            let sent = self.exporter.export(part).await;
            self.lost.waiting.fetch_sub(spans, Ordering::Relaxed);
            self.word.about(&sent);
            if sent.is_err() {
                self.lost.spans.fetch_add(spans as u64, Ordering::Relaxed);
                result = sent;
            }
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> Result<(), OTelSdkError> {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// An exporter that counts the exports that did not get through.
#[derive(Debug)]
pub struct MetricsSent {
    exporter: MetricExporter,
    lost: Arc<Lost>,
    word: Word,
}

impl MetricsSent {
    pub(super) fn new(exporter: MetricExporter, target: &str, lost: &Arc<Lost>) -> Self {
        Self { exporter, lost: Arc::clone(lost), word: Word::new("metrics", target) }
    }
}

impl PushMetricExporter for MetricsSent {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let sent = self.exporter.export(metrics).await;
        self.word.about(&sent);
        self.lost.exports_of_metrics.fetch_add(u64::from(sent.is_err()), Ordering::Relaxed);
        sent
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

/// Parts of the batch that take no more than [`EXPORT_BYTES_MAX`] each, unless a single span does.
fn by_size(batch: Vec<SpanData>) -> Vec<Vec<SpanData>> {
    /// Ids, names and times of a span, and ids and a message id of a link.
    const SPAN_BYTES: usize = 1_024;
    const LINK_BYTES: usize = 160;
    let mut parts: Vec<Vec<SpanData>> = Vec::new();
    let mut room = 0_usize;
    for span in batch {
        let bytes = SPAN_BYTES + span.links.len() * LINK_BYTES;
        match parts.last_mut() {
            Some(part) if bytes <= room => part.push(span),
            _ => {
                room = EXPORT_BYTES_MAX;
                parts.push(vec![span]);
            }
        }
        room = room.saturating_sub(bytes);
    }
    parts
}
