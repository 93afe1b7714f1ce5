"""Threads, forks and the end of the interpreter: nothing is lost that was promised, and nothing is sent twice."""

import logging
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fakes import FakeQueue, away
from longshore_producer import Producer

SOURCES = str(Path(__file__).parents[1] / "src")


def run(code, *, status=0, **env):
    """A program of its own, with the addresses of the fixture `longshore`. Returns what it wrote."""
    env = {**os.environ, "PYTHONPATH": SOURCES, **env}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def users(longshore):
    return sorted(event["user_id"] for event in longshore.good("events", limit=1000))


def test_the_end_of_the_interpreter_sends_what_waits(longshore):
    run("from longshore_producer import log_user_event\nfor n in range(500): log_user_event(n, 'e', None)")
    assert longshore.wait(500) == {"good": 500, "bad": 0}
    assert users(longshore) == list(range(500))


def test_so_do_an_exit_with_an_error_and_one_from_a_thread_and_a_call_from_atexit(longshore):
    run("from longshore_producer import log_user_event\nlog_user_event(1, 'e', None)\nraise SystemExit(3)", status=3)
    run("import longshore_producer as l\nl.log_user_event(2, 'e', None)\n1/0", status=1)
    # Registered after the package: it runs before the package's own. The first message is of that moment.
    run("import atexit, longshore_producer as l\natexit.register(lambda: l.log_user_event(3, 'e', None))")
    run("import threading, time, longshore_producer as l\n"
        "threading.Thread(target=lambda: (time.sleep(0.3), l.log_user_event(4, 'e', None))).start()")
    assert longshore.wait(4) == {"good": 4, "bad": 0}
    assert users(longshore) == [1, 2, 3, 4]


def test_where_no_thread_starts_any_more_the_end_of_the_interpreter_sends_by_itself(longshore):
    # As Python 3.12 and newer do while they end.
    run("import atexit, threading, longshore_producer as l\n"
        "def late():\n"
        "    def start(self): raise RuntimeError(\"can't create new thread at interpreter shutdown\")\n"
        "    threading.Thread.start = start\n"
        "    for n in range(25): l.log_user_event(n, 'e', None)\n"
        "atexit.register(late)")
    assert longshore.wait(25) == {"good": 25, "bad": 0}


def test_an_exit_without_a_queue_takes_as_long_as_said_and_tells_what_is_lost():
    said = run(
        "import logging, longshore_producer as l\nlogging.basicConfig()\n"
        "def away(): raise OSError('away')\n"
        "l.configure(queue_url='http://127.0.0.1:9/1/portal', make_client=away, exit_timeout=0.5)\n"
        "for n in range(3): l.log_user_event(n, 'e', None)"
    )
    assert "the queue takes no messages: 3 wait" in said
    assert "(abandoned)" in said and "2 more messages were not sent (abandoned)" in said


def test_a_child_sends_its_own_messages_and_not_those_of_its_parent(longshore):
    # The queue is away for the parent until it has forked: what waits at the fork is in both memories.
    run(
        "import os, time, longshore_producer as l\n"
        "from longshore_producer.settings import from_environment\n"
        "from longshore_producer.sending import boto3_client\n"
        "fork_done = False\n"
        "class Late:\n"
        "    client = None\n"
        "    def send_message_batch(self, **given):\n"
        "        if not fork_done: raise OSError('away')\n"
        "        self.client = self.client or boto3_client(from_environment())\n"
        "        return self.client.send_message_batch(**given)\n"
        "l.configure(make_client=Late)\n"
        "for n in range(100): l.log_user_event(n, 'parent', None)\n"
        "children = []\n"
        "for child in (1, 2):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        fork_done = True\n"
        "        assert l.counts().accepted == 0, 'a child counts its own'\n"
        "        for n in range(100): l.log_user_event(1000 * child + n, 'child', None)\n"
        "        raise SystemExit(0)\n"
        "    children.append(pid)\n"
        "for pid in children: assert os.waitpid(pid, 0)[1] == 0\n"
        "fork_done = True\n"
    )
    assert longshore.wait(300) == {"good": 300, "bad": 0}
    assert users(longshore) == [*range(100), *range(1000, 1100), *range(2000, 2100)]


def test_a_fork_amid_calls_of_other_threads_leaves_no_lock_held(longshore):
    said = run(
        "import os, threading, longshore_producer as l\n"
        # Few wait, or what is sent for nothing takes longer than the forks: most of these calls drop theirs.
        "l.configure(waiting_max=20)\n"
        "ends = threading.Event()\n"
        "def calls():\n"
        "    while not ends.is_set(): l.store_session_data('busy', {})\n"
        "threads = [threading.Thread(target=calls, daemon=True) for _ in range(2)]\n"
        "for thread in threads: thread.start()\n"
        "for n in range(10):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        l.log_user_event(n, 'e', None)\n"
        "        os._exit(0 if l.flush(20) else 1)\n"
        "    assert os.waitpid(pid, 0)[1] == 0, n\n"
        "ends.set()\n"
        "for thread in threads: thread.join()\n"
        "assert l.flush(30)\n"
        "print('sessions', l.counts().sent)\n"
    )
    sessions = int(said.partition("sessions ")[2].split()[0])
    assert longshore.wait(10 + sessions, timeout=60) == {"good": 10 + sessions, "bad": 0}
    assert users(longshore) == list(range(10))


