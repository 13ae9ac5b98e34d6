"""Coroutines, and nodes that ask for more than their inputs."""

from __future__ import annotations

import asyncio
import random
import string
import time
from typing import Any

from penstock._events import Epoch, EventMap


async def number_to_letter(number: int, offset: int = 0) -> str:
    """The letter with this number, counted round and round, after up to 100 ms."""
    await asyncio.sleep(random.random() / 10)
    return string.ascii_lowercase[(number + offset) % 26]


class NumberToLetterCls:
    """number_to_letter() as a class, with a fixed offset."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    async def process(self, number: int) -> str:
        return await number_to_letter(number, self.offset)


async def async_error(value: Any) -> None:
    """Always raises ValueError."""
    raise ValueError("This is the error that should be raised")


def long_add(value: float, sleep_for: float = 0.25) -> float:
    """value + 1, after a while."""
    time.sleep(sleep_for)
    return value + 1


def just_wait(value: Any, wait_for: float = 0.5) -> Any:
    """The value, after a while."""
    time.sleep(wait_for)
    return value


def inject_epoch(epoch: Epoch) -> Epoch:
    """The epoch of the call."""
    return epoch


def inject_eventmap(special_value: Any, events: EventMap) -> EventMap:
    """The raw events of the call."""
    return events
