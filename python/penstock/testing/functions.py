"""Small pure functions."""

from __future__ import annotations

from typing import Annotated, Any

from penstock._events import Name


def multiply(left: float, right: float = 2) -> float:
    """left * right."""
    return left * right


def divide(numerator: float, denominator: float = 5) -> Annotated[float, Name("ratio")]:
    """numerator / denominator."""
    return numerator / denominator


def concat(strings: list[str]) -> str:
    """The strings, joined."""
    return "".join(strings)


def multi_concat(**kwargs: str) -> str:
    """All keyword values, joined in the order they are given."""
    return "".join("".join(letters) for letters in kwargs.values())


def exclaim(string: str, hype: int = 1) -> str:
    """The string with ``hype`` exclamation marks."""
    return string + "!" * hype


def repeat(string: str, times: int) -> str:
    """``times`` copies, one after another."""
    return string * times


def dictify(key: str, items: list) -> dict:
    """{key: items}."""
    return {key: items}


def error(value: Any = None) -> Any:
    """Always raises ValueError."""
    raise ValueError("This node just emits errors")


def input_party(one: Any, two: Any, three: Any, four: Any, five: Any, six: Any, seven: Any) -> Annotated[bool, Name("works")]:
    """True, given all seven."""
    return True


def passthrough(value: Any, *args: Any, **kwargs: Any) -> Any:
    """What it was called with."""
    return value, args, kwargs


def this_or_that(this: Any | None = None, that: Any | None = None, the_other: Any | None = None) -> dict:
    """A dict of those that are not None."""
    given = {"this": this, "that": that, "the_other": the_other}
    return {name: value for name, value in given.items() if value is not None}