def test_no_lock_that_a_call_holds_at_a_fork_stops_the_child(longshore):
    # As OpenSSL has them, and imports: they are not ours, and nobody makes them anew in a child.
    run(
        "import os, threading, time, longshore_producer as l\n"
        "from longshore_producer.sending import boto3_client\n"
        "from longshore_producer.settings import from_environment\n"
        "inside, begun = threading.Lock(), threading.Event()\n"
        "class Locking:\n"
        "    client = None\n"
        "    def send_message_batch(self, **given):\n"
        "        with inside:\n"
        "            begun.set(); time.sleep(0.3)\n"
        "            self.client = self.client or boto3_client(from_environment())\n"
        "            return self.client.send_message_batch(**given)\n"
        "l.configure(make_client=Locking)\n"
        "for n in range(3):\n"
        "    l.log_user_event(n, 'parent', None)\n"
        "    begun.wait(); begun.clear()\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        l.log_user_event(10 + n, 'child', None)\n"
        "        os._exit(0 if l.flush(15) else 1)\n"
        "    assert os.waitpid(pid, 0)[1] == 0, n\n"
    )
    assert longshore.wait(6) == {"good": 6, "bad": 0}
    assert users(longshore) == [0, 1, 2, 10, 11, 12]


def test_a_fork_waits_for_no_call_for_ever():
    run(
        "import os, threading, time, longshore_producer as l\n"
        "from longshore_producer import lifetime\n"
        "lifetime._FORK_WAIT_MAX, begun = 0.2, threading.Event()\n"
        "class Hangs:\n"
        "    def send_message_batch(self, **given):\n"
        "        begun.set(); time.sleep(3600)\n"
        "l.configure(queue_url='https://sqs.eu-west-1.amazonaws.com/1/p', make_client=Hangs, exit_timeout=0)\n"
        "l.log_user_event(1, 'parent', None)\n"
        "begun.wait()\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
    )


def test_no_lock_that_a_thread_holds_at_a_fork_stops_the_child(longshore):
    run(
        "import os, threading, longshore_producer as l\n"
        "from longshore_producer import default\n"
        "l.log_user_event(0, 'parent', None)\n"
        "core, held, ends = l.producer()._core, threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    forked = default._lock.current, l.producer()._stamps._lock.current, l.MongoManager._lock.current\n"
        "    with forked[0], forked[1], forked[2], core._lock, core.tally._lock:\n"
        "        held.set(); ends.wait()\n"
        "threading.Thread(target=hold, daemon=True).start(); held.wait()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    import signal; signal.alarm(20)\n"
        "    l.log_user_event(1, 'child', None)\n"
        "    ok = l.flush(15) and l.close() and l.MongoManager.ping()\n"
        "    l.log_user_event(2, 'child', None)\n"
        "    os._exit(0 if l.flush(15) and ok else 1)\n"
        "status = os.waitpid(pid, 0)[1]; ends.set()\n"
        "raise SystemExit(status != 0)\n"
    )
    assert longshore.wait(3) == {"good": 3, "bad": 0}
    assert users(longshore) == [0, 1, 2]


def test_who_forks_while_they_hold_a_lock_release_it_in_both_processes():
    # A signal's handler may fork amid a call.
    run(
        "import os, threading, longshore_producer as l\n"
        "from longshore_producer import default, lifetime\n"
        "lifetime.watch_forks()\n"
        "locks = default._lock, l.MongoManager._lock, l.producer()._stamps._lock\n"
        "with locks[0].current, locks[1].current, locks[2].current:\n"
        "    pid = os.fork()\n"
        "def take():\n"
        "    took.extend(lock.current.acquire(timeout=10) for lock in locks)\n"
        "took = []\n"
        "thread = threading.Thread(target=take); thread.start(); thread.join()\n"
        "assert took == [True, True, True], (pid, took)\n"
        "assert pid == 0 or os.waitpid(pid, 0)[1] == 0\n",
        LONGSHORE__QUEUE__URL="https://sqs.eu-west-1.amazonaws.com/1/p",
    )


def _child(number):
    import longshore_producer

    longshore_producer.log_user_event(number, "e", None)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_end_without_atexit_and_send_all_the_same(longshore, method):
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=_child, args=(number,)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert longshore.wait(3) == {"good": 3, "bad": 0}


