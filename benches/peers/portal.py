"""What a message of the portal becomes, by pymongo."""

import json
from datetime import datetime, timedelta, timezone

from pymongo import InsertOne, ReplaceOne, UpdateOne

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def time(value):
    """A time as producers write it: epoch seconds, or ISO 8601 without an offset, in UTC."""
    if isinstance(value, (int, float)):
        return EPOCH + timedelta(microseconds=round(value * 1e6))
    return datetime.fromisoformat(value).replace(tzinfo=timezone.utc)


def version(when):
    """To the microsecond: dates in MongoDB have milliseconds."""
    return (when - EPOCH) // timedelta(microseconds=1)


def write(body, is_guarded):
    """The collection and the write of one message. Guarded: a document that is newer does not match, and inserting another is refused by the
    unique index. Otherwise the last to come wins, as in the helper that wrote from each web request."""
    try:
        message = json.loads(body)
        kind = message.pop("type")
        if kind == "event":
            event = {"_id": message.pop("id"), **message, "timestamp": time(message["timestamp"])}
            return "events", InsertOne(event)
        if kind == "session":
            when = time(message["last_accessed"])
            key, values = {"session_id": message["session_id"]}, {"data": message["data"], "last_accessed": when}
        elif kind == "cache":
            when = time(message["updated"])
            key, values = {"user_id": message["user_id"]}, {"data": message["data"], "updated": when}
        else:
            raise ValueError(f"no type {kind}")
        guard = {}
        if is_guarded:
            values["version"] = version(when)
            guard = {"version": {"$lte": values["version"]}}
        if kind == "session":
            return "sessions", UpdateOne({**key, **guard}, {"$set": values}, upsert=True)
        return "user_cache", ReplaceOne({**key, **guard}, {**key, **values}, upsert=True)
    except (ValueError, KeyError, TypeError) as error:
        return "dead_letters", InsertOne({"body": body, "reason": repr(error)})
