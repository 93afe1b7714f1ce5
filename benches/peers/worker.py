"""What all peers in Python share: how the bench talks to a worker, and what a message of the portal becomes."""

import json
import signal
import sys
import threading
from collections import Counter
from datetime import datetime, timezone

from pymongo import InsertOne, ReplaceOne, UpdateOne

STOP = threading.Event()
CALLS = Counter()


def begin():
    """Says that it has started, as Longshore's log does, and lets SIGTERM end it."""
    signal.signal(signal.SIGTERM, lambda *_: STOP.set())
    print(json.dumps({"message": "started"}), file=sys.stderr, flush=True)


def end():
    calls = {f"calls.{name}": count for name, count in CALLS.items()}
    print(json.dumps({"message": "ended", "calls.receive": 0, "calls.delete": 0, **calls}), file=sys.stderr, flush=True)


def time(value):
    """A time as producers write it: epoch seconds, or ISO 8601 without an offset, in UTC."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, timezone.utc)
    return datetime.fromisoformat(value).replace(tzinfo=timezone.utc)


def write(body):
    """The collection and the write of one message, as the helper module did it in each web request."""
    try:
        message = json.loads(body)
        kind = message.pop("type")
        if kind == "event":
            event = {"_id": message.pop("id"), **message, "timestamp": time(message["timestamp"])}
            return "events", InsertOne(event)
        if kind == "session":
            values = {"data": message["data"], "last_accessed": time(message["last_accessed"])}
            return "sessions", UpdateOne({"session_id": message["session_id"]}, {"$set": values}, upsert=True)
        if kind == "cache":
            entry = {"user_id": message["user_id"], "data": message["data"], "updated": time(message["updated"])}
            return "user_cache", ReplaceOne({"user_id": message["user_id"]}, entry, upsert=True)
        raise ValueError(f"no type {kind}")
    except (ValueError, KeyError, TypeError) as error:
        return "dead_letters", InsertOne({"body": body, "reason": repr(error)})
