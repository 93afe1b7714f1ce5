//! Sending traces and metrics to a collector, by OTLP over gRPC or HTTP and the standard `OTEL_*` variables alone.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>
//!
//! Off unless an endpoint, or an exporter, is named. A collector that is slow or away costs nothing but its spans: they wait in a
//! bounded queue, and what finds no room there is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, hyper::HyperClient};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tokio::runtime::Handle;

use super::sampler::ByProducers;

/// Spans that wait for the collector, unless `OTEL_BSP_MAX_QUEUE_SIZE` says otherwise; the default of the specification.
const QUEUE_MAX: usize = 2_048;

/// Bytes of one export, by estimate. Collectors take 4 MiB over gRPC unless they are told otherwise, and a span of a full batch has a
/// link for each of up to ten thousand messages.
const EXPORT_BYTES_MAX: usize = 2 << 20;

/// Links that a span keeps, unless `OTEL_SPAN_LINK_COUNT_LIMIT` says otherwise: all of the largest batch.
const LINKS_MAX: u32 = 10_000;

/// What is sent where. The default sends nothing.
#[derive(Default)]
pub struct Otlp {
    resource: Option<Resource>,
    traces: Option<SdkTracerProvider>,
    metrics: Option<MetricExporter>,
    dropped: Arc<Dropped>,
}

/// Spans that were not sent.
#[derive(Debug, Default)]
struct Dropped {
    /// Spans in the queue, or being sent.
    waiting: AtomicUsize,
    total: AtomicU64,
}

impl Otlp {
    /// What the `OTEL_*` variables of this process ask for. Must be called within the runtime that shall send it.
    ///
    /// # Errors
    /// Where one of them cannot be understood.
    pub fn from_env() -> anyhow::Result<Self> {
        Self::from_variables(&|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
    }

    fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let resource = resource(variable);
        let mut otlp = Self { resource: Some(resource.clone()), ..Self::default() };
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(otlp);
        }
        if is_wanted(variable, "TRACES")? {
            let sampler = ByProducers::from_env(variable)?;
            let exporter = match protocol(variable, "TRACES")? {
                Protocol::Grpc => SpanExporter::builder().with_tonic().build(),
                Protocol::Http => SpanExporter::builder().with_http().with_http_client(OnRuntime::new(variable, "TRACES")?).build(),
            };
            let exporter = exporter.context("cannot set up OTLP traces: look at OTEL_EXPORTER_OTLP_*")?;
            let provider = SdkTracerProvider::builder().with_resource(resource).with_sampler(sampler);
            let provider = match variable("OTEL_SPAN_LINK_COUNT_LIMIT") {
                Some(_) => provider,
                None => provider.with_max_links_per_span(LINKS_MAX),
            };
            otlp.traces = Some(provider.with_span_processor(Bounded::new(exporter, variable, &otlp.dropped)).build());
        }
        if is_wanted(variable, "METRICS")? {
            let exporter = match protocol(variable, "METRICS")? {
                Protocol::Grpc => MetricExporter::builder().with_tonic().build(),
                Protocol::Http => MetricExporter::builder().with_http().with_http_client(OnRuntime::new(variable, "METRICS")?).build(),
            };
            otlp.metrics = Some(exporter.context("cannot set up OTLP metrics: look at OTEL_EXPORTER_OTLP_*")?);
        }
        Ok(otlp)
    }

    /// Who sends: `service.name` and what else the variables say.
    #[must_use]
    pub fn resource(&self) -> Resource {
        self.resource.clone().unwrap_or_else(|| resource(&|_| None))
    }

    /// Makes spans, where traces are sent.
    #[must_use]
    pub fn tracer(&self) -> Option<SdkTracer> {
        self.traces.as_ref().map(|provider| provider.tracer("longshore"))
    }

    /// Where metrics are sent; given once.
    pub fn take_metrics(&mut self) -> Option<MetricExporter> {
        self.metrics.take()
    }

    /// How many spans were not sent so far.
    #[must_use]
    pub fn dropped(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let dropped = Arc::clone(&self.dropped);
        Arc::new(move || dropped.total.load(Ordering::Relaxed))
    }

    /// Sends what waits, for `within` at most. Blocks.
    pub fn shut_down(&self, within: Duration) {
        if let Some(traces) = &self.traces {
            // What cannot be sent any more is lost with the process.
            let _ = traces.shutdown_with_timeout(within);
        }
    }
}

