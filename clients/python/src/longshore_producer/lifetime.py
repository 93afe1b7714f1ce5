"""What lives as long as a process, and not longer: its end, and its forks."""

from __future__ import annotations

import atexit
import os
import sys
from typing import List, Protocol


class Lives(Protocol):
    """Something that has a thread."""

    def at_exit(self) -> None:
        """The process ends: sends what waits, for as long as that may take."""

    def after_fork(self) -> None:
        """This is a child now: what the parent had is the parent's."""


_all: List[Lives] = []
_is_finalizer_set = False


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


def _at_exit() -> None:
    for one in list(_all):
        one.at_exit()


def _after_fork() -> None:
    global _is_finalizer_set
    _is_finalizer_set = False
    for one in list(_all):
        one.after_fork()


atexit.register(_at_exit)
# Not on Windows, which has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
