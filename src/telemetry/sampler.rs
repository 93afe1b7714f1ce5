//! Which spans are recorded, by `OTEL_TRACES_SAMPLER`: what the producers decided, and where there
//! is none its root sampler, or that sampler alone.

use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// The attribute of a span that says how many messages it is about.
pub(super) const MESSAGE_COUNT: &str = "messaging.batch.message_count";

/// By a sampler whose name begins with `parentbased_`, a span with a parent is recorded where the
/// parent is. Of spans without one, those that are linked to producers are recorded where any of
/// these is: a batch may hold the one message that someone looks for.
///
/// The other samplers ask no producer: `always_off` records nothing, whoever sends a sampled
/// `traceparent`.
///
/// An empty receive is no news, by any of them.
#[derive(Debug, Clone)]
pub struct ByProducers {
    root: Sampler,
    asks_producers: bool,
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
        let name = variable("OTEL_TRACES_SAMPLER").unwrap_or_default();
        // The default of the standard.
        let name = if name.is_empty() { "parentbased_always_on" } else { &*name };
        let of_parent = name.strip_prefix("parentbased_");
        let root = match of_parent.unwrap_or(name) {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(ratio()?),
            _ => anyhow::bail!(
                "OTEL_TRACES_SAMPLER={name:?} is none of always_on, always_off, traceidratio and their parentbased_ forms"
            ),
        };
        Ok(Self { root, asks_producers: of_parent.is_some() })
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
        let by_root =
            || self.root.should_sample(None, trace_id, name, span_kind, attributes, links);
        let decided = |sampled, trace_state| SamplingResult {
            decision: if sampled {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state,
        };
        let parent = parent_context.filter(|context| context.has_active_span());
        if let Some(parent) = parent {
            let parent = parent.span().span_context().clone();
            let is_sampled = if self.asks_producers || !parent.is_remote() {
                parent.is_sampled()
            } else {
                by_root().decision == SamplingDecision::RecordAndSample
            };
            return decided(is_sampled, parent.trace_state().clone());
        }
        let is_empty = attributes.iter().any(|attribute| {
            attribute.key.as_str() == MESSAGE_COUNT && attribute.value.as_str() == "0"
        });
        if is_empty {
            return decided(false, TraceState::default());
        }
        if self.asks_producers && !links.is_empty() {
            let sampled = links.iter().any(|link| link.span_context.is_sampled());
            return decided(sampled, TraceState::default());
        }
        by_root()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    const TRACE: u128 = 7;

    fn sampler(name: &str) -> ByProducers {
        let variable = |asked: &str| match asked {
            "OTEL_TRACES_SAMPLER" => Some(name.to_owned()),
            _ => Some("0".to_owned()),
        };
        ByProducers::from_env(variable).expect("a sampler")
    }

    fn producer(is_sampled: bool) -> SpanContext {
        let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let (trace, span) = (TraceId::from(TRACE), SpanId::from(9_u64));
        SpanContext::new(trace, span, flags, true, TraceState::default())
    }

    /// Of a message alone in its batch, whose span is a child of the producer's, and of a batch,
    /// which is only linked to it.
    fn recorded(name: &str, is_sampled: bool) -> [bool; 2] {
        let links = [Link::new(producer(is_sampled), Vec::new(), 0)];
        let parent = Context::new().with_remote_span_context(producer(is_sampled));
        [Some(&parent), None].map(|parent| {
            let result = sampler(name).should_sample(
                parent,
                TraceId::from(TRACE),
                "process",
                &SpanKind::Consumer,
                &[],
                &links,
            );
            result.decision == SamplingDecision::RecordAndSample
        })
    }

    #[test]
    fn a_producer_decides_only_where_the_sampler_is_based_on_the_parent() {
        for name in
            ["", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"]
        {
            assert_eq!(recorded(name, true), [true; 2], "{name}");
            assert_eq!(recorded(name, false), [false; 2], "{name}");
        }
        for is_sampled in [true, false] {
            assert_eq!(recorded("always_off", is_sampled), [false; 2], "nothing is recorded");
            assert_eq!(recorded("traceidratio", is_sampled), [false; 2], "a ratio of 0");
            assert_eq!(recorded("always_on", is_sampled), [true; 2], "everything is recorded");
        }
    }
}
