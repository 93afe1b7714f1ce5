"""`longshore dev` for the tests of a producer: the real worker between a private queue and a private database.

It needs the program `longshore`, by LONGSHORE_BIN or on the PATH. With pytest use the fixtures of `pytest_longshore`.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Type

import boto3

from .errors import ProducerError
from .producer import Producer

# Seconds: a start takes two; the first one of all may fetch a mongod.
_START_MAX = 180.0
_STOP_MAX = 20.0


class DevError(ProducerError, AssertionError):
    """The messages did not come in time, or `longshore dev` did not start or answer. The text is its own where it has one."""


def program() -> str:
    """The path of `longshore`. Raises DevError where there is none."""
    __tracebackhide__ = True
    named = os.environ.get("LONGSHORE_BIN")
    found = shutil.which(named or "longshore")
    if found is None:
        what = f"LONGSHORE_BIN is {named}, which is not a program" if named else "there is no longshore on the PATH, and LONGSHORE_BIN is not set"
        raise DevError(f"{what}: build it with `cargo install --locked --path .` (the image has no `dev`), and set LONGSHORE_BIN to its path")
    return found


class Dev:
    """A running `longshore dev`. It ends with close(), or with `with`."""

    def __init__(self, *, config: Optional[str] = None, settings: Sequence[str] = (), start_max: float = _START_MAX) -> None:
        """`config` is a configuration file with your own routes, `settings` are KEY=VALUE as for `--set`.

        Raises DevError if it does not start within `start_max` seconds. The text has what it printed.
        """
        __tracebackhide__ = True
        self._folder = tempfile.TemporaryDirectory(prefix="longshore-dev-")
        env_file, self._log = Path(self._folder.name, "env"), Path(self._folder.name, "log")
        command = [program(), "--config", config] if config is not None else [program()]
        command += ["dev", "--env", str(env_file)]
        for setting in ("admin.listen=off", *settings):
            command += ["--set", setting]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            #: The addresses, as variables of the environment: set them for the producer under test.
            self.env: Mapping[str, str] = self._ready(env_file, start_max)
        except BaseException:
            self.close()
            raise

    def wait(self, count: int, timeout: float = 10.0) -> Dict[str, int]:
        """Waits until at least `count` messages since the last reset are stored or rejected: `{"good": 2, "bad": 1}`.

        Raises DevError after `timeout` seconds (300 at most). Its text says how many came, and which were rejected.
        """
        __tracebackhide__ = True
        said: Dict[str, int] = self._ask("GET", "/wait", timeout, count=count, timeout=math.ceil(timeout))
        return said

    def good(self, collection: str, limit: int = 100) -> List[Dict[str, Any]]:
        """The documents of a collection that routes write to, as relaxed Extended JSON, in the order of `_id`."""
        __tracebackhide__ = True
        found: Dict[str, Any] = self._ask("GET", "/good", 30, collection=collection, limit=limit)
        documents: List[Dict[str, Any]] = found["collections"][collection]["documents"]
        return documents

    def bad(self, limit: int = 100) -> List[Dict[str, Any]]:
        """The rejected messages, the oldest first: `reason`, `text`, `place`, `body` and more."""
        __tracebackhide__ = True
        messages: List[Dict[str, Any]] = self._ask("GET", "/bad", 30, limit=limit)["messages"]
        return messages

    def reset(self, timeout: float = 10.0) -> None:
        """Waits until all messages that were sent are stored or rejected, then deletes all and counts from 0.

        Raises DevError if that takes more than `timeout` seconds.
        """
        __tracebackhide__ = True
        self._ask("POST", "/reset", timeout, timeout=math.ceil(timeout))

    def producer(self, **given: Any) -> Producer:
        """A producer for the private queue. It needs no variables of the environment. Other settings are those of Producer."""
        return Producer(
            **{
                "queue_url": self.env["LONGSHORE__QUEUE__URL"],
                "endpoint_url": self.env["LONGSHORE__QUEUE__ENDPOINT_URL"],
                "region": self.env["AWS_REGION"],
                "make_client": self.client,
                **given,
            }
        )

    def client(self) -> Any:
        """boto3's client for the private queue."""
        return boto3.session.Session().client(
            "sqs",
            endpoint_url=self.env["LONGSHORE__QUEUE__ENDPOINT_URL"],
            region_name=self.env["AWS_REGION"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
        )

    def close(self) -> None:
        """Ends it, with its queue and its database."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> "Dev":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], at: Optional[TracebackType]
    ) -> None:
        self.close()

    def _ready(self, env_file: Path, start_max: float) -> Dict[str, str]:
        __tracebackhide__ = True
        deadline = time.monotonic() + start_max
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise DevError(f"longshore dev ended with status {self._process.returncode}:\n{self._said()}")
            # It writes the file once it is ready, and is not ready before the whole of it is there.
            env = _variables(env_file.read_text() if env_file.exists() else "")
            if "MONGO_CACHE_URI" in env:
                return env
            time.sleep(0.05)
        raise DevError(f"longshore dev was not ready within {start_max} s:\n{self._said()}")

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def _ask(self, method: str, path: str, patience: float, **parameters: object) -> Any:
        # pytest then shows the line of the test that asked, and not these; so in all that calls it.
        __tracebackhide__ = True
        url = f"{self.env['LONGSHORE_DEV_URL']}{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(url, method=method)
        # No proxy of the environment stands between this machine and itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=patience + 30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise DevError(f"{method} {path}: {error.read().decode(errors='replace')}") from None
        except OSError as error:
            raise DevError(f"{method} {path}: {error}; longshore dev said:\n{self._said()}") from None


def _variables(text: str) -> Dict[str, str]:
    """The lines `export NAME='VALUE'`, those that are whole."""
    lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n") and line.startswith("export ")]
    pairs = (shlex.split(line)[1].partition("=") for line in lines)
    return {name: value for name, _, value in pairs}
