"""Time and a queue that do what a test says, without a thread."""

import threading

from botocore.exceptions import ClientError, EndpointConnectionError
from longshore_producer import Producer, lifetime
from longshore_producer.core import Clock
from longshore_producer.outbox import Batch

QUEUE = "https://sqs.eu-west-1.amazonaws.com/1/portal"
START_NS = 1_795_341_605_000_000_000


class FakeClock(Clock):
    """Stands still; who waits moves it on, and the background thread's work is done meanwhile."""

    def __init__(self):
        self.now = 1000.0
        self.waits = []
        self.while_waiting = None

    def monotonic(self):
        return self.now

    def time_ns(self):
        return START_NS + int((self.now - 1000.0) * 1e9)

    def wait(self, condition, seconds):
        assert seconds is not None, "nobody waits for ever under this clock"
        self.waits.append(seconds)
        until = self.now + seconds
        if self.while_waiting is not None:
            self.while_waiting(until)
        self.now = until


class FakeQueue:
    """Takes messages, or does what `answer` says: a function of the entries that raises or gives an answer, or None."""

    def __init__(self, answer=None):
        self.answer = answer
        self.calls = []

    def send_message_batch(self, *, QueueUrl, Entries):
        self.calls.append([entry["MessageBody"] for entry in Entries])
        said = self.answer(Entries) if self.answer is not None else None
        return said if said is not None else taken(Entries)


def taken(entries):
    return {"Successful": [{"Id": entry["Id"], "MessageId": "m"} for entry in entries]}


def failed(entry, *, refused=False, code="InternalError"):
    return {"Id": entry["Id"], "SenderFault": refused, "Code": code, "Message": ""}


def away(_entries):
    raise EndpointConnectionError(endpoint_url="https://sqs")


def denied(_entries):
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")


def threadless(producer):
    """The producer's core, whose work the test does itself by `work`."""
    core = producer._core
    core._start = lambda: None
    core._is_running = lambda: True
    return core


def fake_producer(queue, clock=None, **given):
    clock = clock if clock is not None else FakeClock()
    given = {"queue_url": QUEUE, "linger": 0.0, "exit_timeout": 0.0, **given}
    producer = Producer(clock=clock, make_client=lambda: queue, **given)
    # The end of the test run is none of its business.
    lifetime.remove(producer)
    return producer, threadless(producer), clock


def work(core, clock, until):
    """What the thread would do until that moment: sends, and waits by moving the clock."""
    while clock.now < until:
        what = core._outbox.next(clock.now, core._is_closed, core._flushed)
        if isinstance(what, Batch):
            # Given back, for `_step` to take it.
            core._outbox._in_flight = []
            core._outbox._put_back(what.messages)
            core._step(None)
        elif what is None or what >= until:
            break
        else:
            clock.now = max(what, clock.now)
    clock.now = max(clock.now, until)
