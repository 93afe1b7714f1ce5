//! Which spans are recorded: what the producers decided, and where there is none,
//! `OTEL_TRACES_SAMPLER`.

use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// The attribute of a span that says how many messages it is about.
pub(super) const MESSAGE_COUNT: &str = "messaging.batch.message_count";

/// A span with a parent is recorded where the parent is. Of spans without one, those that are
/// linked to producers are recorded where any of these is: a batch may hold the one message that
/// someone looks for. An empty receive is no news.
#[derive(Debug, Clone)]
pub struct ByProducers {
    root: Sampler,
}

impl ByProducers {
    /// By the standard variables `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
    /// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>
    ///
    /// # Errors
    /// Where they name a sampler that is not there.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let ratio = || -> anyhow::Result<f64> {
            let Some(text) = variable("OTEL_TRACES_SAMPLER_ARG") else { return Ok(1.0) };
            match text.trim().parse() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
                _ => anyhow::bail!("OTEL_TRACES_SAMPLER_ARG={text:?}: give a ratio from 0 to 1"),
            }
        };
        // A parent decides in any case, so those that are based on it are the same here.
        let name = variable("OTEL_TRACES_SAMPLER").unwrap_or_default();
        let root = match name.strip_prefix("parentbased_").unwrap_or(&name) {
            "" | "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(ratio()?),
            _ => anyhow::bail!(
                "OTEL_TRACES_SAMPLER={name:?} is none of always_on, always_off, traceidratio and their parentbased_ forms"
            ),
        };
        Ok(Self { root })
    }

    /// Whether a trace is recorded of which nobody has decided yet.
    #[must_use]
    pub fn decides(&self, trace_id: TraceId) -> bool {
        let result = self.root.should_sample(None, trace_id, "", &SpanKind::Consumer, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }
}

impl ShouldSample for ByProducers {
    fn should_sample(
        &self,
        parent_context: Option<&opentelemetry::Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let decided = |sampled, trace_state| SamplingResult {
            decision: if sampled {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state,
        };
        if let Some(parent) = parent_context.filter(|context| context.has_active_span()) {
            let parent = parent.span().span_context().clone();
            return decided(parent.is_sampled(), parent.trace_state().clone());
        }
        let is_empty = attributes.iter().any(|attribute| {
            attribute.key.as_str() == MESSAGE_COUNT && attribute.value.as_str() == "0"
        });
        if is_empty || !links.is_empty() {
            let sampled = links.iter().any(|link| link.span_context.is_sampled());
            return decided(sampled, TraceState::default());
        }
        self.root.should_sample(None, trace_id, name, span_kind, attributes, links)
    }
}
