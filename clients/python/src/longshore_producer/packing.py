"""The body as SQS takes it: JSON text, packed where it is large, and held against all bounds of size."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any, Dict, NamedTuple, Optional

from .errors import BadMessage

# SQS, SendMessageBatch: of one message and of a whole call, attributes counted.
SEND_BYTES_MAX = 1024 * 1024
# Defaults of a worker: message.decompressed_bytes_max, .document_bytes_max, .unpack_ratio_max.
_UNPACKED_BYTES_MAX = 2 * 1024 * 1024
_DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
_UNPACK_RATIO_MAX = 200
# Bytes of BSON for one of JSON: `0,` is two bytes here and an element with an index for its name there, 13 at most.
_GROWTH_MAX = 7

_GROUP_CHARACTERS_MAX = 128


class Body(NamedTuple):
    # UTF-8: a str takes up to four times as much, for one character beyond ASCII.
    raw: bytes
    is_packed: bool


def body_of(fields: Dict[str, Any], compress_above: Optional[int]) -> Body:
    """Writes the fields. Above so many bytes it is packed with gzip where that is smaller; never where that is None.

    Raises BadMessage if a worker would reject it for its size.
    """
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # SQS takes neither, and in a text of JSON an escape means the same.
    text = text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    raw = text.encode("utf-8")
    if len(raw) > _UNPACKED_BYTES_MAX:
        raise BadMessage("", f"has {len(raw)} bytes as JSON, and workers read {_UNPACKED_BYTES_MAX} at most by default: send less in one message")
    if len(raw) * _GROWTH_MAX > _DOCUMENT_BYTES_MAX:
        document = _bson_bytes(fields)
        if document > _DOCUMENT_BYTES_MAX:
            raise BadMessage(
                "", f"has about {document} bytes as a document, and workers take {_DOCUMENT_BYTES_MAX} at most by default: send less in one message"
            )
    if compress_above is not None and len(raw) > compress_above:
        packed = base64.b64encode(gzip.compress(raw, 6, mtime=0))
        # A worker rejects a body that unpacks to far more than it was: unpacking costs it memory.
        if len(packed) < len(raw) <= len(packed) * _UNPACK_RATIO_MAX:
            return Body(packed, True)
    return Body(raw, False)


def _bson_bytes(value: Any) -> int:
    """Bytes of a value as BSON, a little more rather than less. Extended JSON counts as the object that it is here."""
    if isinstance(value, dict):
        return 5 + sum(2 + len(name.encode("utf-8")) + _bson_bytes(item) for name, item in value.items())
    if isinstance(value, list):
        return 5 + sum(2 + len(str(index)) + _bson_bytes(item) for index, item in enumerate(value))
    if isinstance(value, str):
        return 5 + len(value.encode("utf-8"))
    if value is None or isinstance(value, bool):
        return 1
    return 4 if isinstance(value, int) and -(2**31) <= value < 2**31 else 8


def check_group(group: object) -> str:
    """Raises BadMessage where SQS would not take it as a message group."""
    if not isinstance(group, str) or not _is_group(group):
        raise BadMessage("", f"has a group that SQS does not take: give 1 to {_GROUP_CHARACTERS_MAX} ASCII letters, digits and punctuation")
    return group


def group_of(key: str) -> str:
    """The group of a key: the key itself, or a hash of one that is no group."""
    return key if _is_group(key) else hashlib.sha256(key.encode("utf-8")).hexdigest()


def _is_group(text: str) -> bool:
    return 1 <= len(text) <= _GROUP_CHARACTERS_MAX and all("!" <= character <= "~" for character in text)


def size_of(body: bytes, attributes: Dict[str, str]) -> int:
    """Bytes of a message as SQS counts them: of each attribute its name, its type and its value.

    Raises BadMessage where they are more than SQS takes.
    """
    size = len(body)
    size += sum(len(name) + len("String") + len(value.encode("utf-8")) for name, value in attributes.items())
    if size > SEND_BYTES_MAX:
        raise BadMessage("", f"has {size} bytes with its attributes, and SQS takes {SEND_BYTES_MAX} at most: send less in one message")
    return size
