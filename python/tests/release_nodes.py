"""Nodes for test_release.py: values that know how many of them there are."""

from typing import Annotated

import penstock as ps


class Big:
    """A value of the host language, counted while it lives."""

    live = 0
    most = 0

    def __init__(self):
        Big.live += 1
        Big.most = max(Big.most, Big.live)

    def __del__(self):
        Big.live -= 1


def make(x):
    return Big()


def step(big):
    return Big()


def many(x):
    return [Big() for _ in range(x)]


def two(x) -> tuple[Annotated[Big, ps.Name("left")], Annotated[Big, ps.Name("right")]]:
    return Big(), Big()


def nothing(x):
    return ps.NoEvent


def live(value, after: Big | int | None = None):
    """How many there are during this call."""
    return Big.live


def both(value, wide, after):
    """The type of two values that this call still has."""
    assert type(value) is type(wide)
    return type(wide).__name__


def grow(x):
    import numpy as np

    return np.full(x, 1.0)


def plus_one(array):
    return array + 1.0


def total(array):
    return float(array.sum())
