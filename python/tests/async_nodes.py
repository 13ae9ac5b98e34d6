"""Nodes for test_async.py and test_node_classes.py: workers import them by name."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import penstock as ps

if TYPE_CHECKING:
    import penstock as checkers

active = 0
most_active = 0
begun = []
ended = []
token = object()


async def double(x):
    await asyncio.sleep(0)
    return 2 * x


async def sleep(x, seconds=0.05):
    global active, most_active
    active += 1
    most_active = max(most_active, active)
    try:
        await asyncio.sleep(seconds)
    finally:
        active -= 1
    return x


async def at_once(x):
    return x


async def two(x) -> tuple[Annotated[int, ps.Name("low")], Annotated[int, ps.Name("high")]]:
    await asyncio.sleep(0)
    return x, (x + 100 if x % 2 else ps.NoEvent)


async def fail(x):
    await asyncio.sleep(0)
    raise ValueError(f"cannot use {x}")


async def cancels_itself(x):
    raise asyncio.CancelledError


async def wait_for_ever(x):
    print("waiting", flush=True)
    begun.append(x)
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)  # what it does at its end is waited for
        ended.append(x)
        print("ended", flush=True)


async def items(x):
    yield x


async def same(x):
    await asyncio.sleep(0)
    return x


def make_token(x):
    return token


async def where(x):
    return id(asyncio.get_running_loop()), threading.get_ident(), asyncio.current_task() is not None


def wrapped(x):
    return double(x)


async def numbers(x):
    return list(range(x, 2 * x + 4))


async def jitter(x):
    """Later elements are done first."""
    await asyncio.sleep(0.02 / (1 + x))
    return x


class Running:
    """Depends on every call before."""

    def __init__(self, start=0):
        self.total = start

    async def process(self, x):
        total = self.total
        await asyncio.sleep(0.001)
        self.total = 3 * total % 1_000_003 + x
        return self.total


class WithAsyncItems:
    async def process(self, x):
        yield x


log = []


class Part(ps.Node):
    name: str = "part"
    fail_init: bool = False
    fail_deinit: bool = False

    def init(self) -> None:
        if self.fail_init:
            raise ValueError(f"no {self.name}")
        log.append(f"init {self.name}")
        print(f"init {self.name}")

    def deinit(self) -> None:
        log.append(f"deinit {self.name}")
        print(f"deinit {self.name}")
        if self.fail_deinit:
            raise ValueError(f"{self.name} would not end")

    def process(self, x: int = 0) -> int:
        if x == 13:
            raise ValueError("thirteen")
        return x + 1


class Meter(ps.Node):
    """It can count only between init and deinit."""

    def __init__(self, **params):
        super().__init__(**params)
        self._total = 0
        self._scale = None

    def init(self) -> None:
        self._scale = 1

    def deinit(self) -> None:
        self._scale = None

    def process(self, x: int) -> int:
        self._total += x * self._scale
        return self._total


class Connection(ps.Node):
    """Its init and deinit are coroutines on the loop of its calls."""

    _loop = None

    async def init(self) -> None:
        await asyncio.sleep(0)
        self._loop = asyncio.get_running_loop()

    async def deinit(self) -> None:
        await asyncio.sleep(0)
        log.append(asyncio.get_running_loop() is self._loop)
        print("same loop", asyncio.get_running_loop() is self._loop)

    async def process(self, x: int) -> bool:
        await asyncio.sleep(0)
        return asyncio.get_running_loop() is self._loop


class Told(ps.Node):
    seen: dict | None = None

    def init(self, context: ps.RunnerContext) -> None:
        self.seen = context

    def process(self) -> dict:
        return self.seen


class Counting(ps.Node):
    """What init made is needed by every call."""

    _total: int | None = None

    def init(self) -> None:
        self._total = 1000

    def process(self, x: int) -> int:
        self._total += x
        return self._total


class Numbers(ps.Node):
    limit: int = 3
    _begun = False

    def init(self) -> None:
        self._begun = True

    def process(self):
        for i in range(self.limit):
            yield i, self._begun


class Plain:
    def init(self):
        raise AssertionError("a plain class has no init")

    deinit = init

    def process(self, x=0):
        return x


class Where(ps.Node):
    stateful = False

    def init(self) -> None:
        self._pid = os.getpid()

    def process(self, x: int) -> bool:
        return os.getpid() == self._pid


def epoch_of(x, epoch: ps.Epoch):
    return epoch


def epoch_as_text(x, *, here: checkers.Epoch):
    return str(here)


def only_epoch(epoch: ps.Epoch):
    return epoch


def events_of(x, y=None, *, events: ps.EventMap):
    return events


async def injected_later(x, epoch: ps.Epoch, events: ps.EventMap):
    await asyncio.sleep(0)
    return str(epoch), sorted(events)


def twice(x):
    return [x, x]


class Epoch:
    """Another library's."""

    root = 0

    def __init__(self, root, path=()):
        self.root = root
        self.steps = list(path)


def their_epoch(x, epoch: Epoch):
    return type(epoch).__name__, epoch.root, epoch.steps


def leave(x):
    sys.exit(3)
