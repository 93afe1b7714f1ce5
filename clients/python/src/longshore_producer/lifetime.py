"""What lives as long as a process, and not longer: its end, and its forks."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import Iterator, List, Optional, Protocol
from weakref import WeakSet


class Lives(Protocol):
    """Something that has a thread."""

    def at_exit(self, elapsed: float) -> None:
        """The process ends, and has been waiting for others for so many seconds: sends what waits, for as long as that may take."""

    def after_fork(self) -> None:
        """This is a child now: what the parent had is the parent's."""


# Seconds that a fork waits for calls in flight. What takes longer waits for the network, and holds no lock.
_FORK_WAIT_MAX = 3.0

_all: List[Lives] = []
_locks: "WeakSet[ForkSafeLock]" = WeakSet()
_is_watching = False
_is_finalizer_set = False


class ForkSafeLock:
    """A reentrant lock that nobody holds in the child of a fork: `with lock.current:`. For objects that live through forks.

    Another thread may hold a lock at the moment of a fork. The child does not have that thread, so there nobody would ever
    release the lock. Therefore the child gets a new one.

    The lock is an attribute, and this class has no `with` of its own, for two reasons. Python takes its own lock in one step,
    which a signal handler cannot interrupt. And a thread that forks while it holds the lock then releases the one that it
    took, and not the new one.
    """

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def renew(self) -> None:
        """To be called in a child, before it has a second thread."""
        self.current = threading.RLock()


class _Calls:
    """Keeps calls to SQS and forks apart.

    A call holds locks that a child could never open: those of OpenSSL while a context is made or a connection opened, and
    those of modules that are being imported. (Seen with `gunicorn --preload`: its workers hung in their first call.)
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_flight = 0
        self._is_forking = False

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._changed:
            while self._is_forking:
                self._changed.wait()
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def before_fork(self) -> None:
        """Holds the lock until after the fork, so that no call begins amid it."""
        self._changed.acquire()
        self._is_forking = True
        self._changed.wait_for(lambda: not self._in_flight, _FORK_WAIT_MAX)

    def after_fork_in_parent(self) -> None:
        self._is_forking = False
        self._changed.notify_all()
        self._changed.release()


_calls = _Calls()


def add(one: Lives) -> None:
    """Kept until `remove`, so that one that nobody holds any more still sends what it took."""
    _all.append(one)


def remove(one: Lives) -> None:
    if one in _all:
        _all.remove(one)


def thread_starts() -> None:
    """To be called in each process before it sends: processes of multiprocessing end without atexit."""
    global _is_finalizer_set
    if _is_finalizer_set:
        return
    _is_finalizer_set = True
    # billiard is what Celery has of multiprocessing.
    for package in ("multiprocessing", "billiard"):
        util, process = sys.modules.get(package + ".util"), sys.modules.get(package + ".process")
        # Not in the first process, where atexit is later: others may call from theirs until then.
        if util is not None and process is not None and process.current_process().name != "MainProcess":
            # Below 0: after its own finalizers, those of its queues among them.
            util.Finalize(None, _at_exit, exitpriority=-100)


@contextmanager
def call() -> Iterator[None]:
    """To be held while SQS is called, the making of its client included."""
    with _calls.one():
        yield


def _at_exit() -> None:
    interrupted: Optional[BaseException] = None
    begun = time.monotonic()
    for one in list(_all):
        try:
            one.at_exit(time.monotonic() - begun)
        except BaseException as error:  # noqa: BLE001 - Ctrl-C: the others still have to tell what they lose
            interrupted = error
    if interrupted is not None:
        raise interrupted


def _before_fork() -> None:
    _calls.before_fork()


def _after_fork_in_parent() -> None:
    _calls.after_fork_in_parent()


def _after_fork_in_child() -> None:
    global _is_finalizer_set, _calls
    _is_finalizer_set, _calls = False, _Calls()
    for lock in list(_locks):
        lock.renew()
    for one in list(_all):
        one.after_fork()


def watch_forks() -> None:
    """To be called before there is a thread or a connection. Only once does it something.

    Not when this is imported: what is registered last runs first before a fork. So a fork waits for calls in flight before
    it takes the locks of logging, which those calls need to come to their end.
    """
    global _is_watching
    if _is_watching:
        return
    _is_watching = True
    # Not on Windows, which has no fork.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
        )


# When this is imported: what the application registers later comes before it, and may still send.
atexit.register(_at_exit)
