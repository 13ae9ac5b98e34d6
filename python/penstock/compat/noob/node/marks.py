"""Marks of the methods of plain classes that a run calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from penstock._events import process_method as _process_method

_Method = TypeVar("_Method", bound=Callable)


def process_method(method: _Method) -> _Method:
    """Called once per epoch."""
    return _process_method(method)


def init_method(method: _Method) -> _Method:
    """Called when a run begins."""
    method.__is_init_method__ = True  # type: ignore[attr-defined]
    return method


def deinit_method(method: _Method) -> _Method:
    """Called when a run ends."""
    method.__is_deinit_method__ = True  # type: ignore[attr-defined]
    return method
