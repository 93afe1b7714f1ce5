import os
import signal

from celery import Celery
from celery_worker import transport
from conftest import EXAMPLES, python, running, wait_for

PAID = "2026-11-22T10:00:00.123456+00:00"
# What a single worker does not need: to look for others takes seconds.
ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")
WORKER = python("-m", "celery", "-A", "celery_worker:app", "worker", "--pool", "prefork", "--loglevel", "INFO", *ALONE)


class Tasks:
    """A broker in a folder, what asks for tasks, and a real worker."""

    def __init__(self, folder):
        self._folder, self._log = folder, folder / "log"
        for name in ("broker", "broker-control"):
            (folder / name).mkdir(parents=True)
        self._app = Celery(broker="filesystem://", set_as_current=False)
        self._app.conf.update(transport(str(folder / "broker")))

    def ask(self, name, *arguments):
        self._app.send_task(f"celery_tasks.{name}", arguments)

    def worker(self, *options, linger, end=signal.SIGTERM):
        paths = os.pathsep.join([str(EXAMPLES), str(EXAMPLES / "tests"), os.environ.get("PYTHONPATH", "")])
        env = {"CELERY_FOLDER": str(self._folder / "broker"), "LINGER": str(linger), "PYTHONPATH": paths}
        return running([*WORKER, *options], self._log, end=end, **env)

    def wait(self, count):
        wait_for(f"{count} tasks that are done", lambda: self._log.read_text().count(" succeeded in ") >= count)


def test_what_tasks_log_is_stored_though_their_processes_end(longshore, tmp_path):
    """Nothing is sent by itself for ten seconds. One worker ends; the processes of the other end after four tasks each."""
    ends, renews = Tasks(tmp_path / "ends"), Tasks(tmp_path / "renews")
    for user in range(25):
        ends.ask("page_seen", user, "/cart")
    for user in range(100, 108):
        renews.ask("page_seen", user, "/cart")

    def users():
        return sorted(event["user_id"] for event in longshore.good("events"))

    with renews.worker("--concurrency", "1", "--max-tasks-per-child", "4", linger=10, end=signal.SIGKILL):
        with ends.worker("--concurrency", "2", linger=10):
            ends.wait(25)
        wait_for("8 events of processes that ended", lambda: [user for user in users() if user >= 100] == list(range(100, 108)))
    assert longshore.wait(33) == {"good": 33, "bad": 0}
    assert users() == [*range(25), *range(100, 108)]


def test_a_task_that_must_not_be_lost_is_done_when_it_is_sent_and_may_run_twice(longshore, tmp_path):
    tasks = Tasks(tmp_path)
    for number in ("o-1", "o-2", "o-1"):
        tasks.ask("order_paid", 123, number, PAID)
    # All processes are killed as soon as the tasks are done: what waited in their memory then would be lost.
    with tasks.worker("--concurrency", "2", linger=1, end=signal.SIGKILL):
        tasks.wait(3)
    assert longshore.wait(3) == {"good": 3, "bad": 0}
    events = {event["_id"]: event for event in longshore.good("events")}
    assert sorted(events) == ["paid-o-1", "paid-o-2"]
    assert events["paid-o-1"]["timestamp"] == {"$date": "2026-11-22T10:00:00.123Z"}
    assert events["paid-o-1"]["metadata"] == {"number": "o-1"}
