"""What a producer has in one process: its outbox, its thread, its client. A fork gets a new one."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections import OrderedDict
from typing import List, Optional

from . import lifetime, sending
from .errors import ProducerClosed, QueueFull
from .outbox import Answer, Batch, Delivery, Message, Outbox, Settled
from .settings import Settings
from .tally import Tally
from .telling import say


class Clock:
    """Time, as tests make it otherwise: seconds, and the wait for a condition whose lock is held."""

    def monotonic(self) -> float:
        # Not time.monotonic, where there is another: freezegun and time-machine stop that one, and then nothing would be
        # sent and no wait would end. The time of a message, below, is what they say.
        return time.clock_gettime(time.CLOCK_MONOTONIC) if hasattr(time, "clock_gettime") else time.monotonic()

    def time_ns(self) -> int:
        return time.time_ns()

    def wait(self, condition: threading.Condition, seconds: Optional[float]) -> None:
        condition.wait(None if seconds is None else min(seconds, threading.TIMEOUT_MAX))


class Core:
    """Takes messages and sends them by a background thread, which the first message starts, and by more where much waits."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.tally = Tally(settings.on_lost, clock.monotonic)
        delivery = Delivery(settings.retry_initial, settings.retry_max, settings.budget, settings.linger, settings.is_fifo, settings.in_flight_max)
        self._outbox = Outbox(delivery, random.SystemRandom().random)
        # One lock. `_work`: there is something to do for the thread. `_settled`: there is room, or one waits less.
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._settled = threading.Condition(self._lock)
        # The serials of what waits, the oldest first, and their bytes.
        self._waiting: "OrderedDict[int, None]" = OrderedDict()
        self._waiting_bytes = 0
        # A count, and no sum: a signal's handler may call amid a call.
        self._serials = itertools.count(1)
        self._serial = 0
        self._is_closed = False
        self._is_let_go = False
        # Those that were started, and how many of them have nothing to do. The first makes the client.
        self._threads: List[threading.Thread] = []
        self._idle = 0
        # The serial up to which a flush waits.
        self._flushed = 0
        self._client: Optional[sending.SqsClient] = None

    def put(self, message: Message) -> bool:
        """Accepts a message. False if it was dropped.

        Waits only if `when_full` is "block", block_max at most. Raises QueueFull and ProducerClosed.
        """
        with self._lock:
            if not self._wait_for_room(message.bytes):
                full = f"{len(self._waiting)} messages of {self._waiting_bytes} bytes wait already, and there is no room for more (waiting_max, waiting_bytes_max)"
                if self._settings.when_full != "drop":
                    raise QueueFull(full)
            else:
                full = ""
                self._take(message)
                unstarted = self._start()
                self._work.notify()
        # Both not under the lock: what is told is foreign code.
        if not full:
            if unstarted is not None:
                self.tally.warn("the background thread did not start: %s", unstarted)
            return True
        self.tally.lost(message, "dropped", full + ': the queue is not reachable or slow; a script may set when_full="block"')
        return False

    def _take(self, message: Message) -> None:
        message.arrived, message.serial = self._clock.monotonic(), next(self._serials)
        try:
            self._serial = message.serial
            self._waiting[message.serial] = None
            self._waiting_bytes += message.bytes
            self._outbox.push(message)
            self.tally.accepted()
        except BaseException:
            # A signal's handler raised, Ctrl-C among them: what is not in the outbox has no end to wait for.
            if not self._outbox.has_last(message):
                self._forget([message])
            raise

    def _wait_for_room(self, size: int) -> bool:
        deadline: Optional[float] = None
        while True:
            if self._is_closed:
                raise ProducerClosed("the producer is closed and accepts no more messages: make a new one")
            has_room = (
                len(self._waiting) < self._settings.waiting_max
                and self._waiting_bytes + size <= self._settings.waiting_bytes_max
            )
            if has_room or self._settings.when_full != "block":
                return has_room
            now = self._clock.monotonic()
            deadline = now + self._settings.block_max if deadline is None else deadline
            if now >= deadline:
                return False
            self._clock.wait(self._settled, deadline - now)

    def flush(self, timeout: float) -> bool:
        """Waits until all messages that were accepted before are sent. `timeout` is seconds.

        False if some were not sent in that time, or were lost meanwhile.
        """
        deadline = self._clock.monotonic() + timeout
        undelivered_before = self.tally.counts().undelivered
        with self._lock:
            last = self._flushed = self._serial
            # What lingers for others to go along lingers no longer.
            self._work.notify_all()
        while True:
            with self._lock:
                if not self._waiting or next(iter(self._waiting)) > last:
                    return self.tally.counts().undelivered == undelivered_before
                now = self._clock.monotonic()
                if now >= deadline:
                    return False
                self._start()
                if self._is_running():
                    self._clock.wait(self._settled, deadline - now)
                    continue
            # No thread can be started while the interpreter ends: then who waits sends.
            self._step(deadline)

    def close(self, timeout: float) -> bool:
        """Accepts no more messages, sends those that wait, and gives up what is left after `timeout` seconds. False if any were left or lost."""
        with self._lock:
            self._is_closed = True
            self._work.notify_all()
            self._settled.notify_all()
        try:
            return self.flush(timeout)
        finally:
            # Also after Ctrl-C: what is lost is told.
            with self._lock:
                self._is_let_go = True
                left = self._outbox.clear()
                self._forget(left)
                self._work.notify_all()
            for message in left:
                self.tally.lost(message, "abandoned", "the producer ended before the queue confirmed it")
            self.tally.tell_rest()

    def _start(self) -> Optional[str]:
        """Starts a thread where there is none, or where all that there are wait for answers and others may be asked.

        The lock is held. Returns why it did not start, where there is none now.
        """
        if self._is_let_go or (self._is_running() and not self._wants_another()):
            return None
        thread = threading.Thread(target=self._run, name="longshore-producer", daemon=True)
        # Kept before it starts: where Ctrl-C comes in between, no second one is started.
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        try:
            thread.start()
        except RuntimeError as error:
            # At the end of the interpreter; or the machine has no thread left, and the next call tries again.
            return None if self._is_running() else str(error)
        return None

    def _is_running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _wants_another(self) -> bool:
        is_free = not self._idle and len(self._threads) < self._settings.in_flight_max
        return is_free and self._client is not None and self._outbox.may_go_beside()

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._is_let_go or (self._is_closed and self._outbox.is_empty):
                    return
            self._step(None)

    def _step(self, deadline: Optional[float]) -> None:
        """Sends one batch, or waits for one. Until the deadline, where there is one."""
        with self._lock:
            now = self._clock.monotonic()
            what = self._outbox.next(now, self._is_closed, self._flushed)
            if not isinstance(what, Batch):
                until = [moment for moment in (what, deadline) if moment is not None]
                if not self._is_let_go and not (self._is_closed and self._outbox.is_empty):
                    self._idle += 1
                    try:
                        self._clock.wait(self._work, max(0.0, min(until) - now) if until else None)
                    finally:
                        self._idle -= 1
                return
            if self._outbox.may_go_beside():
                # One wakes the next, as long as full batches wait.
                self._start()
                self._work.notify()
        try:
            answer = self._call(what)
        except BaseException:
            # Where the caller's own thread sends, Ctrl-C may end it: the batch waits again.
            with self._lock:
                self._outbox.interrupted(what)
            raise
        with self._lock:
            was_in_trouble = self._outbox.is_in_trouble
            settled = self._outbox.answered(what, answer, self._clock.monotonic())
            is_in_trouble, waiting = self._outbox.is_in_trouble, len(self._waiting)
        self._tell_trouble(was_in_trouble, is_in_trouble, waiting, answer)
        # Counted before those who wait are woken: after a flush the counts are right.
        self._tell(settled)
        with self._lock:
            self._forget([one.message for one in settled])

    def _call(self, batch: Batch) -> Answer:
        with lifetime.call():
            try:
                if self._client is None:
                    make = self._settings.make_client
                    self._client = sending.boto3_client(self._settings) if make is None else make()
            except Exception as error:  # noqa: BLE001 - such as a profile that is not there: it may come
                return sending.fault_of(error)
            return sending.send(self._client, self._settings.queue_url, batch.messages, is_fifo=self._settings.is_fifo)

    def _tell(self, settled: List[Settled]) -> None:
        for one in settled:
            if one.why is None:
                self.tally.sent()
                continue
            try:
                self.tally.lost(one.message, one.why.value, one.text)
            except BaseException as error:  # noqa: BLE001 - on_lost ended by SystemExit or the like: the thread lives on
                say(logging.ERROR, "on_lost failed: %s", type(error).__name__)

    def _tell_trouble(self, was: bool, is_now: bool, waiting: int, answer: Answer) -> None:
        """Says once that the queue takes nothing, and once that it does again."""
        if is_now and not was:
            text = "every message failed" if isinstance(answer, list) else answer.text
            say(logging.WARNING, "the queue takes no messages: %d wait and will be tried again (%s)", waiting, text)
        elif was and not is_now:
            say(logging.WARNING, "the queue takes messages again: %d still wait", waiting)

    def _forget(self, messages: List[Message]) -> None:
        """Gives back the room of messages that have their end. The lock is held."""
        for message in messages:
            if self._waiting.pop(message.serial, self) is None:
                self._waiting_bytes -= message.bytes
        if messages:
            self._settled.notify_all()
