"""What waits to be sent, and when it is tried: batches in the order of arrival, pauses that grow while the queue is away,
and an end for what was tried for too long. It sends nothing, has no clock and no lock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Callable, Deque, Dict, List, NamedTuple, Optional, Set, Union

# Messages of one call of SendMessageBatch, and its bytes.
BATCH_MAX = 10
BATCH_BYTES_MAX = 1024 * 1024

# From so many on a pause grows no more.
_FAILURES_MAX = 64


class Delivery(NamedTuple):
    """How messages are tried. Seconds, but for `in_flight_max` (calls)."""

    retry_initial: float
    retry_max: float
    # From a message's arrival on.
    budget: float
    # How long a batch that is not full waits for more.
    linger: float
    is_fifo: bool
    in_flight_max: int = 1


@dataclass
class Message:
    """One that waits, and what is known of its tries. Times are those of the caller's monotonic clock."""

    # UTF-8.
    body: bytes
    attributes: Dict[str, str]
    bytes: int
    id: str
    group: Optional[str] = None
    # Given when it is taken: 1 is the first of a producer.
    serial: int = 0
    arrived: float = 0.0
    failures: int = 0
    # Of one that failed while others of its call did not: when it is tried again.
    not_before: float = 0.0
    # A call with it failed as a whole, which may be its own fault: it is sent in a call of its own.
    is_suspect: bool = False


class Why(Enum):
    """Why a message was not sent."""

    # SQS refuses the message itself.
    REFUSED = "refused"
    # It was tried for as long as it may be.
    LATE = "late"
    # The queue is gone, or does not let us send, and was so for as long as it may be.
    DENIED = "denied"


class Settled(NamedTuple):
    """What became of a message: sent, where there is no reason why not."""

    message: Message
    why: Optional[Why] = None
    text: str = ""


class FaultKind(Enum):
    """What a whole call that failed says of the queue."""

    DENIED = "denied"
    THROTTLED = "throttled"
    # Everything else: no answer among it, and one that may be the fault of a message.
    UNAVAILABLE = "unavailable"


class Fault(NamedTuple):
    kind: FaultKind
    text: str


class Outcome(NamedTuple):
    """What the queue says of one message of a call. `is_refused`: another try would end the same."""

    is_sent: bool
    is_refused: bool = False
    text: str = ""


# Of a call: one outcome for each message, in their order, or why there are none.
Answer = Union[List[Outcome], Fault]


@dataclass
class Batch:
    messages: List[Message]


@dataclass
class _Picked:
    places: List[int] = field(default_factory=list)
    is_full: bool = False
    # When the first that has to wait may go.
    earliest: Optional[float] = None


