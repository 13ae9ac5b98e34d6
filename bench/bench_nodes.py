"""The node functions of the benchmarks, the same ones on every side: ours, noob's, the bare loop's."""

import asyncio
import math
import zlib


class Name:
    def __init__(self, name):
        self.name = name


def count():
    index = 0
    while True:
        yield index
        index += 1


def double(x):
    return 2 * x


def increment(x):
    return x + 1


def square(x):
    return x * x


def add(a, b):
    return a + b


def halve(x):
    return x // 2


def numbers(size: int = 10_000):
    return list(range(size))


def empty(x):
    return x


def checked(payload, before=0):
    """The payload with a checksum of it, and of those before, in front."""
    return zlib.crc32(payload, before).to_bytes(4, "little") + payload[4:]


class Checked:
    """checked() with a memory."""

    def __init__(self):
        self.before = 0

    def process(self, payload):
        payload = checked(payload, self.before)
        self.before = int.from_bytes(payload[:4], "little")
        return payload


def left_work(x):
    return burn(x)


def right_work(x):
    return burn(x + 1)


async def nap(value, seconds=0.05):
    await asyncio.sleep(seconds)
    return value


def burn(seed, steps=100_000):
    """About 5 ms of CPU in one Python function."""
    total = float(seed)
    for step in range(steps):
        total = math.sin(total) + step * 1e-9
    return total


def touch(array):
    """Look at both ends of a large array, change nothing."""
    assert array[0] == 0.0 and array[-1] == len(array) - 1
    return array


def ten_from(x):
    return list(range(x, x + 10))


async def soon(x):
    return x + 1


class Book:
    def __init__(self):
        self.pages = 0


def note(book, x):
    book.pages += 1
    return book.pages
