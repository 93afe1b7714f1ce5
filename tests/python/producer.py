"""Sends to a queue what the portal has to tell. Arguments: the endpoint and the URL of the queue."""

import json
import sys

import boto3
from documents import DOCUMENTS, TIMES, TYPES

endpoint, queue_url = sys.argv[1:]
sqs = boto3.client(
    "sqs", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
)
for collection, document, time in DOCUMENTS:
    message = {"type": TYPES[collection], **document, TIMES[collection]: time}
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))
