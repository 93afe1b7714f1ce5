"""Values of Python as what JSON has, with Extended JSON for the types that JSON lacks.

What a worker would reject is refused here, with its place. Here the stack trace still shows who made it.
"""

from __future__ import annotations

import math
from typing import Any, Mapping

from . import scalars
from .errors import BadMessage
from .places import At, inside, shown
from .scalars import checked_text

# What json.dumps takes, with text names alone.
Plain = Any

# Levels of objects and arrays that a worker reads, the message itself being the first.
LEVELS_MAX = 100
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


def plain(value: object, at: At) -> Plain:
    """Converts what stands at a place of the message.

    Raises BadMessage if a worker would reject it.
    """
    kind = type(value)
    if kind is str:
        return checked_text(value, at)  # type: ignore[arg-type]
    if value is None or kind is bool:
        return value
    if kind is int:
        return integer(value, at)  # type: ignore[arg-type]
    if kind is float:
        return _double(value, at)  # type: ignore[arg-type]
    if isinstance(value, Mapping):
        return _object(value, at)
    if isinstance(value, (list, tuple)):
        _check_level(at)
        return [plain(item, inside(at, index)) for index, item in enumerate(value)]
    # Before the types that those of pymongo are made of: its Int64 is an int, its Binary is bytes.
    extended = scalars.extended(value, at)
    if extended is not None:
        return extended
    if isinstance(value, int):
        return integer(int(value), at)
    if isinstance(value, float):
        return _double(float(value), at)
    if isinstance(value, str):
        return checked_text(str.__str__(value), at)
    raise BadMessage(shown(at), f"is a {scalars.type_name(value)}, which cannot be stored: {scalars.instead_of(value)}")


def integer(number: int, at: At) -> int:
    if not _INT64_MIN <= number <= _INT64_MAX:
        raise BadMessage(shown(at), "is an integer beyond 64 bits: send it as a text, or as a Decimal of at most 34 digits")
    return number


def _double(number: float, at: At) -> float:
    if not math.isfinite(number):
        raise BadMessage(shown(at), f"is {number}, which JSON does not have: send None, or leave it out")
    return number


def _object(value: Mapping[Any, Any], at: At) -> Plain:
    _check_level(at)
    fields = {}
    for key, item in value.items():
        name = field_name(key, at)
        if name in fields:
            raise BadMessage(shown(inside(at, name)), "is there twice in one object: give it one value")
        fields[name] = plain(item, inside(at, name))
    return fields


def field_name(key: object, at: At) -> str:
    """A name of an object that stands at `at`.

    Raises BadMessage where it is no text, or none that can be stored.
    """
    if not isinstance(key, str):
        raise BadMessage(
            shown(at), f"has the key {ascii(key)[:80]}, a {scalars.type_name(key)}: names are texts, so give str(...) of it"
        )
    name = str.__str__(key)
    here = inside(at, name)
    if name.startswith("$"):
        raise BadMessage(
            shown(here), "has a name that begins with $, which a worker rejects: give it another name, and values their types of Python"
        )
    if "\0" in name:
        raise BadMessage(shown(here), "has a NUL in its name, which cannot be stored: leave it out")
    return checked_text(name, here)


def _check_level(at: At) -> None:
    if at.level > LEVELS_MAX:
        raise BadMessage(
            shown(_beginning(at)),
            f"is more than {LEVELS_MAX} levels deep, or holds itself: nest less, or send the inner part as a text",
        )


def _beginning(at: At) -> At:
    """The field of the message that it is in: the whole path would fill a screen."""
    while at.around is not None:
        at = at.around
    return at
