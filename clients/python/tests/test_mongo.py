"""MongoManager: the reads that stay."""

import os
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from longshore_producer import BadSettings, MongoManager, ProducerError

SOURCES = str(Path(__file__).parents[1] / "src")


@pytest.fixture(autouse=True)
def _no_client_is_left():
    yield
    MongoManager.close()
    MongoManager.configure()


class AppConfigDict(dict):
    """As web2py's: nested, and its `get` makes pieces of what has a comma and nothing of what is no text."""

    def get(self, path, default=None):
        try:
            value = self
            for part in path.split("."):
                value = value[part]
            value = value.strip()
            return map(str.strip, value.split(",")) if "," in value else value
        except Exception:
            return default


@pytest.fixture
def web2py(monkeypatch):
    """A running web2py application, as far as its appconfig goes."""
    config = AppConfigDict()
    module = types.ModuleType("gluon.contrib.appconfig")
    module.AppConfig = lambda: config
    for name, one in (("gluon", types.ModuleType("gluon")), ("gluon.contrib", types.ModuleType("c")), (module.__name__, module)):
        monkeypatch.setitem(sys.modules, name, one)
    monkeypatch.delenv("MONGO_CACHE_URI", raising=False)
    return config


def test_it_is_one_client_however_many_ask_and_its_database_is_that_of_the_uri(longshore):
    assert MongoManager.get() == MongoManager.get() and MongoManager.get().client is MongoManager.get().client
    assert MongoManager.get().name == "portal"
    assert MongoManager.ping()["ok"] == 1 and MongoManager.coll_stats("nothing")["count"] == 0


def test_the_environment_beats_web2py_which_beats_nothing(longshore, web2py, monkeypatch):
    uri = longshore.env["MONGO_CACHE_URI"]
    with pytest.raises(BadSettings, match="MONGO_CACHE_URI"):
        MongoManager.get()
    # A failed start is not remembered.
    web2py["db"] = {"mongo_uri": uri.replace("/portal", "/other"), "connection_options": {"maxPoolSize": 7}}
    assert MongoManager.get().name == "other" and MongoManager.get().client.options.pool_options.max_pool_size == 7
    MongoManager.close()
    monkeypatch.setenv("MONGO_CACHE_URI", uri)
    assert MongoManager.get().name == "portal"


def test_an_appconfig_is_read_as_the_worker_reads_it(web2py):
    web2py["db"] = {
        "mongo_uri": "mongodb://portal:p%%40ss@h1.example.net,h2.example.net/portal?replicaSet=rs0",
        "connection_options": '{\n "maxPoolSize": 7,\n "tz_aware": true\n}',
    }
    options = MongoManager.get().client.options
    assert MongoManager.get().name == "portal" and options.pool_options.max_pool_size == 7 and options.codec_options.tz_aware
    assert MongoManager.get().client._seeds == {("h1.example.net", 27017), ("h2.example.net", 27017)}
    assert options.pool_options._credentials.password == "p@ss"


@pytest.mark.parametrize("given", ["maxPoolSize=7, w=1", "[7]", 7])
def test_options_that_are_none_are_told(web2py, given):
    web2py["db"] = {"mongo_uri": "mongodb://h/portal", "connection_options": given}
    with pytest.raises(BadSettings, match="db.connection_options"):
        MongoManager.get()


def test_a_web2py_without_a_config_is_one_without_a_uri(web2py, monkeypatch):
    def none():
        raise BaseException("Config file not found")  # as web2py does

    monkeypatch.setattr(sys.modules["gluon.contrib.appconfig"], "AppConfig", none)
    with pytest.raises(BadSettings, match="MONGO_CACHE_URI"):
        MongoManager.get()


def test_a_uri_that_cannot_be_used_leaves_no_thread_behind_however_often_it_is_tried(monkeypatch):
    monkeypatch.setenv("MONGO_CACHE_URI", "mongodb://127.0.0.1:9")
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(BadSettings, match="default database"):
            MongoManager.get()
    assert threading.active_count() == before


def test_a_password_that_the_user_name_is_part_of_is_no_less_hidden():
    from longshore_producer.mongo import _without_login

    assert _without_login("bad: pass:password1", "mongodb://pass:password1@h/d") == "bad: ***:***"


def test_options_of_the_uri_beat_those_given_and_a_search_for_a_server_ends_soon(longshore, monkeypatch):
    monkeypatch.setenv("MONGO_CACHE_URI", longshore.env["MONGO_CACHE_URI"] + "&maxPoolSize=3")
    MongoManager.configure(connection_options={"maxPoolSize": 9, "appname": "portal"})
    options = MongoManager.get().client.options
    assert (options.pool_options.max_pool_size, options.pool_options.appname) == (3, "portal")
    assert options.server_selection_timeout == 5
    with pytest.raises(ProducerError, match="already"):
        MongoManager.configure()
    # A model of web2py runs with each request.
    MongoManager.configure(connection_options={"maxPoolSize": 9, "appname": "portal"})


@pytest.mark.parametrize("uri", ["mongodb://user:secret@h:1", "mongodb://user:secret@[", "nonsense:secret"])
def test_a_bad_uri_is_told_without_its_password(monkeypatch, uri):
    monkeypatch.setenv("MONGO_CACHE_URI", uri)
    with pytest.raises(BadSettings) as error:
        MongoManager.get()
    assert "MONGO_CACHE_URI" in str(error.value) and "secret" not in str(error.value)


def test_a_child_has_a_client_of_its_own(longshore):
    code = (
        "import os\nfrom longshore_producer import MongoManager\n"
        "MongoManager.ping(); before = MongoManager.get().client\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    ok = MongoManager.get().client is not before and MongoManager.ping()['ok'] == 1\n"
        "    os._exit(0 if ok else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0 and MongoManager.get().client is before\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env={**os.environ, "PYTHONPATH": SOURCES}, timeout=60)
    assert done.returncode == 0


def test_without_pymongo_the_calls_are_there_and_reading_says_what_to_install():
    code = (
        "import sys\nsys.modules['pymongo'] = sys.modules['bson'] = sys.modules['opentelemetry'] = None\n"
        "import longshore_producer as l\n"
        "l.configure(queue_url='https://sqs.eu-west-1.amazonaws.com/1/p', make_client=lambda: None, exit_timeout=0)\n"
        "assert l.log_user_event(1, 'e', {})\n"
        "try: l.MongoManager.get()\n"
        "except ImportError as error: assert 'longshore-producer[mongo]' in str(error) and 'clients/python[mongo]' in str(error)\n"
        "else: raise SystemExit(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": SOURCES, "MONGO_CACHE_URI": "mongodb://h/d"}, timeout=60)
    assert done.returncode == 0
