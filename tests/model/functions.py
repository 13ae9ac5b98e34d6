"""The functions, classes and generators that the random tubes of generate.py are made of.

All are pure in their arguments and work on any value that flows in these tubes: ints, None, and lists of
such. `weight` maps any of them to an int, so a wrong value anywhere changes what is seen downstream.
"""

import asyncio
import os
from collections.abc import Generator
from typing import Annotated


class Node:
    """Stands for penstock.Node where there is no penstock."""

    def __init__(self, **params):
        self.__dict__.update(params)


if os.environ.get("PENSTOCK_MODEL_NOOB"):  # run by noob, or as functions written for it
    from noob import MetaSignal, Name

    NoEvent = MetaSignal.NoEvent
else:
    try:
        from penstock import Node, NoEvent
    except ImportError:  # the oracle and its own tests run without penstock

        class NoEvent:
            """Stands for penstock.NoEvent."""

    class Name:
        """Names a signal. Any metadata object with a string attribute `name` does."""

        def __init__(self, name):
            self.name = name


MODULUS = 1009
# What flows in the tubes, for annotations: types are checked when a tube is loaded.
Item = int | list | dict | str | float


def weight(value) -> int:
    if value is None:
        return 7
    if isinstance(value, list | tuple):
        total = 3 + len(value)
        for item in value:
            total = (total * 31 + weight(item)) % MODULUS
        return total
    if isinstance(value, dict):
        return weight([[len(key), item] for key, item in sorted(value.items())])
    if isinstance(value, str | bytes):
        return weight([ord(c) for c in value] if isinstance(value, str) else list(value))
    if isinstance(value, float):
        return int(value * 8) % MODULUS
    return int(value) % MODULUS


# ---- plain functions -------------------------------------------------------------------------------


def constant(start: int = 5) -> int:
    return start


def add_one(value):
    return weight(value) + 1


def scale(value, factor=3) -> Annotated[int, Name("scaled")]:
    return weight(value) * weight(factor) % MODULUS


def combine(left, right):
    return (weight(left) * 17 + weight(right)) % MODULUS


def three(a, b, c) -> Annotated[int, Name("sum")]:
    return (weight(a) + 2 * weight(b) + 3 * weight(c)) % MODULUS


def with_default(value, other=40):
    return (weight(value) * 5 + weight(other)) % MODULUS


def optional_pair(left: Item | None = None, right: Item | None = None) -> Annotated[int, Name("pair")]:
    return (weight(left) * 13 + weight(right)) % MODULUS


def needs_one(value, extra: Item | None = None):
    return (weight(value) * 19 + weight(extra)) % MODULUS


def keywords(**given) -> Annotated[list, Name("seen")]:
    return [[len(key), sum(map(ord, key)), weight(value)] for key, value in sorted(given.items())]


def positional(*given):
    return [weight(value) for value in given]


def maybe_none(value):
    return None if weight(value) % 3 == 0 else weight(value)


def drop_some(value, every=3):
    return NoEvent if weight(value) % max(2, weight(every) % 5) == 0 else weight(value)


def drop_all(value):
    return NoEvent


def fail_some(value):
    """Raises on every fifth value; only in the tubes of generate_failing()."""
    if weight(value) % 5 == 2:
        raise ArithmeticError(f"cannot take {weight(value)}")
    return weight(value) + 1


def split(value) -> tuple[Annotated[int, Name("low")], Annotated[int, Name("high")]]:
    return weight(value) % 10, weight(value) // 10


def route(value) -> tuple[Annotated[int, Name("even")], Annotated[int, Name("odd")], Annotated[int, Name("all")]]:
    number = weight(value)
    if number % 7 == 0:
        return NoEvent
    return (number, NoEvent, number) if number % 2 == 0 else (NoEvent, number, number)


def make_list(value, longest=4) -> Annotated[list, Name("items")]:
    number = weight(value)
    return [number + k for k in range(number % (1 + weight(longest) % 6))]


def make_nested(value) -> Annotated[list, Name("rows")]:
    number = weight(value)
    return [[number + 10 * i + k for k in range((number + i) % 3)] for i in range(number % 4)]


def pack(value) -> Annotated[tuple, Name("pack")]:
    """Every kind of plain value: it must come out of another process as it went in."""
    number = weight(value)
    odd = number % 2 == 1
    return number, f"n{number}", {"half": number / 2, "odd": odd, "none": None}, bytes([number % 256]), (-1) ** odd * 2 ** (number % 90)


