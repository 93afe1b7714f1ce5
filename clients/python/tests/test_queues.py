"""What goes along with a message: order on FIFO queues, packing, the trace."""

import gzip
import json
from base64 import b64decode

import pytest
from fakes import FakeQueue, failed, fake_producer, taken, work
from longshore_producer import BadMessage, trace as longshore_trace
from longshore_producer.testing import Dev
from opentelemetry import propagate, trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider

FIFO = "https://sqs.eu-west-1.amazonaws.com/1/portal.fifo"


class Entries(FakeQueue):
    """Keeps whole entries."""

    def __init__(self, answer=None):
        super().__init__(answer)
        self.entries = []

    def send_message_batch(self, *, QueueUrl, Entries):
        self.entries.append(Entries)
        return super().send_message_batch(QueueUrl=QueueUrl, Entries=Entries)


def attributes(entry):
    return {name: value["StringValue"] for name, value in entry["MessageAttributes"].items()}


@pytest.fixture(scope="module")
def fifo():
    with Dev(settings=["queue.url=https://sqs.eu-west-1.amazonaws.com/1/portal.fifo"]) as dev:
        yield dev


def test_a_fifo_queue_takes_each_message_with_its_group_and_an_id_of_its_own(fifo):
    with fifo.producer() as producer:
        for number in range(50):
            producer.store_session_data("s-1", {"n": number})
            producer.log_user_event("a b", "e", {"n": number})
        producer.send("event", {"user_id": 1, "event_type": "e"}, group="g")
        with pytest.raises(BadMessage, match="group"):
            producer.send("event", {"user_id": 1, "event_type": "e"})
    assert producer.counts().sent == 101
    assert fifo.wait(101) == {"good": 101, "bad": 0}
    assert fifo.good("sessions")[0]["data"] == {"n": 49} and len(fifo.good("events")) == 51


def test_groups_are_keys_and_ids_rise_with_the_calls():
    queue = Entries()
    producer, core, clock = fake_producer(queue, queue_url=FIFO)
    ids = [producer.store_session_data("s-81", {}), producer.cache_user_data(5, {}), producer.log_user_event("a b", "e", None)]
    ids.append(producer.send("order", {"n": 1, "order_id": 7}, key="order_id"))
    ids.append(producer.send("order", {"order_id": "a b"}, key="order_id"))
    ids.append(producer.send("order", {"order_id": 7}, key="order_id", group="g"))
    work(core, clock, clock.now + 1)
    (entries,) = queue.entries
    groups = [entry["MessageGroupId"] for entry in entries]
    assert groups[:2] + groups[3:4] + groups[5:] == ["s-81", "5", "7", "g"] and len(groups[2]) == 64 and groups[4] == groups[2]
    assert [entry["MessageDeduplicationId"] for entry in entries] == ids == sorted(ids)
    assert [attributes(entry)["longshore-id"] for entry in entries] == ids


def test_nothing_overtakes_a_message_of_its_group_that_is_tried_again():
    def answer(entries):
        if len(queue.calls) == 1:
            return {"Failed": [failed(entries[0])], "Successful": taken(entries[1:])["Successful"]}
        return None

    queue = FakeQueue(answer)
    producer, core, clock = fake_producer(queue, queue_url=FIFO, retry_initial=1.0)
    producer.store_session_data("a", {"n": 1})
    producer.store_session_data("b", {"n": 2})
    core._step(None)
    producer.store_session_data("a", {"n": 3})
    producer.store_session_data("b", {"n": 4})
    work(core, clock, clock.now + 10)
    numbers = [[json.loads(body)["data"]["n"] for body in call] for call in queue.calls]
    assert numbers == [[1, 2], [4], [1, 3]]


def test_what_is_tried_again_has_the_same_identity_and_body():
    def answer(entries):
        if len(queue.calls) < 3:
            raise TimeoutError("no answer")

    queue = Entries(answer)
    producer, core, clock = fake_producer(queue)
    producer.log_user_event(1, "e", None)
    work(core, clock, clock.now + 10)
    first, second, third = queue.entries
    assert first == second == third and set(attributes(first[0])) == {"longshore-id", "longshore-time"}


def test_a_standard_queue_gets_no_group_unless_one_is_given():
    queue = Entries()
    producer, core, clock = fake_producer(queue)
    producer.store_session_data("s", {})
    producer.store_session_data("s", {}, group="tenant-1")
    work(core, clock, clock.now + 1)
    first, second = queue.entries[0]
    assert "MessageGroupId" not in first and second["MessageGroupId"] == "tenant-1" and "MessageDeduplicationId" not in second


def test_a_large_body_is_packed_and_unpacked_by_the_worker(longshore):
    data = {"lines": [f"line {number} of a large page, which packs well" for number in range(4000)]}
    with longshore.producer() as producer:
        producer.cache_user_data(1, data)
    assert longshore.wait(1) == {"good": 1, "bad": 0}, longshore.bad()
    assert longshore.good("user_cache")[0]["data"] == data


def test_packed_is_what_is_above_the_size_and_smaller_packed():
    queue = Entries()
    producer, core, clock = fake_producer(queue, compress_above=1000)
    for data in ("x" * 500, "Ä line. " * 300, "x" * 1_000_000):
        producer.cache_user_data(1, data)
    work(core, clock, clock.now + 1)
    small, packed, bomb = [entry for entries in queue.entries for entry in entries]
    assert "content-encoding" not in attributes(small)
    assert attributes(packed)["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(b64decode(packed["MessageBody"])))["data"] == "Ä line. " * 300
    assert "content-encoding" not in attributes(bomb), "a worker refuses what packs to less than a two-hundredth"


def test_the_two_characters_that_sqs_takes_nowhere_are_sent_as_escapes():
    queue = Entries()
    producer, core, clock = fake_producer(queue)
    producer.cache_user_data(1, {"\ufffe": "\uffff"})
    work(core, clock, clock.now + 1)
    body = queue.entries[0][0]["MessageBody"]
    assert "\ufffe" not in body and "\uffff" not in body and json.loads(body)["data"] == {"\ufffe": "\uffff"}


def test_what_is_larger_than_a_message_may_be_is_refused():
    producer, core, clock = fake_producer(Entries(), compress_above=None)
    with pytest.raises(BadMessage, match="1048576"):
        producer.cache_user_data(1, "x" * 1_048_576)


def test_the_current_span_goes_along_whichever_propagator_is_set(monkeypatch):
    monkeypatch.setattr(propagate, "propagator", CompositePropagator([]))
    queue = Entries()
    producer, core, clock = fake_producer(queue)
    with TracerProvider().get_tracer("portal").start_as_current_span("request") as span:
        producer.log_user_event(1, "inside", None)
    producer.log_user_event(1, "outside", None)
    work(core, clock, clock.now + 1)
    inside, outside = [attributes(entry) for entry in queue.entries[0]]
    here = span.get_span_context()
    ids = f"00-{trace.format_trace_id(here.trace_id)}-{trace.format_span_id(here.span_id)}-"
    assert inside["traceparent"].startswith(ids)
    assert "traceparent" not in outside


def test_a_trace_that_fails_costs_no_message(monkeypatch):
    class Broken:
        def inject(self, carrier):
            carrier["traceparent"] = "half"
            raise RuntimeError("no context")

    monkeypatch.setattr(longshore_trace, "_propagator", Broken())
    queue = Entries()
    producer, core, clock = fake_producer(queue)
    producer.log_user_event(1, "e", None)
    work(core, clock, clock.now + 1)
    assert "traceparent" not in attributes(queue.entries[0][0])
