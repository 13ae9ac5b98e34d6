"""Nodes that misbehave, each in its own way."""

import os
import signal
from typing import Annotated

from penstock import Name


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
