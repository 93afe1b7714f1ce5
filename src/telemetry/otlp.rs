//! Sending traces and metrics to a collector, by OTLP over gRPC or HTTP and the standard `OTEL_*`
//! variables alone. <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>
//!
//! Off unless an endpoint, or an exporter, is named. A collector that is slow or away costs nothing
//! but its spans: they wait in a bounded queue, and what finds no room there is dropped and
//! counted.

mod client;
mod exports;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
#[cfg(feature = "grpc")]
use opentelemetry_otlp::WithTonicConfig;
#[cfg(feature = "grpc")]
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use client::Sender;
use exports::{Bounded, Lost};
use variables::{Plan, Protocol, Target, Variables};

use super::sampler::ByProducers;

pub use exports::MetricsSent;

/// Links that a span keeps, unless `OTEL_SPAN_LINK_COUNT_LIMIT` says otherwise: all of the largest
/// batch.
const LINKS_MAX: u32 = 10_000;

/// What is sent where. The default sends nothing.
#[derive(Default)]
pub struct Otlp {
    resource: Option<Resource>,
    traces: Option<SdkTracerProvider>,
    metrics: Option<Box<MetricsSent>>,
    sampler: Option<ByProducers>,
    said: Option<String>,
    lost: Arc<Lost>,
    /// Last, so that it ends last.
    _sender: Option<Sender>,
}

impl Otlp {
    /// What the `OTEL_*` variables of this process ask for.
    ///
    /// # Errors
    /// Where one of them cannot be understood.
    pub fn from_env() -> Result<Self> {
        ensure_unicode()?;
        Self::from_variables(&of_process)
    }

    fn from_variables(variable: Variables) -> Result<Self> {
        let plan = Plan::read(variable)?;
        let (resource, lost) = (resource(variable), Arc::<Lost>::default());
        let said = said(&plan);
        if plan.traces.is_none() && plan.metrics.is_none() {
            return Ok(Self { resource: Some(resource), ..Self::default() });
        }
        let sender = Sender::start()?;
        // What gRPC has in the background belongs to the thread, too.
        let _inside = sender.runtime().enter();
        let traces = plan
            .traces
            .as_ref()
            .map(|target| traces(target, &plan, resource.clone(), &sender, &lost))
            .transpose()?;
        let metrics = plan
            .metrics
            .as_ref()
            .map(|target| metrics(target, &sender, &lost).map(Box::new))
            .transpose()?;
        let sampler = traces.as_ref().map(|_| plan.sampler.clone());
        Ok(Self {
            resource: Some(resource),
            traces,
            metrics,
            sampler,
            said,
            lost,
            _sender: Some(sender.clone()),
        })
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
    pub fn take_metrics(&mut self) -> Option<MetricsSent> {
        self.metrics.take().map(|metrics| *metrics)
    }

    /// What decides which spans are recorded, where traces are sent.
    #[must_use]
    pub fn sampler(&self) -> Option<ByProducers> {
        self.sampler.clone()
    }

    /// What is sent where, in words; `None` where nothing is.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// How many spans were not sent so far.
    #[must_use]
    pub fn spans_dropped(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let lost = Arc::clone(&self.lost);
        Arc::new(move || lost.spans())
    }

    /// How many exports of metrics did not get through so far.
    #[must_use]
    pub fn metric_exports_failed(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let lost = Arc::clone(&self.lost);
        Arc::new(move || lost.exports_of_metrics())
    }

    /// Sends what waits, for `within` at most. Blocks.
    pub fn shut_down(&self, within: Duration) {
        if let Some(traces) = &self.traces {
            // What cannot be sent any more is lost with the process.
            let _ = traces.shutdown_with_timeout(within);
        }
    }
}

/// What the `OTEL_*` variables of this process ask for, in words: nothing is sent, and nobody is
/// asked.
///
/// # Errors
/// Where one of them cannot be understood.
pub fn look() -> Result<Option<String>> {
    ensure_unicode()?;
    Plan::read(&of_process).map(|plan| said(&plan))
}

fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// What is no text would be taken for what is not there.
fn ensure_unicode() -> Result<()> {
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy();
        ensure!(
            !name.starts_with("OTEL_") || value.to_str().is_some(),
            "{name}: its value must be UTF-8"
        );
    }
    Ok(())
}

fn said(plan: &Plan) -> Option<String> {
    let one = |what, target: &Option<Target>| {
        target
            .as_ref()
            .map(|target| format!("{what} to {} by {}", target.shown, target.protocol.name()))
    };
    let all: Vec<_> = [one("traces", &plan.traces), one("metrics", &plan.metrics)]
        .into_iter()
        .flatten()
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn traces(
    target: &Target,
    plan: &Plan,
    resource: Resource,
    sender: &Sender,
    lost: &Arc<Lost>,
) -> Result<SdkTracerProvider> {
    let exporter = match target.protocol {
        #[cfg(feature = "grpc")]
        Protocol::Grpc => trusting(SpanExporter::builder().with_tonic(), target).build(),
        Protocol::Http => SpanExporter::builder()
            .with_http()
            .with_http_client(sender.http(target.timeout)?)
            .build(),
    };
    let exporter = exporter.map_err(|_| refused("traces", target))?;
    let provider =
        SdkTracerProvider::builder().with_resource(resource).with_sampler(plan.sampler.clone());
    let provider =
        if plan.bounds_links { provider } else { provider.with_max_links_per_span(LINKS_MAX) };
    Ok(provider
        .with_span_processor(Bounded::new(exporter, &target.shown, plan.queue_max, lost))
        .build())
}

fn metrics(target: &Target, sender: &Sender, lost: &Arc<Lost>) -> Result<MetricsSent> {
    let exporter = match target.protocol {
        #[cfg(feature = "grpc")]
        Protocol::Grpc => trusting(MetricExporter::builder().with_tonic(), target).build(),
        Protocol::Http => MetricExporter::builder()
            .with_http()
            .with_http_client(sender.http(target.timeout)?)
            .build(),
    };
    let exporter = exporter.map_err(|_| refused("metrics", target))?;
    Ok(MetricsSent::new(exporter, &target.shown, lost))
}

/// With the roots of this machine, where `target` is encrypted: without them no certificate would
/// be trusted.
#[cfg(feature = "grpc")]
fn trusting<B: WithTonicConfig>(builder: B, target: &Target) -> B {
    if target.is_tls {
        builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots())
    } else {
        builder
    }
}

/// Not with the exporter's own words: they may quote an address with a password in it.
fn refused(what: &str, target: &Target) -> anyhow::Error {
    anyhow::anyhow!("cannot set up OTLP {what} to {}: look at OTEL_EXPORTER_OTLP_*", target.shown)
}

/// `service.name` is longshore unless the variables say otherwise.
fn resource(variable: Variables) -> Resource {
    let is_name = |attribute: &str| {
        attribute.split_once('=').is_some_and(|(key, _)| key.trim() == "service.name")
    };
    let is_named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES")
            .is_some_and(|attributes| attributes.split(',').any(is_name));
    let builder = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_named { builder.build() } else { builder.with_service_name("longshore").build() }
}
