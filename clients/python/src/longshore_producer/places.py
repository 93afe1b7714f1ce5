"""Where in a message a value stands, for those who have to fix it."""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

# Characters of a name that are shown.
_SHOWN_MAX = 60


class At(NamedTuple):
    """The place of a value: a name or an index, and the place of what is around it."""

    step: Union[str, int]
    # The level of an object that stands here. The message itself is level 1.
    level: int
    around: Optional["At"] = None


def inside(at: At, step: Union[str, int]) -> At:
    return At(step, at.level + 1, at)


def shown(at: At) -> str:
    """As `data.cart[0].price`. A name that is not plain is quoted, so that it cannot act on a terminal."""
    steps = []
    place: Optional[At] = at
    while place is not None:
        steps.append(place.step)
        place = place.around
    text = ""
    for step in reversed(steps):
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{shown_name(step)}" if text else shown_name(step)
    return text


def shown_name(name: str) -> str:
    """The name, cut where it is long, in quotes and ASCII where it is not plain."""
    cut = name if len(name) <= _SHOWN_MAX else name[:_SHOWN_MAX] + "..."
    is_plain = all(character.isalnum() or character in "_-" for character in name) and name
    return cut if is_plain else ascii(cut)
