"""The producer: what an application calls."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any, Callable, Mapping, Optional, Type

from . import lifetime, messages, packing, settings as settings_, trace
from .core import Clock, Core
from .errors import BadMessage, BadSettings
from .identity import Stamp, Stamps
from .messages import Made
from .outbox import Message
from .settings import Settings
from .tally import Counts


# Of two calls in one process the later wins, whichever producers they go by.
_stamps = Stamps()


class Producer:
    """Sends messages to the queue of a Longshore worker. For many threads, and through forks; one for each queue is enough.

    A call checks the message, puts it where it waits in memory, and returns: a background thread sends. So a call takes
    well under a millisecond for usual messages, and it fails only for what is wrong with the message itself, or where no
    room is left and `when_full` is not "drop".

    Each call returns the message's `longshore-id`, or None where it was dropped for want of room (which is counted and
    logged). It raises BadMessage where a worker would refuse the message, QueueFull (see `when_full`) and ProducerClosed.
    """

    def __init__(self, settings: Optional[Settings] = None, *, clock: Optional[Clock] = None, **given: Any) -> None:
        """By settings as they are, or by single ones, which are the fields of Settings; of these, what is not given is looked for
        in the environment.

        Raises BadSettings. Nothing is asked of AWS here.
        """
        if settings is not None and given:
            raise BadSettings(f"settings and {', '.join(sorted(given))} are given: put them all into Settings, or give none")
        self._settings = settings_.whole(settings) if settings is not None else settings_.from_environment(**given)
        self._clock = Clock() if clock is None else clock
        self._stamps = _stamps if clock is None else Stamps()
        self._core = Core(self._settings, self._clock)
        lifetime.watch_forks()
        lifetime.add(self)

    def log_user_event(
        self,
        user_id: object,
        event_type: str,
        metadata: object,
        *,
        id: object = None,
        timestamp: Optional[datetime] = None,
        group: Optional[str] = None,
    ) -> Optional[str]:
        """Something that happened: written once, to the collection `events`.

        `id` becomes its `_id`: sent again, it is the same event. Otherwise its `_id` is made of the longshore-id.
        `timestamp` is when it happened, and the time of the call if it is not given.
        """
        made = self._make(lambda stamp: messages.event(user_id, event_type, metadata, id=id, timestamp=timestamp, stamp=stamp))
        return self._send(*made, group)

    def store_session_data(
        self,
        session_id: object,
        session_data: object,
        *,
        last_accessed: Optional[datetime] = None,
        group: Optional[str] = None,
    ) -> Optional[str]:
        """The state of a session, whole: the newest `last_accessed` wins, in the collection `sessions`.

        It is the time of the call if it is not given, to the nanosecond, and rises: of two calls the later wins.
        """
        made = self._make(lambda stamp: messages.session(session_id, session_data, last_accessed=last_accessed, stamp=stamp))
        return self._send(*made, group)

    def cache_user_data(
        self, user_id: object, data: object, *, updated: Optional[datetime] = None, group: Optional[str] = None
    ) -> Optional[str]:
        """What is kept of a user: the newest `updated` replaces it, in the collection `user_cache`. As store_session_data."""
        made = self._make(lambda stamp: messages.cache(user_id, data, updated=updated, stamp=stamp))
        return self._send(*made, group)

    def send(
        self, type: str, fields: Mapping[str, object], *, key: Optional[str] = None, group: Optional[str] = None
    ) -> Optional[str]:
        """A message for a route of your own: `type` names it, `fields` is the rest of the body.

        `key` is the name of the route's key, where it writes documents by one: `send("order", {"order_id": 7}, key="order_id")`.
        Then that field must be there and name a document, and names that are empty or have a dot are refused, all as its
        worker would. What else the route asks for is not known here. On a FIFO queue the group is that of the key; without
        `key` give a `group`. Give a version field of your own where the route has one; otherwise the order of the calls
        decides, and between producers their clocks.
        """
        made = self._make(lambda stamp: messages.own(type, fields, key=key, stamp=stamp))
        return self._send(*made, group)

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until all messages that were taken before are sent, and sends at once what lingers.

        False where some were not sent in so many seconds, or were lost meanwhile: counts() says how.
        """
        return self._core.flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Takes nothing more, sends what waits, and ends the threads. False where messages were left after so many seconds, or lost meanwhile.

        Those that were left are counted as abandoned, logged, and told to on_lost. Closing twice does nothing.
        """
        lifetime.remove(self)
        return self._core.close(timeout)

    @property
    def settings(self) -> Settings:
        """As they are in force."""
        return self._settings

    def counts(self) -> Counts:
        """What became of the messages of this process so far."""
        return self._core.tally.counts()

    def __enter__(self) -> "Producer":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], at: Optional[TracebackType]
    ) -> None:
        self.close()

    def at_exit(self, elapsed: float) -> None:
        """Called at the end of the process. Several producers have their time together, and not one after the other."""
        self.close(max(0.0, self._settings.exit_timeout - elapsed))

    def after_fork(self) -> None:
        """Called in a child. What waited at the fork is sent by the parent, and by the parent alone."""
        self._core = Core(self._settings, self._clock)

    def _make(self, make: Callable[[Stamp], Made]) -> "tuple[Made, Stamp]":
        stamp = self._stamps.next(self._clock.time_ns())
        return make(stamp), stamp

    def _send(self, made: Made, stamp: Stamp, group: Optional[str]) -> Optional[str]:
        settings = self._settings
        if group is not None:
            packing.check_group(group)
        elif settings.is_fifo:
            if made.key is None:
                raise BadMessage("", "has no group, and a FIFO queue takes none without: give group=..., or the name of the route's key as key=...")
            group = packing.group_of(made.key)
        body = packing.body_of(made.fields, settings.compress_above)
        attributes = {"longshore-id": stamp.id, "longshore-time": str(stamp.time_ms), **trace.context()}
        if body.is_packed:
            attributes["content-encoding"] = "gzip"
        message = Message(body.raw, attributes, packing.size_of(body.raw, attributes), stamp.id, group)
        lifetime.thread_starts()
        return stamp.id if self._core.put(message) else None
