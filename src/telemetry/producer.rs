//! The span of a message's producer, as the message carries it.

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::message::QueueMessage;

/// From the message attributes `traceparent` and `tracestate` (<https://www.w3.org/TR/trace-context/>), else from the system
/// attribute `AWSTraceHeader`. What is not well formed counts as absent: a message is worth more than its trace.
pub(super) fn context(message: &QueueMessage) -> Option<SpanContext> {
    if message.text("traceparent").is_some() {
        let context = TraceContextPropagator::new().extract_with_context(&opentelemetry::Context::new(), &Attributes(message));
        let span = context.span().span_context().clone();
        if span.is_valid() {
            return Some(span);
        }
    }
    message.trace_header.as_deref().and_then(of_trace_header)
}

struct Attributes<'a>(&'a QueueMessage);

impl Extractor for Attributes<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.text(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.attributes.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`: version, time and the rest of the trace id.
/// Without a parent there is no span to name. <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
fn of_trace_header(header: &str) -> Option<SpanContext> {
    let (mut trace, mut span, mut sampled) = (None, None, false);
    for field in header.split(';') {
        let Some((name, value)) = field.trim().split_once('=') else { continue };
        match name {
            "Root" => {
                let (time, rest) = value.strip_prefix("1-")?.split_once('-')?;
                let is_hex = |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                let is_well_formed = is_hex(time, 8) && is_hex(rest, 24);
                trace = is_well_formed.then(|| TraceId::from_hex(&format!("{time}{rest}")).ok()).flatten();
            }
            "Parent" if value.len() == 16 => span = SpanId::from_hex(value).ok(),
            "Sampled" => sampled = value == "1",
            _ => {}
        }
    }
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    Some(SpanContext::new(trace?, span?, flags, true, TraceState::default())).filter(SpanContext::is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Attribute;

    fn message(traceparent: Option<&str>, trace_header: Option<&str>) -> QueueMessage {
        let attribute = |(name, value): (&str, &str)| (name.to_owned(), Attribute::Text(value.to_owned()));
        QueueMessage {
            message_id: "m-1".into(),
            receipt_handle: "h-1".into(),
            body: String::new(),
            attributes: traceparent
                .map(|value| [("traceparent", value), ("tracestate", "vendor=1")].map(attribute).into())
                .unwrap_or_default(),
            sent_ms: 0,
            receive_count: 1,
            fifo: None,
            trace_header: trace_header.map(str::to_owned),
        }
    }

    fn told(traceparent: Option<&str>, trace_header: Option<&str>) -> Option<String> {
        context(&message(traceparent, trace_header))
            .map(|span| format!("{}-{}-{}-{}", span.trace_id(), span.span_id(), span.is_sampled(), span.trace_state().header()))
    }

    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn a_producer_is_found_in_either_attribute_and_in_the_w3c_one_first() {
        let w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let of_w3c = Some("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-true-vendor=1".to_owned());
        let of_xray = Some("5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-true-".to_owned());
        assert_eq!(told(Some(w3c), None), of_w3c);
        assert_eq!(told(Some(w3c), Some(XRAY)), of_w3c);
        assert_eq!(told(None, Some(XRAY)), of_xray);
        assert_eq!(told(Some("00-xyz"), Some(XRAY)), of_xray, "what cannot be read is absent");
        assert_eq!(told(None, None), None);
    }

    #[test]
    fn a_trace_header_that_names_no_span_is_none() {
        for header in [
            "",
            "Root=1-5759e988-bd862e3fe1be46a994272793",
            "Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a99427279;Parent=53995c3f42cd8ad8",
            "Root=1-5759e98é-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
            "Root=1-+759e988-bd862e3fe1be46a994272793;Parent=+3995c3f42cd8ad8",
        ] {
            assert_eq!(told(None, Some(header)), None, "{header}");
        }
        let unsampled = told(None, Some("Self=1-1-1; Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"));
        assert_eq!(unsampled.as_deref(), Some("5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-false-"));
    }
}
