"""SNS and EventBridge as moto plays them, and a real `longshore run` on moto's queue. moto does not hold anybody to the policy."""

import json
import re
import uuid

import boto3
import pytest
from conftest import EXAMPLES, load, python, running, wait_for
from longshore_producer.testing import program
from pymongo import MongoClient

AWS = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    log = tmp_path_factory.mktemp("moto") / "log"
    with running(python(str(EXAMPLES / "tests/moto_server.py"), "-H", "127.0.0.1", "-p", "0"), log):
        yield wait_for("moto", lambda: re.search(r"Running on (http://[0-9.:]+)", log.read_text()))[1]


@pytest.fixture(scope="module")
def world(moto, longshore_dev, tmp_path_factory):
    """The example, set up, and a worker with its own database beside the one of `longshore dev`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**AWS, "AWS_ENDPOINT_URL": moto}.items():
            patch.setenv(name, value)
        for name in ("AWS_ENDPOINT_URL_SQS", "LONGSHORE__QUEUE__URL", "LONGSHORE__QUEUE__ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        world = World(moto, longshore_dev.env["MONGO_CACHE_URI"].replace("/portal?", "/fan_out?"))
        config = str(EXAMPLES / "fan_out.toml")
        worker = [program(), "--config", config, "--set", "admin.listen=off", "--set", "queue.wait=1s", "run"]
        env = {"LONGSHORE__QUEUE__URL": world.queue_url, "LONGSHORE__QUEUE__ENDPOINT_URL": moto, "MONGO_CACHE_URI": world.uri}
        with running(worker, tmp_path_factory.mktemp("worker") / "log", **env):
            yield world
        world.client.drop_database("fan_out")


class World:
    def __init__(self, moto, uri):
        self.uri = uri
        self.client = MongoClient(uri, uuidRepresentation="standard")
        self.database = self.client.get_default_database()
        self.sqs = boto3.client("sqs", endpoint_url=moto)
        self.queue_url = self.sqs.create_queue(QueueName="portal")["QueueUrl"]
        self.example = load("fan_out.py")
        self.topic = self.example.set_up(self.queue_url)

    def drained(self):
        """Waits until the worker has deleted everything: what it wrote is there then, and nothing more comes."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def look():
            left = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
            return all(left[name] == "0" for name in names)

        wait_for("an empty queue", look)

    def stored(self, collection):
        self.drained()
        return list(self.database[collection].find())


@pytest.fixture(autouse=True)
def _emptied(world):
    yield
    for name in ("events", "sessions", "user_cache", "dead_letters"):
        world.database[name].delete_many({})


LOGIN = {"user_id": 123, "event_type": "login"}


def test_what_sns_brings_is_stored_by_the_type_of_its_body(world):
    cart = {"type": "session", "session_id": "s-81", "last_accessed": "2026-11-22T10:00:00.123456Z", "data": {"cart": []}}
    world.example.publish(world.topic, [{"type": "event", "id": "7f0c-11", **LOGIN}, {"type": "event", **LOGIN}, cart])
    events = {event["_id"]: event for event in world.stored("events")}
    given = events.pop("7f0c-11")
    ((made, event),) = events.items()
    # Where the body has no id, the MessageId of SNS is the identity, and its Timestamp the time.
    assert isinstance(made, uuid.UUID) and made.version == 7
    for one in (given, event):
        assert set(one) == {"_id", "_ingest", "timestamp", "user_id", "event_type"} and one["event_type"] == "login"
    (session,) = world.stored("sessions")
    assert (session["session_id"], session["data"], session["last_accessed"].microsecond) == ("s-81", {"cart": []}, 123_000)
    assert world.stored("dead_letters") == []


def test_what_eventbridge_brings_is_stored_by_its_detail_type(world):
    cart = {"session_id": "s-81", "last_accessed": "2026-11-22T10:00:00.123456Z", "data": {"cart": []}}
    world.example.put([("portal.login", {"id": "7f0c-12", **LOGIN}), ("portal.login", LOGIN), ("portal.cart", cart)])
    events = {event["_id"]: event for event in world.stored("events")}
    assert len(events) == 2 and "7f0c-12" in events
    # EventBridge says times in whole seconds. Who needs more gives a timestamp.
    assert [event["timestamp"].microsecond for event in events.values()] == [0, 0]
    assert [set(event) for event in events.values()] == [{"_id", "_ingest", "timestamp", "user_id", "event_type"}] * 2
    (session,) = world.stored("sessions")
    assert (session["session_id"], session["data"]) == ("s-81", {"cart": []})
    assert world.stored("dead_letters") == []


def test_a_detail_type_that_the_worker_does_not_know_is_a_dead_letter_that_names_it(world):
    world.example.put([("portal.unheard", LOGIN)])
    (letter,) = world.stored("dead_letters")
    assert (letter["reason"], letter["type"], letter["place"]) == ("unknown_type", "portal.unheard", "detail-type")


def test_one_event_that_comes_by_both_ways_is_stored_once(world):
    world.example.publish(world.topic, [{"type": "event", "id": "7f0c-13", **LOGIN}])
    world.example.put([("portal.login", {"id": "7f0c-13", **LOGIN})])
    assert [event["_id"] for event in world.stored("events")] == ["7f0c-13"]
    assert world.stored("dead_letters") == []


def test_delivered_raw_a_message_keeps_the_identity_that_its_producer_gave(world):
    """As README.md says of RawMessageDelivery. What is published twice is stored once, though SNS gives it another MessageId."""
    sns, topic = world.example.sns, world.example.sns.create_topic(Name="raw")["TopicArn"]
    queue_arn = world.example.allow(world.queue_url, [topic])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    given = {"longshore-time": "1795341605123", "longshore-id": "0001"}
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in given.items()}
    for _ in range(2):
        sns.publish(TopicArn=topic, Message=json.dumps({"type": "event", **LOGIN}), MessageAttributes=attributes)
    (event,) = world.stored("events")
    assert (event["user_id"], event["timestamp"].microsecond) == (123, 123_000)


def test_of_two_carts_within_one_second_the_later_version_stays(world):
    carts = [{"session_id": "s-81", "last_accessed": f"2026-11-22T10:00:00.{n:06d}Z", "data": {"visit": n}} for n in range(25)]
    world.example.put([("portal.cart", cart) for cart in reversed(carts)])
    (session,) = world.stored("sessions")
    assert session["data"] == {"visit": 24}


def test_the_queue_takes_from_this_topic_and_this_rule_alone(world):
    world.example.set_up(world.queue_url)
    attributes = world.sqs.get_queue_attributes(QueueUrl=world.queue_url, AttributeNames=["Policy", "QueueArn"])["Attributes"]
    allowed = {}
    for statement in json.loads(attributes["Policy"])["Statement"]:
        assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Allow", "sqs:SendMessage", attributes["QueueArn"])
        allowed[statement["Principal"]["Service"]] = statement["Condition"]
    assert allowed == {
        "sns.amazonaws.com": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:portal"}},
        "events.amazonaws.com": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/portal"}},
    }


def test_what_a_service_fails_is_sent_again_with_a_bound(world):
    sent, failing = [], {3, 12}

    def send(ten):
        sent.append(list(ten))
        failed = [place for place, item in enumerate(ten) if item in failing]
        failing.difference_update(ten)
        return failed

    world.example.in_tens(list(range(15)), send)
    assert sent == [list(range(10)), [3], list(range(10, 15)), [12]]
    with pytest.raises(RuntimeError, match="1 failed 2 times; the first: 7"):
        world.example.in_tens([7, 8], lambda ten: [ten.index(7)], tries=2)
