"""Nodes that misbehave, each in its own way."""

import os
import signal
from typing import Annotated

from penstock import Name, Node


def number() -> int:
    return 3


def divide(value: int) -> float:
    return value / 0


def two() -> tuple[Annotated[int, Name("a")], Annotated[int, Name("b")]]:
    return 1, 2, 3


def plus(left: int, right: int = 1) -> int:
    return left + right


def killed(value: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return value


def opened(value: int):
    return open(os.devnull)


async def items(value: int):
    yield value


class Unready(Node):
    def init(self) -> None:
        raise OSError("no such device")

    def process(self, value: int) -> int:
        return value


class Stuck(Node):
    def deinit(self) -> None:
        raise OSError("device is busy")

    def process(self, value: int) -> int:
        return value
