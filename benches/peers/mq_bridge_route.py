"""mq-bridge's own route from SQS to MongoDB, without a line of Python for a message: it keeps bodies as they are, in one collection.
Arguments: endpoint, queue URL, MongoDB URI, routes."""

import os
import sys
from urllib.parse import urlsplit

from mq_bridge import Route

import process


def route(endpoint, url, uri):
    source = {
        "queue_url": url,
        "endpoint_url": endpoint,
        "region": os.environ["AWS_REGION"],
        "access_key": os.environ["AWS_ACCESS_KEY_ID"],
        "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "max_messages": 10,
        "wait_time_seconds": 1,
    }
    target = {"url": f"{uri}&w=majority", "database": urlsplit(uri).path.strip("/"), "collection": "events", "format": "raw", "id_field": "id"}
    return {"input": {"aws": source}, "output": {"mongodb": target}, "concurrency": 2, "batch_size": 100}


def main(endpoint, url, uri, count):
    process.end_by_signal()
    # A route has one receiver, whatever its concurrency.
    names = [f"unload-{number}" for number in range(int(count))]
    document = {"routes": {name: route(endpoint, url, uri) for name in names}}
    routes = [Route.from_config(document, name) for name in names]
    for each in routes:
        each.start()
    process.tell("started")
    process.STOP.wait()
    for each in routes:
        each.stop()
    for each in routes:
        each.join()
    process.tell("ended")


process.unless_it_fails(main)(*sys.argv[1:])
