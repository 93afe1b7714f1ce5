"""SQS away: nothing is silently lost, memory is bounded, and no call is held longer than said."""

import socket
import socketserver
import threading
import time
import tracemalloc
from urllib.parse import urlsplit

import pytest
from fakes import FakeClock, FakeQueue, away, denied, failed, fake_producer, taken, work
from longshore_producer import Counts, Producer, ProducerClosed, QueueFull
from longshore_producer.outbox import Fault, FaultKind
from pymongo import MongoClient


def minute_away(clock, **given):
    """A minute without a queue under 200 calls a second, then a minute with it. Under a clock that stands still in calls."""
    queue, lost, most = FakeQueue(away), [], [0, 0]
    producer, core, clock = fake_producer(queue, clock, on_lost=lost.append, **given)
    for number in range(12_000):
        before = clock.now
        producer.store_session_data(f"s-{number}", {"n": number})
        assert clock.now == before and not clock.waits, "a call was held"
        most = [max(most[0], len(core._waiting)), max(most[1], core._waiting_bytes)]
        work(core, clock, clock.now + 0.005)
    tries = len(queue.calls)
    queue.answer = None
    work(core, clock, clock.now + 60)
    return producer, core, queue, lost, most, tries


def test_a_minute_without_sqs_under_two_hundred_calls_a_second_loses_nothing(caplog):
    producer, core, queue, lost, most, tries = minute_away(FakeClock())
    counts = producer.counts()
    assert (counts.accepted, counts.sent, counts.waiting, counts.lost) == (12_000, 12_000, 0, 0) and not lost
    assert most[0] == 12_000 and most[1] <= 16 * 1024 * 1024
    assert core._waiting_bytes == 0
    # Asked by pauses that grow to five seconds, and not by every call.
    assert 10 <= tries <= 40
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "takes no messages" in said[0] and "takes messages again" in said[1]


def test_a_queue_that_is_not_there_is_told_by_its_url_and_its_setting(longshore, caplog):
    url = longshore.env["LONGSHORE__QUEUE__URL"] + "-of-nobody"
    producer = longshore.producer(queue_url=url, exit_timeout=0)
    producer.log_user_event(1, "e", None)
    producer.flush(1)
    producer.close(0)
    (said,) = [record.getMessage() for record in caplog.records if "takes no messages" in record.getMessage()]
    assert url in said and "queue_url" in said and "LONGSHORE__QUEUE__URL" in said, said


def test_what_there_is_no_room_for_is_counted_logged_and_told(caplog):
    producer, core, queue, lost, most, _ = minute_away(FakeClock(), waiting_max=10_000)
    counts = producer.counts()
    assert (counts.accepted, counts.sent, counts.dropped, counts.waiting) == (10_000, 10_000, 2_000, 0)
    assert most[0] == 10_000 and len(lost) == 2_000 and {one.why for one in lost} == {"dropped"}
    assert '"session_id":"s-10000"' in lost[0].body and lost[0].attributes["longshore-id"] == lost[0].id
    dropped = [record.getMessage() for record in caplog.records if "(dropped)" in record.getMessage()]
    assert 5 <= len(dropped) <= 11, "one line a second, with how many more"


def test_bytes_are_bounded_too():
    producer, core, clock = fake_producer(FakeQueue(away), waiting_bytes_max=1024 * 1024, compress_above=None)
    for _ in range(100):
        producer.cache_user_data(1, "x" * 100_000)
    assert 900_000 < core._waiting_bytes <= 1024 * 1024 and producer.counts().dropped == 90


def test_raise_raises_at_once_and_the_caller_knows():
    producer, core, clock = fake_producer(FakeQueue(away), waiting_max=2, when_full="raise")
    for _ in range(2):
        producer.log_user_event(1, "e", None)
    with pytest.raises(QueueFull, match="2 messages"):
        producer.log_user_event(1, "e", None)
    assert not clock.waits and producer.counts().lost == 0


