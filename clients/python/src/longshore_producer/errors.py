"""What a call may raise. Nothing else leaves this package on purpose."""

from __future__ import annotations


class ProducerError(Exception):
    """The base of all errors of this package."""


class BadMessage(ProducerError, ValueError):
    """A worker would reject the message, or SQS refuse it. The text names the field and what to do."""

    def __init__(self, field: str, problem: str) -> None:
        """`field` is the path, such as `data.cart[0].price`, and empty if it is the whole message."""
        super().__init__(f"field {field} {problem}" if field else f"the message {problem}")
        self.field = field


class QueueFull(ProducerError):
    """As many messages wait in memory as may wait there. The message was not accepted."""


class ProducerClosed(ProducerError):
    """The producer was closed, or its process is ending. The message was not accepted."""


class WrongClock(ProducerError, RuntimeError):
    """The clock of this machine is outside the years 2000 to 2100. A worker would reject every message."""


class BadSettings(ProducerError, ValueError):
    """Settings that are not valid. The text names all of them."""
