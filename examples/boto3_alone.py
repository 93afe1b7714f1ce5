"""Events, sessions and cache entries by boto3 alone, in thirty lines, for those who want no library.

    send([
        message("event", user_id=123, event_type="login", metadata={"ip": "10.0.0.1"}),
        message("session", session_id="s-81", data={"cart": []}),
        message("cache", user_id=123, data={"plan": "pro"}),
    ])

It waits for SQS: call it from a job or a thread of your own, not from a web request. Ten bodies go in one request, which may
have 1 MiB: send larger ones alone. A FIFO queue wants a MessageGroupId (the key) and a MessageDeduplicationId (the id) as well.
"""

import json
import os
import threading
import time
from datetime import datetime, timezone

import boto3
from botocore.config import Config

# boto3's own time-outs are 60 s each, five times over.
CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"})
QUEUE_URL, sqs = os.environ["LONGSHORE__QUEUE__URL"], boto3.client("sqs", config=CONFIG)
# Another route gets no time but that of `longshore-time`, unless its name is added here.
TIMES = {"event": "timestamp", "session": "last_accessed", "cache": "updated"}
_lock, _latest = threading.Lock(), 0


def message(type, **fields):
    """Gives a message its identity. Made once and sent as often as it takes, it ends in one document."""
    global _latest
    with _lock:
        # The later of two calls has the greater time, also within a tick of the clock, or after it was set back.
        ns = _latest = max(time.time_ns(), _latest + 1)
    said = datetime.fromtimestamp(ns // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{ns % 10**9:09d}Z"
    # The id rises and always has the same length; its random end keeps two processes apart.
    attributes = {"longshore-time": str(ns // 10**6), "longshore-id": f"{ns:016x}-{os.urandom(6).hex()}"}
    return {
        # The worker refuses NaN; json refuses it here, where the stack trace shows where it comes from.
        "MessageBody": json.dumps({"type": type, **({TIMES[type]: said} if type in TIMES else {}), **fields}, allow_nan=False),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    }


def send(messages, tries=5):
    """Raises where some are not in the queue. Send the same messages again then: those that were sent are not doubled."""
    for start in range(0, len(messages), 10):
        waiting = dict(enumerate(messages[start : start + 10]))
        for attempt in range(tries):
            entries = [{"Id": str(place), **one} for place, one in waiting.items()]
            # SQS may take some and fail others, in an answer that is no error.
            failed = sqs.send_message_batch(QueueUrl=QUEUE_URL, Entries=entries).get("Failed", [])
            waiting = {int(one["Id"]): waiting[int(one["Id"])] for one in failed}
            if not waiting:
                break
            time.sleep(0.1 * 2**attempt)
        else:
            raise RuntimeError(f"SQS failed {len(failed)} messages {tries} times, the first with {failed[0]['Code']}")