def test_block_holds_a_call_as_long_as_said_and_not_longer():
    producer, core, clock = fake_producer(FakeQueue(away), waiting_max=1, when_full="block", block_max=3.0, budget=100)
    producer.log_user_event(1, "e", None)
    before = clock.now
    with pytest.raises(QueueFull):
        producer.log_user_event(1, "e", None)
    assert clock.now - before == pytest.approx(3.0)


def test_block_ends_when_there_is_room():
    queue = FakeQueue()
    producer, core, clock = fake_producer(queue, waiting_max=1, when_full="block", block_max=3.0)
    producer.log_user_event(1, "e", None)
    clock.while_waiting = lambda until: core._step(None)
    assert producer.log_user_event(1, "e", None)
    assert producer.counts().accepted == 2 and len(clock.waits) == 1


def test_what_is_tried_for_too_long_is_given_up_and_told():
    lost = []
    producer, core, clock = fake_producer(FakeQueue(denied), budget=30, on_lost=lost.append)
    producer.log_user_event(1, "e", None)
    work(core, clock, clock.now + 60)
    assert [one.why for one in lost] == ["denied"] and "AccessDenied" in lost[0].text
    assert (producer.counts().denied, producer.counts().waiting) == (1, 0)


def test_only_what_failed_is_sent_again_and_what_sqs_refuses_is_not():
    def answer(entries):
        said = taken([entry for entry in entries if entry["Id"] == "0"])
        said["Failed"] = [failed(entry, refused="bad" in entry["MessageBody"]) for entry in entries if entry["Id"] != "0"]
        return said

    queue = FakeQueue(answer)
    producer, core, clock = fake_producer(queue)
    for kind in ("first", "second", "bad"):
        producer.log_user_event(1, kind, None)
    work(core, clock, clock.now + 10)
    assert [len(call) for call in queue.calls] == [3, 1] and "second" in queue.calls[1][0]
    assert queue.calls[1][0] in queue.calls[0], "the same body"
    counts = producer.counts()
    assert (counts.sent, counts.refused, counts.waiting) == (2, 1, 0)


def test_a_message_that_spoils_its_calls_keeps_no_other_out():
    def answer(entries):
        if any("poison" in entry["MessageBody"] for entry in entries):
            away(entries)

    queue = FakeQueue(answer)
    producer, core, clock = fake_producer(queue, budget=60)
    for number in range(20):
        producer.log_user_event(1, "poison" if number == 3 else "good", None)
    work(core, clock, clock.now + 120)
    assert (producer.counts().sent, producer.counts().late, producer.counts().waiting) == (19, 1, 0)


def test_batches_are_of_ten_and_of_a_mebibyte():
    queue = FakeQueue()
    producer, core, clock = fake_producer(queue, compress_above=None)
    for _ in range(25):
        producer.log_user_event(1, "e", None)
    for _ in range(5):
        producer.cache_user_data(1, "x" * 400_000)
    work(core, clock, clock.now + 1)
    assert [len(call) for call in queue.calls] == [10, 10, 7, 2, 1]


def test_a_call_that_waits_for_room_is_told_of_the_end_at_once():
    queue = FakeQueue(away)
    producer = Producer(
        queue_url="https://sqs.eu-west-1.amazonaws.com/1/portal", make_client=lambda: queue,
        waiting_max=1, when_full="block", block_max=600, exit_timeout=0, retry_max=0.2,
    )
    producer.log_user_event(1, "e", None)
    ended = []

    def call():
        with pytest.raises(ProducerClosed):
            producer.log_user_event(1, "e", None)
        ended.append("call")

    def close():
        ended.append(producer.close(600))

    waiting, closing = threading.Thread(target=call, daemon=True), threading.Thread(target=close, daemon=True)
    waiting.start()
    while not producer._core._settled._waiters:
        time.sleep(0.01)
    closing.start()
    waiting.join(30)
    assert ended == ["call"], "while the end still waits for the queue"
    queue.answer = None
    closing.join(30)
    assert ended == ["call", True] and producer.counts().sent == 1


def test_flush_waits_for_what_was_taken_before_it_and_says_when_in_vain():
    producer, core, clock = fake_producer(FakeQueue(away))
    assert producer.flush()
    producer.log_user_event(1, "e", None)
    clock.while_waiting = lambda until: work(core, clock, until)
    before = clock.now
    assert not producer.flush(2.0) and clock.now - before == pytest.approx(2.0, abs=0.3)
    assert producer.counts().waiting == 1


