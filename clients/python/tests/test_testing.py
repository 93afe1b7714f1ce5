"""The fixtures, as a producer's own CI has them."""

import subprocess
import sys
import os
from pathlib import Path

import pytest
from longshore_producer.testing import Dev, DevError

SOURCES = str(Path(__file__).parents[1] / "src")


def test_good_and_bad_are_told_and_a_reset_forgets_them(longshore):
    with longshore.producer() as producer:
        producer.log_user_event(1, "login", {})
        # By the rules of a route that the worker does not have.
        producer.send("order", {"n": 1})
    assert longshore.wait(2) == {"good": 1, "bad": 1}
    assert longshore.good("events")[0]["event_type"] == "login"
    assert longshore.bad()[0]["reason"] == "unknown_type"
    longshore.reset()
    assert longshore.wait(0) == {"good": 0, "bad": 0} and longshore.good("events") == longshore.bad() == []


def test_a_wait_in_vain_says_how_many_came(longshore):
    with pytest.raises(DevError, match="504|of 1|in_queue"):
        longshore.wait(1, timeout=0)


def run_pytest(folder, test, *arguments, cwd=None, **env):
    Path(folder, "test_it.py").write_text(test)
    env = {**os.environ, "PYTHONPATH": SOURCES, **env}
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "pytest_longshore", "-p", "no:cacheprovider", *arguments, str(folder)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, cwd=cwd or folder)


def test_without_the_program_a_test_fails_and_says_what_to_do(tmp_path):
    done = run_pytest(tmp_path, "def test_it(longshore): pass", PATH="/nowhere", LONGSHORE_BIN="")
    assert done.returncode == 1 and "LONGSHORE_BIN is not set" in done.stdout and "cargo install" in done.stdout
    done = run_pytest(tmp_path, "def test_it(longshore): pass", LONGSHORE_BIN="/nowhere/longshore")
    assert done.returncode == 1 and "/nowhere/longshore, which is not a program" in done.stdout


def test_a_start_that_fails_is_tried_once_and_told_once_for_each_test(tmp_path):
    program, starts = tmp_path / "longshore", tmp_path / "starts"
    program.write_text(f"#!/bin/sh\necho start >> '{starts}'\necho it is broken\nexit 3\n")
    program.chmod(0o755)
    done = run_pytest(tmp_path, "def test_a(longshore): pass\ndef test_b(longshore): pass\n", LONGSHORE_BIN=str(program))
    # What pytest says of each at its end is whole or cut, by the variable CI.
    told = done.stdout.split("short test summary info")[0]
    assert done.returncode == 1 and told.count("it is broken") == 2 and "During handling" not in told, done.stdout
    assert starts.read_text() == "start\n"


def test_of_a_wait_in_vain_pytest_shows_the_line_of_the_test(tmp_path):
    test = "def test_it(longshore):\n    longshore.wait(5, timeout=0)\ndef test_two(longshore):\n    longshore.good('nothing')\n"
    done = run_pytest(tmp_path, test)
    assert done.returncode == 1 and ">       longshore.wait(5, timeout=0)" in done.stdout and "0 of 5 messages" in done.stdout
    assert ">       longshore.good('nothing')" in done.stdout
    assert "urllib" not in done.stdout and "in _ask" not in done.stdout and "testing.py" not in done.stdout, done.stdout


def test_what_longshore_dev_says_when_it_does_not_start_is_told(tmp_path):
    with pytest.raises(DevError, match="status 2"):
        Dev(config=str(tmp_path / "none.toml"))


def test_where_the_package_is_merely_installed_pytest_loads_next_to_nothing(tmp_path):
    done = run_pytest(
        tmp_path,
        "import sys\n"
        "def test_it():\n"
        "    assert 'pytest_longshore' in sys.modules\n"
        "    assert not {'longshore_producer', 'boto3', 'botocore', 'pymongo'} & set(sys.modules)\n",
    )
    assert done.returncode == 0, done.stdout


