"""What the parity suite (test_parity.py) is made of: a module per part, each with a list CASES."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hypothesis.strategies import SearchStrategy

import penstock as ps


@dataclass(frozen=True)
class Case:
    """One thing that both backends must do alike.

    `program` draws plain data; `run(backend, program)` does what it says with the "native" or the
    "reference" backend and gives an outcome that can be compared; each of `broken` is a label and what
    makes a context manager that breaks the twin, which the case must notice. `covers` names the public
    operations of penstock.reference that it is about, where they do not live in the module of its name.
    """

    name: str
    program: SearchStrategy
    run: Callable[[str, Any], Any]
    broken: list[tuple[str, Callable[[], AbstractContextManager]]]
    covers: tuple[str, ...] = ()
    share: float = field(default=1.0)  # of the number of programs: less for slow ones


def backend_of(name: str) -> ModuleType:
    """Where the public operations of a backend are."""
    return importlib.import_module({"native": "penstock._core", "reference": "penstock.reference"}[name])


def outcome(call: Callable, *args: Any, **keywords: Any) -> tuple:
    """("gives", result) or ("raises", type, text, id, help): what both backends must have in common."""
    try:
        return "gives", call(*args, **keywords)
    except ps.Error as error:
        return "raises", type(error).__name__, str(error), error.id, error.help
    except Exception as error:
        return "raises", type(error).__name__, str(error)
