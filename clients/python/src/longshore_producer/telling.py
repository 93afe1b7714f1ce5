"""The log of this package."""

from __future__ import annotations

import logging

_log = logging.getLogger("longshore_producer")


def say(level: int, text: str, *values: object) -> None:
    """Logs. A handler or filter of the application that raises ends neither a call nor the thread."""
    try:
        _log.log(level, text, *values)
    except Exception:  # noqa: BLE001, S110 - where could it be told?
        pass
