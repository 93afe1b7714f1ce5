"""What the tests of the examples share: one `longshore dev`, a queue that fails some messages, and processes that end."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bson import json_util
from faulty_queue import FaultyQueue

EXAMPLES = Path(__file__).parents[1]
# Seconds after which a test gives up. Nothing is measured.
PATIENCE = 60


def load(path, name="example"):
    """An example as a module of its own: its client finds the addresses of this test's environment."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wait_for(what, look):
    """Asks until `look` returns something true, and returns that."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"in {PATIENCE} s not seen: {what}")


@contextlib.contextmanager
def running(command, log, *, end=signal.SIGTERM, **env):
    """A program whose output goes to the file `log`. It must end well by the signal `end`; SIGKILL goes to its children too."""
    env = {**os.environ, **env}
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
        if end != signal.SIGKILL:
            process.send_signal(end)
            process.wait(PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode in (0, -end), log.read_text()


def time_of(value):
    """A date of an answer of `longshore dev`, which has as many digits as it takes."""
    return json_util.object_hook(value)


def python(*arguments):
    return [sys.executable, *arguments]


@pytest.fixture
def faulty(longshore, monkeypatch):
    """The queue of `longshore`, which fails the first try of every third message, and counts."""
    with FaultyQueue(longshore.env["LONGSHORE__QUEUE__ENDPOINT_URL"]) as queue:
        path = longshore.env["LONGSHORE__QUEUE__URL"].split("/", 3)[3]
        monkeypatch.setenv("LONGSHORE__QUEUE__URL", f"{queue.url}/{path}")
        for name in ("AWS_ENDPOINT_URL_SQS", "LONGSHORE__QUEUE__ENDPOINT_URL"):
            monkeypatch.setenv(name, queue.url)
        yield queue
