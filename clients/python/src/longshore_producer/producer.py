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

    A call checks the message, puts it into memory, and returns. A background thread sends it. So a call takes well under a
    millisecond for usual messages. It fails only if the message itself is wrong, or if there is no room and `when_full` is not
    "drop".

    Each call returns the message's `longshore-id`, or None if the message was dropped because there was no room (that is
    counted and logged). It raises BadMessage if a worker would reject the message, QueueFull (see `when_full`) and
    ProducerClosed.
    """

    def __init__(self, settings: Optional[Settings] = None, *, clock: Optional[Clock] = None, **given: Any) -> None:
        """Give whole Settings, or single settings, which are the fields of Settings. Single ones that are not given are taken from
        the environment, otherwise they have their defaults.

        Raises BadSettings. No request to AWS is made here.
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
        """An event: something that happened. It is written once, to the collection `events`.

        `id` becomes its `_id`: an event that is sent again with it is the same event. Without `id`, the `_id` is made of the
        longshore-id. `timestamp` is when it happened, by default the time of the call.
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
        """The whole state of a session, in the collection `sessions`: the one with the newest `last_accessed` wins.

        By default `last_accessed` is the time of the call, to the nanosecond, and always rises: of two calls the later wins.
        """
        made = self._make(lambda stamp: messages.session(session_id, session_data, last_accessed=last_accessed, stamp=stamp))
        return self._send(*made, group)

    def cache_user_data(
        self, user_id: object, data: object, *, updated: Optional[datetime] = None, group: Optional[str] = None
    ) -> Optional[str]:
        """The cached data of a user, in the collection `user_cache`: the newest `updated` wins, as in store_session_data."""
        made = self._make(lambda stamp: messages.cache(user_id, data, updated=updated, stamp=stamp))
        return self._send(*made, group)

    def send(
        self, type: str, fields: Mapping[str, object], *, key: Optional[str] = None, group: Optional[str] = None
    ) -> Optional[str]:
        """A message for a route of your own: `type` names the route, `fields` is the rest of the body.

        `key` is the name of the route's key field, if it has one: `send("order", {"order_id": 7}, key="order_id")`. Then that
        field must be there and be a valid key, and field names that are empty or contain a dot are refused, as the worker would
        reject them. The other rules of the route are not known here. On a FIFO queue the value of the key is the message
        group; without `key` give a `group`. If the route has a version field, give it. Otherwise the order of the calls
        decides, and between producers their clocks.
        """
        made = self._make(lambda stamp: messages.own(type, fields, key=key, stamp=stamp))
        return self._send(*made, group)

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until all messages that were accepted before are sent. They no longer wait for others to fill a batch.

        False if some were not sent within `timeout` seconds, or were lost meanwhile: counts() tells why.
        """
        return self._core.flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Accepts no more messages, sends those that wait, and ends the threads.

        False if messages were left after `timeout` seconds, or were lost meanwhile. Those that were left are counted as
        abandoned, logged, and passed to on_lost. Closing twice does nothing.
        """
        lifetime.remove(self)
        return self._core.close(timeout)

    @property
    def settings(self) -> Settings:
        """The settings in force, with those from the environment and the defaults."""
        return self._settings

    def counts(self) -> Counts:
        """How many messages this process has given to the producer so far, and what became of them."""
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
        """Called in a child. Only the parent sends the messages that waited at the fork."""
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
