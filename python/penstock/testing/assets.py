"""Assets and the functions that use them: counters as objects that nodes share."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from penstock._events import Name


class counter(Generator):  # noqa: N801 - the name existing tubes use
    """Count up from ``start`` without end; can be copied, unlike a generator."""

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.current = start

    def send(self, _: Any) -> int:
        self.current += 1
        return self.current - 1

    def throw(self, *_: Any) -> None:
        raise StopIteration


class LifecycleCounter(counter):
    """A counter that knows how often it was entered and left."""

    def __init__(self, start: int = 0) -> None:
        super().__init__(start)
        self.entered = 0
        self.exited = 0


@contextmanager
def counter_cm(start: int = 0) -> Iterator[LifecycleCounter]:
    """A counter that advances once when it is entered and once when it is left."""
    made = LifecycleCounter(start)
    made.entered += 1
    next(made)
    try:
        yield made
    finally:
        next(made)
        made.exited += 1


def Initializer() -> bool:  # noqa: N802 - the name existing tubes use
    """True, as long as its scope lasts."""
    return True


def AnyAsset(obj: Any = None) -> Any:  # noqa: N802
    """What it is given."""
    return obj


def fast_forward(generator: Iterator[int], n: int = 1) -> Annotated[int, Name("next")]:
    """Advance ``n`` times; the last value."""
    for _ in range(n):
        value = next(generator)
    return value


def jump(generator: counter, n: int = 1) -> tuple[
    Annotated[counter, Name("skirttt")], Annotated[int, Name("next")]
]:
    """Advance ``n`` times; the counter itself and the last value."""
    value = 0
    for _ in range(n):
        value = next(generator)
    return generator, value


def rewind(generator: counter, n: int = 1) -> Annotated[counter, Name("skrittt")]:
    """Advance once and give a new counter ``n`` behind."""
    return counter(next(generator) - n)


def increment(iterator: Iterator[int], increment: int = 1) -> tuple[
    Annotated[Iterator[int], Name("iterator")], Annotated[int, Name("value")]
]:
    """Advance ``increment`` times; the iterator itself and the last value."""
    for _ in range(increment):
        value = next(iterator)
    return iterator, value


def zip_iter(*args: Iterator) -> tuple[Any, ...]:
    """The next value of each."""
    return tuple(next(iterator) for iterator in args)
