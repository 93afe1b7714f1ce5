"""Values at random: what a call takes, the worker stores, as pymongo would have stored it."""

import random
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import bson
from bson import Decimal128, Int64, ObjectId
from pymongo import MongoClient

SEED = 20
ALPHABET = "aZ0_-. $é⚓\U0001f600\x01\x7f\u2028\"\\/"


def text(rng):
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(8)))


def scalar(rng):
    """What is given, and what pymongo reads."""
    kind = rng.randrange(10)
    if kind == 0:
        number = rng.choice([rng.randrange(-9, 9), rng.randrange(-(2**63), 2**63), 2**31, -(2**31), 2**63 - 1])
        return number, number if -(2**31) <= number < 2**31 else Int64(number)
    if kind == 1:
        number = rng.choice([rng.random(), rng.random() * 10.0 ** rng.randrange(-300, 300), -0.0, float(2**63), 5e-324])
        return number, number
    if kind == 2:
        moment = datetime(1, 1, 1) + timedelta(microseconds=rng.randrange(315_537_897_599_999_999))
        return moment, moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if kind == 3:
        number = Decimal(rng.randrange(-(10**34), 10**34)).scaleb(rng.randrange(-50, 50)) if rng.random() < 0.5 else Decimal(rng.randrange(9))
        return number, Decimal128(str(number))
    if kind == 4:
        blob = rng.randbytes(rng.randrange(9))
        return blob, blob
    if kind == 5:
        uuid = UUID(int=rng.getrandbits(128))
        return uuid, bson.Binary.from_uuid(uuid)
    if kind == 6:
        oid = ObjectId(rng.randbytes(12))
        return oid, oid
    if kind == 7:
        same = rng.choice([True, False, None])
        return same, same
    one = text(rng)
    return one, one


def value(rng, levels):
    kind = rng.randrange(4) if levels else 3
    if kind == 0:
        names = {name for name in (text(rng) for _ in range(rng.randrange(5))) if not name.startswith("$")}
        pairs = {name: value(rng, levels - 1) for name in sorted(names)}
        return {name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()}
    if kind == 1:
        pairs = [value(rng, levels - 1) for _ in range(rng.randrange(5))]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return scalar(rng)


def test_what_a_call_takes_the_worker_stores_as_pymongo_would(longshore):
    rng = random.Random(SEED)
    expected = {number: value(rng, 5) for number in range(500)}
    with longshore.producer(compress_above=500) as producer:
        for number, (given, _) in expected.items():
            producer.log_user_event(number, "random", given)
    assert longshore.wait(500, timeout=60) == {"good": 500, "bad": 0}, longshore.bad(1)
    found = MongoClient(longshore.env["MONGO_CACHE_URI"]).get_default_database().events.find()
    metadata = {event["user_id"]: event["metadata"] for event in found}
    for number, (given, stored) in expected.items():
        assert bson.encode({"": metadata[number]}) == bson.encode({"": stored}), (SEED, number, given)
