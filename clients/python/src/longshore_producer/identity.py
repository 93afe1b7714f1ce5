"""What tells messages apart and which of two is the later: each stamp is greater than the one before it."""

from __future__ import annotations

import logging
import os
from datetime import datetime, timezone
from typing import NamedTuple

from . import lifetime
from .errors import WrongClock
from .telling import say

# How far behind the latest stamp the clock may be: beyond that it was wrong before. Stamps ahead of their time would be
# rejected (`message.version_skew_max` of a worker), or win over everybody else's until that time comes.
_BEHIND_MAX_NS = 10 * 60 * 1_000_000_000

# The years in which a worker takes a version.
_NS_MIN = 946_684_800 * 1_000_000_000
_NS_MAX = 4_102_444_800 * 1_000_000_000


class Stamp(NamedTuple):
    """Nanoseconds since the epoch, no two of one process the same, and a UUID of version 7 made of them."""

    ns: int
    id: str

    @property
    def time_ms(self) -> int:
        return self.ns // 1_000_000

    @property
    def text(self) -> str:
        """RFC 3339 in UTC with nine digits: versions are compared as they are written."""
        seconds, ns = divmod(self.ns, 1_000_000_000)
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{ns:09d}Z"


class Stamps:
    """Gives stamps that rise, from any thread. One for all producers of a process: two of them may write one document.

    In the child of a fork they go on from those of the parent.
    """

    def __init__(self) -> None:
        self._lock = lifetime.ForkSafeLock()
        self._latest_ns = 0

    def next(self, now_ns: int) -> Stamp:
        """A stamp that is greater than those before it, unless the clock was set back by more than ten minutes: then it follows.

        `now_ns` is what the clock says. Raises WrongClock outside the years 2000 to 2100: a worker would reject every message.
        """
        with self._lock.current:
            behind_ns = self._latest_ns - now_ns
            if behind_ns > _BEHIND_MAX_NS:
                self._latest_ns = 0
            ns = max(now_ns, self._latest_ns + 1)
            if not _NS_MIN <= ns < _NS_MAX:
                raise WrongClock(f"the clock of this machine says {ns // 1_000_000_000} s since 1970: set it right")
            self._latest_ns = ns
        if behind_ns > _BEHIND_MAX_NS:
            say(logging.WARNING, "the clock was set back by %d s: the times of new messages follow it", behind_ns // 1_000_000_000)
        return Stamp(ns, uuid7(ns))


def uuid7(ns: int) -> str:
    """RFC 9562, version 7: milliseconds, then the nanoseconds within them (20 bits around the variant), then 54 random bits.

    So it rises with the time, and needs no counter.
    """
    millis, rest = divmod(ns, 1_000_000)
    value = (millis & (1 << 48) - 1) << 80
    value |= 7 << 76 | (rest >> 8) << 64
    value |= 2 << 62 | (rest & 0xFF) << 54
    value |= int.from_bytes(os.urandom(7), "big") >> 2
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
