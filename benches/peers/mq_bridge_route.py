"""mq-bridge's own route from SQS to MongoDB, without a line of Python for a message: it keeps bodies as they are, one collection.
Arguments: endpoint, queue URL, MongoDB URI."""

import os
import sys

from mq_bridge import Route
from pymongo.uri_parser import parse_uri

import worker


def main(endpoint, url, uri):
    route = Route.from_config(
        {
            "input": {
                "aws": {
                    "queue_url": url,
                    "endpoint_url": endpoint,
                    "region": os.environ["AWS_REGION"],
                    "access_key": os.environ["AWS_ACCESS_KEY_ID"],
                    "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"],
                    "max_messages": 10,
                    "wait_time_seconds": 1,
                }
            },
            "output": {"mongodb": {"url": uri, "database": parse_uri(uri)["database"], "collection": "events", "format": "raw", "id_field": "id"}},
            "concurrency": 8,
            "batch_size": 100,
        }
    )
    worker.begin()
    route.start()
    worker.STOP.wait()
    route.stop()
    route.join()
    worker.end()


main(*sys.argv[1:])
