"""Compares what is in the database of MONGO_CACHE_URI with what the portal's own helper writes there through pymongo."""

import os
from datetime import datetime

import bson
from bson.int64 import Int64
from documents import DOCUMENTS, KEYS, TIMES
from pymongo import MongoClient

# Longshore's own, and the name that an insert makes up.
APART = ("_id", "_ingest")


def write_as_the_helper_did(database, collection, document):
    """Through the calls of the old helper, into collections beside those of the worker."""
    theirs = database["helper_" + collection]
    match collection:
        case "events":
            theirs.insert_one(dict(document))
        case "sessions":
            fields = {name: value for name, value in document.items() if name != "session_id"}
            theirs.update_one({"session_id": document["session_id"]}, {"$set": fields}, upsert=True)
        case "user_cache":
            theirs.replace_one({"user_id": document["user_id"]}, dict(document), upsert=True)


def as_bson(document):
    """The bytes of each field, which tell int32 from int64 and double, and the order of names below the top."""
    return {name: bson.encode({"": value}) for name, value in document.items() if name not in APART}


database = MongoClient(os.environ["MONGO_CACHE_URI"]).get_default_database()
for collection, document, _ in DOCUMENTS:
    write_as_the_helper_did(database, collection, document)
    name = KEYS.get(collection, "event_type")
    found = list(database[collection].find({name: document[name]}))
    assert len(found) == 1, f"{collection} has {found} for {document[name]}"
    theirs = database["helper_" + collection].find_one({name: document[name]})
    assert as_bson(found[0]) == as_bson(theirs), f"the worker wrote\n{found[0]}\nand the helper\n{theirs}"
    assert type(found[0][TIMES[collection]]) is datetime, found[0]

# What the comparison above rests on, said once in types.
login = database["events"].find_one({"event_type": "login"})
assert type(login["user_id"]) is int, "int32 is a plain int in pymongo"
assert type(login["metadata"]["int32_max"]) is int
assert type(login["metadata"]["int64"]) is Int64
assert type(login["metadata"]["ratio"]) is float
assert login["timestamp"] == datetime(2024, 2, 29, 23, 59, 59, 987000)
for collection in ("events", "sessions", "user_cache"):
    count = sum(1 for row in DOCUMENTS if row[0] == collection)
    assert database[collection].count_documents({}) == count, f"{collection} has more than was sent"
