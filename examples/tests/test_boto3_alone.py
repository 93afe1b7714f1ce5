import json

import pytest
from conftest import load, time_of


@pytest.fixture
def producer(longshore):
    return load("boto3_alone.py")


def test_all_three_kinds_are_stored_with_the_times_of_their_calls(longshore, producer):
    sent = [
        producer.message("event", user_id=123, event_type="login", metadata={"ip": "10.0.0.1"}),
        producer.message("session", session_id="s-81", data={"cart": [{"sku": "ä", "qty": 1}]}),
        producer.message("cache", user_id=123, data={"plan": "pro"}),
    ]
    producer.send(sent)
    assert longshore.wait(3) == {"good": 3, "bad": 0}
    (event,), (session,), (entry,) = (longshore.good(name) for name in ("events", "sessions", "user_cache"))
    assert (event["user_id"], event["event_type"], event["metadata"]) == (123, "login", {"ip": "10.0.0.1"})
    assert session["data"] == {"cart": [{"sku": "ä", "qty": 1}]}
    assert entry["data"] == {"plan": "pro"}
    assert time_of(event["timestamp"]) <= time_of(session["last_accessed"]) <= time_of(entry["updated"])


def test_of_two_states_in_a_row_the_later_stays(longshore, producer):
    producer.send([producer.message("session", session_id=f"s-{n % 50}", data={"visit": n // 50}) for n in range(100)])
    producer.send([producer.message("session", session_id="same", data={"visit": n}) for n in range(200)])
    assert longshore.wait(300) == {"good": 300, "bad": 0}
    visits = {session["session_id"]: session["data"]["visit"] for session in longshore.good("sessions")}
    assert visits == {"same": 199, **{f"s-{n}": 1 for n in range(50)}}


def test_the_later_stays_though_the_clock_stands_still(longshore, producer, monkeypatch):
    now = producer.time.time_ns()
    monkeypatch.setattr(producer.time, "time_ns", lambda: now)
    producer.send([producer.message("session", session_id="s-1", data={"visit": n}) for n in range(30)])
    assert longshore.wait(30) == {"good": 30, "bad": 0}
    assert longshore.good("sessions")[0]["data"] == {"visit": 29}


def test_where_versions_are_equal_the_rising_ids_decide(longshore, producer):
    same = "2026-11-22T10:00:00Z"
    # Three in a row for each key, mostly within one millisecond.
    states = [(f"s-{key}", visit) for key in range(40) for visit in range(3)]
    producer.send([producer.message("session", session_id=key, last_accessed=same, data={"visit": visit}) for key, visit in states])
    assert longshore.wait(120) == {"good": 120, "bad": 0}
    assert [session["data"]["visit"] for session in longshore.good("sessions")] == [2] * 40


def test_what_is_sent_again_is_not_doubled(longshore, producer):
    sent = [producer.message("event", user_id=n, event_type="login") for n in range(5)]
    producer.send(sent)
    producer.send(sent)
    assert longshore.wait(10) == {"good": 10, "bad": 0}
    assert sorted(event["user_id"] for event in longshore.good("events")) == [0, 1, 2, 3, 4]


def test_failed_entries_are_sent_again_and_no_batch_has_more_than_ten(longshore, faulty, producer):
    producer = load("boto3_alone.py")
    producer.send([producer.message("event", user_id=n, event_type="login") for n in range(25)])
    assert longshore.wait(25) == {"good": 25, "bad": 0}
    assert sorted(event["user_id"] for event in longshore.good("events")) == list(range(25))
    assert faulty.failed == 9 and faulty.batches == [10, 4, 10, 3, 5, 2]


def test_what_fails_for_ever_raises_and_the_neighbours_are_stored(longshore, faulty):
    faulty.failures = 1000
    producer = load("boto3_alone.py")
    with pytest.raises(RuntimeError, match="failed 2 messages 2 times"):
        producer.send([producer.message("event", user_id=n, event_type="login") for n in range(6)], tries=2)
    assert longshore.wait(4) == {"good": 4, "bad": 0}


def test_a_route_of_ones_own_gets_no_field_that_nobody_gave(producer):
    body = producer.message("order", order_id=7)["MessageBody"]
    assert json.loads(body) == {"type": "order", "order_id": 7}


def test_nan_is_refused_at_the_call(producer):
    with pytest.raises(ValueError):
        producer.message("event", user_id=1, event_type="measured", metadata={"value": float("nan")})
