"""Single values that JSON lacks, as MongoDB Extended JSON (version 2).

<https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/>
"""

from __future__ import annotations

import base64
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Dict, Optional
from uuid import UUID

from .errors import BadMessage
from .places import At, shown

Extended = Dict[str, Any]

# Digits and exponents of IEEE 754 decimal128.
_DECIMAL_DIGITS_MAX = 34
_DECIMAL_EXPONENT_MIN, _DECIMAL_EXPONENT_MAX = -6176, 6111
_REGEX_FLAGS = ((2, "i"), (4, "l"), (8, "m"), (16, "s"), (32, "u"), (64, "x"))


def extended(value: object, at: At) -> Optional[Extended]:
    """The value as Extended JSON, None where it is of no type that needs that.

    Raises BadMessage where no such value can be stored.
    """
    if isinstance(value, datetime):
        return {"$date": time_text(value, at)}
    if isinstance(value, Decimal):
        return {"$numberDecimal": _decimal(value, at)}
    if isinstance(value, UUID):
        return {"$uuid": str(value)}
    if type(value).__module__.partition(".")[0] == "bson":
        return _of_bson(value, at)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _binary(bytes(value), 0)
    return None


def time_text(value: datetime, at: At) -> str:
    """RFC 3339 in UTC, to the microsecond. A time without a zone is UTC, as pymongo takes it."""
    try:
        # What has no value of its own is not equal to itself: the NaT of pandas.
        if value != value:
            raise ValueError
        # Not `astimezone`, which takes a time of a zone that has no offset for one of the machine's own zone.
        offset, value = value.utcoffset(), value.replace(tzinfo=None)
        return (value if offset is None else value - offset).isoformat(timespec="microseconds") + "Z"
    except (ValueError, OverflowError, TypeError):
        raise BadMessage(shown(at), "is no time of the years 1 to 9999 in UTC: send None, or leave it out") from None


def _decimal(value: Decimal, at: At) -> str:
    if not value.is_finite():
        raise BadMessage(shown(at), f"is {value}, which is no number: send None, or leave it out")
    _, digits, exponent = value.as_tuple()
    if (
        len(digits) > _DECIMAL_DIGITS_MAX
        or not isinstance(exponent, int)
        or not _DECIMAL_EXPONENT_MIN <= exponent <= _DECIMAL_EXPONENT_MAX
    ):
        raise BadMessage(
            shown(at),
            f"is a Decimal of {len(digits)} digits and the exponent {exponent}: MongoDB stores {_DECIMAL_DIGITS_MAX} digits and exponents "
            f"from {_DECIMAL_EXPONENT_MIN} to {_DECIMAL_EXPONENT_MAX}, so round it, or send it as a text",
        )
    return str(value)


def _binary(value: bytes, subtype: int) -> Extended:
    return {"$binary": {"base64": base64.b64encode(value).decode("ascii"), "subType": f"{subtype:02x}"}}


def _of_bson(value: Any, at: At) -> Extended:
    """The types of pymongo, by their names: pymongo need not be there."""
    name = type(value).__name__
    if name == "ObjectId":
        return {"$oid": str(value)}
    if name == "Int64":
        if not -(2**63) <= value < 2**63:
            raise BadMessage(shown(at), "is an Int64 beyond 64 bits: send it as a text")
        return {"$numberLong": str(int(value))}
    if name == "Decimal128":
        return {"$numberDecimal": _decimal(value.to_decimal(), at)}
    if name == "Binary":
        if value.subtype in (3, 4) and len(value) != 16:
            raise BadMessage(shown(at), "is marked as a UUID, but has not 16 bytes: give it subtype 0")
        return _binary(bytes(value), value.subtype)
    if name == "DatetimeMS":
        try:
            moment = datetime(1970, 1, 1) + timedelta(milliseconds=int(value))
        except OverflowError:
            raise BadMessage(shown(at), "is no time of the years 1 to 9999: send None, or leave it out") from None
        return {"$date": time_text(moment, at)}
    if name == "Regex" and isinstance(value.pattern, str) and "\0" not in value.pattern:
        options = "".join(letter for flag, letter in _REGEX_FLAGS if value.flags & flag)
        return {"$regularExpression": {"pattern": checked_text(value.pattern, at), "options": options}}
    if name == "Timestamp":
        return {"$timestamp": {"t": value.time, "i": value.inc}}
    if name == "Code" and value.scope is None:
        return {"$code": checked_text(str(value), at)}
    if name == "MinKey":
        return {"$minKey": 1}
    if name == "MaxKey":
        return {"$maxKey": 1}
    # Not as what it is made of: a Code is a str, too.
    raise BadMessage(shown(at), f"is a {type_name(value)}, which cannot be stored: {instead_of(value)}")


def checked_text(value: str, at: At) -> str:
    """Refuses what is no Unicode: half of a surrogate pair, as `surrogateescape` and broken JSON make it."""
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise BadMessage(
                shown(at), "holds half of a surrogate pair, which is no text: decode it by its own encoding, or send bytes"
            ) from None
    return value


def type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def instead_of(value: object) -> str:
    """What to do about a value of a type that cannot be stored."""
    if isinstance(value, date):
        return "give a datetime, as pymongo wants it too"
    if isinstance(value, (time, timedelta)):
        return "give a text, or a number of seconds"
    if isinstance(value, (set, frozenset)):
        return "give a list, sorted if the order is to be the same each time"
    if isinstance(value, complex) or type(value).__module__ == "numpy":
        return "give int(...), float(...) or .tolist() of it"
    return "give text, numbers, bool, None, datetime, Decimal, bytes, UUID, ObjectId, and dicts and lists of them"
