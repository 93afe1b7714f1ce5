"""The documented uses of the portal's old helper, ported by the import alone, on the real worker."""

from datetime import datetime, timedelta, timezone

import pytest

import longshore_producer
from longshore_producer import MongoManager, cache_user_data, log_user_event, store_session_data


@pytest.fixture(autouse=True)
def _default_producer(longshore):
    yield
    longshore_producer.close()
    MongoManager.close()


def test_the_four_documented_uses_of_the_old_helper_work_by_changing_the_import(longshore):
    before = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(milliseconds=1)
    cache_user_data(123, {"plan": "pro"})
    log_user_event(123, "login", {"ip": "10.0.0.1"})
    store_session_data("s-81", {"cart": [{"sku": "a", "qty": 1}]})
    assert longshore_producer.flush()
    assert longshore.wait(3) == {"good": 3, "bad": 0}
    after = datetime.now(timezone.utc).replace(tzinfo=None)

    # The old calls for reading, as the portal has them.
    (event,) = MongoManager.get().events.find({"user_id": 123})
    assert MongoManager.get().command("ping")["ok"] == 1
    assert MongoManager.get().command("collStats", "events")["count"] == 1
    session = MongoManager.get().sessions.find_one({"session_id": "s-81"})
    entry = MongoManager.get().user_cache.find_one({"user_id": 123})

    assert (event["event_type"], event["metadata"]) == ("login", {"ip": "10.0.0.1"})
    assert session["data"] == {"cart": [{"sku": "a", "qty": 1}]}
    assert entry["data"] == {"plan": "pro"}
    for time in (event["timestamp"], session["last_accessed"], entry["updated"]):
        assert before <= time <= after
    names = {"_id", "_ingest"}
    assert set(event) - names == {"user_id", "event_type", "metadata", "timestamp"}
    assert set(session) - names == {"session_id", "data", "last_accessed"}
    assert set(entry) - names == {"user_id", "data", "updated"}


def test_of_a_hundred_sessions_written_twice_in_a_row_the_second_stays(longshore):
    for number in range(100):
        store_session_data(f"s-{number}", {"visit": 1})
        store_session_data(f"s-{number}", {"visit": 2})
    assert longshore_producer.flush()
    assert longshore.wait(200)["bad"] == 0
    visits = [session["data"]["visit"] for session in MongoManager.get().sessions.find()]
    assert visits == [2] * 100


def test_a_session_that_is_written_again_and_again_at_once_ends_as_the_last_call_said(longshore):
    for number in range(300):
        store_session_data("s-1", {"visit": number})
    assert longshore_producer.flush()
    assert longshore.wait(300)["bad"] == 0
    assert MongoManager.get().sessions.find_one({"session_id": "s-1"})["data"] == {"visit": 299}
