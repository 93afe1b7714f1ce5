"""The old helper's calls while both ways run: MongoDB directly, as before, and Longshore's queue beside it.

What the request needs is done first and fails as it always did. What goes to the queue can slow down or fail nothing. Both
get the same times, and an event the same `_id`, so that compare.py can hold one way against the other.
"""

import logging
from datetime import datetime, timezone

import longshore_producer as longshore
from longshore_producer import MongoManager

log = logging.getLogger(__name__)


def log_user_event(user_id, event_type, metadata):
    event = {"user_id": user_id, "event_type": event_type, "metadata": metadata, "timestamp": now()}
    event_id = MongoManager.get().events.insert_one(event).inserted_id
    enqueue(longshore.log_user_event, user_id, event_type, metadata, id=event_id, timestamp=event["timestamp"])


def store_session_data(session_id, session_data):
    update = {"data": session_data, "last_accessed": now()}
    MongoManager.get().sessions.update_one({"session_id": session_id}, {"$set": update}, upsert=True)
    enqueue(longshore.store_session_data, session_id, session_data, last_accessed=update["last_accessed"])


def cache_user_data(user_id, data):
    entry = {"user_id": user_id, "data": data, "updated": now()}
    MongoManager.get().user_cache.replace_one({"user_id": user_id}, entry, upsert=True)
    enqueue(longshore.cache_user_data, user_id, data, updated=entry["updated"])


def now():
    # As MongoDB keeps it, in whole milliseconds.
    time = datetime.now(timezone.utc)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def enqueue(call, *args, **named):
    try:
        call(*args, **named)
    except Exception:
        # Such as BadMessage: what Longshore will refuse from now on. Its text names the field. Fix these before cutting over.
        log.exception("%s of %s not enqueued", call.__name__, named.get("id", args[0]))
