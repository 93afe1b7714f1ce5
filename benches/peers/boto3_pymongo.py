"""boto3 and pymongo at their best: threads, a hundred messages a write, unordered. Arguments: endpoint, queue URL, MongoDB URI, threads, and
`guarded` or `last` (who wins: see portal.py)."""

import sys
import threading
from collections import defaultdict

import boto3
from botocore.config import Config
from pymongo import MongoClient, WriteConcern
from pymongo.errors import BulkWriteError

import portal
import process

# Of one write, where the queue has so many.
MESSAGES = 100
DUPLICATE_KEY = 11000


def receive(queue, url):
    """Up to a hundred messages; fewer once the queue gives fewer than ten."""
    messages = []
    while len(messages) < MESSAGES and not process.STOP.is_set():
        process.CALLS["receive"] += 1
        answer = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if messages else 1)
        received = answer.get("Messages", [])
        messages += received
        if len(received) < 10:
            break
    return messages


def bulk_write(collection, batch):
    """The writes that met a duplicate key. Anything else that is wrong is raised."""
    try:
        collection.bulk_write(batch, ordered=False)
        return []
    except BulkWriteError as error:
        errors = error.details["writeErrors"]
        if not errors or error.details["writeConcernErrors"] or any(one["code"] != DUPLICATE_KEY for one in errors):
            raise
        return [batch[one["index"]] for one in errors]


def write(database, messages, is_guarded):
    batches = defaultdict(list)
    for message in messages:
        collection, one = portal.write(message["Body"], is_guarded)
        batches[collection].append(one)
    for name, batch in batches.items():
        duplicates = bulk_write(database[name], batch)
        # An event that is there already, or an update that is older or met the first one of its key: once more tells which.
        if duplicates and name != "events":
            bulk_write(database[name], duplicates)


@process.unless_it_fails
def unload(queue, url, database, is_guarded):
    while not process.STOP.is_set():
        messages = receive(queue, url)
        write(database, messages, is_guarded)
        for start in range(0, len(messages), 10):
            entries = [{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(messages[start : start + 10])]
            process.CALLS["delete"] += 1
            queue.delete_message_batch(QueueUrl=url, Entries=entries)


def main(endpoint, url, uri, threads, who_wins):
    count = int(threads)
    process.end_by_signal()
    database = MongoClient(uri).get_default_database(write_concern=WriteConcern("majority"))
    # Without them two first updates of one session make two documents.
    database.sessions.create_index("session_id", unique=True)
    database.user_cache.create_index("user_id", unique=True)
    queue = boto3.client("sqs", endpoint_url=endpoint, config=Config(max_pool_connections=count))
    process.tell("started")
    threads = [threading.Thread(target=unload, args=(queue, url, database, who_wins == "guarded")) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.tell("ended", **{f"calls.{name}": count for name, count in process.CALLS.items()})


main(*sys.argv[1:])
