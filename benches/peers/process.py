"""How the bench talks to a worker in Python: it has started, it shall end, it ends."""

import json
import os
import signal
import sys
import threading
from collections import Counter

STOP = threading.Event()
CALLS = Counter()


def end_by_signal():
    """Lets SIGTERM end it."""
    signal.signal(signal.SIGTERM, lambda *_: STOP.set())


def tell(message, **fields):
    """As a line of Longshore's log."""
    print(json.dumps({"message": message, **fields}), file=sys.stderr, flush=True)


def unless_it_fails(work):
    """Runs `work`; where it raises, the whole process ends at once: what it did counts for nothing."""

    def run(*arguments):
        try:
            work(*arguments)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)

    return run
