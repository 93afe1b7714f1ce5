import json
import os
import shutil
import subprocess
import uuid

import pytest
from conftest import EXAMPLES, PATIENCE, time_of

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def node(longshore, tmp_path):
    """Runs a job of node_driver.js. The modules are those of NODE_MODULES, which scripts/examples-test.sh installs."""
    program, modules = shutil.which("node"), os.environ.get("NODE_MODULES")
    if program is None or not modules:
        pytest.skip("NOT RUN: the Node example, for Node 20 or its npm is not here")
    for file in ("node/producer.js", "node/package.json", "tests/node_driver.js"):
        shutil.copy(EXAMPLES / file, tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)

    def run(*arguments, status=0):
        done = subprocess.run([program, "node_driver.js", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr

    return run


def test_all_three_kinds_are_stored(longshore, node):
    node("kinds")
    assert longshore.wait(3) == {"good": 3, "bad": 0}
    (event,), (session,), (entry,) = (longshore.good(name) for name in ("events", "sessions", "user_cache"))
    assert (event["user_id"], event["event_type"], event["metadata"]) == (123, "login", {"ip": "10.0.0.1"})
    assert (session["session_id"], session["data"]) == ("s-81", {"cart": [{"sku": "ä", "qty": 1}]})
    assert (entry["user_id"], entry["data"]) == (123, {"plan": "pro"})
    assert time_of(event["timestamp"]) <= time_of(session["last_accessed"]) <= time_of(entry["updated"])


def test_identity_and_trace_go_along(longshore, node):
    # What is refused is shown with its attributes.
    node("refused", TRACE)
    assert longshore.wait(1) == {"good": 0, "bad": 1}
    (refused,) = longshore.bad()
    said = {one["name"]: one["value"] for one in refused["attributes"]}
    assert (refused["reason"], said["traceparent"]) == ("missing_field", TRACE)
    # A UUID of version 7 (RFC 9562) that begins with the milliseconds of longshore-time.
    id = uuid.UUID(said["longshore-id"])
    assert (id.version, id.variant, id.int >> 80) == (7, uuid.RFC_4122, int(said["longshore-time"]))


def test_a_route_of_ones_own_gets_no_field_that_nobody_gave(longshore, node):
    node("other")
    # The worker of this test has no such route, and shows what it was sent.
    assert longshore.wait(1) == {"good": 0, "bad": 1}
    assert json.loads(longshore.bad()[0]["body"]) == {"type": "order", "order_id": 7}


def test_of_states_in_a_row_the_last_stays(longshore, node):
    node("states")
    assert longshore.wait(240) == {"good": 240, "bad": 0}
    for collection in ("sessions", "user_cache"):
        assert [document["data"]["visit"] for document in longshore.good(collection)] == [2] * 40


def test_the_last_stays_though_the_clock_stands_still_and_it_arrives_first(longshore, node):
    node("still")
    assert longshore.wait(20) == {"good": 20, "bad": 0}
    assert longshore.good("sessions")[0]["data"] == {"visit": 11999}


def test_what_is_sent_again_is_not_doubled(longshore, node):
    node("twice")
    assert longshore.wait(10) == {"good": 10, "bad": 0}
    assert sorted(event["user_id"] for event in longshore.good("events")) == [0, 1, 2, 3, 4]


def test_failed_entries_are_sent_again_and_no_batch_has_more_than_ten(longshore, faulty, node):
    node("events", "25")
    assert longshore.wait(25) == {"good": 25, "bad": 0}
    assert sorted(event["user_id"] for event in longshore.good("events")) == list(range(25))
    assert faulty.failed == 9 and faulty.batches == [10, 4, 10, 3, 5, 2]


def test_what_fails_for_ever_ends_with_an_error_and_the_neighbours_are_stored(longshore, faulty, node):
    faulty.failures = 1000
    assert "SQS failed 2 messages 2 times" in node("events", "6", "2", status=1)
    assert longshore.wait(4) == {"good": 4, "bad": 0}
