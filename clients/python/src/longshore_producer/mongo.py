"""Reading: the portal's MongoManager, with one client for each process."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from . import lifetime
from .errors import BadSettings, ProducerError

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database

# Beneath what the URI and connection_options say. pymongo's own 30 s would hold a web request when the database is away.
# Without `connect` its threads begin with the first question, so a URI that cannot be used leaves none behind.
_OPTIONS: Dict[str, Any] = {"serverSelectionTimeoutMS": 5_000, "connect": False}


class MongoManager:
    """`MongoManager.get()` is the default database of the URI, from anywhere, by one client that is made once.

    The URI is MONGO_CACHE_URI, otherwise `mongo_uri` of `configure`, otherwise `db.mongo_uri` of web2py's appconfig.ini.
    """

    _lock = lifetime.ForkSafeLock()
    _client: Optional["MongoClient[Dict[str, Any]]"] = None
    _mongo_uri: Optional[str] = None
    _options: Mapping[str, Any] = {}

    @classmethod
    def configure(cls, mongo_uri: Optional[str] = None, connection_options: Optional[Mapping[str, Any]] = None) -> None:
        """Sets a URI that is used if MONGO_CACHE_URI is not set, and options of pymongo's client. Options in the URI win over these.

        Called again with the same values, it does nothing: a model of web2py runs with each request. Raises ProducerError if
        the client already exists with others.
        """
        with cls._lock.current:
            if cls._client is not None:
                if (mongo_uri, dict(connection_options or {})) == (cls._mongo_uri, cls._options):
                    return
                raise ProducerError("the client already exists, with other settings: configure MongoManager before its first use, or close it first")
            cls._mongo_uri, cls._options = mongo_uri, dict(connection_options or {})

    @classmethod
    def get(cls) -> "Database[Dict[str, Any]]":
        """The default database. The client connects with the first query. A failure is not remembered: the next query tries again.

        Raises BadSettings if there is no URI, or if it names no database, and ImportError without pymongo.
        """
        lifetime.watch_forks()
        with cls._lock.current:
            if cls._client is None:
                cls._client = cls._connected()
            return cls._client.get_default_database()

    @classmethod
    def ping(cls) -> Dict[str, Any]:
        """Asks whether the server answers. If not, raises pymongo's errors after serverSelectionTimeoutMS (5 s if not set)."""
        return cls.get().command("ping")

    @classmethod
    def coll_stats(cls, collection: str) -> Dict[str, Any]:
        """The server's collStats: `count`, `size`, `storageSize`, `nindexes` and more. Sizes are bytes."""
        return cls.get().command("collStats", collection)

    @classmethod
    def close(cls) -> None:
        """Closes the client. The next use makes a new one."""
        with cls._lock.current:
            client, cls._client = cls._client, None
        if client is not None:
            client.close()

    @classmethod
    def _connected(cls) -> "MongoClient[Dict[str, Any]]":
        try:
            from pymongo import MongoClient
        except ImportError as error:
            raise ImportError(
                "MongoManager needs pymongo: pip install 'longshore-producer[mongo]' (from a checkout: pip install 'clients/python[mongo]')"
            ) from error
        of_web2py = _web2py()
        uri = os.environ.get("MONGO_CACHE_URI") or cls._mongo_uri or _uri_of(of_web2py)
        if not uri:
            raise BadSettings("MongoManager has no URI: set MONGO_CACHE_URI, or db.mongo_uri in appconfig.ini")
        options = {**_OPTIONS, **_options_of(of_web2py), **cls._options}
        client: Optional["MongoClient[Dict[str, Any]]"] = None
        try:
            # Those in the URI win: pymongo would let the others win.
            client = MongoClient(uri, **_without_those_of(uri, options))
            client.get_default_database()
        except Exception as error:  # noqa: BLE001 - pymongo has several kinds for it
            if client is not None:
                client.close()
            # `from None`: no trace shows the login that may stand in the first text.
            text = _without_login(str(error), uri)
            raise BadSettings(f"the URI of MongoDB cannot be used (MONGO_CACHE_URI or db.mongo_uri): {text}") from None
        return client


def _without_those_of(uri: str, options: Mapping[str, Any]) -> Dict[str, Any]:
    _, _, query = uri.partition("?")
    given = {pair.partition("=")[0].lower() for pair in query.split("&")}
    return {name: value for name, value in options.items() if name.lower() not in given}


def _without_login(text: str, uri: str) -> str:
    login, at, _ = uri.partition("://")[2].rpartition("@")
    # The longest first: a short one may be part of it.
    for part in sorted(login.split(":"), key=len, reverse=True) if at else ():
        text = text.replace(part, "***") if part else text
    return text


def _web2py() -> Mapping[str, Any]:
    """The section `db` of the running web2py application's appconfig.ini (or .json). Empty elsewhere.

    Not by `AppConfig().get("db.mongo_uri")`: that makes pieces of what has a comma, as a URI of several hosts has.
    """
    if "gluon" not in sys.modules:
        return {}
    try:
        from gluon.contrib.appconfig import AppConfig

        section = AppConfig()["db"]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - outside a request there is no application, and web2py raises BaseException itself
        return {}
    return section if isinstance(section, Mapping) else {}


def _uri_of(section: Mapping[str, Any]) -> Optional[str]:
    uri = section.get("mongo_uri")
    # In an .ini a worker reads %% as one %, as configparser does, and web2py leaves it. No URI has two in a row.
    return uri.strip().replace("%%", "%") if isinstance(uri, str) else None


def _options_of(section: Mapping[str, Any]) -> Mapping[str, Any]:
    """`db.connection_options`: an object in a .json, the same as text in an .ini.

    Raises BadSettings where it is neither.
    """
    options = section.get("connection_options", "")
    if isinstance(options, str):
        try:
            options = json.loads(options.replace("%%", "%")) if options.strip() else {}
        except ValueError as error:
            raise BadSettings(f"db.connection_options in appconfig.ini is not JSON ({error}): give an object, such as {{\"maxPoolSize\": 50}}") from None
    if not isinstance(options, Mapping):
        raise BadSettings('db.connection_options in appconfig.ini is not an object: give one, such as {"maxPoolSize": 50}')
    return options


class _Process:
    """A client that was made before a fork is not for the child."""

    def at_exit(self, elapsed: float) -> None:
        pass

    def after_fork(self) -> None:
        MongoManager._client = None


lifetime.add(_Process())
