"""The settings of a producer: where they come from, and their bounds."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, fields, replace
from typing import Any, Callable, List, Mapping, Optional, Set, Tuple
from urllib.parse import urlsplit

from .errors import BadSettings
from .telling import say

WHEN_FULL = ("drop", "raise", "block")

# Variables of the environment. Those of the worker come first, so that one file of them serves both.
ENVIRONMENT = {
    "queue_url": ("LONGSHORE__QUEUE__URL",),
    "endpoint_url": ("LONGSHORE__QUEUE__ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"),
    "region": ("LONGSHORE__QUEUE__REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
    "allow_insecure": ("LONGSHORE__QUEUE__ALLOW_INSECURE",),
    "when_full": ("LONGSHORE_PRODUCER_WHEN_FULL",),
}

_DAY = 86_400.0
_BOUNDS = {
    "block_max": (0.0, 600.0),
    "waiting_max": (1, 100_000_000),
    "waiting_bytes_max": (1024 * 1024, 2**40),
    "budget": (1.0, _DAY),
    "retry_initial": (0.01, 10.0),
    "retry_max": (0.01, 3600.0),
    "linger": (0.0, 10.0),
    "in_flight_max": (1, 10),
    "connect_timeout": (0.1, 60.0),
    "read_timeout": (0.1, 60.0),
    "exit_timeout": (0.0, 3600.0),
}
# Of a queue and an endpoint from the environment, those that were warned of.
_told_pairs: Set[Tuple[str, Optional[str]]] = set()
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Lost:
    """A message that was dropped, or accepted and not sent. As far as is known it is not in the queue.

    `why` is "dropped" (there was no room), "refused" (SQS refuses the message itself), "late" (the queue did not take it
    within the budget), "denied" (the queue is gone or does not let us send) or "abandoned" (the producer ended first). If
    the answer to a request was lost, the message may be in the queue all the same. If it is sent again, its `id` tells a worker
    that it is the same one.
    """

    why: str
    text: str
    id: str
    # As it would be sent: packed (base64 of gzip) where the attribute content-encoding says so.
    body: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Settings:
    """All times are seconds, all sizes bytes."""

    # https://sqs.REGION.amazonaws.com/ACCOUNT/NAME. One that ends in .fifo is FIFO.
    queue_url: str = ""
    # Where requests go; otherwise the host of queue_url.
    endpoint_url: Optional[str] = None
    # Otherwise that of AWS's own host names in queue_url, then boto3's chain.
    region: Optional[str] = None
    # An endpoint on another machine may be plain http.
    allow_insecure: bool = False
    # What a call does when as many messages wait as may. "drop" counts and logs the message, "raise" raises QueueFull, both at
    # once. "block" waits for room, block_max at most, then raises QueueFull.
    when_full: str = "drop"
    block_max: float = 5.0
    # Messages that may wait, those in flight included: 1 or more. 20,000 are 100 s of 200 calls a second.
    waiting_max: int = 20_000
    # Bytes of all messages that may wait, as SQS counts them: 1 MiB or more, for one message may have that.
    waiting_bytes_max: int = 16 * 1024 * 1024
    # How long a message is tried, from its call on: 1 s to a day.
    budget: float = 300.0
    # Pauses between tries: the first, and the longest. They double in between.
    retry_initial: float = 0.1
    retry_max: float = 5.0
    # Requests at once, while full batches wait: 1 to 10. On a FIFO queue it is always one, for the order of its groups.
    in_flight_max: int = 4
    # How long a batch that is not full waits for more: 0 to 10 s. SQS bills by request, and no caller waits for it.
    linger: float = 0.05
    # Bodies of more bytes are packed with gzip if that makes them smaller. None: never. SQS bills each 64 KiB as a request.
    compress_above: Optional[int] = 64 * 1024
    # Time-outs of boto3's client, whose own are 60 s each, four times over. Only a background thread waits, never a caller.
    connect_timeout: float = 2.0
    read_timeout: float = 5.0
    # How long the end of the process waits for messages that are not sent by then: 0 to an hour.
    exit_timeout: float = 10.0
    # Called with each lost message, by the thread that notices the loss. It must be quick. What it raises is logged.
    on_lost: Optional[Callable[[Lost], None]] = None
    # Makes what calls SQS, once in each process and in a background thread: anything with boto3's send_message_batch, which
    # several threads may call at once unless in_flight_max is 1.
    make_client: Optional[Callable[[], Any]] = None

    @property
    def is_fifo(self) -> bool:
        return self.queue_url.rstrip("/").endswith(".fifo")


def from_environment(**given: Any) -> Settings:
    """What is given, then the environment, then the defaults.

    Raises BadSettings with all that is wrong.
    """
    is_url_given = given.get("queue_url") is not None
    known = {one.name for one in fields(Settings)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise BadSettings(f"there is no setting {', '.join(unknown)}: there are {', '.join(sorted(known))}")
    endpoint_from = None
    for name, variables in ENVIRONMENT.items():
        if given.get(name) is None:
            variable = next((variable for variable in variables if os.environ.get(variable)), None)
            found = None if variable is None else os.environ[variable]
            if name == "endpoint_url":
                endpoint_from = variable
            if found is not None:
                given[name] = {"true": True, "false": False}.get(found.strip().lower(), found) if name == "allow_insecure" else found
            else:
                given.pop(name, None)
    settings = whole(Settings(**given))
    if is_url_given and endpoint_from is not None:
        _warn_of_another_host(settings, endpoint_from)
    return settings


def _warn_of_another_host(settings: Settings, variable: str) -> None:
    """The environment of a test, or of another queue, sends elsewhere what the code sends to its own queue.

    A warning and no error: a proxy or a VPC endpoint has another host too. Once, for a model of web2py runs with each request.
    """
    queue, endpoint = urlsplit(settings.queue_url).hostname, urlsplit(settings.endpoint_url or "").hostname
    pair = (settings.queue_url, settings.endpoint_url)
    if queue == endpoint or {queue, endpoint} <= set(_LOOPBACK) or pair in _told_pairs:
        return
    _told_pairs.add(pair)
    say(
        logging.WARNING,
        "messages for queue_url %s go to %s, because %s is set: if that is not intended, unset it, or give endpoint_url",
        *pair,
        variable,
    )


def whole(settings: Settings) -> Settings:
    """Settings with the region that the queue's URL names, if they have none.

    Raises BadSettings with all that is wrong.
    """
    _check(settings)
    return settings if settings.region is not None else replace(settings, region=_region_of(settings.queue_url))


def differences(one: Settings, other: Settings) -> List[str]:
    """The names of the settings that differ. Functions are compared by where they are written: a module that runs again makes
    them anew.
    """
    return [each.name for each in fields(Settings) if _told(getattr(one, each.name)) != _told(getattr(other, each.name))]


def _told(value: Any) -> Any:
    return getattr(value, "__code__", value)


def endpoint_of(settings: Settings) -> str:
    """Where requests go."""
    if settings.endpoint_url:
        return settings.endpoint_url
    url = urlsplit(settings.queue_url)
    return f"{url.scheme}://{url.netloc}"


def _region_of(queue_url: str) -> Optional[str]:
    parts = (urlsplit(queue_url).hostname or "").split(".")
    return parts[1] if len(parts) > 3 and parts[0] in ("sqs", "sqs-fips") and parts[2] in ("amazonaws", "api") else None


def _check(settings: Settings) -> None:
    problems = _problems_of_addresses(settings)
    if settings.when_full not in WHEN_FULL:
        problems.append(f"when_full is {settings.when_full!r}: give one of {', '.join(WHEN_FULL)}")
    for name, (least, most) in _BOUNDS.items():
        value = getattr(settings, name)
        if not _is_number(value) or not least <= value <= most:
            problems.append(f"{name} is {value!r}: give {least} to {most}")
    if _is_number(settings.retry_initial) and _is_number(settings.retry_max) and settings.retry_max < settings.retry_initial:
        problems.append(f"retry_max is {settings.retry_max!r}: give retry_initial ({settings.retry_initial}) or more")
    if settings.compress_above is not None and (not _is_number(settings.compress_above) or settings.compress_above < 0):
        problems.append(f"compress_above is {settings.compress_above!r}: give a number of bytes, or None for never")
    if not isinstance(settings.allow_insecure, bool):
        problems.append(f"allow_insecure is {settings.allow_insecure!r}: give True or False (true or false in the environment)")
    for name in ("on_lost", "make_client"):
        value = getattr(settings, name)
        if value is not None and not callable(value):
            problems.append(f"{name} is {value!r}: give a function")
    if problems:
        raise BadSettings("; ".join(problems))


def _problems_of_addresses(settings: Settings) -> List[str]:
    if not settings.queue_url:
        return ["queue_url is not set: give the URL of the queue, by configure() or LONGSHORE__QUEUE__URL"]
    if not _is_address(settings.queue_url):
        return [f"queue_url is {_shown(settings.queue_url)}: give the URL of the queue, such as https://sqs.eu-west-1.amazonaws.com/123456789012/portal"]
    if settings.endpoint_url and not _is_address(settings.endpoint_url):
        return [f"endpoint_url is {_shown(settings.endpoint_url)}: give a URL, such as http://127.0.0.1:9324"]
    problems: List[str] = []
    if settings.region is not None and not isinstance(settings.region, str):
        problems.append(f"region is {settings.region!r}: give a text, such as eu-west-1")
    endpoint = urlsplit(endpoint_of(settings))
    if endpoint.scheme == "http" and endpoint.hostname not in _LOOPBACK and not settings.allow_insecure:
        problems.append(
            f"the endpoint {endpoint.hostname} is plain http on another machine: use https, or "
            "allow_insecure=True (LONGSHORE__QUEUE__ALLOW_INSECURE=true)"
        )
    return problems


def _is_address(url: object) -> bool:
    """A URL of http or https, with a host and without a login, for it is logged. Blanks and ends of lines come from files of variables that are not read well."""
    if not isinstance(url, str) or any(character.isspace() for character in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _shown(url: object) -> str:
    """Without a login: somebody may have given the URI of the database."""
    return re.sub(r"//.*@", "//***@", repr(url))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
