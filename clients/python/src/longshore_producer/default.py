"""The producer of the module's functions, made at the first call."""

from __future__ import annotations

from typing import Any, Dict, Optional

from . import lifetime, settings
from .errors import ProducerError
from .producer import Producer

_lock = lifetime.ForkSafeLock()
_producer: Optional[Producer] = None
_given: Dict[str, Any] = {}


def configure(**given: Any) -> None:
    """Settings of the default producer, beside the environment. Before the first message.

    Called again with the same settings, it does nothing: a model of web2py runs with each request. Raises BadSettings at once, and
    ProducerError if the producer already exists with other settings.
    """
    global _producer, _given
    with _lock.current:
        if _producer is None:
            _producer = Producer(**given)
            _given = given
            return
        others = settings.differences(_producer.settings, settings.from_environment(**given))
    if others:
        raise ProducerError(
            f"the default producer already exists, with another {', '.join(others)}: configure it before the first message, or close it first"
        )


def producer() -> Producer:
    """The default producer. Raises BadSettings if the environment names no queue and configure() was not called."""
    global _producer
    there = _producer
    if there is not None:
        return there
    with _lock.current:
        if _producer is None:
            _producer = Producer(**_given)
        return _producer


def close(timeout: float = 10.0) -> bool:
    """Closes the default producer. The next call makes a new one."""
    global _producer
    with _lock.current:
        closing, _producer = _producer, None
    return True if closing is None else closing.close(timeout)


def settle(queue_url: str, timeout: float) -> bool:
    """Waits for what the default producer has for this queue, if there is one. Makes none."""
    there = _producer
    return there is None or there.settings.queue_url != queue_url or there.flush(timeout)