def unpack(value) -> tuple[Annotated[str, Name("text")], Annotated[dict, Name("table")]]:
    number = weight(value)
    return "\u00e9" * (number % 3), {str(k): [k, (k,)] for k in range(number % 4)}


# ---- with memory -----------------------------------------------------------------------------------


class RunningSum:
    def __init__(self, start: int = 0):
        self.total = start

    def process(self, value):
        self.total = (self.total * 3 + weight(value)) % MODULUS
        return self.total


class Differences:
    def __init__(self):
        self.last = None

    def process(self, value) -> tuple[Annotated[int, Name("now")], Annotated[int, Name("change")]]:
        number = weight(value)
        change = NoEvent if self.last is None else number - self.last
        self.last = number
        return number, change


class EverySecond:
    def __init__(self):
        self.calls = 0

    def process(self, value, other: Item | None = None) -> Annotated[int, Name("kept")]:
        self.calls += 1
        return (weight(value) + weight(other)) % MODULUS if self.calls % 2 == 0 else NoEvent


class Ticker:
    """A class without inputs: it counts its calls."""

    def __init__(self, step: int = 1):
        self.count = 0
        self.step = weight(step)

    def process(self) -> Annotated[int, Name("tick")]:
        self.count += self.step
        return self.count


class Opened(Node):
    """Begun and ended with the run, or by hand; it works only in between."""

    factor: int = 2
    _total = 0
    _is_open = False

    def init(self):
        self._is_open = True

    def deinit(self):
        self._is_open = False

    def process(self, value) -> Annotated[int, Name("opened")]:
        assert self._is_open
        self._total = (self._total + weight(value) * self.factor) % MODULUS
        return self._total


class OpenedLater(Node):
    """The same with coroutines, and without memory."""

    stateful = False
    _is_open = False

    async def init(self):
        await asyncio.sleep(0)
        self._is_open = True

    async def deinit(self):
        await asyncio.sleep(0)
        self._is_open = False

    async def process(self, value):
        assert self._is_open
        await asyncio.sleep(0)
        return NoEvent if weight(value) % 4 == 0 else weight(value) + 2


# ---- coroutines ------------------------------------------------------------------------------------


async def later(value):
    await asyncio.sleep(0)
    return weight(value) + 5


async def split_later(value) -> tuple[Annotated[int, Name("less")], Annotated[int, Name("more")]]:
    await asyncio.sleep(0)
    number = weight(value)
    return (number // 2, NoEvent) if number % 3 == 0 else (NoEvent, number * 2 % MODULUS)


async def list_later(value) -> Annotated[list, Name("later_items")]:
    await asyncio.sleep(0)
    return [weight(value) + k for k in range(weight(value) % 4)]


# ---- assets and their users ------------------------------------------------------------------------


def register(start: int = 0):
    """An asset: a list that its users change."""
    return [start]


def use(asset, value, after: Item | None = None) -> Annotated[int, Name("used")]:
    asset.append(weight(value))
    return weight(asset)


def renew(asset, value, after: Item | None = None) -> Annotated[list, Name("renewed")]:
    """Gives what the asset can be from the next epoch on."""
    asset.append(weight(value) + 1)
    return NoEvent if weight(asset) % 3 == 0 else [weight(asset)]


# ---- generators ------------------------------------------------------------------------------------


def count_up(limit: int = 1000, start: int = 0) -> Generator[Annotated[int, Name("index")], None, None]:
    yield from range(start, start + limit)


def unnamed_source(limit: int = 1000):
    for index in range(limit):
        yield index * 7 % 13


def sporadic(limit: int = 1000, every: int = 2) -> Generator[Annotated[int, Name("word")], None, None]:
    for index in range(limit):
        yield index if index % every == 0 else NoEvent


def lists_source(limit: int = 1000, longest: int = 4) -> Generator[Annotated[list, Name("batch")], None, None]:
    for index in range(limit):
        yield [index * 11 + k for k in range((index * 5 + 3) % (longest + 1))]


def two_signals(
    limit: int = 1000,
) -> Generator[tuple[Annotated[int, Name("first")], Annotated[int, Name("second")]], None, None]:
    for index in range(limit):
        yield index, (NoEvent if index % 3 == 1 else index + 100)
