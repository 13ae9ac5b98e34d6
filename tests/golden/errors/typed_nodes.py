"""Functions that say what they take and give."""

from collections.abc import Iterator
from typing import Annotated


def name() -> str:
    return "a"


def volts() -> Annotated[float, "V"]:
    return 1.5


def words() -> Iterator[str]:
    yield "a"


def twice(value: int) -> int:
    return 2 * value


def gain(value: Annotated[float, "mV"]) -> float:
    return value


def maybe(value: int | None = None) -> float:
    return 0.5 if value is None else value
