"""Nodes as programs for noob write them, with another import root."""

import contextlib
from collections.abc import Generator
from typing import Annotated

from penstock.compat.noob import Epoch, EventMap, MetaSignal, Name, Node, RunnerContext, deinit_method, init_method, process_method

told: list = []


def numbers(limit: int = 1000) -> Generator[Annotated[int, Name("index")], None, None]:
    yield from range(limit)


def letters(count: int) -> Annotated[list, Name("letters")]:
    return list("abcdef"[:count])


def upper(letter: str) -> str:
    return letter.upper()


def even(value: int) -> Annotated[int, Name("even")]:
    return value if value % 2 == 0 else MetaSignal.NoEvent


def is_text() -> str:
    return "12"


def wants_number(value: int) -> str:
    return f"{value!r}"


def show(value) -> str:
    return repr(value)


def fails_on_two(value):
    if value == 2:
        raise KeyError("two") from ValueError("the cause")
    return value


async def later(value):
    return value + 1


def at(value, epoch: Epoch) -> list:
    return epoch.to_wire()


def senders(value, events: EventMap) -> list:
    return [(slot, event["node_id"], event["value"]) for slot, event in events.items()]


def passes_event_on(value, events: EventMap):
    return events["value"]


class Counter:
    def __init__(self, start: int = 0):
        self.count = start

    @process_method
    def step(self) -> Annotated[int, Name("count")]:
        self.count += 1
        return self.count

    @init_method
    def open(self):
        told.append("open")

    @deinit_method
    def close(self):
        told.append("close")


class Above(Node):
    limit: int = 3

    def init(self, context: RunnerContext) -> None:
        told.append((self.id, type(context["runner"]).__name__, context["input_collection"].get("floor")))

    def process(self, value: int) -> Annotated[int, Name("above")]:
        return value if value > self.limit else MetaSignal.NoEvent


class Twins(Node):
    """Signals by its params."""

    names: list = []

    @classmethod
    def get_signals(cls, spec=None) -> dict:
        return dict.fromkeys(spec.params["names"])

    def process(self, value: int) -> tuple:
        return tuple(value + k for k in range(len(self.names)))


@contextlib.contextmanager
def ledger(name: str = "it"):
    told.append(f"open {name}")
    yield []
    told.append(f"close {name}")


def write(ledger: list, value) -> int:
    ledger.append(value)
    return len(ledger)
