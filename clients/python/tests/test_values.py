"""Types: what goes in by a call comes out of the database, and what a worker would refuse is refused at the call."""

import bisect
import json
import random
import time
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from uuid import UUID

import bson
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from longshore_producer import BadMessage, Producer
from longshore_producer.testing import Dev
from pymongo import MongoClient

OID = ObjectId("65f0c0ffee65f0c0ffee65f0")
SOME_UUID = UUID("0192d5f4-7e4c-7000-8000-000000000000")
ABROAD = datetime(2024, 3, 1, 14, 30, 0, 250999, tzinfo=timezone(timedelta(hours=2)))


class Plan(str, Enum):
    PRO = "pro"


class Nowhere(tzinfo):
    """A zone without an offset, which is no zone: for pymongo too."""

    def utcoffset(self, moment):
        return None


class Reference(int):
    """As pydal's: an int that is more."""


# Given, and what pymongo reads. Longshore stores dates to the millisecond, as every writer of BSON does.
STORED = {
    "naive": (datetime(2024, 2, 29, 23, 59, 59, 987654), datetime(2024, 2, 29, 23, 59, 59, 987000)),
    "aware": (ABROAD, datetime(2024, 3, 1, 12, 30, 0, 250000)),
    "old": (datetime(1, 1, 1), datetime(1, 1, 1)),
    "last": (datetime.max, datetime(9999, 12, 31, 23, 59, 59, 999000)),
    "nowhere": (datetime(2024, 3, 1, 12, tzinfo=Nowhere()), datetime(2024, 3, 1, 12)),
    "late": (datetime(9999, 12, 31, 23, 59, 59), datetime(9999, 12, 31, 23, 59, 59)),
    "decimal": (Decimal("19.90"), Decimal128("19.90")),
    "tiny": (Decimal("1E-6176"), Decimal128("1E-6176")),
    "bytes": (b"\0\xff", b"\0\xff"),
    "bytearray": (bytearray(b"ab"), b"ab"),
    "uuid": (SOME_UUID, Binary.from_uuid(SOME_UUID)),
    "object_id": (OID, OID),
    "int64": (Int64(5), Int64(5)),
    "decimal128": (Decimal128("1.5"), Decimal128("1.5")),
    "binary": (Binary(b"x", 128), Binary(b"x", 128)),
    "regex": (Regex("^a", "im"), Regex("^a", "im")),
    "ms": (DatetimeMS(1), datetime(1970, 1, 1, 0, 0, 0, 1000)),
    "code": (Code("f()"), Code("f()")),
    "timestamp": (Timestamp(5, 6), Timestamp(5, 6)),
    "min": (MinKey(), MinKey()),
    "max": (MaxKey(), MaxKey()),
    "largest": (2**63 - 1, Int64(2**63 - 1)),
    "least": (-(2**63), Int64(-(2**63))),
    "small": (7, 7),
    "reference": (Reference(8), 8),
    "double": (1.0, 1.0),
    "wide": (1e300, 1e300),
    "minus_zero": (-0.0, -0.0),
    "flags": ([True, False, None], [True, False, None]),
    "tuple": ((1, ("a",)), [1, ["a"]]),
    "plan": (Plan.PRO, "pro"),
    "ordered": (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "proxy": (MappingProxyType({"a": 1}), {"a": 1}),
    "text": ("Ä⚓\U0001f600 \0\x1b\ufffe\uffff\u2028", "Ä⚓\U0001f600 \0\x1b\ufffe\uffff\u2028"),
    "a.dot": ({"b.c": 1, "": 2}, {"b.c": 1, "": 2}),
    "_ingest": (1, 1),
}


def of_type(value):
    """The bytes, which tell types apart."""
    return bson.encode({"": value})


@pytest.mark.parametrize("route", ["metadata", "session", "cache"])
def test_each_type_of_python_is_stored_as_pymongo_would_store_it(longshore, route):
    given = {name: pair[0] for name, pair in STORED.items()}
    with longshore.producer() as producer:
        if route == "metadata":
            producer.log_user_event(1, "types", given)
        elif route == "session":
            producer.store_session_data(1, given)
        else:
            producer.cache_user_data(1, given)
    assert longshore.wait(1) == {"good": 1, "bad": 0}, longshore.bad()
    database = MongoClient(longshore.env["MONGO_CACHE_URI"]).get_default_database()
    collection = {"metadata": "events", "session": "sessions", "cache": "user_cache"}[route]
    document = database[collection].find_one()
    found = document["metadata" if route == "metadata" else "data"]
    assert list(found) == list(given)
    for name, (_, expected) in STORED.items():
        assert of_type(found[name]) == of_type(expected), name


def test_each_kind_of_key_names_one_document(longshore):
    keys = [5, -(2**63), "s-81", "x" * 1024, "é" * 512, OID, SOME_UUID, Int64(7), Binary(b"\x01" * 16, 4)]
    with longshore.producer() as producer:
        for key in keys:
            for number in (1, 2):
                producer.cache_user_data(key, {"n": number})
                producer.log_user_event(key, "e", None, id=key)
                producer.store_session_data(key, {"n": number})
    # The same event under the same id, at another time: the worker says so. Each other is one document.
    assert longshore.wait(6 * len(keys)) == {"good": 5 * len(keys), "bad": len(keys)}, longshore.bad()
    assert {one["reason"] for one in longshore.bad()} == {"id_conflict"}
    database = MongoClient(longshore.env["MONGO_CACHE_URI"]).get_default_database(CodecOptions())
    for key in keys:
        stored = key if not isinstance(key, UUID) else Binary.from_uuid(key)
        assert database.user_cache.find_one({"user_id": stored})["data"] == {"n": 2}, key
        assert database.sessions.find_one({"session_id": stored})["data"] == {"n": 2}, key
        assert database.events.find_one({"_id": stored})["user_id"] == stored, key
    assert database.user_cache.count_documents({}) == database.sessions.count_documents({}) == len(keys)


def nested(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


ENDLESS = {}
ENDLESS["self"] = [ENDLESS]

# What is given as `data`, the field that the error names, what it says, and what a worker would say if it were sent as it
# stands here, as JSON. No JSON: it cannot be sent at all.
REFUSED = [
    ({"a": [{"price": float("nan")}]}, "data.a[0].price", "send None", '{"a":NaN}', "bad_json"),
    ({"a": float("inf")}, "data.a", "send None", None, None),
    ({"a": Decimal("NaN")}, "data.a", "send None", None, None),
    ({"a": Decimal("1." + "1" * 40)}, "data.a", "34", '{"a":{"$numberDecimal":"1.%s"}}' % ("1" * 40), "bad_value"),
    ({"a": {5: 1}}, "data.a", "key 5, a int", None, None),
    ({b"x": 1}, "data", "names are texts", None, None),
    ({"a": {"$set": 1}}, "data.a.'$set'", "begins with $", '{"a":{"$set":1}}', "bad_name"),
    ({"a": {"b\0": 1}}, "data.a.'b\\x00'", "NUL", '{"a":{"b\\u0000":1}}', "bad_name"),
    ({"a": {Plan.PRO: 1, "pro\u200b": 2}, "b": 2**63}, "data.b", "beyond 64 bits", '{"a":9223372036854775808}', "bad_value"),
    ({"a": -(2**63) - 1}, "data.a", "beyond 64 bits", '{"a":-9223372036854775809}', "bad_value"),
    ({"a": Code("\ud800")}, "data.a", "surrogate", None, None),
    ({"a": Regex("\ud800")}, "data.a", "surrogate", None, None),
    ({"a": Decimal("1E+6145")}, "data.a", "exponent 6145", '{"a":{"$numberDecimal":"1E+6145"}}', "bad_value"),
    ({"a": "\ud800"}, "data.a", "surrogate", '{"a":"\\ud800"}', "bad_json"),
    ({"\udc80": 1}, "data.'\\udc80'", "surrogate", None, None),
    (nested(100), "data", "100 levels", json.dumps(nested(100)), "too_large"),
    (ENDLESS, "data", "holds itself", None, None),
    ({"a": {1, 2}}, "data.a", "give a list", None, None),
    ({"a": date(2024, 1, 1)}, "data.a", "give a datetime", None, None),
    ({"a": object()}, "data.a", "object", None, None),
    ({"a": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))}, "data.a", "years 1 to 9999", None, None),
    ({"a": Binary(b"x", 4)}, "data.a", "16 bytes", '{"a":{"$binary":{"base64":"eA==","subType":"04"}}}', "bad_value"),
    ({"a": bson.DBRef("c", 1)}, "data.a", "DBRef", '{"a":{"$ref":"c","$id":1}}', "bad_name"),
    ({"a": Code("f()", {"x": 1})}, "data.a", "bson.code.Code", '{"a":{"$code":"f()","$scope":{"x":1}}}', "bad_name"),
    (None, "data", "is None", "null", "missing_field"),
    ([0] * 700_000, "", "4194304", None, None),
    ("x" * (2 * 1024 * 1024), "", "2097152", None, None),
]


