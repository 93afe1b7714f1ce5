//! The span of a message's producer, as the message carries it.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::message::QueueMessage;

/// The message attributes of a trace.
pub const TRACE_ATTRIBUTES: [&str; 2] = ["traceparent", "tracestate"];

/// From the message attributes `traceparent` and `tracestate`
/// (<https://www.w3.org/TR/trace-context/>), otherwise from the system attribute `AWSTraceHeader`.
/// What is not well formed counts as absent: a message is worth more than its trace.
///
/// Without the `tracestate`: nothing here asks for it, a link for each message carries it, and a
/// sender may fill it with 16 KiB. `undecided` says whether a trace is recorded whose producer has
/// left that open.
pub(super) fn context(
    message: &QueueMessage,
    undecided: impl Fn(TraceId) -> bool,
) -> Option<SpanContext> {
    let own = message.text("traceparent").and_then(of_traceparent);
    own.or_else(|| {
        message.trace_header.as_deref().and_then(|header| of_trace_header(header, undecided))
    })
}

/// The trace that a message belongs to, as dashboards look it up: 32 hex digits.
#[must_use]
pub fn trace_id(message: &QueueMessage) -> Option<String> {
    context(message, |_| false).map(|context| context.trace_id().to_string())
}

/// `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`: version, trace, span and flags, in
/// lower case; a later version may have more behind them.
fn of_traceparent(text: &str) -> Option<SpanContext> {
    let mut fields = text.trim().split('-');
    let mut field = |digits| {
        fields.next().filter(|field| {
            is_hex(field, digits) && !field.bytes().any(|byte| byte.is_ascii_uppercase())
        })
    };
    let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    if version == "ff" || (version == "00" && fields.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::default()))
        .filter(SpanContext::is_valid)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`: version, time and
/// the rest of the trace id. Without a parent there is no span to name.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
///
/// `Sampled=?`, and none, leave it open.
fn of_trace_header(header: &str, undecided: impl Fn(TraceId) -> bool) -> Option<SpanContext> {
    let (mut trace, mut span, mut sampled) = (None, None, None);
    for field in header.split(';') {
        let Some((name, value)) = field.trim().split_once('=') else { continue };
        match name {
            "Root" => {
                let (time, rest) = value.strip_prefix("1-")?.split_once('-')?;
                let is_well_formed = is_hex(time, 8) && is_hex(rest, 24);
                trace = is_well_formed
                    .then(|| TraceId::from_hex(&format!("{time}{rest}")).ok())
                    .flatten();
            }
            "Parent" if is_hex(value, 16) => span = SpanId::from_hex(value).ok(),
            "Sampled" if value != "?" => sampled = Some(value == "1"),
            _ => {}
        }
    }
    let flags = if sampled.unwrap_or_else(|| trace.is_some_and(undecided)) {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::default()
    };
    Some(SpanContext::new(trace?, span?, flags, true, TraceState::default()))
        .filter(SpanContext::is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Attribute;

    fn message(traceparent: Option<&str>, trace_header: Option<&str>) -> QueueMessage {
        let attribute =
            |(name, value): (&str, &str)| (name.to_owned(), Attribute::Text(value.to_owned()));
        QueueMessage {
            message_id: "m-1".into(),
            receipt_handle: "h-1".into(),
            body: String::new(),
            attributes: traceparent
                .map(|value| {
                    [("traceparent", value), ("tracestate", "vendor=1")].map(attribute).into()
                })
                .unwrap_or_default(),
            sent_ms: 0,
            receive_count: 1,
            fifo: None,
            sender: None,
            trace_header: trace_header.map(str::to_owned),
            line: None,
        }
    }

    fn told(traceparent: Option<&str>, trace_header: Option<&str>) -> Option<String> {
        told_where(true, traceparent, trace_header)
    }

    /// `undecided` is what is decided where the producer has not.
    fn told_where(
        undecided: bool,
        traceparent: Option<&str>,
        trace_header: Option<&str>,
    ) -> Option<String> {
        context(&message(traceparent, trace_header), |_| undecided).map(|span| {
            format!(
                "{}-{}-{}-{}",
                span.trace_id(),
                span.span_id(),
                span.is_sampled(),
                span.trace_state().header()
            )
        })
    }

    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn a_producer_is_found_in_either_attribute_and_in_the_w3c_one_first() {
        let w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let of_w3c = Some("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-true-".to_owned());
        let of_xray = Some("5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-true-".to_owned());
        assert_eq!(told(Some(w3c), None), of_w3c);
        assert_eq!(told(Some(w3c), Some(XRAY)), of_w3c);
        assert_eq!(told(None, Some(XRAY)), of_xray);
        assert_eq!(told(Some("00-xyz"), Some(XRAY)), of_xray, "what cannot be read is absent");
        assert_eq!(told(None, None), None);
    }

    #[test]
    fn a_traceparent_is_read_to_the_letter() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert!(
            told(Some(&format!("01-{trace}-{span}-00-more")), None).is_some(),
            "a later version may have more"
        );
        for odd in [
            "00-1-1-01".to_owned(),
            format!("00-+{}-{span}-01", &trace[1..]),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("ff-{trace}-{span}-01"),
            format!("00-{trace}-{span}-01-more"),
            format!("00-{trace}-{span}"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(told(Some(&odd), None), None, "{odd}");
        }
    }

    #[test]
    fn what_a_producer_left_open_is_decided_here() {
        let open = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8";
        for header in [open.to_owned(), format!("{open};Sampled=?")] {
            for recorded in [true, false] {
                let told = told_where(recorded, None, Some(&header)).expect("a producer");
                assert!(told.ends_with(&format!("-{recorded}-")), "{told}");
            }
        }
        assert!(
            told_where(true, None, Some(&format!("{open};Sampled=0")))
                .is_some_and(|told| told.ends_with("-false-"))
        );
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
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=+3995c3f42cd8ad8",
            "Root=1-+759e988-bd862e3fe1be46a994272793;Parent=+3995c3f42cd8ad8",
        ] {
            assert_eq!(told(None, Some(header)), None, "{header}");
        }
        let unsampled = told(
            None,
            Some(
                "Self=1-1-1; Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
            ),
        );
        assert_eq!(
            unsampled.as_deref(),
            Some("5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-false-")
        );
    }
}
