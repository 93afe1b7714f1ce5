"""Stamps: what tells messages apart, and which of two is the later."""

import json
import threading
import time
import uuid

import pytest
from fakes import QUEUE, FakeQueue
from longshore_producer import Producer, WrongClock
from longshore_producer.identity import Stamps

NOW = 1_795_341_605_123_456_789
MINUTE = 60 * 1_000_000_000


def from_clock(*moments):
    """Gives a stamp for each call, by a clock that says these moments, and the last one for ever."""
    left, stamps = list(moments), Stamps()
    return lambda: stamps.next(left.pop(0) if len(left) > 1 else left[0])


def rises(stamps):
    keys = [(stamp.ns, stamp.id, stamp.text) for stamp in stamps]
    return all(a[0] < b[0] and a[1] < b[1] and a[2] < b[2] for a, b in zip(keys, keys[1:]))


def test_stamps_rise_within_a_nanosecond_and_when_the_clock_is_set_back():
    for moments in ([NOW] * 5000, [NOW, NOW + 1, NOW - MINUTE, NOW - 9 * MINUTE, NOW + 2]):
        stamp = from_clock(*moments)
        assert rises([stamp() for _ in range(5000)])


def test_a_stamp_is_a_uuid_of_version_7_of_its_time_and_a_version_to_the_nanosecond():
    for ns in (NOW, NOW + 1, 1_795_341_605_000_000_000, 1_795_341_605_999_999_999):
        stamp = from_clock(ns)()
        parsed = uuid.UUID(stamp.id)
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        assert parsed.int >> 80 == stamp.time_ms == ns // 1_000_000
        assert stamp.text.endswith(f".{ns % 1_000_000_000:09d}Z")
    assert from_clock(NOW)().text == "2026-11-22T10:00:05.123456789Z"
    assert from_clock(NOW)().id != from_clock(NOW)().id, "of two processes in one nanosecond"


def test_a_clock_that_was_far_ahead_does_not_last():
    stamp = from_clock(NOW + 120 * MINUTE, NOW, NOW, NOW + 1)
    ahead, *back = [stamp() for _ in range(4)]
    assert back[0].ns == NOW and back[0].id < ahead.id and rises(back)


def test_threads_share_one_order_and_no_stamp_is_given_twice():
    stamps, given, together = Stamps(), [], threading.Barrier(4)

    def take():
        together.wait()
        mine = [stamps.next(time.time_ns()) for _ in range(2000)]
        assert rises(mine)
        given.extend(mine)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({stamp.ns for stamp in given}) == len({stamp.id for stamp in given}) == 8000
    assert rises(sorted(given))


@pytest.mark.parametrize("ns", [0, 946_684_799_999_999_999, 4_102_444_800_000_000_000])
def test_a_clock_by_which_all_would_be_refused_is_told(ns):
    with pytest.raises(WrongClock, match="clock"):
        from_clock(ns)()


def test_of_two_producers_of_one_process_the_later_call_wins_too(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: NOW)
    bodies = []

    class Keeps(FakeQueue):
        def send_message_batch(self, *, QueueUrl, Entries):
            bodies.extend(entry["MessageBody"] for entry in Entries)
            return super().send_message_batch(QueueUrl=QueueUrl, Entries=Entries)

    with Producer(queue_url=QUEUE, make_client=Keeps) as one:
        one.store_session_data("s", {"n": 1})
        one.store_session_data("s", {"n": 2})
        # Such as after a close, or with settings of its own.
        with Producer(queue_url=QUEUE, make_client=Keeps) as other:
            other.store_session_data("s", {"n": 3})
    newest = max((json.loads(body) for body in bodies), key=lambda body: body["last_accessed"])
    assert newest["data"] == {"n": 3} and len({json.loads(body)["last_accessed"] for body in bodies}) == 3


def test_a_child_goes_on_where_its_parent_was():
    stamps = Stamps()
    parent = stamps.next(NOW)
    stamps._lock.renew()
    assert rises([parent, stamps.next(NOW - MINUTE)])
