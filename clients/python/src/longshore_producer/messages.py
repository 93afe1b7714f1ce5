"""What is sent for each call: the fields of a body, held against what a worker takes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Dict, Mapping, NamedTuple, Optional, Union

from . import values
from .errors import BadMessage
from .identity import Stamp
from .places import At, shown
from .scalars import checked_text, time_text, type_name

# The longest text that names a document or stands in an index, in bytes.
TEXT_BYTES_MAX = 1024
_VERSION_YEARS = range(2000, 2100)
_YEARS_S = (946_684_800, 4_102_444_800)
_KEYED = {"session": "session_id", "cache": "user_id"}
_REQUIRED = {"event": ("user_id", "event_type"), "session": ("session_id", "data"), "cache": ("user_id", "data")}
_TIMES = {"session": "last_accessed", "cache": "updated", "event": "timestamp"}

# How far a version may be ahead: the default of a worker's message.version_skew_max.
_AHEAD_MAX = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1)
# As much of a written time as nobody writes by accident, or a number: the worker reads the rest.
_WRITTEN_TIME = re.compile(r"\s*(\d{4}-?\d\d-?\d\d[Tt ]\d\d|[-+]?\d+(\.\d*)?\s*$)")


class Made(NamedTuple):
    """The fields of a body, and the text that names its message group on a FIFO queue."""

    fields: Dict[str, Any]
    key: Optional[str]


def event(
    user_id: object, event_type: object, metadata: object, *, id: object, timestamp: Optional[datetime], stamp: Stamp
) -> Made:
    fields: Dict[str, Any] = {"type": "event"}
    if id is not None:
        fields["id"] = _key("id", id)
    fields["user_id"] = _indexed("user_id", user_id)
    fields["event_type"] = _event_type(event_type)
    fields["timestamp"] = stamp.text if timestamp is None else time_text(_datetime("timestamp", timestamp), At("timestamp", 2))
    fields["metadata"] = values.plain(metadata, At("metadata", 2))
    return Made(fields, _named(fields["user_id"]))


def session(session_id: object, data: object, *, last_accessed: Optional[datetime], stamp: Stamp) -> Made:
    key = _key("session_id", session_id)
    version = _version("last_accessed", last_accessed, stamp)
    fields = {"type": "session", "session_id": key, "last_accessed": version, "data": _data(data)}
    return Made(fields, _named(key))


def cache(user_id: object, data: object, *, updated: Optional[datetime], stamp: Stamp) -> Made:
    key = _key("user_id", user_id)
    fields = {"type": "cache", "user_id": key, "updated": _version("updated", updated, stamp), "data": _data(data)}
    return Made(fields, _named(key))


def own(type_name_: object, given: Mapping[str, object], *, key: Optional[str], stamp: Stamp) -> Made:
    """A message of any route. Of one that is built in, its rules hold; of others `key` names the field that names the document."""
    if not isinstance(type_name_, str) or not type_name_:
        raise BadMessage("type", "names the route: give a text that is not empty")
    if not isinstance(given, Mapping):
        raise BadMessage("", f"is a {type_name(given)}: give its fields as a dict")
    key_name = _key_name(type_name_, key)
    fields: Dict[str, Any] = {"type": checked_text(str.__str__(type_name_), At("type", 2))}
    for name, value in given.items():
        place = At(values.field_name(name, At("message", 1)), 2)
        _check_top_name(place, key_name)
        fields[str(place.step)] = _key(shown(place), value) if place.step == key_name else values.plain(value, place)
    if key_name is not None and key_name not in fields:
        raise BadMessage(shown(At(key_name, 2)), "is missing: it is the key of the route, and names the document")
    for name in _REQUIRED.get(type_name_, ()):
        if fields.get(name) is None:
            raise BadMessage(name, f"is missing or None: the route {type_name_} requires a value")
    if type_name_ == "event":
        _indexed("user_id", given["user_id"])
        _event_type(given["event_type"])
        if "id" in given:
            _key("id", given["id"])
    time = _TIMES.get(type_name_)
    if time is not None and given.get(time) is not None:
        _written_time(time, given[time], stamp, is_version=type_name_ != "event")
    return Made(fields, None if key_name is None else _named(fields[key_name]))


def _key_name(route: str, given: object) -> Optional[str]:
    """The name of the field that names the document, where the route has one as far as is known here."""
    if given is not None and (not isinstance(given, str) or not given):
        raise BadMessage("", f"has key={given!r}: give the name of the route's key field, such as key=\"order_id\"")
    built_in, name = _KEYED.get(route), None if given is None else str.__str__(given)
    if built_in is not None and name not in (None, built_in):
        raise BadMessage("", f"has key={name!r}, and the key of the route {route} is {built_in}: leave it out")
    return built_in or name


def _check_top_name(place: At, key_name: Optional[str]) -> None:
    name, field = str(place.step), shown(place)
    if name == "type":
        raise BadMessage(field, "names the route, which is given beside the fields: leave it out")
    if name == "_ingest" or name.startswith("_ingest."):
        raise BadMessage(field, "is where Longshore keeps its own data: give it another name")
    # A route may have it as its key.
    if name == "_id" and name != key_name:
        raise BadMessage(field, "is made by the worker: leave it out, or give an event an `id`")
    if key_name is not None and not name:
        raise BadMessage(field, "is an empty name, which a document with a key does not take: give it a name")
    if key_name is not None and "." in name:
        raise BadMessage(field, "has a dot in its name, which the server would take for a path: give it another name")


def _key(name: str, value: object) -> Any:
    """What names one document: a text, an integer, an ObjectId or a UUID."""
    problem = None
    if isinstance(value, bool):
        problem = "is a bool"
    elif isinstance(value, float):
        raise BadMessage(name, 'is a float, even if it is whole: give 123 or "123", not 123.0')
    elif value is None:
        problem = "is None"
    elif isinstance(value, str) and not 1 <= len(value.encode("utf-8", "replace")) <= TEXT_BYTES_MAX:
        problem = "is a text that is empty or too long"
    if problem is None:
        plain = values.plain(value, At(name, 2))
        if isinstance(plain, (str, int)) or (isinstance(plain, dict) and _is_key(plain)):
            return plain
        problem = f"is a {type_name(value)}"
    raise BadMessage(name, f"{problem}, and names a document: give a text of 1 to {TEXT_BYTES_MAX} bytes, an integer, an ObjectId or a UUID")


def _is_key(plain: Dict[str, Any]) -> bool:
    name: str = next(iter(plain), "")
    value = plain.get(name)
    return name in ("$oid", "$uuid", "$numberLong") or (name == "$binary" and isinstance(value, dict) and value["subType"] == "04")


def _indexed(name: str, value: object) -> Any:
    """What stands in an index without being a key: one value, and no long one."""
    if value is None:
        raise BadMessage(name, "is None: the route event requires a value; give a text such as \"anonymous\" where there is no user")
    plain = values.plain(value, At(name, 2))
    is_extended = isinstance(plain, dict) and next(iter(plain), "").startswith("$")
    is_long = isinstance(plain, str) and len(plain.encode("utf-8")) > TEXT_BYTES_MAX
    is_binary = is_extended and not _is_key(plain) and "$numberDecimal" not in plain and "$date" not in plain
    if isinstance(plain, list) or (isinstance(plain, dict) and not is_extended) or is_long or is_binary:
        raise BadMessage(name, f"stands in an index: give one value, a text of at most {TEXT_BYTES_MAX} bytes")
    return plain


def _event_type(value: object) -> str:
    if not isinstance(value, str):
        raise BadMessage("event_type", f"is a {type_name(value)}: give a text")
    return checked_text(str.__str__(value), At("event_type", 2))


def _data(value: object) -> Any:
    if value is None:
        raise BadMessage("data", "is None, and the route requires a value: give {} where there is nothing to keep")
    return values.plain(value, At("data", 2))


def _datetime(name: str, value: object) -> datetime:
    if not isinstance(value, datetime):
        raise BadMessage(name, f"is a {type_name(value)}: give a datetime, in UTC where it has no zone")
    return value


def _version(name: str, given: Optional[datetime], stamp: Stamp) -> str:
    """The time by which the newest is found."""
    if given is None:
        return stamp.text
    text = time_text(_datetime(name, given), At(name, 2))
    if int(text[:4]) not in _VERSION_YEARS:
        raise BadMessage(name, "is outside the years 2000 to 2100, in which a worker takes a version: leave it out for now")
    ahead = datetime.fromisoformat(text[:-1]) - (_EPOCH + timedelta(milliseconds=stamp.time_ms))
    if ahead > _AHEAD_MAX:
        raise BadMessage(
            name,
            f"is {int(ahead.total_seconds())} s ahead of this machine's clock, and workers take {int(_AHEAD_MAX.total_seconds())} s at most by "
            "default: without a zone it is UTC, so give datetime.now(timezone.utc), not datetime.now()",
        )
    return text


def _written_time(name: str, value: object, stamp: Stamp, *, is_version: bool) -> None:
    """Holds a time in the fields of `send` against what a worker reads as one."""
    if isinstance(value, datetime):
        if is_version:
            _version(name, value, stamp)
        return
    if type(value).__name__ == "DatetimeMS" and not is_version:
        return
    if type(value).__name__ == "DatetimeMS":
        value = int(value)  # type: ignore[call-overload]
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _WRITTEN_TIME.match(value)):
        raise BadMessage(name, f"is a {type_name(value)} that is no time: give a datetime, a text as 2026-11-22T10:00:00Z, or seconds since 1970")
    if is_number and not any(_YEARS_S[0] <= value / unit < _YEARS_S[1] for unit in (1, 1000)):  # type: ignore[operator]
        raise BadMessage(name, "is a number outside the years 2000 to 2100, as seconds and as milliseconds since 1970: give a datetime")


def _named(key: Union[str, int, float, Dict[str, Any]]) -> str:
    """A key as the text of its group: the same for the same document."""
    if isinstance(key, dict):
        value = next(iter(key.values()))
        return value if isinstance(value, str) else str(sorted(value.items()))
    return str(key)