class Outbox:
    """What waits, and the calls in flight: several while full batches wait and all is well, otherwise one."""

    def __init__(self, delivery: Delivery, random: Callable[[], float]) -> None:
        self._delivery = delivery
        self._random = random
        self._waiting: Deque[Message] = deque()
        self._in_flight: List[Batch] = []
        # Until when the queue is not asked, where it took nothing when it was asked last.
        self._trouble_until: Optional[float] = None
        self._troubles = 0

    @property
    def is_in_trouble(self) -> bool:
        return self._trouble_until is not None

    @property
    def is_empty(self) -> bool:
        return not self._waiting and not self._in_flight

    def push(self, message: Message) -> None:
        self._waiting.append(message)

    def has_last(self, message: Message) -> bool:
        """Whether this message was the last to come."""
        return bool(self._waiting) and self._waiting[-1] is message

    def clear(self) -> List[Message]:
        """Gives up all that waits, what is in flight among it."""
        given_up = [message for batch in self._in_flight for message in batch.messages] + list(self._waiting)
        self._waiting.clear()
        self._in_flight = []
        return given_up

    def next(self, now: float, is_closed: bool, flushed: int = 0) -> Union[Batch, float, None]:
        """A batch to send, a moment before which there is none, or None where nothing waits.

        Up to the serial `flushed` no message waits for others to go along.
        """
        if not self._waiting or (self._in_flight and not self.may_go_beside()):
            return None
        if self._trouble_until is not None and self._trouble_until > now:
            return self._trouble_until
        picked = self._pick(now)
        if not picked.places:
            return picked.earliest
        first = self._waiting[picked.places[0]]
        lingers_until = first.arrived + self._delivery.linger
        if not picked.is_full and not is_closed and first.serial > flushed and lingers_until > now:
            return lingers_until if picked.earliest is None else min(lingers_until, picked.earliest)
        batch = Batch([self._waiting[place] for place in picked.places])
        # From the end, so that the other places stay what they are.
        for place in reversed(picked.places):
            del self._waiting[place]
        self._in_flight.append(batch)
        return batch

    def may_go_beside(self) -> bool:
        """Whether another call may be in flight beside those that are.

        Not on a FIFO queue, where the order of a group would be lost; not before a batch is full; and not while the queue is in
        trouble, when one call asks for all.
        """
        is_well = not self._delivery.is_fifo and self._trouble_until is None
        return is_well and len(self._in_flight) < self._delivery.in_flight_max and len(self._waiting) >= BATCH_MAX

    def _pick(self, now: float) -> _Picked:
        """The places of the messages that go next."""
        picked, total = _Picked(), 0
        # Nothing overtakes a message of its group that failed and is tried again.
        behind: Set[Optional[str]] = set()
        for place, message in enumerate(self._waiting):
            group = message.group if self._delivery.is_fifo else None
            if message.not_before > now:
                picked.earliest = message.not_before if picked.earliest is None else min(picked.earliest, message.not_before)
                behind.add(group)
            elif group is not None and group in behind:
                continue
            elif message.is_suspect:
                if not picked.places:
                    return _Picked([place], True, picked.earliest)
                behind.add(group)
            elif total + message.bytes > BATCH_BYTES_MAX:
                picked.is_full = True
                break
            else:
                picked.places.append(place)
                total += message.bytes
                if len(picked.places) == BATCH_MAX:
                    picked.is_full = True
                    break
        return picked

    def interrupted(self, batch: Batch) -> None:
        """Nobody waits for the answer to a batch any more: it waits again."""
        if self._is_let_go(batch):
            self._put_back(batch.messages)

    def answered(self, batch: Batch, answer: Answer, now: float) -> List[Settled]:
        """Takes the answer to a batch. What is not settled by it waits again."""
        if not self._is_let_go(batch):
            # It was given up in between, and its end is told.
            return []
        if isinstance(answer, Fault):
            return self._failed_as_a_whole(batch.messages, answer, now)
        settled: List[Settled] = []
        failed: List[Settled] = []
        outcomes = answer + [Outcome(False, text="the queue's answer does not mention the message")] * (len(batch.messages) - len(answer))
        for message, outcome in zip(batch.messages, outcomes):
            if outcome.is_sent:
                settled.append(Settled(message))
            elif outcome.is_refused:
                settled.append(Settled(message, Why.REFUSED, outcome.text))
            else:
                failed.append(Settled(message, Why.LATE, outcome.text))
        # Each for itself, but all of them, and not those alone that fail whatever happens: the queue is in trouble.
        is_trouble = not settled and any(one.message.failures == 0 for one in failed)
        if settled:
            self._trouble_until, self._troubles = None, 0
        settled += self._again(failed, now)
        if is_trouble:
            settled += self._pause(now, Why.LATE, failed[0].text)
        return settled

    def _is_let_go(self, batch: Batch) -> bool:
        """Takes a batch out of those in flight. False where it was none of them any more."""
        left = [one for one in self._in_flight if one is not batch]
        was_there = len(left) < len(self._in_flight)
        self._in_flight = left
        return was_there

    def _failed_as_a_whole(self, messages: List[Message], fault: Fault, now: float) -> List[Settled]:
        if fault.kind is not FaultKind.UNAVAILABLE:
            self._put_back(messages)
            return self._pause(now, Why.DENIED if fault.kind is FaultKind.DENIED else Why.LATE, fault.text)
        # What has failed alone before says nothing of a queue that takes others.
        is_known = not self.is_in_trouble and len(messages) == 1 and messages[0].failures > 0
        # The queue is away, or one of them is one that it cannot take. Each is tried alone from now on, and what fails
        # alone lets others go first.
        for message in messages:
            message.is_suspect = True
        settled: List[Settled] = []
        if len(messages) == 1:
            settled = self._again([Settled(messages[0], Why.LATE, fault.text)], now)
        else:
            self._put_back(messages)
        return settled if is_known else settled + self._pause(now, Why.LATE, fault.text)

    def _again(self, failed: List[Settled], now: float) -> List[Settled]:
        """Lets messages that failed among others wait for a pause of their own. Returns those whose time is over."""
        if not failed:
            return []
        pause = self._interval(max(one.message.failures for one in failed))
        late: List[Settled] = []
        kept: List[Message] = []
        for one in failed:
            # Never after a first try: a process that was stopped for long (a function of AWS Lambda between two calls) finds
            # its connection closed, and the queue well.
            if one.message.failures and one.message.arrived + self._delivery.budget < now + pause:
                late.append(one)
            else:
                one.message.not_before = now + pause
                one.message.failures = min(one.message.failures + 1, _FAILURES_MAX)
                kept.append(one.message)
        self._put_back(kept)
        return late

    def _put_back(self, messages: List[Message]) -> None:
        """Before all others, for they came earlier."""
        self._waiting.extendleft(reversed(messages))

    def _pause(self, now: float, why: Why, text: str) -> List[Settled]:
        """The queue takes nothing: all wait. Those for which the next try would be too late are given up."""
        if self._trouble_until is not None and self._trouble_until > now:
            # One of several calls that were in flight together: one trouble.
            return []
        until = now + self._interval(self._troubles)
        is_first, self._trouble_until = not self._troubles, until
        self._troubles = min(self._troubles + 1, _FAILURES_MAX)
        budget = self._delivery.budget
        # Mostly there is none, and then nothing moves. None at the first trouble, as in `_again`.
        if is_first or not any(message.arrived + budget < until for message in self._waiting):
            return []
        over = [message for message in self._waiting if message.arrived + budget < until]
        self._waiting = deque(message for message in self._waiting if message.arrived + budget >= until)
        return [Settled(message, why, text) for message in over]

    def _interval(self, failures: int) -> float:
        """Doubles with each failure up to its bound; a random half is taken off, so that many do not ask in step."""
        interval: float = min(self._delivery.retry_max, self._delivery.retry_initial * 2.0**failures)
        return interval * (0.5 + self._random() / 2)
