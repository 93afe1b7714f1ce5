import json
import re
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import EXAMPLES, python, running, wait_for

SERVER = python("-m", "uvicorn", "--app-dir", str(EXAMPLES), "fastapi_app:app", "--host", "127.0.0.1", "--port", "0")


@pytest.fixture
def ask(longshore, tmp_path):
    """A real server. Its end is the end of `with`: what it took until then must be stored."""
    log = tmp_path / "log"
    with running(SERVER, log):
        address = wait_for("uvicorn", lambda: re.search(r"running on (http://[0-9.:]+)", log.read_text()))[1]

        def ask(method, path, body=None):
            raw = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(address + path, raw, {"Content-Type": "application/json"}, method=method)
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return json.loads(answer.read())

        yield ask
    assert "messages were not sent" not in log.read_text()


def test_what_async_and_other_endpoints_log_is_stored(longshore, ask):
    assert ask("POST", "/login/123") == {"user_id": 123}
    assert ask("PUT", "/cart/s-81", [{"sku": "a", "qty": 1}]) == {"items": 1}
    assert longshore.wait(2) == {"good": 2, "bad": 0}
    (event,), (session,) = longshore.good("events"), longshore.good("sessions")
    assert (event["user_id"], event["event_type"], event["metadata"]) == (123, "login", {"ip": "127.0.0.1"})
    assert (session["session_id"], session["data"]) == ("s-81", {"cart": [{"sku": "a", "qty": 1}]})


def test_what_a_worker_would_refuse_is_told_to_the_caller(longshore, ask):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask("PUT", "/cart/s-81", [{"$set": 1}])
    assert refused.value.code == 422 and b"data.cart[0]" in refused.value.read()
    assert ask("POST", "/login/1") == {"user_id": 1}
    assert longshore.wait(1) == {"good": 1, "bad": 0}


def test_requests_at_once_and_the_end_of_the_server_lose_nothing(longshore, tmp_path):
    log = tmp_path / "log"
    # Nothing is sent by itself for ten seconds: what is stored is what the lifespan's end has sent.
    patient = "import longshore_producer as l, uvicorn; l.configure = lambda c=l.configure: c(linger=10); uvicorn.main()"
    with running(python("-c", patient, *SERVER[3:]), log):
        address = wait_for("uvicorn", lambda: re.search(r"running on (http://[0-9.:]+)", log.read_text()))[1]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        logins = [urllib.request.Request(f"{address}/login/{user}", method="POST") for user in range(45)]
        with ThreadPoolExecutor(8) as pool:
            assert all(answer.status == 200 for answer in pool.map(opener.open, logins))
    assert "messages were not sent" not in log.read_text()
    assert longshore.wait(45) == {"good": 45, "bad": 0}
    assert sorted(event["user_id"] for event in longshore.good("events")) == list(range(45))