@pytest.fixture
def unsent():
    """A producer that would fail if it sent something."""
    producer = Producer(queue_url="https://sqs.eu-west-1.amazonaws.com/1/portal", make_client=lambda: None, budget=1, exit_timeout=0)
    yield producer
    assert producer.counts().accepted == 0
    producer.close(0)


@pytest.mark.parametrize("data, field, says", [row[:3] for row in REFUSED], ids=[f"{row[1]}-{row[2]}" for row in REFUSED])
def test_what_cannot_be_stored_is_refused_at_the_call_with_its_field(unsent, data, field, says):
    with pytest.raises(BadMessage) as refused:
        unsent.store_session_data("s-1", data)
    assert refused.value.field == field and says in str(refused.value)
    # The largest take a second each.
    if field:
        with pytest.raises(BadMessage):
            unsent.cache_user_data(1, data)


def test_what_is_refused_at_the_call_a_worker_would_refuse_too(longshore):
    sqs = longshore.client()
    expected = []
    for _, _, _, body, reason in REFUSED:
        if body is not None:
            text = '{"type":"session","session_id":"s-%d","data":%s}' % (len(expected), body)
            sqs.send_message(QueueUrl=longshore.env["LONGSHORE__QUEUE__URL"], MessageBody=text)
            expected.append(reason)
    assert longshore.wait(len(expected)) == {"good": 0, "bad": len(expected)}
    assert sorted(one["reason"] for one in longshore.bad()) == sorted(expected)


