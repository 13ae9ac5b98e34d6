"""The native operators in plain Python, and why some of them have no twin."""

from __future__ import annotations

from typing import Any

from penstock._errors import InvalidArgumentError


def words(name: str = "world") -> list:
    """The twin of hello.words."""
    return ["hello", name]


def capitalize(text: str) -> str:
    """The twin of hello.capitalize: letters a to z only."""
    if not isinstance(text, str):
        raise InvalidArgumentError(f"hello.capitalize wants text, seen {_kind(text)}")
    return text[:1].upper() + text[1:] if "a" <= text[:1] <= "z" else text


def join(words: list) -> str:
    """The twin of hello.join."""
    if not isinstance(words, list):
        raise InvalidArgumentError(f"hello.join wants a list, seen {_kind(words)}")
    for word in words:
        if not isinstance(word, str):
            raise InvalidArgumentError(f"hello.join wants a list of text, seen an item of kind {_kind(word)}")
    return ", ".join(words) + "!"


_KINDS = {bool: "bool", int: "int", float: "float", str: "text", bytes: "bytes", list: "list"}
_KINDS |= {tuple: "tuple", dict: "map", type(None): "null"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "extension")


OPERATORS: dict[str, Any] = {
    "hello.words": words,
    "hello.capitalize": capitalize,
    "hello.join": join,
}
