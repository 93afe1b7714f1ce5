"""Fixtures for a producer's own tests: what becomes of the messages that it sends?

    def test_a_login_is_stored(longshore):
        my_application.login(user_id=123)
        my_application.producer.flush()
        assert longshore.wait(1) == {"good": 1, "bad": 0}
        assert longshore.good("events")[0]["user_id"] == 123
"""

from __future__ import annotations

from typing import Iterator

import pytest

from .testing import Dev, DevError


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("longshore")
    group.addoption("--longshore-config", metavar="FILE", help="configuration of the worker in the fixture `longshore`: your own routes")


@pytest.fixture(scope="session")
def longshore_dev(pytestconfig: pytest.Config) -> Iterator[Dev]:
    """One `longshore dev` for the whole run. The test fails, and is not skipped, where the program is not there."""
    try:
        dev = Dev(config=pytestconfig.getoption("--longshore-config"))
    except DevError as error:
        pytest.fail(str(error), pytrace=False)
    with dev:
        yield dev


@pytest.fixture
def longshore(longshore_dev: Dev, monkeypatch: pytest.MonkeyPatch) -> Dev:
    """The same, emptied before each test, with its addresses in the environment of the test."""
    for name, value in longshore_dev.env.items():
        monkeypatch.setenv(name, value)
    longshore_dev.reset()
    return longshore_dev
