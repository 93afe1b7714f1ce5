//! The span in which a message is made, for the message to carry.

use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The fields of the W3C Trace Context of the current span: of `tracing`, otherwise of
/// OpenTelemetry itself. None where there is no valid one. <https://www.w3.org/TR/trace-context/>
pub fn context() -> Vec<(String, String)> {
    let of_tracing = tracing::Span::current().context();
    let context = if of_tracing.span().span_context().is_valid() {
        of_tracing
    } else {
        opentelemetry::Context::current()
    };
    let mut fields = Fields(Vec::new());
    TraceContextPropagator::new().inject_context(&context, &mut fields);
    // SQS takes no empty value, and `traceparent` counts for more where there is room for one.
    fields.0.retain(|(_, value)| !value.is_empty());
    fields.0.sort();
    fields.0
}

struct Fields(Vec<(String, String)>);

impl Injector for Fields {
    fn set(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }
}
