"""Sends one event within a span, as an instrumented portal does, and prints trace and span. Arguments: endpoint, URL of the queue."""

import json
import sys

import boto3
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider

endpoint, queue_url = sys.argv[1:]
sqs = boto3.client(
    "sqs", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
)
trace.set_tracer_provider(TracerProvider())
with trace.get_tracer("portal").start_as_current_span("send portal", kind=trace.SpanKind.PRODUCER) as span:
    context = {}
    inject(context)
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody=json.dumps({"type": "event", "user_id": 123, "event_type": "login"}),
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in context.items()},
    )
    here = span.get_span_context()
    print(f"{here.trace_id:032x} {here.span_id:016x}")
