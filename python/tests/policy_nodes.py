"""Nodes for test_policies.py: workers import them by name. What they count is kept in files, so that
calls in other processes count too."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import threading
import time
from pathlib import Path

import penstock as ps


class Busy(ConnectionResetError):
    """Derived from ConnectionError by way of another."""


class Odd(Exception):
    """Pickle cannot make it again."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")

    def __reduce__(self):
        raise TypeError("not me")


def count(folder, name):
    """How often it was called with these, this time included."""
    with Path(folder, str(name)).open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # calls of several epochs count at once
        file.write(b".")
        return os.fstat(file.fileno()).st_size


def flaky(x, folder, failures=2, error="Busy"):
    if count(folder, x) <= failures:
        raise {"Busy": Busy, "ValueError": ValueError}[error](f"busy with {x}")
    return x * 10


class Interrupted(Exception):
    """Ctrl-C comes while its text is made."""

    def __str__(self):
        signal.raise_signal(signal.SIGINT)
        return "never read"


def interrupted(x, folder):
    count(folder, x)
    raise Interrupted


def odd(x, folder):
    if count(folder, x) <= 1:
        raise Odd("cannot", "travel")
    return x


def ours(x, folder):
    if count(folder, x) <= 1:
        raise ps.UnavailableError("not there yet")
    return x


async def flaky_coroutine(x, folder, failures=2):
    await asyncio.sleep(0)
    return flaky(x, folder, failures)


class FlakyInOrder:
    """Fails every other call; what it gives depends on all calls before."""

    def __init__(self):
        self.calls = 0
        self.total = 0

    def process(self, x):
        self.calls += 1
        if self.calls % 2:
            raise Busy("every other time")
        self.total = 3 * self.total + x
        return self.total


def numbers(n):
    return list(range(n))


def tick(limit):
    yield from range(limit)


def failing_source():
    yield 1
    raise Busy("no more")


def fail(x):
    raise ValueError(f"cannot use {x}")


def hang(x, folder):
    """For ever, but the first time only when x is odd."""
    if count(folder, x) == 1 or x % 2 == 0:
        threading.Event().wait()
    return x


def spin(x):
    while True:
        pass


async def hang_coroutine(x, folder):
    if count(folder, x) == 1 or x % 2 == 0:
        try:
            await asyncio.Event().wait()
        finally:
            count(folder, f"ended-{x}")
    return x


async def deaf_coroutine(x):
    """Does not end when it is told to."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return x


def quick(x):
    return x


def process_id(x):
    return os.getpid()


class Remembers:
    def process(self, x):
        return x


def late_but_done(x):
    end = time.monotonic() + 0.02
    while time.monotonic() < end:
        pass
    return x


class Shared:
    """An asset."""


def with_asset(x, shared):
    return x


async def coroutine_with_asset(x, shared):
    await asyncio.Event().wait()


def overlap(x, folder):
    """How many of these calls are going on, itself included: one file each."""
    mine = Path(folder, f"on-{x}")
    mine.touch()
    here = len(list(Path(folder).glob("on-*")))
    end = time.monotonic() + 0.003
    while time.monotonic() < end:
        pass
    mine.unlink()
    return here