def sum_of_elements(count):
    """Bytes of an array of so many small integers as BSON."""
    return 6 * count + sum(count - 10**power for power in range(1, 7) if count > 10**power) + count + 5


def test_the_deepest_and_the_largest_that_a_worker_takes_are_not_refused(longshore):
    rng = random.Random(1)
    digits = [rng.randrange(10) for _ in range(370_000)]
    # An element is a type, its index as a name, and 4 bytes; the document has some more fields.
    most = bisect.bisect(range(len(digits)), 4 * 1024 * 1024 - 400, key=sum_of_elements)
    with longshore.producer() as producer:
        producer.cache_user_data(1, nested(99))
        producer.cache_user_data(2, digits[:most])
        with pytest.raises(BadMessage, match="as a document"):
            producer.cache_user_data(3, digits[: most + 100])
    assert longshore.wait(2) == {"good": 2, "bad": 0}, longshore.bad()


def test_two_names_that_become_one_are_refused(unsent):
    class Odd(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            return self is other

    with pytest.raises(BadMessage, match="twice"):
        unsent.cache_user_data(1, {Odd("a"): 1, Odd("a"): 2})


@pytest.mark.parametrize("key", [None, True, 1.0, float("nan"), "", "x" * 1025, b"x", Decimal(1), [1], {}, datetime(2024, 1, 1), 2**63, "\ud800"])
def test_what_names_no_document_is_no_key(unsent, key):
    for call in (
        lambda: unsent.store_session_data(key, {}),
        lambda: unsent.cache_user_data(key, {}),
        lambda: unsent.send("cache", {"user_id": key, "data": {}}),
        lambda: unsent.send("order", {"order_id": key}, key="order_id"),
    ):
        with pytest.raises(BadMessage) as refused:
            call()
        assert refused.value.field in ("session_id", "user_id", "order_id")


def test_a_key_that_is_not_there_is_told_by_its_name(unsent):
    with pytest.raises(BadMessage, match="field order_id is missing"):
        unsent.send("order", {"orderid": 7}, key="order_id")


OWN_ROUTES = """
[routes.order]
collection = "orders"
write = "set"
key = "order_id"
version_field = "changed_at"
fields = ["n"]

[routes.stock]
collection = "stock"
write = "replace"
key = "_id"
version_field = "changed_at"
"""


@pytest.fixture(scope="module")
def own_routes(tmp_path_factory):
    config = tmp_path_factory.mktemp("own") / "longshore.toml"
    config.write_text(OWN_ROUTES)
    with Dev(config=str(config)) as dev:
        yield dev


def test_the_key_of_an_own_route_is_held_to_what_its_worker_takes(own_routes):
    keys = [5, -(2**63), "s-81", "x" * 1024, "é" * 512, OID, SOME_UUID, Int64(7), Plan.PRO, Reference(8)]
    # As they would arrive if they were sent: none is the body without a key.
    no_keys = {"5.0": 5.0, "null": None, "true": True, '""': "", '"%s"' % ("x" * 1025): "x" * 1025, "[1]": [1], "{}": {}}
    no_keys['{"$numberDecimal":"1"}'], no_keys['{"$date":"2024-01-01T00:00:00Z"}'] = Decimal(1), datetime(2024, 1, 1)
    no_keys['{"$binary":{"base64":"eA==","subType":"00"}}'] = b"x"
    own_routes.reset()
    with own_routes.producer() as producer:
        for number in (1, 2):
            for key in keys:
                assert producer.send("order", {"order_id": key, "n": number}, key="order_id")
                assert producer.send("stock", {"_id": key, "n": number}, key="_id")
        for key in no_keys.values():
            for route, name in (("order", "order_id"), ("stock", "_id")):
                with pytest.raises(BadMessage) as refused:
                    producer.send(route, {name: key, "n": 1}, key=name)
                assert refused.value.field == name
    good = 4 * len(keys)
    assert own_routes.wait(good) == {"good": good, "bad": 0}, own_routes.bad()
    for collection in ("orders", "stock"):
        assert [document["n"] for document in own_routes.good(collection)] == [2] * len(keys)
    bodies = ['{"type":"order","order_id":%s,"n":1}' % written for written in no_keys] + ['{"type":"order","n":1}']
    sqs = own_routes.client()
    for body in bodies:
        sqs.send_message(QueueUrl=own_routes.env["LONGSHORE__QUEUE__URL"], MessageBody=body)
    assert own_routes.wait(good + len(bodies)) == {"good": good, "bad": len(bodies)}
    assert {one["reason"] for one in own_routes.bad()} == {"bad_key"}


def test_a_whole_float_is_told_what_to_be(unsent):
    with pytest.raises(BadMessage, match="not 123.0"):
        unsent.cache_user_data(1.0, {})


@pytest.mark.parametrize("user_id", [None, [1], {"a": 1}, b"x", "x" * 1025])
def test_what_would_weigh_on_an_index_is_no_user(unsent, user_id):
    with pytest.raises(BadMessage) as refused:
        unsent.log_user_event(user_id, "login", {})
    assert refused.value.field == "user_id"


@pytest.mark.parametrize("call", [
    lambda producer: producer.log_user_event(1, 5, {}),
    lambda producer: producer.log_user_event(1, "e", {}, id=""),
    lambda producer: producer.log_user_event(1, "e", {}, timestamp="now"),
    lambda producer: producer.store_session_data("s", {}, last_accessed=datetime(1999, 12, 31)),
    lambda producer: producer.store_session_data("s", {}, last_accessed=5),
    lambda producer: producer.cache_user_data(1, {}, updated=datetime(2100, 1, 1)),
    lambda producer: producer.send("", {}),
    lambda producer: producer.send("order", {"type": "x"}),
    lambda producer: producer.send("order", {"_ingest": 1}),
    lambda producer: producer.send("order", {"_ingest.v": 1}),
    lambda producer: producer.send("order", {"_id": 1}),
    lambda producer: producer.send("order", {"n": 1, "a.b": 1}, key="n"),
    lambda producer: producer.send("order", {"n": 1, "": 1}, key="n"),
    lambda producer: producer.send("order", {"a.b": 1}, key="a.b"),
    lambda producer: producer.send("order", {"type": 1}, key="type"),
    lambda producer: producer.send("order", {"n": 1, "_id": 1}, key="n"),
    lambda producer: producer.send("order", {"": 1}, key=""),
    lambda producer: producer.send("order", {"n": 1}, key=True),
    lambda producer: producer.send("cache", {"n": 1, "user_id": 1, "data": 1}, key="n"),
    lambda producer: producer.send("cache", {"user_id": 1, "data": 1, "a.b": 1}),
    lambda producer: producer.send("session", {"session_id": 1}),
    lambda producer: producer.send("event", {"user_id": 1}),
    lambda producer: producer.send("event", {"user_id": [1], "event_type": "e"}),
    lambda producer: producer.send("event", {"user_id": 1, "event_type": "e", "id": 1.0}),
    lambda producer: producer.send("event", {"user_id": 1, "event_type": "e", "id": None}),
    lambda producer: producer.send("event", {"user_id": 1, "event_type": "e", "timestamp": "yesterday"}),
    lambda producer: producer.send("event", {"user_id": 1, "event_type": "e", "timestamp": True}),
    lambda producer: producer.send("event", {"user_id": 1, "event_type": "e", "timestamp": 5}),
    lambda producer: producer.send("cache", {"user_id": 1, "data": 1, "updated": DatetimeMS(0)}),
    lambda producer: producer.send("session", {"session_id": 1, "data": 1, "last_accessed": ""}),
    lambda producer: producer.send("session", {"session_id": 1, "data": 1, "last_accessed": 5}),
    lambda producer: producer.send("cache", {"user_id": 1, "data": 1, "updated": [1]}),
    lambda producer: producer.send("cache", {"user_id": 1, "data": 1, "updated": datetime.now(timezone.utc) + timedelta(hours=2)}),
    lambda producer: producer.send("order", {"$a": 1}),
    lambda producer: producer.send("order", [1]),
    lambda producer: producer.send("order", {"a": 1}, group="a b"),
])
def test_what_a_route_would_refuse_is_refused_at_the_call(unsent, call):
    with pytest.raises(BadMessage):
        call(unsent)


def test_a_version_of_tomorrow_is_refused_at_the_call_as_the_worker_would(unsent, longshore):
    # The clock of the wall, east of Greenwich.
    ahead = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(hours=2)
    for call in (
        lambda: unsent.store_session_data("s", {}, last_accessed=ahead),
        lambda: unsent.cache_user_data(1, {}, updated=ahead),
    ):
        with pytest.raises(BadMessage, match="not datetime.now"):
            call()
    body = json.dumps({"type": "cache", "user_id": 1, "data": {}, "updated": ahead.isoformat()})
    longshore.client().send_message(QueueUrl=longshore.env["LONGSHORE__QUEUE__URL"], MessageBody=body)
    with longshore.producer() as producer:
        producer.cache_user_data(2, {}, updated=ahead - timedelta(minutes=65))
        producer.log_user_event(1, "planned", None, timestamp=ahead)
    assert longshore.wait(3) == {"good": 2, "bad": 1}
    assert longshore.bad()[0]["reason"] == "bad_time"


def test_times_that_are_written_or_counted_are_sent_as_they_are(longshore):
    times = ["2026-01-01T00:00:00Z", DatetimeMS(1767225600000), "2026-01-01 00:00:00.123456789", "20260101T000000Z", "1767225600", 1767225600, 1767225600.5, 1767225600000, None]
    with longshore.producer() as producer:
        for number, one in enumerate(times):
            producer.send("cache", {"user_id": number, "data": 1, "updated": one})
            producer.send("event", {"user_id": number, "event_type": "e", "timestamp": one})
    assert longshore.wait(2 * len(times)) == {"good": 2 * len(times), "bad": 0}, longshore.bad()


def test_times_of_the_caller_are_versions_too_and_naive_ones_are_utc(longshore):
    with longshore.producer() as producer:
        producer.store_session_data("s", {"n": 1}, last_accessed=datetime(2026, 1, 1, 10, 0, 0, 2))
        producer.store_session_data("s", {"n": 2}, last_accessed=datetime(2026, 1, 1, 11, 0, 0, 1, tzinfo=timezone(timedelta(hours=1))))
        producer.log_user_event(1, "e", {}, timestamp=datetime(2020, 1, 1))
    assert longshore.wait(3) == {"good": 3, "bad": 0}
    assert longshore.good("sessions")[0]["data"] == {"n": 1}, "a microsecond later, whenever it was sent"
    assert longshore.good("events")[0]["timestamp"] == {"$date": "2020-01-01T00:00:00Z"}


def test_an_own_route_takes_a_dot_where_it_inserts(longshore):
    with longshore.producer() as producer:
        producer.send("event", {"user_id": 1, "event_type": "e", "a.b": 1, "more": Decimal("1.0")})
    assert longshore.wait(1) == {"good": 1, "bad": 0}
    assert longshore.good("events")[0]["a.b"] == 1


def test_a_time_without_a_zone_is_utc_in_every_zone_of_the_machine(longshore, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        with longshore.producer() as producer:
            producer.cache_user_data(1, {"at": datetime(2024, 3, 1, 12, tzinfo=Nowhere())}, updated=datetime(2024, 3, 1, 12))
            producer.log_user_event(1, "e", None, id="mine", timestamp=datetime(2024, 3, 1, 12))
            producer.log_user_event(1, "e", None)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert longshore.wait(3) == {"good": 3, "bad": 0}
    (entry,), events = longshore.good("user_cache"), longshore.good("events")
    noon = {"$date": "2024-03-01T12:00:00Z"}
    given = next(event for event in events if event["_id"] == "mine")
    assert entry["updated"] == entry["data"]["at"] == given["timestamp"] == noon
    (now,) = [event["timestamp"]["$date"] for event in events if event["_id"] != "mine"]
    assert abs(datetime.fromisoformat(now.replace("Z", "+00:00")) - datetime.now(timezone.utc)) < timedelta(minutes=30)
