"""Sources: generators and a class that counts."""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Generator
from typing import Annotated, Any

from penstock._events import Name, NoEvent, process_method
from penstock._kinds import Node

_WORDS = ("alder", "birch", "cedar", "elm", "fir", "hazel", "linden", "maple", "oak", "pine", "yew")


def count_source(limit: int = 10000, start: int = 0) -> Generator[Annotated[int, Name("index")], None, None]:
    """Counts from ``start`` to ``limit``, which is left out; limit 0 counts for ever."""
    yield from itertools.count(start) if limit == 0 else range(start, limit)


def letter_source() -> Generator[Annotated[str, Name("letter")], None, None]:
    """a to z, again and again."""
    yield from itertools.cycle(string.ascii_lowercase)


def word_source() -> Generator[Annotated[str, Name("word")], None, None]:
    """Random words of two letters or more."""
    while True:
        yield random.choice(_WORDS)


def multi_words_source(n: int) -> Generator[Annotated[list[str], Name("multi_words")], None, None]:
    """Lists of ``n`` random words."""
    while True:
        yield [random.choice(_WORDS) for _ in range(n)]


def sporadic_word(every: int = 3) -> Generator[Annotated[str | None, Name("word")], None, None]:
    """A word each ``every``-th call, None otherwise."""
    for i in itertools.count(1):
        yield random.choice(_WORDS) if i % every == 0 else None


def sporadic_word_noevent(every: int = 3) -> Generator[Annotated[Any, Name("word")], None, None]:
    """A word each ``every``-th call, no event otherwise."""
    for i in itertools.count(1):
        yield random.choice(_WORDS) if i % every == 0 else NoEvent


def word_counts() -> Generator[
    tuple[Annotated[str, Name("word")], Annotated[list[int], Name("counts")]], None, None
]:
    """A word and a list of three counts."""
    for i in itertools.count():
        yield random.choice(_WORDS), [i, i + 1, i + 2]


def switch() -> Generator[
    tuple[
        Annotated[Any, Name("fruits")],
        Annotated[Any, Name("vegetables")],
        Annotated[Any, Name("minerals")],
    ],
    None,
    None,
]:
    """One of three signals in turn, no event on the other two."""
    kinds = (
        ("apple", "banana", "cherry"),
        ("daikon", "eggplant", "fiddlehead"),
        ("galaxite", "halite", "iolite"),
    )
    for i in itertools.count():
        values: list[Any] = [NoEvent] * 3
        values[i % 3] = kinds[i % 3][i // 3 % 3]
        yield tuple(values)


def cycle(start: int = 0, stop: int = 100, step: int = 1) -> Generator[float, None, None]:
    """range(start, stop, step), again and again."""
    yield from itertools.cycle(range(start, stop, step))


class CountSource(Node):
    """Counts from ``start`` to ``limit``, which is left out."""

    limit: int = 1000
    start: int = 0

    def process(self) -> Generator[Annotated[int, Name("index")], None, None]:
        yield from range(self.start, self.limit)


class UnannotatedGenerator(Node):
    """CountSource without annotations: its signal is ``value``."""

    limit: int = 1000
    start: int = 0

    def process(self):  # noqa: ANN201
        yield from range(self.start, self.limit)


class CountSourceDecor:
    """Counts up from ``start`` for ever."""

    def __init__(self, start: int = 0) -> None:
        self._numbers = itertools.count(start)

    @process_method
    def process(self) -> Generator[Annotated[int, Name("count")], None, None]:
        yield from self._numbers