def test_a_part_of_a_second_is_not_cut_off():
    asked = []
    longshore_of = Dev.__new__(Dev)
    longshore_of._ask = lambda method, path, patience, **given: asked.append(given["timeout"])
    longshore_of.wait(1, timeout=0.5)
    longshore_of.reset(timeout=1.5)
    assert asked == [1, 2]


def test_what_a_test_leaves_unsent_is_not_counted_by_the_next(tmp_path):
    done = run_pytest(
        tmp_path,
        "import longshore_producer\n"
        "def test_one(longshore):\n"
        "    longshore_producer.configure(linger=1.0)\n"
        "    longshore_producer.log_user_event(1, 'e', None)\n"
        "def test_two(longshore):\n"
        "    longshore_producer.log_user_event(2, 'e', None)\n"
        "    assert longshore_producer.flush()\n"
        "    assert longshore.wait(1) == {'good': 1, 'bad': 0}\n"
        "    assert [event['user_id'] for event in longshore.good('events')] == [2]\n",
    )
    assert done.returncode == 0, done.stdout


def route(type):
    return f'[routes.{type}]\nwrite = "replace"\ncollection = "{type}s"\nkey = "{type}_id"\nversion_field = "updated_at"\n'


def stored(type):
    """A test that sends a message of this type, which has no built-in route."""
    return (
        "def test_it(longshore):\n"
        "    with longshore.producer() as producer:\n"
        f"        producer.send('{type}', {{'{type}_id': 7, 'updated_at': '2026-11-29T00:00:00Z'}}, key='{type}_id')\n"
        "    assert longshore.wait(1) == {'good': 1, 'bad': 0}, longshore.bad()\n"
    )


@pytest.mark.parametrize("processes", ["0", "1"])
def test_a_configuration_in_addopts_is_found_from_a_folder_below(tmp_path, processes):
    Path(tmp_path, "pytest.ini").write_text("[pytest]\naddopts = --longshore-config=routes/mine.toml\n")
    Path(tmp_path, "routes").mkdir()
    Path(tmp_path, "routes", "mine.toml").write_text(route("order"))
    below = Path(tmp_path, "tests")
    below.mkdir()
    done = run_pytest(below, stored("order"), "-n", processes)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


def test_a_configuration_on_the_command_line_is_that_of_the_folder_where_pytest_was_started(tmp_path):
    Path(tmp_path, "pytest.ini").write_text("[pytest]\n")
    Path(tmp_path, "mine.toml").write_text(route("order"))
    below = Path(tmp_path, "below")
    below.mkdir()
    Path(below, "mine.toml").write_text(route("parcel"))
    # Also where a test has changed the working directory since.
    test = "import os\ndef test_first(): os.chdir('..')\n" + stored("parcel")
    done = run_pytest(below, test, "--longshore-config", "mine.toml")
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout


def test_a_configuration_that_is_nowhere_fails_with_the_places_that_were_tried(tmp_path):
    Path(tmp_path, "pytest.ini").write_text("[pytest]\naddopts = --longshore-config=mine.toml\n")
    below = Path(tmp_path, "below")
    below.mkdir()
    done = run_pytest(below, "def test_it(longshore): pass")
    told = done.stdout.split("short test summary info")[0]
    assert done.returncode == 1 and "--longshore-config mine.toml: there is no such file" in told, done.stdout
    assert f"looked for {below / 'mine.toml'} and {tmp_path / 'mine.toml'}" in told, done.stdout
    # A path that is absolute is one place. A test that needs no worker needs no file.
    done = run_pytest(below, "def test_it(longshore): pass", "--longshore-config", "/nowhere/mine.toml")
    assert "looked for /nowhere/mine.toml. " in done.stdout and done.returncode == 1, done.stdout
    assert run_pytest(below, "def test_it(): pass").returncode == 0