/// `service.name` is longshore unless the variables say otherwise.
fn resource(variable: &dyn Fn(&str) -> Option<String>) -> Resource {
    let is_named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| attributes.contains("service.name="));
    let builder = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_named { builder.build() } else { builder.with_service_name("longshore").build() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Grpc,
    Http,
}

/// Whether `OTEL_TRACES_EXPORTER` (or `_METRICS_`) is otlp, or an endpoint is given and nothing else is said.
fn is_wanted(variable: &dyn Fn(&str) -> Option<String>, signal: &str) -> anyhow::Result<bool> {
    let name = format!("OTEL_{signal}_EXPORTER");
    match variable(&name).as_deref() {
        Some("otlp") => Ok(true),
        Some("none") => Ok(false),
        // `/metrics` is there in any case.
        Some("prometheus") if signal == "METRICS" => Ok(false),
        Some(other) => bail!("{name}={other:?}: longshore knows otlp and none"),
        None => Ok(either(variable, signal, "ENDPOINT").is_some()),
    }
}

fn protocol(variable: &dyn Fn(&str) -> Option<String>, signal: &str) -> anyhow::Result<Protocol> {
    match either(variable, signal, "PROTOCOL").as_deref() {
        Some("grpc") => Ok(Protocol::Grpc),
        None | Some("http/protobuf") => Ok(Protocol::Http),
        Some(other) => bail!("OTEL_EXPORTER_OTLP_PROTOCOL={other:?}: longshore speaks grpc and http/protobuf"),
    }
}

/// A variable of one signal, else that of all.
fn either(variable: &dyn Fn(&str) -> Option<String>, signal: &str, name: &str) -> Option<String> {
    variable(&format!("OTEL_EXPORTER_OTLP_{signal}_{name}")).or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
}

/// An HTTP client whose calls run on the runtime it was made in: those who export have threads of their own, without one.
#[derive(Debug, Clone)]
struct OnRuntime {
    runtime: Handle,
    client: Arc<HyperClient<HttpsConnector<HttpConnector>>>,
}

impl OnRuntime {
    fn new(variable: &dyn Fn(&str) -> Option<String>, signal: &str) -> anyhow::Result<Self> {
        let timeout = either(variable, signal, "TIMEOUT").and_then(|text| text.trim().parse().ok()).unwrap_or(10_000);
        let builder = HttpsConnectorBuilder::new().with_native_roots().context("cannot read this machine's root certificates")?;
        let client = HyperClient::new(builder.https_or_http().enable_http1().build(), Duration::from_millis(timeout), None);
        Ok(Self { runtime: Handle::current(), client: Arc::new(client) })
    }
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = Arc::clone(&self.client);
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

/// The batch processor of the SDK behind a count of its own: what it has no room for is dropped here, where it can be counted.
#[derive(Debug)]
struct Bounded {
    processor: BatchSpanProcessor,
    queue_max: usize,
    dropped: Arc<Dropped>,
}

impl Bounded {
    fn new(exporter: SpanExporter, variable: &dyn Fn(&str) -> Option<String>, dropped: &Arc<Dropped>) -> Self {
        let number = |name: &str| variable(name).and_then(|text| text.trim().parse().ok());
        let queue_max = number("OTEL_BSP_MAX_QUEUE_SIZE").unwrap_or(QUEUE_MAX).max(1);
        let counted = Counted { exporter, dropped: Arc::clone(dropped) };
        // Twice as many: a span is taken off the queue some moments before it counts as taken.
        let config = BatchConfigBuilder::default().with_max_queue_size(2 * queue_max).build();
        let processor = BatchSpanProcessor::builder(counted).with_batch_config(config).build();
        Self { processor, queue_max, dropped: Arc::clone(dropped) }
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
        if self.dropped.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue_max {
            self.dropped.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.total.fetch_add(1, Ordering::Relaxed);
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

/// An exporter that sends no more at once than a collector takes, and counts what it could not send.
#[derive(Debug)]
struct Counted {
    exporter: SpanExporter,
    dropped: Arc<Dropped>,
}

impl opentelemetry_sdk::trace::SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut result = Ok(());
        for part in by_size(batch) {
            let spans = part.len();
            let sent = self.exporter.export(part).await;
            self.dropped.waiting.fetch_sub(spans, Ordering::Relaxed);
            if let Err(error) = sent {
                let total = self.dropped.total.fetch_add(spans as u64, Ordering::Relaxed);
                if total == 0 {
                    tracing::warn!(cause = %error, "spans cannot be sent: they are dropped and counted (longshore_spans_dropped_total)");
                }
                result = Err(error);
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