def test_what_a_flush_waits_for_waits_for_no_others_to_go_along():
    producer, core, clock = fake_producer(FakeQueue(), linger=10.0)
    producer.log_user_event(1, "e", None)
    clock.while_waiting = lambda until: work(core, clock, until)
    assert producer.flush(5.0) and producer.counts().sent == 1
    producer.log_user_event(2, "e", None)
    work(core, clock, clock.now + 5)
    assert producer.counts().waiting == 1, "only what was taken before"


def test_a_flush_that_comes_in_time_and_has_lost_something_says_so():
    producer, core, clock = fake_producer(FakeQueue(denied), budget=1.0)
    clock.while_waiting = lambda until: work(core, clock, until)
    producer.log_user_event(1, "e", None)
    assert not producer.flush(60.0) and producer.counts().lost == 1 and producer.counts().waiting == 0
    assert producer.flush(60.0), "that one was told already"


def test_a_flush_does_not_answer_for_what_was_never_accepted():
    producer, core, clock = fake_producer(FakeQueue(), waiting_max=1)

    def another(until):
        assert producer.log_user_event(2, "e", None) is None
        work(core, clock, until)

    clock.while_waiting = another
    producer.log_user_event(1, "e", None)
    assert producer.flush(5.0)
    counts = producer.counts()
    assert (counts.sent, counts.dropped, counts.undelivered, counts.lost) == (1, 1, 0, 1)


def test_the_counts_add_up():
    counts = Counts(accepted=1023, waiting=1, sent=1022 - 2 - 4 - 8 - 16, dropped=32, refused=2, late=4, denied=8, abandoned=16)
    assert counts.undelivered == 2 + 4 + 8 + 16 and counts.lost == counts.undelivered + 32
    assert counts.accepted == counts.waiting + counts.sent + counts.undelivered
    assert counts.as_dict()["lost"] == counts.lost


class Forwarder:
    """A TCP port that refuses until `open`, and then leads to the real queue."""

    def __init__(self, endpoint):
        self.target = (urlsplit(endpoint).hostname, urlsplit(endpoint).port)
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.port = held.getsockname()[1]
        self.server = None

    def open(self):
        target = self.target

        class Pair(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.create_connection(target) as there:
                    back = threading.Thread(target=pump, args=(there, self.request), daemon=True)
                    back.start()
                    pump(self.request, there)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Pair)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.long)])
def test_a_real_port_that_refuses_under_two_hundred_calls_a_second_costs_nothing(longshore, seconds):
    forwarder, count = Forwarder(longshore.env["LONGSHORE__QUEUE__ENDPOINT_URL"]), 200 * seconds
    endpoint = f"http://127.0.0.1:{forwarder.port}"
    producer = Producer(queue_url=longshore.env["LONGSHORE__QUEUE__URL"], endpoint_url=endpoint, region="us-east-1")
    begun = time.monotonic()
    for number in range(count):
        producer.log_user_event(number, "e", {"n": number})
        time.sleep(max(0.0, begun + number / 200 - time.monotonic()))
    assert producer.counts().waiting == count
    forwarder.open()
    assert producer.flush(seconds + 60)
    counts = producer.counts()
    assert (counts.accepted, counts.sent, counts.lost) == (count, count, 0)
    assert longshore.wait(count, timeout=60) == {"good": count, "bad": 0}
    events = MongoClient(longshore.env["MONGO_CACHE_URI"]).get_default_database().events
    assert sorted(event["user_id"] for event in events.find({}, {"user_id": 1})) == list(range(count))
    assert producer.close()
    forwarder.close()


def test_an_answer_that_is_lost_makes_no_second_event(longshore):
    client = longshore.client()

    class Deaf:
        calls = 0

        def send_message_batch(self, **given):
            said = client.send_message_batch(**given)
            Deaf.calls += 1
            if Deaf.calls == 1:
                raise TimeoutError("the answer is lost")
            return said

    with longshore.producer(make_client=Deaf) as producer:
        for number in range(10):
            producer.log_user_event(number, "e", None)
    assert producer.counts().sent == 10
    assert longshore.wait(20) == {"good": 20, "bad": 0}, "ten messages, each twice"
    assert len(longshore.good("events")) == 10


