"""The scripts of docs/MIGRATING.md: both ways at once, how they are compared, and what cutting over does."""

import sys

import longshore_producer
import pytest
from conftest import EXAMPLES, load
from longshore_producer import MongoManager
from longshore_producer.testing import Dev

WAYS = [
    ("events", "events_shadow", "_id", "timestamp"),
    ("sessions", "sessions_shadow", "session_id", "last_accessed"),
    ("user_cache", "user_cache_shadow", "user_id", "updated"),
]


@pytest.fixture(scope="module")
def shadow():
    with Dev(config=str(EXAMPLES / "migrating/longshore.toml")) as dev:
        yield dev


@pytest.fixture
def both_ways(shadow, monkeypatch):
    """The calls, with their queue and database."""
    shadow.reset()
    with connected(shadow, monkeypatch) as module:
        for direct, *_ in WAYS:
            MongoManager.get()[direct].delete_many({})
        yield module


class connected:
    def __init__(self, dev, monkeypatch):
        for name, value in dev.env.items():
            monkeypatch.setenv(name, value)

    def __enter__(self):
        return load("migrating/both_ways.py")

    def __exit__(self, *_):
        longshore_producer.close()
        MongoManager.close()


def compare(capsys, monkeypatch, *way):
    """Its exit status, and what it counted."""
    monkeypatch.setattr(sys, "argv", ["compare.py", *way, "--settle", "0"])
    status = load("migrating/compare.py").main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:] if not line.startswith("nothing")]
    return status, {line[0]: int(line[1]) for line in lines}


def traffic(both_ways):
    for number in range(60):
        both_ways.log_user_event(number % 7, "login", {"number": number, "bytes": b"\0", "text": "ü"})
        both_ways.store_session_data(f"s-{number % 20}", {"cart": [number, None, True, 2**40]})
        both_ways.cache_user_data(number % 15, {"plan": number})
    assert longshore_producer.flush()


def test_both_ways_hold_the_same(both_ways, shadow, capsys, monkeypatch):
    traffic(both_ways)
    assert shadow.wait(180) == {"good": 180, "bad": 0}
    for way, documents in zip(WAYS, (60, 20, 15)):
        status, counts = compare(capsys, monkeypatch, *way)
        assert status == 0, counts
        assert counts.pop("same") == documents and not any(counts.values()), counts


def test_what_differs_is_found(both_ways, shadow, capsys, monkeypatch):
    traffic(both_ways)
    shadow.wait(180)
    sessions = MongoManager.get().sessions_shadow
    sessions.delete_one({"session_id": "s-1"})
    sessions.update_one({"session_id": "s-2"}, {"$set": {"data": {"cart": "other"}}})
    sessions.update_one({"session_id": "s-3"}, [{"$set": {"last_accessed": {"$subtract": ["$last_accessed", 1]}}}])
    sessions.update_one({"session_id": "s-4"}, [{"$set": {"last_accessed": {"$add": ["$last_accessed", 1]}}}])
    status, counts = compare(capsys, monkeypatch, *WAYS[1])
    assert (status, counts) == (1, {"same": 16, "missing": 1, "older": 1, "different": 1, "newer": 1})


@pytest.mark.parametrize(
    "way",
    [
        ("evnts", "events_shadow", "_id", "timestamp"),
        ("events", "events_shadow", "_id", "timestmp"),
        ("events", "events_shadow", "_id", "timestamp", "--since", "2100-01-01T00:00:00"),
    ],
)
def test_nothing_to_compare_is_no_success(both_ways, capsys, monkeypatch, way):
    traffic(both_ways)
    assert compare(capsys, monkeypatch, *way) == (2, {})


def test_what_cannot_be_enqueued_disturbs_no_request(both_ways, shadow, capsys, monkeypatch, caplog):
    both_ways.store_session_data("s-1", {"total": float("nan")})
    assert MongoManager.get().sessions.count_documents({"session_id": "s-1"}) == 1
    assert "data.total" in caplog.text
    status, counts = compare(capsys, monkeypatch, *WAYS[1])
    assert status == 1 and counts["missing"] == 1


def test_after_cutting_over_both_ways_end_in_the_same_documents(longshore, monkeypatch):
    with connected(longshore, monkeypatch) as both_ways:
        for direct, *_ in WAYS:
            MongoManager.get()[direct].delete_many({})
        traffic(both_ways)
        assert longshore.wait(180) == {"good": 180, "bad": 0}
        database = MongoManager.get()
        assert [database[direct].count_documents({}) for direct, *_ in WAYS] == [60, 20, 15]
        for number in range(20):
            assert database.sessions.find_one({"session_id": f"s-{number}"})["data"]["cart"][0] == number + 40
        # A stray change of an event is told, and not lost.
        event = database.events.find_one()
        longshore_producer.log_user_event(event["user_id"], "other", event["metadata"], id=event["_id"], timestamp=event["timestamp"])
        assert longshore_producer.flush()
        assert longshore.wait(181) == {"good": 180, "bad": 1}
        assert [message["reason"] for message in longshore.bad()] == ["id_conflict"]
