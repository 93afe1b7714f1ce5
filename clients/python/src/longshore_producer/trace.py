"""The span in which a message is made, for the message to carry, where OpenTelemetry is installed."""

from __future__ import annotations

from typing import Dict, Optional

try:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    _propagator: Optional[TraceContextTextMapPropagator] = TraceContextTextMapPropagator()
except Exception:  # noqa: BLE001 - it is not there, or its own parts do not fit together
    _propagator = None


def context() -> Dict[str, str]:
    """`traceparent` and `tracestate` of the current span, whichever propagator is set. Empty where there is none.

    <https://www.w3.org/TR/trace-context/>
    """
    carrier: Dict[str, str] = {}
    if _propagator is not None:
        try:
            _propagator.inject(carrier)
        except Exception:  # noqa: BLE001 - a trace is not worth a message
            return {}
    # SQS takes no empty value.
    return {name: value for name, value in carrier.items() if value}
