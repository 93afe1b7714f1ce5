"""The calls to SQS, by boto3: short time-outs, no retries of its own, and answers as the outbox takes them."""

from __future__ import annotations

from typing import Any, Dict, List, Protocol

import boto3
import botocore.exceptions
from botocore.config import Config

from .outbox import Answer, Fault, FaultKind, Message, Outcome
from .settings import Settings, endpoint_of

# A part of the codes of both protocols of SQS.
_NO_QUEUE = ("NonExistentQueue", "QueueDoesNotExist")
_DENIED = (
    "AccessDenied",
    "InvalidClientTokenId",
    "UnrecognizedClient",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "MissingAuthenticationToken",
    "InvalidSecurity",
    "OptInRequired",
    *_NO_QUEUE,
    "QueueDeletedRecently",
    "KmsAccessDenied",
    "KmsDisabled",
    "KmsNotFound",
)
_THROTTLED = ("Throttl", "RequestLimitExceeded", "OverLimit", "TooManyRequests", "SlowDown")
_DENYING_ERRORS = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.NoRegionError,
    botocore.exceptions.ProfileNotFound,
)
# Characters of an error's text that are kept.
_TEXT_MAX = 300


class SqsClient(Protocol):
    """What is used of boto3's client."""

    def send_message_batch(self, *, QueueUrl: str, Entries: List[Dict[str, Any]]) -> Dict[str, Any]: ...


def boto3_client(settings: Settings) -> SqsClient:
    """A client for the background thread. Each process makes its own: connections do not survive a fork."""
    config = Config(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        # We try again ourselves, without holding up what comes behind.
        retries={"total_max_attempts": 1, "mode": "standard"},
        tcp_keepalive=True,
    )
    # A session of its own: boto3's default one is not safe to share between threads.
    session: Any = boto3.session.Session(region_name=settings.region)
    client: SqsClient = session.client("sqs", endpoint_url=endpoint_of(settings), config=config)
    return client


def send(client: SqsClient, queue_url: str, messages: List[Message], *, is_fifo: bool) -> Answer:
    """Sends one batch. Whatever goes wrong is in the answer that is returned."""
    entries = [_entry(str(place), message, is_fifo) for place, message in enumerate(messages)]
    try:
        return _outcomes(client.send_message_batch(QueueUrl=queue_url, Entries=entries), len(messages))
    except Exception as error:  # noqa: BLE001 - whatever a client or its credentials raise: the thread must live on
        return _with_queue(fault_of(error), error, queue_url)


def _with_queue(fault: Fault, error: Exception, queue_url: str) -> Fault:
    """AWS says of a queue that is not there that "the specified queue" is not: which one, and where it is set, is what to look at.

    A URL with a login is not taken as a setting, so there is none to be told.
    """
    code = str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, botocore.exceptions.ClientError) else ""
    if not any(part in code for part in _NO_QUEUE):
        return fault
    return fault._replace(text=f"there is no queue {queue_url}, or it is another account's or region's: set queue_url or LONGSHORE__QUEUE__URL; {fault.text}")


def _outcomes(said: Dict[str, Any], count: int) -> List[Outcome]:
    outcomes = [Outcome(False, text="the queue's answer does not mention the message") for _ in range(count)]
    for one in said.get("Successful", ()):
        outcomes[int(one["Id"])] = Outcome(True)
    for one in said.get("Failed", ()):
        text = f"{one.get('Code', 'no code')}: {one.get('Message', '')}"[:_TEXT_MAX]
        is_throttled = any(part in text for part in _THROTTLED)
        outcomes[int(one["Id"])] = Outcome(False, bool(one.get("SenderFault")) and not is_throttled, text)
    return outcomes


def fault_of(error: Exception) -> Fault:
    """What an error of a whole call says of the queue."""
    text = f"{type(error).__name__}: {error}"[:_TEXT_MAX]
    if isinstance(error, _DENYING_ERRORS):
        return Fault(FaultKind.DENIED, text)
    if isinstance(error, botocore.exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if any(part in code for part in _THROTTLED):
            return Fault(FaultKind.THROTTLED, text)
        if any(part in code for part in _DENIED):
            return Fault(FaultKind.DENIED, text)
    return Fault(FaultKind.UNAVAILABLE, text)


def _entry(place: str, message: Message, is_fifo: bool) -> Dict[str, Any]:
    entry: Dict[str, Any] = {
        "Id": place,
        "MessageBody": message.body.decode("utf-8"),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
        },
    }
    if message.group is not None:
        entry["MessageGroupId"] = message.group
    if is_fifo:
        entry["MessageDeduplicationId"] = message.id
    return entry
