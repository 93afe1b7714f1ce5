"""Stamps: what tells messages apart, and which of two is the later."""

import threading
import uuid

import pytest
from longshore_producer.identity import Stamps

NOW = 1_795_341_605_123_456_789
MINUTE = 60 * 1_000_000_000


def from_clock(*moments):
    left = list(moments)
    return Stamps(lambda: left.pop(0) if len(left) > 1 else left[0])


def rises(stamps):
    keys = [(stamp.ns, stamp.id, stamp.text) for stamp in stamps]
    return all(a[0] < b[0] and a[1] < b[1] and a[2] < b[2] for a, b in zip(keys, keys[1:]))


def test_stamps_rise_within_a_nanosecond_and_when_the_clock_is_set_back():
    for moments in ([NOW] * 5000, [NOW, NOW + 1, NOW - MINUTE, NOW - 9 * MINUTE, NOW + 2]):
        stamps = from_clock(*moments)
        assert rises([stamps.next() for _ in range(5000)])


def test_a_stamp_is_a_uuid_of_version_7_of_its_time_and_a_version_to_the_nanosecond():
    for ns in (NOW, NOW + 1, 1_795_341_605_000_000_000, 1_795_341_605_999_999_999):
        stamp = from_clock(ns).next()
        parsed = uuid.UUID(stamp.id)
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        assert parsed.int >> 80 == stamp.time_ms == ns // 1_000_000
        assert stamp.text.endswith(f".{ns % 1_000_000_000:09d}Z")
    assert from_clock(NOW).next().text == "2026-11-22T10:00:05.123456789Z"
    assert from_clock(NOW).next().id != from_clock(NOW).next().id, "of two processes in one nanosecond"


def test_a_clock_that_was_far_ahead_does_not_last():
    stamps = from_clock(NOW + 120 * MINUTE, NOW, NOW, NOW + 1)
    ahead, *back = [stamps.next() for _ in range(4)]
    assert back[0].ns == NOW and back[0].id < ahead.id and rises(back)


def test_threads_share_one_order_and_no_stamp_is_given_twice():
    stamps, given, together = Stamps(), [], threading.Barrier(4)

    def take():
        together.wait()
        mine = [stamps.next() for _ in range(2000)]
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
    with pytest.raises(RuntimeError, match="clock"):
        from_clock(ns).next()
