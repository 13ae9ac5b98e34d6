"""Nodes and assets written as noob's users write them: with noob's own names, whoever offers those.

Without noob they come from penstock.compat.noob. No annotation here may be text: noob does not read that.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

from model.functions import weight

try:
    from noob import Epoch, MetaSignal, Name, Node, process_method
    from noob.types import EventMap
except ModuleNotFoundError:
    from penstock.compat.noob import Epoch, EventMap, MetaSignal, Name, Node, process_method


async def later(value):
    return weight(value) + 2


async def split_later(value) -> tuple[Annotated[int, Name("first")], Annotated[int, Name("rest")]]:
    return weight(value) % 7, MetaSignal.NoEvent if weight(value) % 3 == 0 else weight(value) // 7


class Scaled:
    def __init__(self, factor: int = 3):
        self.factor = factor

    @process_method
    def times(self, value) -> Annotated[int, Name("times")]:
        return weight(value) * self.factor


class Above(Node):
    limit: int = 400

    def process(self, value) -> Annotated[int, Name("above")]:
        return weight(value) if weight(value) > self.limit else MetaSignal.NoEvent


class Total(Node):
    """Says in its values how often it was begun."""

    start: int = 0

    def init(self) -> None:
        self._total = self.start + 100

    def process(self, value) -> int:
        self._total = (self._total + weight(value)) % 1009
        return self._total

    _total: int = 0


class Numbers(Node):
    limit: int = 1000

    def process(self) -> Generator[Annotated[int, Name("number")], None, None]:
        yield from range(self.limit)


def where(value, epoch: Epoch) -> Annotated[str, Name("where")]:
    steps = [epoch[at] for at in range(len(epoch))]
    return "/".join(f"{name}:{index}" for name, index in steps) + f"={weight(value)}"


def received(value, other=None, *, events: EventMap) -> list:
    return sorted([str(slot), event["node_id"], event["signal"]] for slot, event in events.items())


def pair(value) -> tuple[int, str]:
    """One signal that holds a tuple."""
    return weight(value), "x"


def rows(value) -> Annotated[list, Name("rows")]:
    """Never empty."""
    return [weight(value) % 10 + k for k in range(1 + weight(value) % 4)]


def raises_on_three(value):
    if weight(value) % 4 == 3:
        raise ArithmeticError(f"three: {weight(value)}")
    return weight(value)


class Box:
    def __init__(self, start: int = 0):
        self.items = [start]

    def __repr__(self):
        return f"Box{self.items}"


@contextmanager
def opened(start: int = 0):
    box = Box(start)
    box.items.append(-1)
    yield box
    box.items.append(-2)


def push(box, value) -> Annotated[int, Name("total")]:
    box.items.append(weight(value))
    return sum(box.items) % 1009


def carry(box, value) -> tuple[Annotated[Box, Name("box")], Annotated[int, Name("total")]]:
    box.items.append(weight(value))
    return box, sum(box.items) % 1009


def word() -> str:
    return "abc"


def show(value):
    return repr(value)