def test_what_waits_takes_little_more_memory_than_its_bytes():
    tracemalloc.start()
    try:
        producer, core, clock = fake_producer(FakeQueue(away))
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2_000):
            # One character beyond ASCII: as a str it would take four times its bytes.
            producer.store_session_data(f"s-{number}", {"page": "\U0001f600" + "x" * 5_000})
        taken_bytes = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert producer.counts().waiting == 2_000
    assert taken_bytes - core._waiting_bytes < 2_000 * 1_500, (taken_bytes, core._waiting_bytes)


def test_a_process_that_was_stopped_for_longer_than_the_budget_loses_nothing_while_the_queue_is_well():
    # As a function of AWS Lambda between two calls: when it goes on, its connection is closed.
    for count in (1, 5):
        queue = FakeQueue(lambda entries: away(entries) if len(queue.calls) == 1 else None)
        producer, core, clock = fake_producer(queue)
        for _ in range(count):
            producer.log_user_event(1, "e", None)
        clock.now += 3600
        work(core, clock, clock.now + 10)
        assert (producer.counts().sent, producer.counts().lost) == (count, 0)


def test_a_failure_of_its_own_after_a_stop_is_tried_again_too():
    def answer(entries):
        return {"Failed": [failed(entries[0])], "Successful": taken(entries[1:])["Successful"]} if len(queue.calls) == 1 else None

    queue = FakeQueue(answer)
    producer, core, clock = fake_producer(queue)
    for _ in range(2):
        producer.log_user_event(1, "e", None)
    clock.now += 3600
    work(core, clock, clock.now + 10)
    assert (producer.counts().sent, producer.counts().lost) == (2, 0)


def test_a_clock_that_a_test_has_stopped_stops_no_sending(monkeypatch):
    # As freezegun and time-machine do.
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    queue = FakeQueue()
    producer = Producer(queue_url="https://sqs.eu-west-1.amazonaws.com/1/p", make_client=lambda: queue, exit_timeout=0)
    producer.log_user_event(1, "e", None)
    deadline = time.time() + 20
    while not queue.calls and time.time() < deadline:
        time.sleep(0.01)
    monkeypatch.undo()
    assert len(queue.calls) == 1 and producer.close()


def test_ctrl_c_amid_a_call_leaves_nothing_that_a_flush_would_wait_for(monkeypatch):
    producer, core, clock = fake_producer(FakeQueue(away))

    def interrupted(message):
        raise KeyboardInterrupt

    with monkeypatch.context() as amid:
        amid.setattr(core._outbox, "push", interrupted)
        with pytest.raises(KeyboardInterrupt):
            producer.log_user_event(1, "e", None)
    assert core._waiting_bytes == 0 and not core._waiting and producer.flush(0)
    with monkeypatch.context() as amid:
        amid.setattr(core.tally, "accepted", lambda: interrupted(None))
        with pytest.raises(KeyboardInterrupt):
            producer.log_user_event(1, "e", None)
    assert len(core._waiting) == 1 and not core._outbox.is_empty, "it was taken before"


def test_ctrl_c_while_the_end_waits_still_tells_what_is_lost():
    lost = []
    producer, core, clock = fake_producer(FakeQueue(away), on_lost=lost.append)
    for _ in range(3):
        producer.log_user_event(1, "e", None)

    def interrupted(until):
        raise KeyboardInterrupt

    clock.while_waiting = interrupted
    with pytest.raises(KeyboardInterrupt):
        producer.close()
    assert [one.why for one in lost] == ["abandoned"] * 3 and producer.counts().waiting == 0


