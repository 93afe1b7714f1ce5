"""Fixtures for the tests of a producer: what becomes of the messages that it sends?

    def test_a_login_is_stored(longshore):
        my_application.login(user_id=123)
        my_application.producer.flush()
        assert longshore.wait(1) == {"good": 1, "bad": 0}
        assert longshore.good("events")[0]["user_id"] == 123

Where the package is installed, every pytest run loads this file. So it stands beside the package, which imports boto3 and is
loaded only with the first test that uses a fixture.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Iterator, Optional

import pytest

if TYPE_CHECKING:
    from longshore_producer.testing import Dev


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("longshore")
    group.addoption(
        "--longshore-config",
        metavar="FILE",
        help="configuration file with your own routes, for the worker of the fixture `longshore`. A relative path starts at the "
        "folder where pytest was started, or at the rootdir if the file is not there",
    )


def _config_file(config: pytest.Config) -> Optional[str]:
    """The absolute path of the file of --longshore-config, None where the option is not given.

    pytest does not tell whether an option comes from the command line, where people mean the folder that they are in, or from
    `addopts`, where they mean the folder of the file that has it. So both folders are tried, in this order. The first is that
    in which pytest was started: a test may have changed the working directory since. Fails where no file is found.
    """
    __tracebackhide__ = True
    given = config.getoption("--longshore-config")
    if given is None:
        return None
    # The same folder twice is one; so is an absolute path, which the folder does not change.
    tried = list(dict.fromkeys(str(folder / given) for folder in (config.invocation_params.dir, config.rootpath)))
    for path in tried:
        if os.path.exists(path):
            return path
    looked = f"looked for {' and '.join(tried)}. A relative path starts at the folder where pytest was started, or at the rootdir"
    raise pytest.fail.Exception(f"--longshore-config {given}: there is no such file ({looked})", pytrace=False)


@pytest.fixture(scope="session")
def longshore_dev(pytestconfig: pytest.Config) -> "Iterator[Dev]":
    """One `longshore dev` for the whole run; with pytest-xdist, one for each of its workers.

    If the program is not there, the test fails and is not skipped.
    """
    from longshore_producer.testing import Dev, DevError

    try:
        dev = Dev(config=_config_file(pytestconfig))
    except DevError as error:
        # pytest keeps it for all tests of the run. Without the DevError beside it, which has the same text.
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    with dev:
        yield dev


@pytest.fixture
def longshore(longshore_dev: "Dev", monkeypatch: pytest.MonkeyPatch) -> "Iterator[Dev]":
    """The same, emptied before each test, with its addresses in the environment of the test.

    After the test it waits until the default producer has sent its messages: otherwise the next test would count them.
    """
    from longshore_producer import default

    for name, value in longshore_dev.env.items():
        monkeypatch.setenv(name, value)
    longshore_dev.reset()
    yield longshore_dev
    default.settle(longshore_dev.env["LONGSHORE__QUEUE__URL"], timeout=10.0)
