"""Sends events, sessions and cache entries to the queue of a Longshore worker, which writes them to MongoDB.

    from longshore_producer import MongoManager, cache_user_data, log_user_event, store_session_data

    log_user_event(123, "login", {"ip": "10.0.0.1"})

The functions are those of the default producer: `configure(queue_url=...)`, or the environment (LONGSHORE__QUEUE__URL).
"""

from __future__ import annotations

from datetime import datetime
from typing import Mapping, Optional

from .default import close, configure, producer
from .errors import BadMessage, BadSettings, ProducerClosed, ProducerError, QueueFull, WrongClock
from .mongo import MongoManager
from .producer import Producer
from .settings import Lost, Settings
from .tally import Counts

__all__ = [
    "BadMessage",
    "BadSettings",
    "Counts",
    "Lost",
    "MongoManager",
    "Producer",
    "ProducerClosed",
    "ProducerError",
    "QueueFull",
    "Settings",
    "WrongClock",
    "cache_user_data",
    "close",
    "configure",
    "counts",
    "flush",
    "log_user_event",
    "producer",
    "send",
    "store_session_data",
]


def log_user_event(
    user_id: object,
    event_type: str,
    metadata: object,
    *,
    id: object = None,
    timestamp: Optional[datetime] = None,
    group: Optional[str] = None,
) -> Optional[str]:
    """See Producer.log_user_event."""
    return producer().log_user_event(user_id, event_type, metadata, id=id, timestamp=timestamp, group=group)


def store_session_data(
    session_id: object, session_data: object, *, last_accessed: Optional[datetime] = None, group: Optional[str] = None
) -> Optional[str]:
    """See Producer.store_session_data."""
    return producer().store_session_data(session_id, session_data, last_accessed=last_accessed, group=group)


def cache_user_data(
    user_id: object, data: object, *, updated: Optional[datetime] = None, group: Optional[str] = None
) -> Optional[str]:
    """See Producer.cache_user_data."""
    return producer().cache_user_data(user_id, data, updated=updated, group=group)


def send(type: str, fields: Mapping[str, object], *, key: Optional[str] = None, group: Optional[str] = None) -> Optional[str]:
    """See Producer.send."""
    return producer().send(type, fields, key=key, group=group)


def flush(timeout: float = 10.0) -> bool:
    """See Producer.flush."""
    return producer().flush(timeout)


def counts() -> Counts:
    """See Producer.counts."""
    return producer().counts()
