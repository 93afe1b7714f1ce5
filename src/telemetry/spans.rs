//! The spans of a worker, by the OpenTelemetry semantic conventions for messaging and databases.
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>,
//! <https://opentelemetry.io/docs/specs/semconv/db/mongodb/>
//!
//! A receive is a span (CLIENT), and so is each batch that is processed (CONSUMER), with a link to
//! the producer of every message in it: a batch has many parents, and a tree can have one. A batch
//! of one message is a child of its producer as well. The calls to the database stand under the
//! batch, and the calls that settle its messages too.
//!
//! These spans have a target of their own, which only the layer that exports them asks for. Without
//! it none of this costs more than a look at a flag.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::producer;
use super::sampler::{ByProducers, MESSAGE_COUNT};
use crate::message::{QueueMessage, Reason};

/// The target of all spans that are exported.
pub const TARGET: &str = "longshore::trace";

/// Why a message was rejected.
const REASON: &str = "longshore.reason";

/// The trace and the span that this is happening in, where one is recorded.
pub(super) fn recorded_in() -> Option<(TraceId, SpanId)> {
    let span = Context::map_current(|context| context.span().span_context().clone());
    span.is_sampled().then(|| (span.trace_id(), span.span_id()))
}

/// What all spans of a worker say. The default names nothing, for those that trace nothing.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    /// The name of the queue.
    pub destination: Arc<str>,
    /// The name of the database.
    pub namespace: Arc<str>,
    /// Decides where a producer has not.
    pub sampler: Option<ByProducers>,
}

impl Spans {
    /// A receive that begins now. Its links, and whether it is recorded, are decided when it ends:
    /// it must not be entered before.
    #[must_use]
    pub fn receive(&self) -> Span {
        let name = || format!("receive {}", self.destination);
        tracing::info_span!(
            target: TARGET,
            parent: None,
            "receive",
            otel.name = name(),
            otel.kind = "client",
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            error.type = field::Empty,
            messaging.system = "aws_sqs",
            messaging.destination.name = &*self.destination,
            messaging.operation.name = "receive",
            messaging.operation.type = "receive",
            messaging.batch.message_count = field::Empty,
        )
    }

    /// The receive has brought `messages`.
    pub fn received(&self, receive: &Span, messages: &[QueueMessage]) {
        if !receive.is_disabled() {
            receive.record(MESSAGE_COUNT, count(messages.len()));
            for message in messages {
                self.link(receive, message, None);
            }
        }
    }

    /// A batch of `messages` that is to be written to `collection`; with the reason of each that
    /// was rejected, and is a dead letter.
    #[must_use]
    pub fn process<'a>(
        &self,
        collection: &str,
        messages: impl Iterator<Item = (&'a QueueMessage, Option<Reason>)>,
    ) -> Span {
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            "process",
            otel.name = format!("process {}", self.destination),
            otel.kind = "consumer",
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            error.type = field::Empty,
            messaging.system = "aws_sqs",
            messaging.destination.name = &*self.destination,
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.batch.message_count = field::Empty,
            messaging.message.id = field::Empty,
            messaging.message.body.size = field::Empty,
            longshore.reason = field::Empty,
            db.collection.name = collection,
        );
        if span.is_disabled() {
            return span;
        }
        let messages: Vec<_> = messages.collect();
        if let [(message, reason)] = messages[..] {
            // A parent is one, so only a message that is alone can have its producer for it.
            if let Some(producer) = self.producer(message) {
                let _ = span.set_parent(Context::new().with_remote_span_context(producer));
            }
            span.record("messaging.message.id", message.message_id.as_str());
            span.record(REASON, reason.map(Reason::code));
            span.record("messaging.message.body.size", count(message.body.len()));
        } else {
            span.record(MESSAGE_COUNT, count(messages.len()));
        }
        for (message, reason) in messages {
            self.link(&span, message, reason);
        }
        span
    }

    /// Links `span` to the producer of `message`, where it names one.
    fn link(&self, span: &Span, message: &QueueMessage, reason: Option<Reason>) {
        if let Some(producer) = self.producer(message) {
            let mut attributes =
                vec![KeyValue::new("messaging.message.id", message.message_id.clone())];
            attributes.extend(reason.map(|reason| KeyValue::new(REASON, reason.code())));
            span.add_link_with_attributes(producer, attributes);
        }
    }

    fn producer(&self, message: &QueueMessage) -> Option<SpanContext> {
        producer::context(message, |trace| {
            self.sampler.as_ref().is_some_and(|sampler| sampler.decides(trace))
        })
    }

    /// One write command of a batch, a child of the span that is entered.
    #[must_use]
    pub fn write(&self, operation: &'static str, collection: &str, documents: usize) -> Span {
        let span = tracing::info_span!(
            target: TARGET,
            "write",
            otel.name = format!("{operation} {collection}"),
            otel.kind = "client",
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            error.type = field::Empty,
            db.system.name = "mongodb",
            db.namespace = &*self.namespace,
            db.collection.name = collection,
            db.operation.name = operation,
            db.operation.batch.size = field::Empty,
        );
        // The convention has no size for what is no batch.
        if documents > 1 {
            span.record("db.operation.batch.size", count(documents));
        }
        span
    }

    /// One call that settles messages of the batches `processed`: under the first of them that is
    /// recorded, linked to the others.
    #[must_use]
    pub fn settle(
        &self,
        operation: &'static str,
        messages: usize,
        processed: &[&Arc<SpanContext>],
    ) -> Span {
        let Some((parent, others)) = processed.split_first() else { return Span::none() };
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            "settle",
            otel.name = format!("{operation} {}", self.destination),
            otel.kind = "client",
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            error.type = field::Empty,
            messaging.system = "aws_sqs",
            messaging.destination.name = &*self.destination,
            messaging.operation.name = operation,
            messaging.operation.type = "settle",
            messaging.batch.message_count = count(messages),
        );
        if !span.is_disabled() {
            let _ = span
                .set_parent(Context::new().with_remote_span_context(SpanContext::clone(parent)));
            for other in others {
                span.add_link(SpanContext::clone(other));
            }
        }
        span
    }
}

/// The one kind of integer that the layer takes for one.
fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Says that what `span` is about failed. `kind` is of a closed list, `text` for people.
pub fn failed(span: &Span, kind: &'static str, text: &str) {
    if !span.is_disabled() {
        span.record("error.type", kind);
        span.set_status(Status::error(text.to_owned()));
    }
}

/// The context of `span`, where it is recorded: what is done later for the same batch can be put
/// under it.
#[must_use]
pub fn recorded(span: &Span) -> Option<Arc<SpanContext>> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context().span().span_context().clone();
    context.is_sampled().then(|| Arc::new(context))
}
