"""What the portal has to tell: as documents, and as messages in each way that Python code writes times."""

from datetime import datetime, timedelta, timezone

# Naive times are UTC in the portal, as pymongo takes them. The microseconds are cut to milliseconds by every writer of BSON.
PLACED = datetime(2024, 2, 29, 23, 59, 59, 987654)
ON_THE_SECOND = datetime(2024, 3, 1, 12, 0, 0)
ABROAD = datetime(2024, 3, 1, 14, 30, 0, 250000, tzinfo=timezone(timedelta(hours=2)))

NESTED = {
    "ip": "10.0.0.1",
    "small": 7,
    "negative": -1,
    "int32_max": 2**31 - 1,
    "int64": 2**31,
    "bytes_sent": 5_000_000_000,
    "ratio": 1.0,
    "tiny": 1e-9,
    "name": "Ärmelkanal ⚓",
    "flags": {"admin": False, "beta": True, "referrer": None},
    "path": ["/", {"step": 1, "items": [1, 2.5, "three"]}, []],
    "empty": {},
}

# Collection, document, and the time as it stands in the message.
DOCUMENTS = [
    ("events", {"user_id": 123, "event_type": "login", "metadata": NESTED, "timestamp": PLACED}, str(PLACED)),
    ("events", {"user_id": 5_000_000_000, "event_type": "view", "metadata": {}, "timestamp": ON_THE_SECOND}, str(ON_THE_SECOND)),
    ("events", {"user_id": "guest", "event_type": "logout", "metadata": {"n": 0}, "timestamp": ABROAD}, ABROAD.isoformat()),
    ("sessions", {"session_id": "s-81", "data": NESTED, "last_accessed": PLACED}, PLACED.isoformat()),
    ("sessions", {"session_id": "s-82", "data": {"cart": [{"sku": "a", "qty": 1}]}, "last_accessed": ABROAD}, str(ABROAD)),
    ("user_cache", {"user_id": 123, "data": NESTED, "updated": ON_THE_SECOND}, ON_THE_SECOND.isoformat()),
    ("user_cache", {"user_id": 124, "data": {"visits": 1}, "updated": ABROAD}, ABROAD.timestamp()),
]

TYPES = {"events": "event", "sessions": "session", "user_cache": "cache"}
TIMES = {"events": "timestamp", "sessions": "last_accessed", "user_cache": "updated"}
KEYS = {"sessions": "session_id", "user_cache": "user_id"}
