"""Fixtures for a producer's own tests: what becomes of the messages that it sends?

    def test_a_login_is_stored(longshore):
        my_application.login(user_id=123)
        my_application.producer.flush()
        assert longshore.wait(1) == {"good": 1, "bad": 0}
        assert longshore.good("events")[0]["user_id"] == 123

Every pytest run loads this where the package is installed, so it stands beside the package: that brings boto3, and comes
only with the first test that wants a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from longshore_producer.testing import Dev


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("longshore")
    group.addoption("--longshore-config", metavar="FILE", help="configuration of the worker in the fixture `longshore`: your own routes")


@pytest.fixture(scope="session")
def longshore_dev(pytestconfig: pytest.Config) -> "Iterator[Dev]":
    """One `longshore dev` for the whole run, with pytest-xdist one for each of its workers.

    The test fails, and is not skipped, where the program is not there.
    """
    from longshore_producer.testing import Dev, DevError

    try:
        dev = Dev(config=pytestconfig.getoption("--longshore-config"))
    except DevError as error:
        # pytest keeps it for all tests of the run. Without the DevError beside it, which has the same text.
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    with dev:
        yield dev


@pytest.fixture
def longshore(longshore_dev: "Dev", monkeypatch: pytest.MonkeyPatch) -> "Iterator[Dev]":
    """The same, emptied before each test, with its addresses in the environment of the test.

    After the test it waits for what the default producer still has: otherwise the next test would count it.
    """
    from longshore_producer import default

    for name, value in longshore_dev.env.items():
        monkeypatch.setenv(name, value)
    longshore_dev.reset()
    yield longshore_dev
    default.settle(longshore_dev.env["LONGSHORE__QUEUE__URL"], timeout=10.0)
