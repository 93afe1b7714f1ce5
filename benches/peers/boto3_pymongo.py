"""boto3 and pymongo at their best: threads, a hundred messages a write, unordered. Arguments: endpoint, queue URL, MongoDB URI."""

import sys
import threading
from collections import defaultdict

import boto3
from botocore.config import Config
from pymongo import MongoClient, WriteConcern
from pymongo.errors import BulkWriteError

import worker

# More of them cost more for each message, and are no faster: the interpreter runs one at a time.
THREADS = 4
# Of one write, where the queue has so many.
MESSAGES = 100
DUPLICATE_KEY = 11000


def receive(queue, url):
    """Up to a hundred messages; fewer once the queue gives fewer than ten."""
    messages = []
    while len(messages) < MESSAGES and not worker.STOP.is_set():
        worker.CALLS["receive"] += 1
        answer = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if messages else 1)
        received = answer.get("Messages", [])
        messages += received
        if len(received) < 10:
            break
    return messages


def unload(queue, url, database):
    while not worker.STOP.is_set():
        messages = receive(queue, url)
        writes = defaultdict(list)
        for message in messages:
            collection, write = worker.write(message["Body"])
            writes[collection].append(write)
        for collection, batch in writes.items():
            try:
                database[collection].bulk_write(batch, ordered=False)
            except BulkWriteError as error:
                if any(one["code"] != DUPLICATE_KEY for one in error.details["writeErrors"]):
                    raise
        for start in range(0, len(messages), 10):
            entries = [{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(messages[start : start + 10])]
            worker.CALLS["delete"] += 1
            queue.delete_message_batch(QueueUrl=url, Entries=entries)


def main(endpoint, url, uri):
    database = MongoClient(uri).get_default_database(write_concern=WriteConcern("majority"))
    # Without them two first updates of one session make two documents.
    database.sessions.create_index("session_id", unique=True)
    database.user_cache.create_index("user_id", unique=True)
    queue = boto3.client("sqs", endpoint_url=endpoint, config=Config(max_pool_connections=THREADS))
    worker.begin()
    threads = [threading.Thread(target=unload, args=(queue, url, database)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker.end()


main(*sys.argv[1:])
