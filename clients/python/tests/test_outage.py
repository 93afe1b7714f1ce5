"""SQS away: nothing is silently lost, memory is bounded, and no call is held longer than said."""

import threading
import time

import pytest
from fakes import FakeClock, FakeQueue, away, denied, failed, fake_producer, taken, work
from longshore_producer import Producer, ProducerClosed, QueueFull


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


def test_a_thread_that_waits_for_room_is_told_of_the_end():
    producer = Producer(
        queue_url="https://sqs.eu-west-1.amazonaws.com/1/portal", make_client=lambda: FakeQueue(away),
        waiting_max=1, when_full="block", block_max=600, exit_timeout=0,
    )
    producer.log_user_event(1, "e", None)
    ended = []

    def call():
        try:
            producer.log_user_event(1, "e", None)
        except ProducerClosed:
            ended.append(True)

    waiting = threading.Thread(target=call)
    waiting.start()
    while not producer._core._settled._waiters:
        time.sleep(0.01)
    assert not producer.close(0.1)
    waiting.join(30)
    assert ended == [True] and producer.counts().abandoned == 1


def test_flush_waits_for_what_was_taken_before_it_and_says_when_in_vain():
    producer, core, clock = fake_producer(FakeQueue(away))
    assert producer.flush()
    producer.log_user_event(1, "e", None)
    clock.while_waiting = lambda until: work(core, clock, until)
    before = clock.now
    assert not producer.flush(2.0) and clock.now - before == pytest.approx(2.0, abs=0.3)
    assert producer.counts().waiting == 1