def test_ctrl_c_amid_a_request_of_the_callers_own_thread_lets_it_be_tried_again():
    # Where no thread can be started, who waits sends.
    def answer(entries):
        if len(queue.calls) == 1:
            raise KeyboardInterrupt

    queue = FakeQueue(answer)
    producer, core, clock = fake_producer(queue)
    core._is_running = lambda: False
    producer.log_user_event(1, "e", None)
    with pytest.raises(KeyboardInterrupt):
        producer.flush()
    assert producer.flush() and producer.counts().sent == 1


def test_waits_may_be_without_an_end():
    with Producer(queue_url="https://sqs.eu-west-1.amazonaws.com/1/p", make_client=FakeQueue) as producer:
        producer.log_user_event(1, "e", None)
        assert producer.flush(float("inf"))


class Meeting(FakeQueue):
    """Answers when so many calls are in flight at once, or in vain after a while."""

    def __init__(self, count, patience=10):
        super().__init__()
        self.lock, self.now, self.most = threading.Lock(), 0, 0
        self.all_there, self.count, self.patience = threading.Event(), count, patience

    def send_message_batch(self, **given):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == self.count:
                self.all_there.set()
        self.all_there.wait(self.patience)
        with self.lock:
            self.now -= 1
        return super().send_message_batch(**given)


def send_many(queue, count=200, **given):
    given = {"queue_url": "https://sqs.eu-west-1.amazonaws.com/1/p", "make_client": lambda: queue, **given}
    with Producer(**given) as producer:
        # The first makes the client, alone.
        producer.log_user_event("first", "e", None)
        producer.flush()
        for number in range(count):
            producer.log_user_event("u", "e", {"n": number})
        assert producer.flush(60)
        assert producer.counts().sent == count + 1
    return producer


def test_where_much_waits_as_many_requests_as_may_are_in_flight_and_not_more():
    # The first call is alone, and waits in vain for others.
    queue = Meeting(4, patience=1)
    producer = send_many(queue)
    assert queue.all_there.is_set() and queue.most == 4 and len(producer._core._threads) == 4
    assert sorted(body for call in queue.calls for body in call) == sorted({body for call in queue.calls for body in call})
    assert max(len(call) for call in queue.calls) == 10
    for thread in producer._core._threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("given", [{"queue_url": "https://sqs.eu-west-1.amazonaws.com/1/p.fifo"}, {"in_flight_max": 1}])
def test_on_a_fifo_queue_or_by_choice_one_request_is_in_flight(given):
    queue = Meeting(2, patience=0.02)
    send_many(queue, count=60, **given)
    assert queue.most == 1
    numbers = [body.partition('"n":')[2].partition("}")[0] for call in queue.calls for body in call][1:]
    assert numbers == [str(number) for number in range(60)]


def test_a_few_messages_are_not_spread_over_requests():
    producer, core, clock = fake_producer(FakeQueue())
    producer.log_user_event(0, "e", None)
    first = core._outbox.next(clock.now, False)
    for number in range(9):
        producer.log_user_event(number, "e", None)
    assert core._outbox.next(clock.now, False) is None, "while one is in flight, for a full batch"
    producer.log_user_event(9, "e", None)
    assert len(core._outbox.next(clock.now, False).messages) == 10 and len(first.messages) == 1


def test_a_queue_in_trouble_is_asked_by_one_request_at_a_time():
    producer, core, clock = fake_producer(FakeQueue(away))
    for number in range(60):
        producer.log_user_event(number, "e", None)
    together = [core._outbox.next(clock.now, False) for _ in range(5)]
    assert [len(batch.messages) for batch in together[:4]] == [10] * 4 and together[4] is None
    for batch in together[:4]:
        core._outbox.answered(batch, Fault(FaultKind.UNAVAILABLE, "away"), clock.now)
    # One trouble, and one pause for all four.
    until = core._outbox.next(clock.now, False)
    assert clock.now < until <= clock.now + 0.1
    assert len(core._outbox.next(until, False).messages) == 1 and core._outbox.next(until, False) is None
    queue_is_well = FakeQueue()
    core._client = queue_is_well
    core._outbox.answered(core._outbox._in_flight[0], Fault(FaultKind.UNAVAILABLE, "away"), until)
    work(core, clock, clock.now + 30)
    assert (producer.counts().sent, producer.counts().lost) == (60, 0)
