"""What became of all messages, and its telling: counts always, the log at most once a second of a kind."""

from __future__ import annotations

import logging
import threading
import traceback
from dataclasses import asdict, dataclass, replace
from typing import Callable, Dict, Optional

from .outbox import Message
from .settings import Lost
from .telling import say

# Seconds between two lines of one kind.
_QUIET = 1.0


@dataclass
class Counts:
    """Messages of one producer in one process. `accepted` is `waiting + sent + undelivered`, and `lost` is `dropped + undelivered`."""

    accepted: int = 0
    # Not settled yet, those in flight among them.
    waiting: int = 0
    sent: int = 0
    # Never accepted, for there was no room.
    dropped: int = 0
    # Accepted, but not delivered: see `Lost` for each.
    refused: int = 0
    late: int = 0
    denied: int = 0
    abandoned: int = 0

    @property
    def undelivered(self) -> int:
        """Messages that were accepted and then given up: the queue did not confirm them, and they are not tried again.

        Messages that still wait do not count here. Neither do dropped ones: those were never accepted.
        """
        return self.refused + self.late + self.denied + self.abandoned

    @property
    def lost(self) -> int:
        """All that will not be sent: messages that were dropped, and undelivered ones."""
        return self.dropped + self.undelivered

    def as_dict(self) -> Dict[str, int]:
        return {**asdict(self), "lost": self.lost}


class Tally:
    """Counts, logs and tells `on_lost`. Not to be called while a lock is held: what it tells is foreign code."""

    def __init__(self, on_lost: Optional[Callable[[Lost], None]], monotonic: Callable[[], float]) -> None:
        self._on_lost = on_lost
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._counts = Counts()
        self._told_at: Dict[str, float] = {}
        self._untold: Dict[str, int] = {}

    def counts(self) -> Counts:
        with self._lock:
            return replace(self._counts)

    def accepted(self) -> None:
        with self._lock:
            self._counts.accepted += 1
            self._counts.waiting += 1

    def sent(self) -> None:
        with self._lock:
            self._counts.waiting -= 1
            self._counts.sent += 1

    def lost(self, message: Message, why: str, text: str) -> None:
        with self._lock:
            setattr(self._counts, why, getattr(self._counts, why) + 1)
            if why != "dropped":
                self._counts.waiting -= 1
        self._log(why, text)
        if self._on_lost is not None:
            try:
                self._on_lost(Lost(why, text, message.id, message.body.decode("utf-8"), dict(message.attributes)))
            except Exception:  # noqa: BLE001 - a caller's function must not end the thread
                say(logging.ERROR, "on_lost failed:\n%s", traceback.format_exc())

    def warn(self, text: str, value: str) -> None:
        """Logs what may come with every call, at most once a second."""
        now = self._monotonic()
        with self._lock:
            told_at = self._told_at.get(text)
            if told_at is not None and now - told_at < _QUIET:
                return
            self._told_at[text] = now
        say(logging.WARNING, text, value)

    def tell_rest(self) -> None:
        """Logs what was not logged yet, at the end."""
        with self._lock:
            rest, self._untold = self._untold, {}
        for why, count in rest.items():
            say(logging.ERROR, "%d more messages were not sent (%s)", count, why)

    def _log(self, why: str, text: str) -> None:
        now = self._monotonic()
        with self._lock:
            told_at = self._told_at.get(why)
            if told_at is not None and now - told_at < _QUIET:
                self._untold[why] = self._untold.get(why, 0) + 1
                return
            # Before it is logged: a handler of the log may send messages too.
            self._told_at[why] = now
            more = self._untold.pop(why, 0)
        say(logging.ERROR, "a message was not sent (%s): %s%s", why, text, f" (and {more} more before it)" if more else "")
