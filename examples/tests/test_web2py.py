"""The controller of the example as web2py runs it: models and controller are code that is executed in one environment, for each
request anew, in a thread of the server (gluon/compileapp.py, run_models_in and run_controller_in). web2py itself is on no
package index and is not here: `request`, `response`, `session`, `auth` and `gluon.main` are stand-ins with what is used of them.
"""

import sys
import threading
from types import ModuleType, SimpleNamespace

import longshore_producer
import pytest
from conftest import EXAMPLES, time_of
from longshore_producer import MongoManager

APPLICATION = EXAMPLES / "web2py"


@pytest.fixture(autouse=True)
def server(longshore, monkeypatch):
    """web2py's own server. What it does at its end instead of dying is in `stopped`."""

    class HttpServer:
        stopped = []

        def stop(self, stoplogging=False):
            self.stopped.append(stoplogging)

    gluon = ModuleType("gluon")
    gluon.main = SimpleNamespace(HttpServer=HttpServer)
    monkeypatch.setitem(sys.modules, "gluon", gluon)
    monkeypatch.setitem(sys.modules, "gluon.main", gluon.main)
    yield HttpServer()
    longshore_producer.close()
    MongoManager.close()


def run(function, session, user_id=123, **variables):
    """One request."""
    environment = {
        "request": SimpleNamespace(client="10.0.0.1", vars=SimpleNamespace(**{"sku": None, "qty": None, **variables})),
        "response": SimpleNamespace(session_id=session.id, _caller=lambda called: called()),
        "session": session,
        "auth": SimpleNamespace(user_id=user_id),
    }
    files = sorted((APPLICATION / "models").glob("*.py")) + [APPLICATION / "controllers/default.py"]
    for file in files:
        code = file.read_text()
        if file == files[-1]:
            code += f"\n\nresponse._vars=response._caller({function})\n"
        exec(compile(code, str(file), "exec"), environment)
    return environment["response"]._vars


def test_each_call_of_the_controller_lands_and_reads_stay_as_they_are(longshore):
    session = SimpleNamespace(id="10.0.0.1-8f2c", cart=None)
    assert run("login", session) == {"user_id": 123}
    run("add_to_cart", session, sku="a")
    assert run("add_to_cart", session, sku="b", qty="2") == {"cart": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 2}]}
    assert longshore_producer.flush()
    assert longshore.wait(4) == {"good": 4, "bad": 0}

    ((kind, when),) = run("history", session)["events"]
    (event,), (stored,), (entry,) = (longshore.good(name) for name in ("events", "sessions", "user_cache"))
    assert kind == "login" and event["metadata"] == {"ip": "10.0.0.1"}
    assert when == time_of(event["timestamp"]).replace(tzinfo=None)
    assert (stored["session_id"], stored["data"]) == (session.id, {"cart": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 2}]})
    assert (entry["user_id"], entry["data"]) == (123, {"plan": "pro"})


def test_requests_in_many_threads_lose_nothing_and_the_last_state_stays(longshore):
    def visit(user_id):
        session = SimpleNamespace(id=f"s-{user_id}", cart=None)
        run("login", session, user_id=user_id)
        for number in range(10):
            run("add_to_cart", session, sku=str(number))

    threads = [threading.Thread(target=visit, args=(user_id,)) for user_id in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert longshore_producer.flush()
    assert longshore.wait(120) == {"good": 120, "bad": 0}
    assert sorted(event["user_id"] for event in longshore.good("events")) == list(range(10))
    assert [len(session["data"]["cart"]) for session in longshore.good("sessions")] == [10] * 10


def test_the_end_of_web2pys_own_server_sends_what_waits(longshore, server):
    # Nothing is sent by itself for ten seconds.
    longshore_producer.configure(linger=10)
    for user_id in range(7):
        run("login", SimpleNamespace(id="s", cart=None), user_id=user_id)
    server.stop()
    assert longshore.wait(14) == {"good": 14, "bad": 0}
    assert server.stopped == [False]