def test_many_threads_lose_nothing_and_double_nothing(longshore):
    with longshore.producer() as producer:

        def calls(thread):
            for number in range(100):
                producer.log_user_event(1000 * thread + number, "e", {"n": number})

        threads = [threading.Thread(target=calls, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    counts = producer.counts()
    assert (counts.accepted, counts.sent, counts.waiting, counts.lost) == (800, 800, 0, 0)
    assert longshore.wait(800) == {"good": 800, "bad": 0}
    assert users(longshore) == sorted(1000 * thread + number for thread in range(8) for number in range(100))


def test_a_producer_that_nobody_holds_any_more_still_sends(longshore):
    longshore.producer().log_user_event(1, "e", None)
    assert longshore.wait(1) == {"good": 1, "bad": 0}


def test_on_lost_may_raise_and_may_send_without_ending_the_thread():
    queue = FakeQueue(lambda entries: {"Failed": [{"Id": entry["Id"], "SenderFault": True, "Code": "No"} for entry in entries]})
    told = []

    def on_lost(lost):
        told.append(lost)
        if len(told) == 1:
            producer.log_user_event(2, "again", None)
        raise ValueError("of the caller")

    producer = Producer(queue_url="https://sqs.eu-west-1.amazonaws.com/1/p", make_client=lambda: queue, on_lost=on_lost)
    producer.log_user_event(1, "e", None)
    producer.flush()
    producer.flush()
    assert [one.why for one in told] == ["refused", "refused"]
    producer.close()


def test_a_log_that_raises_stops_neither_a_call_nor_the_thread():
    class Raises(logging.Filter):
        def filter(self, record):
            raise ValueError(record)

    raises, log = Raises(), logging.getLogger("longshore_producer")
    log.addFilter(raises)
    queue = FakeQueue(lambda entries: away(entries) if len(queue.calls) < 3 else None)
    try:
        with Producer(
            queue_url="https://sqs.eu-west-1.amazonaws.com/1/p", make_client=lambda: queue, waiting_max=2, retry_initial=0.01
        ) as producer:
            assert [producer.log_user_event(1, "e", None) is None for _ in range(3)] == [False, False, True]
            assert producer.flush()
    finally:
        log.removeFilter(raises)
    assert (producer.counts().sent, producer.counts().dropped) == (2, 1)


def test_a_client_that_cannot_be_made_yet_is_made_later():
    made = []

    def make():
        made.append(True)
        if len(made) < 3:
            raise OSError("no credentials file yet")
        return FakeQueue()

    with Producer(queue_url="https://sqs.eu-west-1.amazonaws.com/1/p", make_client=make) as producer:
        producer.log_user_event(1, "e", None)
        assert producer.flush()
    assert producer.counts().sent == 1 and len(made) == 3


def test_an_answer_that_comes_after_the_end_counts_nothing_twice():
    begun, may_end = threading.Event(), threading.Event()

    class Slow(FakeQueue):
        def send_message_batch(self, **given):
            begun.set()
            may_end.wait(30)
            return super().send_message_batch(**given)

    producer = Producer(queue_url="https://sqs.eu-west-1.amazonaws.com/1/p", make_client=Slow)
    producer.log_user_event(1, "e", None)
    assert begun.wait(30) and not producer.close(0.05)
    (thread,) = producer._core._threads
    may_end.set()
    thread.join(30)
    counts = producer.counts()
    assert not thread.is_alive() and (counts.abandoned, counts.sent, counts.waiting) == (1, 0, 0)


def test_on_lost_that_ends_the_thread_does_not():
    queue = FakeQueue(lambda entries: {"Failed": [{"Id": entry["Id"], "SenderFault": True, "Code": "No"} for entry in entries]})

    def on_lost(lost):
        raise SystemExit

    with Producer(queue_url="https://sqs.eu-west-1.amazonaws.com/1/p", make_client=lambda: queue, on_lost=on_lost) as producer:
        for _ in range(3):
            producer.log_user_event(1, "e", None)
        producer.flush(10)
    assert (producer.counts().refused, producer.counts().waiting) == (3, 0)


def test_several_producers_have_the_time_of_an_exit_together():
    code = (
        "import time, threading, longshore_producer as l\n"
        "from longshore_producer import lifetime\n"
        "def away(): raise OSError('away')\n"
        "for n in range(5):\n"
        "    l.Producer(queue_url='https://sqs.eu-west-1.amazonaws.com/1/p', make_client=away, exit_timeout=1.0).log_user_event(n, 'e', None)\n"
        "begun = time.monotonic(); lifetime._at_exit(); took = time.monotonic() - begun\n"
        "assert took < 3, took\n"
    )
    run(code)


def test_a_machine_without_threads_is_told_once_a_second(monkeypatch, caplog):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    producer = Producer(queue_url="https://sqs.eu-west-1.amazonaws.com/1/p", make_client=FakeQueue, exit_timeout=0)
    is_locked = []

    def look(record):
        is_locked.append(producer._core._lock._is_owned())
        return True

    caplog.handler.addFilter(look)
    for _ in range(50):
        producer.log_user_event(1, "e", None)
    caplog.handler.removeFilter(look)
    # A handler of the application may wait for a thread that waits for this lock.
    assert is_locked == [False]
    assert len([record for record in caplog.records if "did not start" in record.getMessage()]) == 1
    # Who waits sends.
    assert producer.close() and producer.counts().sent == 50
